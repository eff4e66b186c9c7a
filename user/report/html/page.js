/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The page: what is chosen, and what follows from it. */
const LEDGERS = { heap: "Heap", mapping: "Mappings", fault: "Page faults" };
const byId = (id) => document.getElementById(id);

class Page {
	constructor(data) {
		this.data = data;
		this.graphs = new Map();
		/* A diff is of its two moments, and has no others to choose. */
		this.last = data.diff ? 0 : data.moments.length - 1;
		this.state = { kind: this.firstKind(), leafFirst: false, metric: 0,
			       from: data.diff ? 0 : null, to: data.moments.length - 1, list: "site", grouping: "site", hits: null };
		this.flame = new Flame(byId("flame"), byId("scroll"), {
			dark: () => isDark(),
			label: (box) => this.label(box),
			hover: (box, event) => this.tip(box && this.describe(box), event),
			select: (node) => this.say(node),
			zoom: (node) => this.zoomTo(node),
		});
		this.timeline = new Timeline(byId("area"), byId("legend"), {
			range: (from, to) => this.set({ from, to }),
			pick: (group) => this.pick(group.name),
			hover: (shown, moment, event) =>
				this.tip(shown && this.describeMoment(shown, moment), event),
			time: (seconds) => data.clock(seconds),
		});
		this.table = new Table(byId("table"), byId("more"), {
			search: (name) => this.search(exactly(name)),
		});
		this.build();
		this.listen();
	}

	/* -- what there is to choose -- */

	kindsHere() {
		const here = new Set(this.data.sites.map((site) => site[0]));

		return [...here].sort();
	}

	firstKind() {
		return this.kindsHere()[0] ?? 0;
	}

	build() {
		const { data, state } = this;

		choices(byId("kinds"), this.kindsHere().map((kind) =>
			[kind, LEDGERS[data.kinds[kind]]]), state.kind,
			(kind) => this.set({ kind: Number(kind) }));
		choices(byId("orders"), [["root", "From the root"], ["leaf", "From the leaf"]], "root",
			(order) => this.set({ leafFirst: order === "leaf" }));
		choices(byId("lists"), [["site", "Stacks"], ["function", "Functions"]], "site",
			(list) => this.set({ list }));
		byId("colours").replaceChildren(...this.colours());
		if (!this.last)
			return;
		byId("timeline").hidden = false;
		const groupings = [["site", "stack"], ["process", "process"], ["owner", "owner"]];
		if (data.memory.some(Boolean))
			groupings.push(["class", "class of memory (RSS)"]);
		options(byId("grouping"), groupings, "site");
		const times = data.moments.map((_, i) => [i, data.time(i)]);
		options(byId("from"), [["", "\u2013"], ...times], "");
		options(byId("to"), times, this.last);
	}

	colours() {
		const here = [...new Set(this.data.lines.classes)].sort();
		const made = here.map((number) => {
			const [name, hue, saturation] = CLASSES[number], dot = element("i", {});

			dot.style.background = `hsl(${hue},${saturation}%,68%)`;
			return element("li", {}, dot, name);
		});
		const note = (className, text) => element("li", { className }, element("i", {}), text);

		return [...made, note("grows", "grows"), note("shrinks", "shrinks")];
	}

