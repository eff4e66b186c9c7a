# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
## make             builds unfreed
## make demo        traces a leaking container: a table, and flamegraph.svg (as root)
## make check       runs all tests (as root; without, those that need it are skipped)
## make lint        runs this suite alone; likewise unit, golden, unwind, e2e, and, built with
##                  sanitizers, san-unit, san-golden, san-unwind, san-e2e
## make fuzz        feeds each parser FUZZ_RUNS=20000 hostile inputs, or for FUZZ_SECONDS=n
## make golden-refresh  draws the expected reports anew
## make bench       measures the cost in the target, of a walk, of an attach, and the walk of a heap (as root)
## make check-vm    runs tests in QEMU on other kernels (as root); KERNELS="5.10 6.12", FULL=1
## make prove       lists the long proofs; PART=NAME runs one, or goes on with it (as root)
## make soak        traces a busy JVM and a program of threads and forks for MINUTES=30 (as root)
## make check-fresh runs demo and check in a new Debian root; SUITE=bookworm (as root)
## make deps        installs the packages that build, demo and check need
## make install     copies the program, its man pages and its completion below prefix
## make uninstall   removes them
## make dist        builds, in O/dist, a static program, a Debian package and an image of it
## make format      formats the C files
## make clean       removes what was built
##
## V=1  shows commands           O=DIR  builds in DIR (build)      CC=clang  compiles with it
## DEBUG=1  without optimisation SAN=address,undefined  with sanitizers
## SUITES="lint unit"  of check  DESTDIR=DIR prefix=/usr/local  where install copies to

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

V ?= 0
O ?= build
DEBUG ?= 0
SAN ?=
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
ARCH := $(shell uname -m)
VERSION := 0.1.0
jobs ?= $(shell nproc)
FUZZ_RUNS ?= 20000
FUZZ_SECONDS ?= 0

prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
completiondir ?= $(prefix)/share/bash-completion/completions
program ?= $(O)/unfreed

ifeq ($(V),0)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
MAKEFLAGS += --no-print-directory
else
Q :=
say = @:
endif

# -- flags ------------------------------------------------------------------------------------------

CFLAGS ?= $(if $(filter 1,$(DEBUG)),-O0 -g3,-O2 -g)
sanitize := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
warnings := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wno-unused-parameter
all_cflags := -std=gnu17 -D_GNU_SOURCE -DUNFREED_VERSION='"$(VERSION)"' $(warnings) \
	-Iuser -Ibpf -I$(O) $(shell pkg-config --cflags libbpf 2>/dev/null) $(CFLAGS) $(sanitize)
all_ldflags := $(LDFLAGS) $(sanitize)
fuzz_ldflags := -fsanitize=fuzzer -Wl,-t
libraries := $(shell pkg-config --libs libbpf 2>/dev/null || echo -lbpf) \
	-ldw -lelf -ldeflate -llzma -lz -lZydis -liberty -ljansson -lncursesw -ltinfo -lm

bpf_cflags := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-declarations -fdebug-prefix-map=$(CURDIR)=.
bpf_arch_x86_64 := -D__TARGET_ARCH_x86 -Ivmlinux/x86_64
bpf_arch_aarch64 := -D__TARGET_ARCH_arm64 -Ivmlinux/aarch64

# Programs under test, built with frame pointers and without. They keep their allocator: no sanitizer.
target_cflags := -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter -pthread
target_fp := -O1 -fno-omit-frame-pointer
target_nofp := -O2 -fomit-frame-pointer

# Made anew when any of this changes, and everything with it: objects of two kinds never mix.
flags_text := $(CC) $(all_cflags) $(all_ldflags) $(fuzz_ldflags) $(libraries) | $(BPFTOOL) $(CLANG) $(bpf_cflags) \
	| $(CXX) $(target_cflags) $(target_fp) $(target_nofp)
ifneq ($(strip $(file <$(O)/flags)),$(strip $(flags_text)))
.PHONY: $(O)/flags
endif

# -- what there is ----------------------------------------------------------------------------------

