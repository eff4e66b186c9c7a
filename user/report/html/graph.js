/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sites of one ledger in one order, root or leaf first. Sorted so, a node of the flamegraph is
 * a range of sites, [low, high), that share their first frames; how many a site shares with the one
 * before says where nodes end. Sums of a range come from running sums: no tree is ever built.
 */
class Graph {
	constructor(data, kind, leafFirst) {
		const all = leafFirst ? data.byLeaf : Uint32Array.from(data.sites.keys());

		this.data = data;
		this.leafFirst = leafFirst;
		this.order = all.filter((site) => data.sites[site][0] === kind);
		this.readFunctions();
		this.readShared();
	}

	/* Of the site at place i of the order: functions[start[i]] …, outermost node first. */
	readFunctions() {
		const { data, order, leafFirst } = this;
		const start = this.start = new Uint32Array(order.length + 1);
		let total = 0;

		for (let i = 0; i < order.length; i++) {
			start[i] = total;
			total += data.start[order[i] + 1] - data.start[order[i]];
		}
		start[order.length] = total;
		const lines = this.lines = new Uint32Array(total);
		const functions = this.functions = new Uint32Array(total);
		for (let i = 0; i < order.length; i++) {
			const from = data.start[order[i]], count = start[i + 1] - start[i];

			for (let j = 0; j < count; j++) {
				const line = data.stack[from + (leafFirst ? count - 1 - j : j)];

				lines[start[i] + j] = line;
				functions[start[i] + j] = data.lines.functions[line];
			}
		}
	}

	readShared() {
		const { start, functions } = this;

		this.shared = new Uint32Array(this.order.length);
		for (let i = 1; i < this.order.length; i++) {
			const most = Math.min(start[i] - start[i - 1], start[i + 1] - start[i]);
			let same = 0;

			while (same < most &&
			       functions[start[i - 1] + same] === functions[start[i] + same])
				same++;
			this.shared[i] = same;
		}
	}

	/* after, and in a diff before: what each site of the data holds. A diff has the width of the
	 * larger of both, so that what shrinks is seen, too. */
	weigh(after, before) {
		const count = this.order.length;

		this.after = new Float64Array(count + 1);
		this.before = before ? new Float64Array(count + 1) : null;
		this.width = before ? new Float64Array(count + 1) : this.after;
		for (let i = 0; i < count; i++) {
			const now = after[this.order[i]];

			this.after[i + 1] = this.after[i] + now;
			if (!before)
				continue;
			const then = before[this.order[i]];

			this.before[i + 1] = this.before[i] + then;
			this.width[i + 1] = this.width[i] + Math.max(now, then);
		}
	}

	root() {
		return { low: 0, high: this.order.length, depth: 0 };
	}

	weight(node) {
		return this.width[node.high] - this.width[node.low];
	}

	value(node) {
		return this.after[node.high] - this.after[node.low];
	}

	change(node) {
		return this.before ? this.value(node) - this.before[node.high] + this.before[node.low] : 0;
	}

	/* Of its sites those that hold something. */
	count(node) {
		let count = 0;

		for (let i = node.low; i < node.high; i++)
			count += this.width[i + 1] > this.width[i];
		return count;
	}

	/* The frame of a node, by its number; -1: the root of all. */
	line(node) {
		return node.depth ? this.lines[this.start[node.low] + node.depth - 1] : -1;
	}

	/* Calls visit with the range of each child of the node of this range and depth. */
	eachChild(low, high, depth, visit) {
		const { start, shared } = this;
		let i = low;

		while (i < high && start[i + 1] - start[i] === depth)
			i++; /* stacks that end here */
		while (i < high) {
			let end = i + 1;

			while (end < high && shared[end] > depth)
				end++;
			visit(i, end);
			i = end;
		}
	}

	children(node) {
		const found = [];

		this.eachChild(node.low, node.high, node.depth, (low, high) => {
			const child = { low, high, depth: node.depth + 1 };

			if (this.weight(child) > 0)
				found.push(child);
		});
		return found;
	}

	parent(node) {
		const depth = node.depth - 1;
		let { low, high } = node;

		if (depth < 0)
			return null;
		while (low > 0 && this.shared[low] >= depth)
			low--;
		while (high < this.order.length && this.shared[high] >= depth)
			high++;
		return depth ? { low, high, depth } : this.root();
	}

	/* Every node at least narrowest wide, with its place, when node takes the whole width. */
	layout(node, width, narrowest) {
		const boxes = [], path = [];
		const total = this.weight(node);

		for (let above = node; above; above = this.parent(above))
			path.push(above);
		for (const above of path.reverse())
			boxes.push({ ...above, x: 0, width });
		if (total > 0)
			this.place(boxes, node, 0, width / total, narrowest);
		return boxes;
	}

	place(boxes, node, x, scale, narrowest) {
		const depth = node.depth + 1;

		this.eachChild(node.low, node.high, node.depth, (low, high) => {
			const at = x + (this.width[low] - this.width[node.low]) * scale;
			const wide = (this.width[high] - this.width[low]) * scale;

			if (wide < narrowest)
				return;
			const box = { low, high, depth, x: at, width: wide };

			boxes.push(box);
			this.place(boxes, box, at, scale, narrowest);
		});
	}

	/* Which sites have a frame in their stacks that matches: by number, 1 in hits. */
	matching(hits) {
		const { start, lines } = this;

		if (this.hits === hits)
			return this.matches;
		this.hits = hits;
		this.matches = new Uint8Array(this.order.length);
		for (let i = 0; i < this.order.length; i++) {
			let j = start[i];

			while (j < start[i + 1] && !hits[lines[j]])
				j++;
			this.matches[i] = j < start[i + 1] ? 1 : 0;
		}
		return this.matches;
	}

	/* What they hold, of the sites of a node. */
	matched(hits, node) {
		const matches = this.matching(hits);
		let sum = 0;

		for (let i = node.low; i < node.high; i++)
			if (matches[i])
				sum += this.after[i + 1] - this.after[i];
		return sum;
	}
}