	listen() {
		const chosen = (id, change) =>
			byId(id).addEventListener("change", (event) => change(event.target.value));

		chosen("metric", (metric) => this.set({ metric: Number(metric) }));
		chosen("grouping", (grouping) => this.set({ grouping }));
		chosen("from", (from) => this.set({ from: from === "" ? null : Number(from) }));
		chosen("to", (to) => this.set({ to: Number(to) }));
		byId("search").addEventListener("input", (event) => this.find(event.target.value));
		byId("reset").addEventListener("click", () => this.zoomTo(this.graph().root()));
		byId("theme").addEventListener("click", () => this.changeTheme());
		window.addEventListener("resize", () => this.resize());
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
									    () => this.redraw());
		document.addEventListener("keydown", (event) => this.key(event));
	}

	key(event) {
		const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) &&
			event.target.type !== "radio";
		const find = event.key === "/" && !typing ||
			event.key === "f" && (event.ctrlKey || event.metaKey);

		if (find) {
			byId("search").select();
		} else if (event.key === "Escape") {
			this.search("");
			this.zoomTo(this.graph().root());
		} else if (typing || event.ctrlKey || event.metaKey || event.altKey) {
			return;
		} else if (event.key === "i") {
			press("orders");
		} else if (event.key === "l") {
			press("kinds");
		} else if (event.key === "d") {
			this.changeTheme();
		} else {
			return;
		}
		event.preventDefault();
	}

	/* -- what is chosen -- */

	set(change) {
		const before = this.state;
		const after = this.state = { ...before, ...change };

		if (after.kind !== before.kind || after.leafFirst !== before.leafFirst)
			this.zoom = null;
		if (after.kind !== before.kind && METRICS[after.metric].only)
			after.metric = 0;
		this.render();
	}

	graph() {
		const { kind, leafFirst } = this.state;
		const key = kind + " " + leafFirst;

		if (!this.graphs.has(key))
			this.graphs.set(key, new Graph(this.data, kind, leafFirst));
		return this.graphs.get(key);
	}

	zoomTo(node) {
		this.zoom = node;
		this.showGraph();
		this.showTable();
	}

	search(text) {
		byId("search").value = text;
		this.find(text);
	}

	/* Owners and classes are in no stack. */
	pick(name) {
		if (this.data.functions.includes(name))
			this.search(exactly(name));
	}

	/* Marks the frames whose function, module or place matches. */
	find(text) {
		const started = performance.now(), field = byId("search");
		let pattern = null;

		field.setCustomValidity("");
		try {
			pattern = text ? new RegExp(text, "i") : null;
		} catch (error) {
			field.setCustomValidity(error.message);
			byId("matched").textContent = "not a regular expression";
			return;
		}
		this.state.hits = pattern && this.hitsOf(pattern);
		this.showGraph();
		this.showTable();
		measure("search", started);
	}

	hitsOf(pattern) {
		const { data } = this, { lines } = data;
		const matches = (text) => pattern.test(text) ? 1 : 0;
		const names = Uint8Array.from(data.functions, matches);
		const texts = Uint8Array.from(data.texts, matches);
		const hits = new Uint8Array(lines.functions.length);

		for (let i = 0; i < hits.length; i++)
			hits[i] = names[lines.functions[i]] ||
				lines.modules[i] >= 0 && texts[lines.modules[i]] ||
				lines.files[i] >= 0 && texts[lines.files[i]];
		return hits;
	}

	changeTheme() {
		document.documentElement.dataset.theme = isDark() ? "light" : "dark";
		this.redraw();
	}

	/* -- what is shown -- */

	render() {
		const started = performance.now();
		const { data, state } = this, graph = this.graph();

		graph.weigh(data.at(state.metric, state.to),
			    state.from === null ? null : data.at(state.metric, state.from));
		this.showChoices();
		this.showTimeline();
		this.showGraph();
		this.showTable();
		measure("render", started);
	}

	showChoices() {
		const { data, state } = this, graph = this.graph();
		const metrics = METRICS.map((metric, i) => [i, metric.name])
			.filter(([i]) => !METRICS[i].only || METRICS[i].only === data.kinds[state.kind]);
		const held = graph.value(graph.root());

		options(byId("metric"), metrics, state.metric);
		byId("summary").textContent = (held ? formatValue(state.metric, held) : "nothing") + " " +
			METRICS[state.metric].name.toLowerCase().replace(/ .*/, "") + ", " +
			LEDGERS[data.kinds[state.kind]].toLowerCase() +
			(data.estimated ? ", estimated" : "") +
			(this.last ? ", at " + data.time(state.to) + " UTC" : "") +
			(data.diff ? ", " + this.rangeText() : "");
		document.body.classList.toggle("diff", state.from !== null);
	}

	showTimeline() {
		const { data, state } = this;

		if (!this.last)
			return;
		byId("from").value = state.from === null ? "" : state.from;
		byId("to").value = state.to;
		const key = [state.kind, state.metric, state.grouping].join();
		if (key !== this.drawn) {
			const metric = state.grouping === "class" ? 0 : state.metric;

			this.drawn = key;
			this.timeline.show(data.moments, this.groups(),
					   (value) => formatValue(metric, value));
		}
		this.timeline.select(state.from, state.to);
		byId("range").textContent = state.from === null ?
			"drag to compare two moments" : this.rangeText();
	}

	hours() {
		const { data, state } = this;

		return state.from === null ? 0 : (data.moments[state.to].unix_seconds -
						  data.moments[state.from].unix_seconds) / 3600;
	}

	rangeText() {
		const { metric } = this.state, graph = this.graph(), root = graph.root();
		const change = graph.change(root), rate = this.rate(graph.value(root), change);

		return formatChange(metric, change) + " in " +
			formatSeconds(Math.abs(this.hours()) * 3600) +
			(rate === null ? "" : ", " + formatChange(metric, rate) + " an hour");
	}

	/* Growth in an hour, of two watches that of what each held, by its length; null: no time passed. */
	rate(value, change) {
		const { data, state } = this, hours = this.hours();
		const [before, after] = [state.from, state.to].map((i) => data.moments[i].window_seconds / 3600);

		if (Math.abs(data.startOf(state.from) - data.startOf(state.to)) < 0.01)
			return hours ? change / hours : null;
		return before && after ? value / after - (value - change) / before : null;
	}

	groups() {
		const { data, state } = this, found = new Map();
		const count = data.moments.length;
		const nameOf = {
			site: (site) => data.name(data.face(site)),
			process: (site) => data.process(site),
			owner: (site) => data.sites[site][5] || "program",
		}[state.grouping];

		if (!nameOf)
			return this.classGroups();
		for (const site of this.graph().order) {
			const name = nameOf(site);
			let group = found.get(name);

			if (!group)
				found.set(name, group = { name, values: new Float64Array(count) });
			data.addOverTime(group.values, site, state.metric);
		}
		return largestFirst([...found.values()]);
	}

	classGroups() {
		const { data } = this, names = new Set(data.memory.flatMap((one) => Object.keys(one || {})));

		return largestFirst([...names].map((name) => ({
			name, values: data.memory.map((one) => one && one[name] || 0),
		})));
	}

	showGraph() {
		const graph = this.graph(), { hits, metric, leafFirst } = this.state;

		this.zoom = this.zoom || graph.root();
		this.flame.hits = hits;
		this.flame.show(graph, this.zoom);
		byId("graph-title").textContent = leafFirst ? "Inverse flamegraph" : "Flamegraph";
		byId("reset").disabled = !this.zoom.depth;
		byId("matched").textContent = hits ? this.matchedText(metric) : "";
		this.say(this.zoom);
	}

	matchedText(metric) {
		const graph = this.graph(), sum = graph.matched(this.state.hits, this.zoom);

		return formatValue(metric, sum) + " matched, " +
			(formatShare(sum, graph.value(this.zoom)) || "0%");
	}

	showTable() {
		const { data, state } = this, graph = this.graph();
		const view = { list: state.list, metric: state.metric, diff: state.from !== null,
			       rate: (row) => this.rate(row.value, row.change), to: state.to, data,
			       total: graph.value(graph.root()) };

		view.rows = state.list === "site" ? siteRows(graph, this.zoom, state.hits, view) :
			functionRows(graph, this.zoom, state.hits);
		byId("shown").textContent = formatCount(view.rows.length) +
			(state.list === "site" ? " stack" : " function") +
			(view.rows.length === 1 ? "" : "s") +
			(state.hits ? " with a match" : "") + (this.zoom.depth ? ", of the zoom" : "");
		this.table.show(view);
	}

	resize() {
		this.flame.lay();
		if (this.last)
			this.timeline.lay();
	}

	redraw() {
		this.flame.draw();
		if (this.last)
			this.timeline.draw();
	}

	/* -- words -- */

	label(node) {
		const line = this.graph().line(node);

		return line < 0 ? LEDGERS[this.data.kinds[this.state.kind]] : this.data.name(line);
	}

	describe(node) {
		const { data, state } = this, graph = this.graph(), line = graph.line(node);
		const value = graph.value(node), words = [this.label(node)];

		words.push(formatValue(state.metric, value) + ", " +
			   (formatShare(value, graph.value(graph.root())) || "0%") +
			   (this.zoom.depth ? ", " + formatShare(value, graph.value(this.zoom)) +
			    " of the zoom" : ""));
		if (graph.before)
			words.push(formatChange(state.metric, graph.change(node)));
		const stacks = graph.count(node);
		words.push(formatCount(stacks) + (stacks === 1 ? " stack" : " stacks"));
		if (line >= 0 && data.place(line))
			words.push(data.place(line));
		if (line >= 0 && data.module(line))
			words.push(data.module(line));
		return words;
	}

	describeMoment(timeline, moment) {
		const words = [this.data.time(moment) + ": " +
			       timeline.format(timeline.total[moment])];

		for (const group of timeline.groups)
			if (group.values[moment])
				words.push(timeline.format(group.values[moment]) + "  " + group.name);
		return words;
	}

	say(node) {
		byId("status").textContent = node ? this.describe(node).join("  \u00b7  ") : "";
	}

	tip(words, event) {
		const tip = byId("tip");

		tip.hidden = !words;
		if (!words)
			return;
		tip.replaceChildren(...words.map((text, i) => element(i ? "div" : "b", {}, text)));
		const room = tip.getBoundingClientRect();
		const x = Math.min(event.clientX + 14, innerWidth - room.width - 8);
		const y = event.clientY + 18 + room.height > innerHeight ?
			event.clientY - room.height - 12 : event.clientY + 18;
		tip.style.left = Math.max(x, 4) + "px";
		tip.style.top = Math.max(y, 4) + "px";
	}
}

