/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports: what must hold in each format; how they look is in tests/golden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "report/label.h"
#include "report/report.h"
#include "report/tree.h"

static struct site *add(struct snapshot *snapshot, enum site_kind kind, uint64_t bytes,
			const char *leaf, const char *root)
{
	struct frame frames[] = { { .name = snapshot_string(snapshot, leaf) },
				  { .name = snapshot_string(snapshot, root) } };
	struct site *site = vec_add(&snapshot->sites);

	*site = (struct site){ .kind = kind,
			       .pid = 7,
			       .bytes = bytes,
			       .blocks = bytes / 10,
			       .allocated_bytes = bytes,
			       .max_age_ns = 9000000000,
			       .frames = snapshot_frames(snapshot, frames, 2),
			       .frame_count = 2 };
	if (kind == SITE_HEAP) {
		snapshot->heap_totals.live_bytes += bytes;
		snapshot->heap_totals.live_blocks += bytes / 10;
	} else {
		snapshot->mapping_totals.live_bytes += bytes;
	}
	return site;
}

/* Heap: 500 (100 of them young), 300, 20 (all young), 0. Mapping: 900. */
static struct snapshot *example(void)
{
	struct snapshot *snapshot = snapshot_new();
	struct site *site;

	snapshot->target = "pid 7";
	snapshot->mode = "exact";
	snapshot->min_age_ns = 5000000000;
	snapshot->heap = snapshot->mapping = true;
	*vec_add(&snapshot->processes) = (struct process){
		.pid = 7, .comm = "app", .state = "running", .allocator = "glibc"
	};
	*vec_add(&snapshot->losses) = (struct counted){ "blocks_full", "allocations not kept", 0 };
	site = add(snapshot, SITE_HEAP, 500, "malloc", "alpha");
	site->young_bytes = 100;
	site->young_blocks = 10;
	add(snapshot, SITE_HEAP, 300, "calloc", "beta");
	site = add(snapshot, SITE_HEAP, 20, "strdup", "gamma");
	site->young_bytes = 20;
	site->young_blocks = 2;
	add(snapshot, SITE_HEAP, 0, "malloc", "delta");
	add(snapshot, SITE_MAPPING, 900, "mmap", "alpha");
	snapshot_sort(snapshot);
	return snapshot;
}