sources := $(wildcard user/*/*.c)
objects := $(sources:%.c=$(O)/%.o)
library := $(filter-out $(O)/user/cmd/%,$(objects))
skeleton := $(O)/unfreed.skel.h

# In this order within one script.
page_scripts := $(patsubst %,user/report/html/%.js,data graph flame timeline table page)

# state.bpf.c first: see bpf/maps.bpf.h
bpf_sources := bpf/state.bpf.c $(filter-out bpf/state.bpf.c,$(wildcard bpf/*.bpf.c))
bpf_objects := $(bpf_sources:%.c=$(O)/%.o)
arm64_objects := $(bpf_sources:bpf/%.c=$(O)/bpf-aarch64/%.o)

man_pages := $(wildcard man/*.1)
format_pages := $(wildcard man/*.5)

unit_programs := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c))
unwind_programs := $(patsubst %.c,$(O)/%,$(wildcard tests/unwind/test_*.c))
fuzz_programs := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
target_names := $(filter-out %_cxx,$(basename $(wildcard tests/targets/*.c tests/targets/*.cc)))
target_programs := $(target_names:%=$(O)/%) $(target_names:%=$(O)/%-nofp)

# -- the program ------------------------------------------------------------------------------------

.PHONY: all
all: $(O)/unfreed
	@:

$(O)/unfreed: $(objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(libraries)

# What a report carries within itself: the bytes of files as numbers, to be included; and the sum by
# which a page tells its own script and style from all others, as a string.
define embed
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)cat $^ | od -An -v -tx1 | sed 's/ \(..\)/0x\1,/g' >$@
endef
define sum
	@mkdir -p $(@D)
	$(Q)cat $^ | sha256sum | cut -c1-64 | tr a-f A-F | basenc -d --base16 | base64 | sed 's/.*/"&"/' >$@
endef
$(O)/user/report/html/all.js.inc: $(page_scripts)
	$(embed)
$(O)/user/report/html/all.js.sum: $(page_scripts)
	$(sum)
$(O)/%.inc: %
	$(embed)
$(O)/%.sum: %
	$(sum)

$(O)/user/report/svg.o: $(patsubst %,$(O)/user/report/flamegraph.%.inc,css js)
$(O)/user/cmd/xterm.inc:
	$(call say,EMBED,$@)
	@mkdir -p $(@D)
	$(Q)printf '"%s"\n' "$$(infocmp -Q1 xterm | sed '/^\#/d' | tr -d '\n')" >$@

$(O)/user/cmd/screen.o: $(O)/user/cmd/xterm.inc
$(O)/user/report/plot_svg.o: $(O)/user/report/plot.css.inc
$(O)/user/report/plot_html.o: $(patsubst %,$(O)/user/report/%,plot_page.css.inc plot_page.css.sum plot.css.sum plot.js.inc plot.js.sum)
$(O)/user/report/html.o: $(patsubst %,$(O)/user/report/html/%,page.html.inc page.css.inc page.css.sum all.js.inc all.js.sum)

$(O)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_text))' >$@

$(O)/bpf/%.o: bpf/%.c $(O)/flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) $(bpf_arch_$(ARCH)) -MMD -MP -c $< -o $@

$(O)/unfreed.bpf.o: $(bpf_objects)
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(skeleton): $(O)/unfreed.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name unfreed >$@

$(filter $(O)/user/collect/%,$(objects)): | $(skeleton)

$(O)/%.o: %.c $(O)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) -MMD -MP -c $< -o $@

# -- what is given away: for any x86-64 Linux, whatever its libraries ------------------------------

packages := $(O)/dist/unfreed_$(VERSION)_amd64.deb $(O)/dist/unfreed-image.tar

.PHONY: dist
dist:
	$(Q)contrib/deps.sh build dist
	$(Q)+$(MAKE) -j$(jobs) programs-dist

$(O)/libZydis.a: contrib/static-zydis.sh
	$(call say,AR,$@)
	$(Q)CC='$(CC)' AR='$(AR)' contrib/static-zydis.sh $@

# -lc before -liberty: elfutils' obstacks are to be those of the C library, which both have.
$(O)/dist/unfreed: $(objects) $(O)/contrib/libeu.o $(O)/libZydis.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_ldflags) -static-pie -s -o $@ $^ \
		$$(pkg-config --static --libs libbpf libdw libelf) -ldeflate -ljansson -lncursesw -ltinfo -lm -lc -liberty

$(packages) &: $(O)/dist/unfreed $(man_pages) $(format_pages) CHANGELOG.md contrib/package.sh
	$(call say,PACK,$(@D))
	$(Q)rm -rf $(@D)/root
	$(Q)+$(MAKE) install program=$< prefix=/usr DESTDIR=$(@D)/root
	$(Q)contrib/package.sh $(@D) $(VERSION)

# -- tests ------------------------------------------------------------------------------------------

$(O)/libunfreed.a: $(library)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# A unit test that needs no more than some folders may be built before the rest of the tree is there.
$(unit_programs) $(unwind_programs): %: %.o $(O)/libunfreed.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $< $(O)/libunfreed.a -lcmocka $(libraries)

