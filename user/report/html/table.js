/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The top: rows of sites, whose stacks unfold, or of functions. */
const PAGE_ROWS = 50;

/* Row: what describes it; value, change, share come with every list. */
const COLUMNS = {
	site: [
		{ title: "Where", text: true }, { title: "Held", key: "value" }, { title: "Share" },
		{ title: "Change", key: "change", diff: true },
		{ title: "Per hour", diff: true },
		{ title: "Blocks", key: "blocks" }, { title: "Allocated", key: "allocated" },
		{ title: "Age", key: "age" }, { title: "Verdict", text: true, verdict: true },
	],
	function: [
		{ title: "Function", text: true }, { title: "With what it calls", key: "value" },
		{ title: "Share" }, { title: "Change", key: "change", diff: true },
		{ title: "Per hour", diff: true }, { title: "Itself", key: "own" },
	],
};

class Table {
	constructor(table, more, events) {
		this.head = table.tHead;
		this.body = table.tBodies[0];
		this.more = more;
		this.events = events;
		this.rows = [];
		this.sort = null;
		more.addEventListener("click", () => this.grow(PAGE_ROWS * 4));
	}

	/* view: {list, rows, total, metric, diff, rate, data} */
	show(view) {
		if (!this.view || this.view.list !== view.list || this.view.diff !== view.diff)
			this.sort = null;
		this.view = view;
		this.columns = COLUMNS[view.list].filter((column) => (view.diff || !column.diff) &&
			(view.data.hasVerdicts || !column.verdict));
		this.refresh();
	}

	refresh() {
		const key = this.sort ? this.sort.key : this.view.diff ? "change" : "value";
		const sign = this.sort && this.sort.upwards ? -1 : 1;

		this.rows = this.view.rows.sort((a, b) => sign * (b[key] - a[key]) || a.id - b.id);
		this.head.replaceChildren(element("tr", {}, element("th", { scope: "col" }, "#"),
			...this.columns.map((column) => this.title(column, key))));
		this.body.replaceChildren();
		this.shown = 0;
		this.grow(PAGE_ROWS);
	}

	title(column, sorted) {
		const cell = element("th", { scope: "col", className: column.text ? "text" : "" });

		if (!column.key) {
			cell.append(column.title);
			return cell;
		}
		/* In windows calls are seen now and then. */
		const title = column.key === "allocated" && this.view.data.windowed ? "Seen" : column.title;
		const button = element("button", { type: "button" }, title);
		button.addEventListener("click", () => {
			this.sort = { key: column.key,
				      upwards: Boolean(column.key === sorted &&
						       !(this.sort && this.sort.upwards)) };
			this.refresh();
		});
		if (column.key === sorted)
			cell.ariaSort = this.sort && this.sort.upwards ? "ascending" : "descending";
		cell.append(button);
		return cell;
	}

	grow(count) {
		const end = Math.min(this.shown + count, this.rows.length);
		const made = [];

		for (; this.shown < end; this.shown++)
			made.push(this.row(this.rows[this.shown], this.shown + 1));
		this.body.append(...made);
		this.more.hidden = end === this.rows.length;
		this.more.textContent = "Show more of " + formatCount(this.rows.length);
	}

	row(row, number) {
		const cells = [element("td", { className: "number" }, String(number))];

		if (row.site !== undefined)
			describeSite(this.view.data, row);
		for (const column of this.columns)
			cells.push(this.cell(row, column));
		return element("tr", {}, ...cells);
	}

	cell(row, column) {
		const { metric, total } = this.view;

		switch (column.title) {
		case "Where":
		case "Function":
			return this.nameCell(row);
		case "Share":
			return this.shareCell(row, total);
		case "Change":
			return this.changeCell(formatChange(metric, row.change), row.change);
		case "Per hour":
			return this.changeCell(this.rate(row), row.change);
		case "Blocks":
			return element("td", {}, formatCount(row.blocks));
		case "Allocated":
			return element("td", {}, formatBytes(row.allocated));
		case "Age":
			return element("td", {}, row.ages);
		case "Verdict":
			return element("td", { className: "text" }, row.verdict);
		}
		return element("td", {}, formatValue(metric, row[column.key]));
	}

	rate(row) {
		const rate = this.view.rate(row);

		return rate === null ? "" : formatChange(this.view.metric, rate);
	}

	shareCell(row, total) {
		const bar = element("i", { className: "bar" });

		bar.style.width = total ? Math.max(100 * row.value / total, 0).toFixed(2) + "%" : "0";
		return element("td", { className: "share" }, bar,
			       element("span", {}, formatShare(row.value, total)));
	}