static char *draw(const struct snapshot *snapshot, const char *format,
		  const struct report_options *options)
{
	size_t length;
	char *text;
	FILE *stream = open_memstream(&text, &length);

	report_find(format)->write(snapshot, options, stream);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static const struct report_options plain = { .top = 20, .min_age_ns = 5000000000 };
static const struct report_options shaped = { .top = 1,
					      .min_age_ns = 5000000000,
					      .shape_all = true };

static void test_formats_are_found(void **state)
{
	unsigned int i;

	for (i = 0; report_at(i); i++)
		assert_ptr_equal(report_find(report_at(i)->name), report_at(i));
	assert_true(i > 0);
	assert_string_equal(report_at(0)->name, "table");
	assert_null(report_find("tabel"));
}

/* A mapping that is young is left out, one that was there before and grew is not. */
static void test_committed_alone_is_shown(void **state)
{
	struct snapshot *snapshot = example();
	struct site *site = add(snapshot, SITE_MAPPING, 4096, "mmap", "young_one");
	char *text;

	site->committed_bytes = site->young_bytes = 4096;
	site->blocks = site->young_blocks = 1;
	add(snapshot, SITE_MAPPING, 0, "mprotect", "reserved")->committed_bytes = 8192;
	text = draw(snapshot, "table", &plain);
	assert_null(strstr(text, "young_one"));
	assert_non_null(strstr(text, "reserved"));
	free(text);
	snapshot_free(snapshot);
}

static void test_table_leaves_out_and_says_so(void **state)
{
	struct snapshot *snapshot = example();
	char *text = draw(snapshot, "table",
			  &(struct report_options){ .top = 1, .min_age_ns = 5000000000 });

	assert_non_null(strstr(text, "1     400 B  57.1%"));
	assert_non_null(strstr(text, "alpha"));
	assert_null(strstr(text, "beta"));
	assert_null(strstr(text, "gamma"));
	assert_non_null(strstr(text, "300 B in 1 more stack (--top)"));
	assert_non_null(strstr(text, "120 B in 12 blocks younger than 5 s (--min-age)"));
	assert_non_null(strstr(text, "1     900 B   100%"));
	assert_non_null(strstr(text, "losses      none"));
	free(text);
	text = draw(snapshot, "table", &(struct report_options){ .top = 20 });
	assert_non_null(strstr(text, "1     500 B  61.0%"));
	assert_non_null(strstr(text, "gamma"));
	assert_null(strstr(text, "left out"));
	free(text);
	snapshot_free(snapshot);
}

static void test_table_says_when_nothing_is_left(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	char *text;

	snapshot->heap = true;
	snapshot->heap_totals.allocated_bytes = 2048;
	text = draw(snapshot, "table", &plain);
	assert_non_null(strstr(text, "Nothing is outstanding: all of the 2.0 KiB allocated"));
	assert_non_null(strstr(text, "not traced  mappings"));
	free(text);
	snapshot_free(snapshot);
}

static size_t longest_line(const char *text)
{
	size_t longest = 0, length = 0;

	for (; *text; text++) {
		length = *text == '\n' ? 0 : length + ((*text & 0xc0) != 0x80);
		longest = length > longest ? length : longest;
	}
	return longest;
}

/* No name can make a line longer than the terminal, or reach the terminal as a command. */
static void test_table_bears_any_name(void **state)
{
	struct snapshot *snapshot = example();
	char name[2000];
	size_t i;
	char *text;

	for (i = 0; i < sizeof(name) - 1; i++)
		name[i] = "<\033(a,\xc3\xa9 >-)\x9b:\n"[i * 7 % 14];
	name[sizeof(name) - 1] = '\0';
	add(snapshot, SITE_HEAP, 100000, name, name + 1000);
	snapshot->processes.items[0].comm = name;
	snapshot->target = name;
	snapshot_note(snapshot, "%s", name);
	text = draw(snapshot, "table", &plain);
	assert_true(longest_line(text) <= 80);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xc2\x9b"));
	free(text);
	snapshot_free(snapshot);
}

static uint64_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void test_json_holds_everything(void **state)
{
	struct snapshot *snapshot = example();
	char *text = draw(snapshot, "json", &plain);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *site;

	assert_non_null(root);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_int_equal(number(root, "unfreed"), 1);
	assert_int_equal(number(json_object_get(root, "heap"), "live_bytes"), 820);
	assert_int_equal(number(json_object_get(root, "mapping"), "live_bytes"), 900);
	assert_int_equal(number(json_object_get(root, "losses"), "blocks_full"), 0);
	assert_int_equal(json_array_size(json_object_get(root, "sites")), 5);
	site = json_array_get(json_object_get(root, "sites"), 1);
	assert_int_equal(number(site, "bytes"), 500);
	assert_int_equal(number(site, "young_bytes"), 100);
	assert_string_equal(json_string_value(json_object_get(site, "kind")), "heap");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(site, "frames"), 0), "name")),
			    "malloc");
	assert_string_equal(json_string_value(json_object_get(site, "end")), "root");
	json_decref(root);
	free(text);
	snapshot_free(snapshot);
}

static void test_json_is_shaped_when_asked(void **state)
{
	struct snapshot *snapshot = example();
	char *text = draw(snapshot, "json", &shaped);
	json_t *root = json_loads(text, 0, NULL), *sites = json_object_get(root, "sites");

	assert_int_equal(number(json_object_get(root, "heap"), "live_bytes"), 700);
	assert_int_equal(json_array_size(sites), 2);
	assert_int_equal(number(json_array_get(sites, 0), "bytes"), 900);
	assert_int_equal(number(json_array_get(sites, 1), "bytes"), 400);
	json_decref(root);
	free(text);
	snapshot_free(snapshot);
}

static void test_folded_merges_and_sorts(void **state)
{
	struct snapshot *snapshot = example();
	struct site *site;
	char *text;

	add(snapshot, SITE_HEAP, 7, "malloc", "alpha"); /* the same stack once more */
	site = add(snapshot, SITE_HEAP, 40, "a;b\nc", "main");
	((struct frame *)site->frames)[0].type = FRAME_INLINED;
	site->end = SITE_END_READ_FAULT;
	text = draw(snapshot, "folded", &plain);
	assert_string_equal(text,
			    "app-7;[heap];[stack cut: read fault];main;a:b\\x0ac_[i] 40\n"
			    "app-7;[heap];alpha;malloc 507\n"
			    "app-7;[heap];beta;calloc 300\n"
			    "app-7;[heap];gamma;strdup 20\n"
			    "app-7;[mapping];alpha;mmap 900\n");
	free(text);
	snapshot_free(snapshot);
}