# The BPF code of x86-64, built natively: the shim stands in for the kernel's headers and helpers.
$(unwind_programs:=.o): private all_cflags := -Itests/unwind/shim -D__TARGET_ARCH_x86 $(all_cflags)

# Parsers only; libFuzzer brings the main function. What a parser does not use is left out, for that
# costs each input some time; what it is made of stands in its .inputs.
$(O)/parsers.a: $(filter-out $(O)/user/collect/% $(O)/user/survey/%,$(library))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsT $@ $^

$(fuzz_programs): %: %.o $(O)/tests/fuzz/fuzz.o $(O)/parsers.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) $(fuzz_ldflags) -o $@ $^ $(libraries) >$@.inputs

$(O)/tests/golden/render: $(patsubst %,$(O)/tests/golden/%.o,render footprint series recorded) $(O)/libunfreed.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(libraries)

define compile_target # compiler and flags
	$(call say,TARGET,$@)
	@mkdir -p $(@D)
	$(Q)$(1) $(target_cflags) -MMD -MP -c $< -o $@
endef
$(O)/tests/targets/%.o: tests/targets/%.c $(O)/flags
	$(call compile_target,$(CC) -std=gnu17 $(target_fp))
$(O)/tests/targets/%.o: tests/targets/%.cc $(O)/flags
	$(call compile_target,$(CXX) -std=gnu++17 $(target_fp))
$(O)/tests/targets/%-nofp.o: tests/targets/%.c $(O)/flags
	$(call compile_target,$(CC) -std=gnu17 $(target_nofp))
$(O)/tests/targets/%-nofp.o: tests/targets/%.cc $(O)/flags
	$(call compile_target,$(CXX) -std=gnu++17 $(target_nofp))

$(O)/tests/targets/%: $(O)/tests/targets/%.o
	$(call say,LINK,$@)
	$(Q)$(CXX) -pthread $(target_ldflags) -o $@ $^ -Wl,--as-needed -ldl

# It brings its own _start, to run with glibcs older than that of its build.
$(O)/tests/targets/heap_walk $(O)/tests/targets/heap_walk-nofp: private target_ldflags := \
	$(if $(filter x86_64,$(ARCH)),-nostartfiles)

$(O)/tests/targets/heap_truth: $(O)/tests/targets/heap_truth_cxx.o
$(O)/tests/targets/heap_truth-nofp: $(O)/tests/targets/heap_truth_cxx-nofp.o

.PHONY: targets
targets: $(target_programs)

# The kernel side for arm64, compiled only.
$(O)/bpf-aarch64/%.o: bpf/%.c $(O)/flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) $(bpf_arch_aarch64) -MMD -MP -c $< -o $@

bench_programs := $(addprefix $(O)/bench/,walks walks.o recording) $(addprefix $(O)/tests/targets/,deep deep-nofp)

# What each suite of tests/run needs built, and what the demo, the benchmark and dist need.
suites := lint unit golden unwind e2e
sanitized_suites := san-unit san-golden san-unwind san-e2e
uses := $(suites) fuzz demo bench dist
.PHONY: $(uses:%=programs-%) bpf-arm64
programs-unit: $(unit_programs)
programs-unwind: $(unwind_programs)
programs-fuzz:
	$(Q)+$(MAKE) O=$(O)/fuzz CC=$(CLANG) SAN=fuzzer-no-link,address,undefined fuzzers
programs-golden: $(O)/tests/golden/render
programs-e2e: $(O)/unfreed $(target_programs)
programs-demo: $(O)/unfreed $(O)/tests/targets/leaker
programs-bench: $(O)/unfreed $(bench_programs) \
	$(addprefix $(O)/tests/targets/,spin mappings heap_walk many_blocks)
programs-dist: $(packages)
bpf-arm64: $(arm64_objects)
$(filter-out programs-fuzz,$(uses:%=programs-%)) bpf-arm64:
	@:

.PHONY: fuzzers
fuzzers: $(fuzz_programs)

.PHONY: check fuzz $(suites) $(sanitized_suites) golden-refresh demo bench prove soak check-fresh \
	check-vm

run_tests = $(Q)+O=$(O) MAKE='$(MAKE)' jobs=$(jobs) V=$(V) SAN=$(SAN) contrib/own-root.sh tests/run

check:
	$(Q)contrib/deps.sh build demo test dist
	$(run_tests) $(SUITES)

$(suites) $(sanitized_suites):
	$(run_tests) $@

# Draws the expected reports anew: read the difference before you commit it.
golden-refresh: programs-golden
	$(Q)tests/golden/run $(O)/tests/golden/render refresh