	changeCell(text, change) {
		return element("td", { className: change > 0 ? "grows" : change < 0 ? "shrinks" : "" },
			       text);
	}

	nameCell(row) {
		const button = element("button", { type: "button", className: "name" }, row.name);
		const cell = element("td", { className: "text" }, button);

		if (row.site === undefined) {
			button.addEventListener("click", () => this.events.search(row.name));
			return cell;
		}
		button.ariaExpanded = "false";
		cell.append(element("small", {}, row.place));
		button.addEventListener("click", () => this.unfold(row, button));
		return cell;
	}

	unfold(row, button) {
		const line = button.closest("tr"), open = button.ariaExpanded === "true";

		button.ariaExpanded = String(!open);
		if (open)
			line.nextSibling.remove();
		else
			line.after(element("tr", { className: "unfolded" }, element("td"),
				element("td", { colSpan: this.columns.length },
					stackList(this.view.data, row.site))));
	}
}

/* A stack, leaf first. */
function stackList(data, site) {
	const list = element("ol", { className: "stack" });

	for (let i = data.start[site + 1] - 1; i >= data.start[site]; i--) {
		const line = data.stack[i], dot = element("i", { className: "dot" });
		const [, hue, saturation] = CLASSES[data.lines.classes[line]];

		dot.style.background = `hsl(${hue},${saturation}%,60%)`;
		list.append(element("li", {}, dot, data.name(line),
			data.lines.inlined[line] ? element("em", {}, "inlined") : "",
			element("small", {}, [data.place(line), data.module(line)]
				.filter(Boolean).join("  \u00b7  "))));
	}
	return list;
}

/* -- rows: of the sites at places low … high of a graph's order, those that hits leaves -- */

function siteRows(graph, node, hits, view) {
	const { data } = graph, rows = [], matches = hits && graph.matching(hits);
	const blocks = data.at(BLOCKS, view.to), allocated = data.at(ALLOCATED, view.to);

	for (let i = node.low; i < node.high; i++) {
		const site = graph.order[i], value = graph.after[i + 1] - graph.after[i];
		const change = graph.before ? value - (graph.before[i + 1] - graph.before[i]) : 0;

		if (!(graph.width[i + 1] - graph.width[i]) || hits && !matches[i])
			continue;
		rows.push({ id: i, site, value, change, blocks: blocks[site],
			    allocated: allocated[site], age: data.sites[site][3] });
	}
	return rows;
}

/* The words of a row, made when it is shown. */
function describeSite(data, row) {
	const [, end, youngest, oldest, error, owner, verdict] = data.sites[row.site];
	const face = data.face(row.site);

	row.name = data.name(face);
	row.place = [data.place(face) || data.module(face), data.process(row.site), owner,
		     data.ends[end] ? "cut: " + data.ends[end] : ""].filter(Boolean).join("  \u00b7  ");
	row.ages = oldest ? formatSeconds(youngest) + " \u2013 " + formatSeconds(oldest) : "";
	row.verdict = (verdict || "") +
		(error ? " \u00b1" + formatBytes(error).replace(" ", "\u00a0") : "");
}

/* Each function once for a stack, however often it is in it. */
function functionRows(graph, node, hits) {
	const { data, start, functions, lines } = graph, count = data.functions.length;
	const matches = hits && graph.matching(hits);
	const seen = new Int32Array(count).fill(-1), listed = new Uint8Array(count);
	const value = new Float64Array(count), change = new Float64Array(count);
	const own = new Float64Array(count);

	for (let i = node.low; i < node.high; i++) {
		const now = graph.after[i + 1] - graph.after[i];
		const grown = graph.before ? now - (graph.before[i + 1] - graph.before[i]) : 0;

		if (!(graph.width[i + 1] - graph.width[i]) || hits && !matches[i])
			continue;
		for (let j = start[i]; j < start[i + 1]; j++) {
			const id = functions[j];

			if (seen[id] === i || hits && !hits[lines[j]])
				continue;
			seen[id] = i;
			listed[id] = 1;
			value[id] += now;
			change[id] += grown;
		}
		own[functions[graph.leafFirst ? start[i] : start[i + 1] - 1]] += now;
	}
	const rows = [];
	for (let id = 0; id < count; id++)
		if (listed[id])
			rows.push({ id, name: data.functions[id], value: value[id],
				    change: change[id], own: own[id] });
	return rows;
}