static void test_tree_sums_up(void **state)
{
	struct snapshot *snapshot = example();
	struct tree *tree;
	const struct tree_node *root, *process, *node;
	size_t count = 0;

	add(snapshot, SITE_HEAP, 80, "free_list", "alpha");
	tree = tree_new(snapshot, SITE_HEAP, &plain, TREE_BY_BYTES);
	root = tree_root(tree);
	process = root->first;
	assert_int_equal(root->bytes, 900);
	assert_string_equal(process->label, "app-7");
	assert_null(process->next);
	assert_string_equal(process->first->label, "alpha");
	assert_int_equal(process->first->bytes, 580);
	assert_int_equal(process->first->self_bytes, 0);
	assert_int_equal(process->first->first->self_bytes, 500);
	assert_string_equal(process->first->next->label, "beta");
	assert_string_equal(tree_skip(process->first)->label, "beta");
	for (node = root; node; node = tree_next(node))
		count++;
	assert_int_equal(count, 2 + 3 + 4);
	tree_free(tree);
	tree_free(NULL);
	snapshot_free(snapshot);
}

static void test_svg_refers_to_nothing_outside(void **state)
{
	struct snapshot *snapshot = example();
	const char *namespace = "http://www.w3.org/2000/svg";
	char *text, *url;

	add(snapshot, SITE_HEAP, 9000, "]]><script>&\"", "</svg>\x01");
	text = draw(snapshot, "svg", &plain);
	url = strstr(text, "://");
	assert_ptr_equal(url, strstr(text, namespace) + 4);
	assert_null(strstr(url + 3, "://"));
	assert_null(strstr(text, "]]><script>&"));
	assert_non_null(strstr(text, "]]&gt;&lt;script&gt;&amp;&quot;"));
	assert_null(strchr(text, '\x01'));
	assert_non_null(strstr(text, "Heap: "));
	assert_non_null(strstr(text, "Mappings: 900 B outstanding"));
	free(text);
	snapshot_free(snapshot);
}

static void check_fit(const char *text, size_t width, const char *expected)
{
	char buffer[LABEL_MAX];
	size_t count = label_fit(buffer, text, width);

	assert_string_equal(buffer, expected);
	assert_true(count <= width);
}

static void test_labels_are_shortened_where_it_hurts_least(void **state)
{
	char buffer[LABEL_MAX];

	check_fit("main", 10, "main");
	check_fit("std::vector<std::pair<int, long>>::push_back(int)", 40,
		  "std::vector<..>::push_back(int)");
	check_fit("std::vector<std::pair<int, long>>::push_back(std::string const&)", 30,
		  "std::vector<..>::push_back(..)");
	check_fit("operator<< <char>(std::ostream&, char const*)", 30, "operator<< <char>(..)");
	check_fit("Foo<unsigned long>::operator->()", 21, "Foo<..>::operator->()");
	check_fit("java.util.zip.Inflater.<init>", 20, "java.util..er.<init>");
	check_fit("abcdefghij", 6, "ab..ij");
	check_fit("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4,
		  "\xc3\xa9..\xc3\xa9");
	check_fit("abc", 1, "");
	assert_true(label_fit_path(buffer, "/a/b/c.cc", 20) == 9);
	assert_string_equal(buffer, "/a/b/c.cc");
	label_fit_path(buffer, "/build/project/src/deep/file.cc", 18);
	assert_string_equal(buffer, "../deep/file.cc");
	label_fit_path(buffer, "relative/verylongfilename.cc", 12);
	assert_string_equal(buffer, "veryl..me.cc");
}

static void test_labels_of_frames_without_names(void **state)
{
	char buffer[LABEL_MAX];

	assert_string_equal(label_frame(&(struct frame){ .module = "/a/lib.so", .offset = 0x12 },
					buffer),
			    "lib.so+0x12");
	assert_string_equal(label_frame(&(struct frame){ .offset = 0x12 }, buffer), "[0x12]");
	assert_string_equal(label_frame(&(struct frame){ .name = "" }, buffer), "[unknown]");
	assert_string_equal(label_share(buffer, 1, 100000), "<0.1%");
	assert_string_equal(label_share(buffer, 99999, 100000), "99.9%");
	assert_string_equal(label_share(buffer, 7, 7), "100%");
	assert_string_equal(label_share(buffer, 0, 0), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_are_found),
		cmocka_unit_test(test_committed_alone_is_shown),
		cmocka_unit_test(test_table_leaves_out_and_says_so),
		cmocka_unit_test(test_table_says_when_nothing_is_left),
		cmocka_unit_test(test_table_bears_any_name),
		cmocka_unit_test(test_json_holds_everything),
		cmocka_unit_test(test_json_is_shaped_when_asked),
		cmocka_unit_test(test_folded_merges_and_sorts),
		cmocka_unit_test(test_tree_sums_up),
		cmocka_unit_test(test_svg_refers_to_nothing_outside),
		cmocka_unit_test(test_labels_are_shortened_where_it_hurts_least),
		cmocka_unit_test(test_labels_of_frames_without_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
