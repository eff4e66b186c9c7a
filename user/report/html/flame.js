/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Draws a graph on a canvas, and says what was clicked, hovered and walked to. */
const ROW = 19, NARROWEST = 0.4, PADDING = 4;

class Flame {
	constructor(canvas, scroll, events) {
		this.canvas = canvas;
		this.scroll = scroll;
		this.context = canvas.getContext("2d");
		this.events = events;
		this.boxes = [];
		this.selected = null;
		this.hits = null;
		canvas.addEventListener("mousemove", (event) => this.hover(event));
		canvas.addEventListener("mouseleave", () => events.hover(null));
		canvas.addEventListener("click", (event) => this.click(event));
		canvas.addEventListener("keydown", (event) => this.key(event));
	}

	show(graph, zoom) {
		const moved = graph !== this.graph || zoom !== this.zoom;

		this.graph = graph;
		this.zoom = zoom;
		this.lay();
		if (moved) {
			this.selected = null;
			this.scroll.scrollTop = graph.leafFirst ? 0 : this.scroll.scrollHeight;
		}
	}

	lay() {
		const width = this.scroll.clientWidth;
		let deepest = 0;

		this.boxes = this.graph.layout(this.zoom, width, NARROWEST);
		this.rows = [];
		for (const box of this.boxes) {
			deepest = Math.max(deepest, box.depth);
			(this.rows[box.depth] ||= []).push(box);
		}
		this.size(width, (deepest + 1) * ROW);
		this.draw();
	}

	size(width, height) {
		const ratio = window.devicePixelRatio || 1;

		this.width = width;
		this.height = height;
		this.canvas.width = Math.round(width * ratio);
		this.canvas.height = Math.round(height * ratio);
		this.canvas.style.width = width + "px";
		this.canvas.style.height = height + "px";
		this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
	}

	y(depth) {
		return this.graph.leafFirst ? depth * ROW : this.height - (depth + 1) * ROW;
	}

	draw() {
		const { context } = this;

		context.clearRect(0, 0, this.width, this.height);
		context.font = "12px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
		context.textBaseline = "middle";
		this.character = context.measureText("m").width;
		this.dark = this.events.dark();
		for (const box of this.boxes)
			this.drawBox(box);
		if (this.selected)
			this.outline(this.selected);
	}

	drawBox(box) {
		const { context } = this;
		const y = this.y(box.depth), wide = Math.max(box.width - (box.width > 3 ? 1 : 0), 0.4);

		context.globalAlpha = box.depth < this.zoom.depth ? 0.5 : 1;
		context.fillStyle = this.colour(box);
		context.fillRect(box.x, y, wide, ROW - 1);
		const room = Math.floor((box.width - 2 * PADDING) / this.character);
		if (room >= 3) {
			context.fillStyle = this.graph.before && this.light ? "#fff" : "#16181d";
			context.fillText(this.clip(this.events.label(box), room), box.x + PADDING,
					 y + ROW / 2);
		}
		context.globalAlpha = 1;
	}

	clip(text, room) {
		return text.length <= room ? text : text.slice(0, room - 1) + "\u2026";
	}

	colour(box) {
		const { graph, hits } = this;
		const line = graph.line(box);

		if (hits && line >= 0 && hits[line])
			return this.marked();
		if (graph.before)
			return this.changeColour(box);
		if (line < 0)
			return this.dark ? "#878d98" : "#c9ced8";
		const [, hue, saturation] = CLASSES[graph.data.lines.classes[line]];
		const shade = graph.data.lines.functions[line] * 2654435761 % 7;
		const dim = hits ? 0.45 : 1;

		return `hsl(${hue},${saturation * dim}%,${(this.dark ? 56 : 66) + shade * 1.6}%)`;
	}

	marked() {
		this.light = false;
		return this.dark ? "#d867c6" : "#ec7fda";
	}

	/* Red grows, blue shrinks; the fuller, the more of it. */
	changeColour(box) {
		const weight = this.graph.weight(box), share = weight ? this.graph.change(box) / weight : 0;
		const size = Math.min(Math.abs(share), 1);

		this.light = this.dark && size > 0.6;
		if (size < 0.001)
			return this.dark ? "#8d929b" : "#dfe2e8";
		return `hsl(${share > 0 ? 6 : 214},${30 + 50 * size}%,${(this.dark ? 68 : 86) - 24 * size}%)`;
	}

	outline(node) {
		const box = this.boxOf(node);

		if (!box)
			return;
		this.context.strokeStyle = this.dark ? "#fff" : "#000";
		this.context.lineWidth = 2;
		this.context.strokeRect(box.x + 1, this.y(box.depth) + 1, Math.max(box.width - 3, 1),
					ROW - 3);
	}

	boxOf(node) {
		return (this.rows[node.depth] || []).find((box) => box.low === node.low);
	}

	boxAt(event) {
		const y = event.offsetY, x = event.offsetX;
		const depth = Math.floor((this.graph.leafFirst ? y : this.height - y) / ROW);

		return (this.rows[depth] || []).find((box) => x >= box.x && x < box.x + box.width);
	}

	hover(event) {
		const box = this.boxAt(event);

		this.canvas.style.cursor = box ? "pointer" : "default";
		this.events.hover(box || null, event);
	}

	click(event) {
		const box = this.boxAt(event);

		if (box)
			this.events.zoom({ low: box.low, high: box.high, depth: box.depth });
	}

	select(node) {
		if (!node)
			return;
		this.selected = node;
		this.draw();
		const y = this.y(node.depth), { scrollTop, clientHeight } = this.scroll;
		if (y < scrollTop || y + ROW > scrollTop + clientHeight)
			this.scroll.scrollTop = y - clientHeight / 2;
		this.events.select(node);
	}

	beside(node, step) {
		const parent = this.graph.parent(node);
		const row = parent ? this.graph.children(parent) : [node];

		return row[row.findIndex((one) => one.low === node.low) + step];
	}

	widest(node) {
		return this.graph.children(node).reduce(
			(best, one) => best && this.graph.weight(best) >= this.graph.weight(one) ?
				best : one, null);
	}

	key(event) {
		const node = this.selected || this.zoom;
		const inner = this.graph.leafFirst ? "ArrowDown" : "ArrowUp";

		switch (event.key) {
		case "ArrowUp":
		case "ArrowDown":
			this.select(event.key === inner ? this.widest(node) : this.graph.parent(node));
			break;
		case "ArrowLeft":
		case "ArrowRight":
			this.select(this.beside(node, event.key === "ArrowLeft" ? -1 : 1));
			break;
		case "Enter":
			this.events.zoom(node);
			break;
		case "Home":
			this.select(this.graph.root());
			break;
		default:
			return;
		}
		event.preventDefault();
	}
}
