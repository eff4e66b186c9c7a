/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is held over time, in stacked areas; a range of moments is chosen by mouse or keys. */
const AREAS = 9;
const HUES = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7",
	      "#9c755f", "#8b9099"];
const EDGE = { left: 78, right: 14, top: 10, bottom: 24 };

class Timeline {
	constructor(canvas, legend, events) {
		this.canvas = canvas;
		this.legend = legend;
		this.context = canvas.getContext("2d");
		this.events = events;
		this.groups = [];
		this.over = this.start = this.from = null;
		this.to = 0;
		canvas.addEventListener("pointerdown", (event) => this.press(event));
		canvas.addEventListener("pointermove", (event) => this.move(event));
		canvas.addEventListener("pointerup", (event) => this.release(event));
		canvas.addEventListener("pointerleave", () => this.leave());
		canvas.addEventListener("keydown", (event) => this.key(event));
	}

	/* groups: {name, values (one for each moment)}, the largest first; few are shown alone. */
	show(moments, groups, format) {
		const alone = groups.slice(0, groups.length > AREAS + 1 ? AREAS : AREAS + 1);
		const rest = groups.slice(alone.length);

		this.moments = moments;
		this.format = format;
		this.groups = alone.map((group, i) => ({ ...group, colour: HUES[i] }));
		if (rest.length)
			this.groups.push({ name: rest.length + " others", colour: HUES[AREAS],
					   values: addUp(rest, moments.length) });
		this.total = addUp(this.groups, moments.length);
		this.legend.replaceChildren(...this.groups.map((group) => this.entry(group)));
		this.lay();
	}

	entry(group) {
		const dot = element("i", {});
		const name = element("button", { type: "button", title: group.name },
				     dot, group.name);

		dot.style.background = group.colour;
		name.addEventListener("click", () => this.events.pick(group));
		return element("li", {}, name);
	}

	select(from, to) {
		this.from = from;
		this.to = to;
		this.draw();
	}

	lay() {
		const ratio = window.devicePixelRatio || 1;

		this.width = this.canvas.parentElement.clientWidth;
		this.height = 190;
		this.canvas.width = Math.round(this.width * ratio);
		this.canvas.height = Math.round(this.height * ratio);
		this.canvas.style.width = this.width + "px";
		this.canvas.style.height = this.height + "px";
		this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
		this.draw();
	}

	x(moment) {
		const first = this.moments[0].unix_seconds;
		const span = this.moments[this.moments.length - 1].unix_seconds - first || 1;

		return EDGE.left + (this.moments[moment].unix_seconds - first) / span *
			(this.width - EDGE.left - EDGE.right);
	}

	y(value) {
		return this.height - EDGE.bottom - value / this.top *
			(this.height - EDGE.top - EDGE.bottom);
	}

	momentAt(x) {
		let best = 0;

		for (let i = 1; i < this.moments.length; i++)
			if (Math.abs(this.x(i) - x) < Math.abs(this.x(best) - x))
				best = i;
		return best;
	}

	draw() {
		const { context } = this;

		if (!this.moments)
			return;
		this.ink = getComputedStyle(this.canvas);
		context.clearRect(0, 0, this.width, this.height);
		context.font = "11px system-ui, sans-serif";
		this.drawAxes();
		this.drawAreas();
		this.drawRange();
	}

