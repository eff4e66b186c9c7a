/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the page knows, as user/report/html_data.c writes it, in arrays that are quick to walk. */
"use strict";

const METRICS = [
	{ name: "Outstanding bytes", bytes: true },
	{ name: "Outstanding blocks", bytes: false },
	{ name: "Allocated bytes", bytes: true },
	{ name: "Allocated blocks", bytes: false },
	{ name: "Committed bytes", bytes: true, only: "mapping" },
];
const BLOCKS = 1, ALLOCATED = 2;

/* Classes of frames, in the order of enum label_class: name, hue, saturation. */
const CLASSES = [
	["libc, allocators", 205, 55], ["C", 8, 72], ["C++, Rust", 45, 80], ["Java", 112, 42],
	["kernel", 28, 85], ["no name", 0, 0], ["process", 255, 28],
];
const LIBC = 0, PROCESS = 6;

class Data {
	constructor(text) {
		const raw = JSON.parse(text);

		Object.assign(this, {
			target: raw.target, estimated: raw.estimated, kinds: raw.kinds, ends: raw.ends,
			moments: raw.moments, memory: raw.classes, functions: raw.functions,
			texts: raw.texts, diff: Boolean(raw.diff), windowed: Boolean(raw.windowed), sites: raw.sites, count: raw.sites.length,
		});
		this.lines = {};
		for (const [name, column] of Object.entries(raw.frames))
			this.lines[name] = Int32Array.from(column);
		this.hasVerdicts = raw.sites.some((site) => site[4] || site[6]);
		this.manyDays = raw.moments[raw.moments.length - 1].unix_seconds -
			raw.moments[0].unix_seconds > 86400;
		this.readStacks(raw.stacks);
		this.readValues(raw.values);
		this.byLeaf = Uint32Array.from(raw.by_leaf);
		this.cache = new Map();
	}

	/* When the watch began in which moment i was. */
	startOf(i) {
		return this.moments[i].unix_seconds - this.moments[i].window_seconds;
	}

	/* Of site i: stack[start[i]] … stack[start[i + 1] - 1], root first. */
	readStacks(raw) {
		const start = this.start = new Uint32Array(this.count + 1);
		let at = 0, total = 0;

		for (let i = 0; i < this.count; i++) {
			start[i] = total;
			total += raw[at] + raw[at + 1];
			at += 2 + raw[at + 1];
		}
		start[this.count] = total;
		const stack = this.stack = new Uint32Array(total);
		at = 0;
		for (let i = 0; i < this.count; i++) {
			const shared = raw[at++], own = raw[at++];

			if (shared)
				stack.copyWithin(start[i], start[i - 1], start[i - 1] + shared);
			for (let j = 0; j < own; j++)
				stack[start[i] + shared + j] = raw[at++];
		}
	}

	/* Of site i: change[i] … change[i + 1] - 1, each with its moment and values. */
	readValues(raw) {
		const width = METRICS.length;
		const change = this.change = new Uint32Array(this.count + 1);
		const when = [], values = [];

		for (let i = 0, at = 0; i < this.count; i++) {
			change[i] = when.length;
			for (let left = raw[at++]; left > 0; left--) {
				when.push(raw[at++]);
				for (let j = 0; j < width; j++)
					values.push(raw[at++]);
			}
		}
		change[this.count] = when.length;
		this.when = Uint32Array.from(when);
		this.values = Float64Array.from(values);
	}

	/* What each site held at a moment. */
	at(metric, moment) {
		const key = metric + " " + moment;
		let held = this.cache.get(key);

		if (held)
			return held;
		held = new Float64Array(this.count);
		for (let i = 0; i < this.count; i++)
			held[i] = this.valueAt(i, metric, moment);
		if (this.cache.size > 8)
			this.cache.clear();
		this.cache.set(key, held);
		return held;
	}

	valueAt(site, metric, moment) {
		let at = this.change[site + 1] - 1;

		while (at >= this.change[site] && this.when[at] > moment)
			at--;
		return at < this.change[site] ? 0 : this.values[at * METRICS.length + metric];
	}

	/* Adds what a site held at each moment to sums. */
	addOverTime(sums, site, metric) {
		for (let at = this.change[site]; at < this.change[site + 1]; at++) {
			const end = at + 1 < this.change[site + 1] ? this.when[at + 1] : sums.length;
			const value = this.values[at * METRICS.length + metric];

			for (let moment = this.when[at]; value && moment < end; moment++)
				sums[moment] += value;
		}
	}

	/* Of a frame, by its number. */
	name(line) {
		return this.functions[this.lines.functions[line]];
	}

	module(line) {
		return this.lines.modules[line] < 0 ? "" : this.texts[this.lines.modules[line]];
	}

	place(line) {
		const file = this.lines.files[line];

		if (file < 0)
			return "";
		return this.texts[file] + (this.lines.lines[line] ? ":" + this.lines.lines[line] : "");
	}

	time(moment) {
		return this.clock(this.moments[moment].unix_seconds);
	}

	clock(seconds) {
		return formatTime(seconds, this.manyDays);
	}

	process(site) {
		return this.name(this.stack[this.start[site]]);
	}

	/* The frame that a site is called by: the innermost that is no allocator's. */
	face(site) {
		const first = this.start[site], last = this.start[site + 1] - 1;

		for (let i = last; i > first; i--) {
			const line = this.stack[i];

			if (this.lines.classes[line] !== LIBC &&
			    !/^(operator new|(\w[\w ]* )?(std|__gnu_cxx)::)/.test(this.name(line)))
				return line;
		}
		return this.stack[last];
	}
}

/* -- for people -- */

function formatBytes(bytes) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
	let size = Math.abs(bytes), i = 0;

	for (; size >= 999.5; i++)
		size /= 1024;
	return (bytes < 0 ? "\u2212" : "") + size.toFixed(i && size < 99.95 ? 1 : 0) + " " + units[i];
}

function formatCount(count) {
	return (count < 0 ? "\u2212" : "") +
		String(Math.round(Math.abs(count))).replace(/\B(?=(\d{3})+$)/g, ",");
}

function formatValue(metric, value) {
	return METRICS[metric].bytes ? formatBytes(value) : formatCount(value);
}

function formatChange(metric, value) {
	return (value > 0 ? "+" : "") + formatValue(metric, value);
}

function formatShare(part, whole) {
	if (!whole)
		return "";
	const percent = 100 * part / whole;

	return part > 0 && percent < 0.1 ? "<0.1%" : percent.toFixed(1) + "%";
}

function formatSeconds(seconds) {
	if (seconds < 1)
		return Math.round(seconds * 1000) + " ms";
	if (seconds < 60)
		return Number(seconds.toFixed(seconds < 10 ? 1 : 0)) + " s";
	if (seconds < 3600)
		return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
	return Math.floor(seconds / 3600) + " h " + Math.floor(seconds % 3600 / 60) + " min";
}

/* In UTC; with its day where the moments are of several. */
function formatTime(seconds, withDay) {
	const text = new Date(seconds * 1000).toISOString();

	return (withDay ? text.slice(5, 10) + " " : "") + text.slice(11, 19);
}

/* An element with properties and children; text is text, never markup. */
function element(tag, properties = {}, ...children) {
	const made = Object.assign(document.createElement(tag), properties);

	made.append(...children);
	return made;
}