demo:
	$(Q)contrib/deps.sh build demo
	$(Q)+$(MAKE) -j$(jobs) programs-demo
	$(Q)contrib/own-root.sh contrib/demo.sh $(O)

fuzz: programs-fuzz
	$(Q)O=$(O) FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(FUZZ_SECONDS) jobs=$(jobs) tests/fuzz/run

bench:
	$(Q)contrib/deps.sh build bench
	$(Q)+$(MAKE) -j$(jobs) programs-bench
	$(Q)python3 bench/bench.py $(O)
	$(Q)python3 bench/map.py $(O)
	$(Q)python3 bench/heap.py $(O)
	$(Q)python3 bench/walks.py $(O)
	$(Q)python3 bench/latency.py $(O)
	$(Q)python3 bench/record.py $(O)
	$(Q)python3 bench/watching.py $(O)

# Tells what each program costs the verifier. Built here, run on other kernels.
$(O)/tests/vm/verify: $(O)/tests/vm/verify.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(libraries)

$(O)/tests/vm/verify.o: | $(skeleton)

check-vm:
	$(Q)contrib/deps.sh build
	$(Q)contrib/deps.sh vm || echo 'check-vm: goes on with what is there' >&2
	$(Q)+$(MAKE) -j$(jobs) all bpf-arm64 $(target_programs) $(O)/tests/vm/verify
	$(Q)O=$(O) tests/vm/run $(KERNELS)

# Raw results are kept, and committed, in tests/prove/results.
prove:
ifdef PART
	$(Q)contrib/deps.sh build test dist prove
	$(Q)+$(MAKE) -j$(jobs) programs-e2e programs-dist
	$(Q)O=$(O) tests/prove/prove.py $(PART) $(STEPS)
else
	$(Q)tests/prove/prove.py
endif

MINUTES ?= 30
soak:
	$(Q)+SOAK_MINUTES=$(MINUTES) $(MAKE) prove PART=soak

check-fresh:
	$(Q)contrib/deps.sh fresh
	$(Q)tests/fresh

# What a walk costs, by itself: walks.bpf.c with the tool's own walk.
$(O)/bench/walks.bpf.o: bench/walks.bpf.c $(O)/flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) $(bpf_arch_$(ARCH)) -Ibpf -MMD -MP -c $< -o $@

$(O)/bench/walks.o: $(O)/bpf/state.bpf.o $(O)/bpf/unwind.bpf.o $(O)/bench/walks.bpf.o
	$(call say,LINKBPF,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(O)/bench/walks: bench/walks.c $(O)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) $(all_ldflags) -o $@ $< $(libraries)

# Makes up a recording of any size.
$(O)/bench/recording: $(O)/bench/recording.o $(O)/libunfreed.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -o $@ $^ $(libraries)

# -- the house --------------------------------------------------------------------------------------

.PHONY: deps install uninstall format clean help
deps:
	$(Q)contrib/deps.sh build demo test dist

install: $(program)
	$(Q)install -d $(addprefix $(DESTDIR),$(bindir) $(mandir)/man1 $(mandir)/man5 $(completiondir))
	$(Q)install -m 755 $(program) $(DESTDIR)$(bindir)/unfreed
	$(Q)install -m 644 $(man_pages) $(DESTDIR)$(mandir)/man1
	$(Q)install -m 644 $(format_pages) $(DESTDIR)$(mandir)/man5
	$(Q)install -m 644 contrib/completion/unfreed.bash $(DESTDIR)$(completiondir)/unfreed

uninstall:
	$(Q)rm -f $(DESTDIR)$(bindir)/unfreed $(DESTDIR)$(completiondir)/unfreed \
		$(patsubst man/%,$(DESTDIR)$(mandir)/man1/%,$(man_pages)) \
		$(patsubst man/%,$(DESTDIR)$(mandir)/man5/%,$(format_pages))

format:
	$(Q)git ls-files '*.c' '*.h' '*.cc' ':!vmlinux' | xargs clang-format -i

clean:
	$(Q)rm -rf $(O)

help:
	@sed -n 's/^## \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

-include $(objects:.o=.d) $(fuzz_programs:=.d) $(O)/tests/fuzz/fuzz.d $(bpf_objects:.o=.d) $(arm64_objects:.o=.d) \
	$(unit_programs:=.d) $(unwind_programs:=.d) $(target_programs:=.d) $(O)/tests/vm/verify.d $(O)/contrib/libeu.d $(O)/tests/golden/render.d \
	$(O)/tests/golden/footprint.d $(O)/tests/golden/series.d $(O)/tests/golden/recorded.d $(O)/bench/recording.d $(O)/bench/walks.bpf.d