	drawAxes() {
		const { context } = this;
		const steps = ticks(Math.max(...this.total, 1));

		this.top = steps[steps.length - 1];
		context.textBaseline = "middle";
		context.textAlign = "right";
		for (const value of steps) {
			context.fillStyle = this.ink.getPropertyValue("--line");
			context.fillRect(EDGE.left, Math.round(this.y(value)),
					 this.width - EDGE.left - EDGE.right, 1);
			context.fillStyle = this.ink.getPropertyValue("--quiet");
			context.fillText(this.format(value), EDGE.left - 8, this.y(value));
		}
		context.textBaseline = "top";
		context.textAlign = "center";
		const places = Math.max(Math.floor(this.width / 150), 1);
		const [first, last] = [this.moments[0], this.moments[this.moments.length - 1]]
			.map((moment) => moment.unix_seconds);
		for (let i = 0; i <= places; i++) {
			const x = EDGE.left + i / places * (this.width - EDGE.left - EDGE.right);

			context.textAlign = i === places ? "right" : i ? "center" : "left";
			context.fillText(this.events.time(first + i / places * (last - first)), x,
					 this.height - EDGE.bottom + 8);
		}
	}

	drawAreas() {
		const { context, moments } = this;
		const floor = new Float64Array(moments.length);

		for (const group of [...this.groups].reverse()) {
			context.beginPath();
			for (let i = 0; i < moments.length; i++)
				context.lineTo(this.x(i), this.y(floor[i] + group.values[i]));
			for (let i = moments.length - 1; i >= 0; i--)
				context.lineTo(this.x(i), this.y(floor[i]));
			context.closePath();
			context.fillStyle = group.colour;
			context.fill();
			for (let i = 0; i < moments.length; i++)
				floor[i] += group.values[i];
		}
	}

	drawRange() {
		const { context } = this;
		const high = this.height - EDGE.top - EDGE.bottom;
		const ink = this.ink.getPropertyValue("--ink");

		if (this.from !== null) {
			const left = Math.min(this.x(this.from), this.x(this.to));
			const right = Math.max(this.x(this.from), this.x(this.to));

			context.fillStyle = this.ink.getPropertyValue("--veil");
			context.fillRect(EDGE.left, EDGE.top, left - EDGE.left, high);
			context.fillRect(right, EDGE.top, this.width - EDGE.right - right, high);
			context.fillStyle = ink;
			context.fillRect(this.x(this.from) - 1, EDGE.top, 2, high);
		}
		context.fillStyle = ink;
		context.fillRect(this.x(this.to) - 1, EDGE.top, 2, high);
		if (this.over !== null) {
			context.globalAlpha = 0.4;
			context.fillRect(this.x(this.over), EDGE.top, 1, high);
			context.globalAlpha = 1;
		}
	}

	press(event) {
		this.canvas.setPointerCapture(event.pointerId);
		this.start = this.momentAt(event.offsetX);
		this.events.range(null, this.start);
	}

	move(event) {
		const over = this.momentAt(event.offsetX);

		if (over === this.over)
			return;
		this.over = over;
		if (this.start !== null)
			this.choose(this.start, over);
		else
			this.draw();
		this.events.hover(this, over, event);
	}

	/* By time, whichever way the mouse went. */
	choose(one, other) {
		this.events.range(one === other ? null : Math.min(one, other), Math.max(one, other));
	}

	release() {
		this.start = null;
	}

	leave() {
		this.over = null;
		this.draw();
		this.events.hover(null);
	}

	key(event) {
		const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
		const within = (moment) => Math.max(0, Math.min(this.moments.length - 1, moment));

		if (!step)
			return;
		event.preventDefault();
		if (!event.shiftKey) {
			const to = within(this.to + step);

			this.events.range(this.from !== null && this.from < to ? this.from : null, to);
			return;
		}
		this.choose(within((this.from === null ? this.to : this.from) + step), this.to);
	}
}

function addUp(groups, count) {
	const sums = new Float64Array(count);

	for (const group of groups)
		for (let i = 0; i < count; i++)
			sums[i] += group.values[i];
	return sums;
}

/* Round values from 0 to beyond most: halves and quarters of powers of two suit bytes. */
function ticks(most) {
	let step = 2 ** Math.floor(Math.log2(most / 2));

	if (most / step > 4)
		step *= 2;
	const found = [];
	for (let value = 0; value < most + step; value += step)
		found.push(value);
	return found;
}