/* -- small things -- */

function measure(what, started) {
	performance.measure("unfreed:" + what, { start: started, end: performance.now() });
}

function isDark() {
	const theme = document.documentElement.dataset.theme;

	return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/* A pattern that finds this text and no other. */
function exactly(text) {
	return "^" + text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") + "$";
}

function largestFirst(groups) {
	const largest = new Map(groups.map((group) => [group, Math.max(...group.values)]));

	return groups.filter((group) => largest.get(group))
		.sort((a, b) => largest.get(b) - largest.get(a));
}

/* Fills a <select>. */
function options(select, rows, chosen) {
	select.replaceChildren(...rows.map(([value, text]) =>
		element("option", { value: String(value), selected: value === chosen }, text)));
}

/* Buttons of which one is pressed, as radio buttons are. */
function choices(group, rows, chosen, change) {
	for (const [value, text] of rows) {
		const button = element("input", { type: "radio", name: group.id, value: String(value),
						  checked: value === chosen });

		button.addEventListener("change", () => change(button.value));
		group.append(element("label", {}, button, element("span", {}, text)));
	}
	group.hidden = rows.length < 2;
}

/* Presses the next of such buttons. */
function press(id) {
	const buttons = [...byId(id).querySelectorAll("input")];
	const next = buttons[(buttons.findIndex((button) => button.checked) + 1) % buttons.length];

	if (next)
		next.click();
}

{
	const started = performance.now();
	const page = new Page(new Data(byId("data").textContent));

	document.querySelector("main").hidden = false;
	page.render();
	measure("start", started);
}
