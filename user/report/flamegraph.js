/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Makes the drawn flamegraphs answer: details on hover, zoom on click, search, keys, and the width
 * of the window. The drawing stands without it. Positions are those of the file, on a page that is
 * 1200 wide; each graph zooms for itself.
 */
"use strict";
(function () {
	const PAGE = 1200, MARGIN = 10, CHARACTER = 7.25, PADDING = 3;
	const svg = document.querySelector("svg");
	const graphs = Array.from(svg.querySelectorAll(".graph"), readGraph);
	const details = svg.querySelector("#details");
	let pattern = null;

	function readGraph(element) {
		const graph = { element, zoom: null, frames: [] };
		const open = [];

		for (const g of element.querySelectorAll(".frame")) {
			const rect = g.querySelector("rect");
			const frame = {
				g, rect, graph,
				text: g.querySelector("text"),
				lines: g.querySelector("title").textContent.split("\n"),
				bytes: Number(g.dataset.bytes),
				x: Number(rect.getAttribute("x")) - MARGIN,
				width: Number(rect.getAttribute("width")),
				y: Number(rect.getAttribute("y")),
				parent: null, children: [],
			};

			/* In the file a frame comes before what stands on it; y grows downwards. */
			while (open.length && open[open.length - 1].y <= frame.y)
				open.pop();
			if (open.length) {
				frame.parent = open[open.length - 1];
				frame.parent.children.push(frame);
			}
			open.push(frame);
			graph.frames.push(frame);
			g.frame = frame;
		}
		graph.zoom = graph.frames[0];
		return graph;
	}

	function fit(frame, x, width) {
		const room = Math.floor((width - 2 * PADDING) / CHARACTER);
		let label = frame.lines[0];

		if (room < 3) {
			if (frame.text)
				frame.text.textContent = "";
			return;
		}
		if (!frame.text) {
			frame.text = document.createElementNS(svg.namespaceURI, "text");
			frame.text.setAttribute("y", frame.y + 12);
			frame.g.appendChild(frame.text);
		}
		if (label.length > room)
			label = label.slice(0, room - 2) + "..";
		frame.text.setAttribute("x", x + PADDING);
		frame.text.textContent = label;
	}

	/* Puts every frame of a graph where the zoom wants it. */
	function lay(graph, pageWidth) {
		const full = pageWidth - 2 * MARGIN;
		const zoom = graph.zoom;
		const below = new Set();

		for (let frame = zoom.parent; frame; frame = frame.parent)
			below.add(frame);
		for (const frame of graph.frames) {
			const inside = frame === zoom || frame.parent && frame.parent.inside;
			let x = 0, width = full;

			frame.inside = inside;
			if (inside && frame !== zoom) {
				x = (frame.x - zoom.x) / zoom.width * full;
				width = frame.width / zoom.width * full;
			}
			frame.g.classList.toggle("below", below.has(frame));
			frame.g.classList.toggle("hidden",
						 !inside && !below.has(frame) || width < 0.1);
			frame.rect.setAttribute("x", MARGIN + x);
			frame.rect.setAttribute("width", Math.max(width, 0));
			if (inside || below.has(frame))
				fit(frame, MARGIN + x, width);
		}
	}

	function layAll() {
		/* Of the window without its scroll bar. */
		const width = Math.max((svg.clientWidth || window.innerWidth) - 2, 400);

		svg.setAttribute("width", width);
		svg.setAttribute("viewBox", "0 0 " + width + " " + svg.getAttribute("height"));
		for (const graph of graphs)
			lay(graph, width);
		pinDetails();
	}

	function zoomTo(frame) {
		frame.graph.zoom = frame;
		lay(frame.graph, Number(svg.getAttribute("width")));
	}

	function resetZoom() {
		for (const graph of graphs)
			graph.zoom = graph.frames[0];
		layAll();
	}

	/* The line of details stays at the window's lower edge. */
	function pinDetails() {
		const bottom = Math.min(window.scrollY + window.innerHeight,
					Number(svg.getAttribute("height")));

		details.setAttribute("transform", "translate(0," + (bottom - 20) + ")");
	}

	function show(frame) {
		details.classList.toggle("hidden", !frame);
		if (frame)
			details.querySelector("text").textContent = frame.lines.join("  \u00b7  ");
	}

	function humanBytes(bytes) {
		const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
		let i = 0;

		for (; bytes >= 999.5; i++)
			bytes /= 1024;
		return bytes.toFixed(i && bytes < 99.95 ? 1 : 0) + " " + units[i];
	}

	/* Marks what matches; its sum counts a match within a match once. */
	function search(text) {
		try {
			pattern = text ? new RegExp(text) : null;
		} catch (error) {
			window.alert("Not a regular expression: " + error.message);
			return;
		}
		for (const graph of graphs) {
			const total = graph.frames[0].bytes;
			let sum = 0;

			for (const frame of graph.frames) {
				const hit = Boolean(pattern && pattern.test(frame.lines[0]));
				const within = Boolean(frame.parent && frame.parent.counted);

				frame.counted = hit || within;
				frame.g.classList.toggle("hit", hit);
				if (hit && !within)
					sum += frame.bytes;
			}
			graph.element.querySelector(".matched").textContent = !pattern ? "" :
				"matched " + humanBytes(sum) + ", " +
				(total ? 100 * sum / total : 0).toFixed(1) + "%";
		}
	}

	function askSearch() {
		const text = window.prompt("Search functions (regular expression, empty: none)",
					   pattern ? pattern.source : "");

		if (text !== null)
			search(text);
	}

	/* Arrows walk the graph: up to the widest callee, down to the caller, and to neighbours. */
	function neighbour(frame, key) {
		const row = frame.parent ? frame.parent.children : [frame];

		switch (key) {
		case "ArrowUp": return frame.children[0];
		case "ArrowDown": return frame.parent;
		case "ArrowLeft": return row[row.indexOf(frame) - 1];
		case "ArrowRight": return row[row.indexOf(frame) + 1];
		}
		return null;
	}

	function frameOf(event) {
		const g = event.target.closest && event.target.closest(".frame");

		return g ? g.frame : null;
	}

	function activate(event) {
		const button = event.target.closest && event.target.closest(".button");

		if (button && button.id === "search")
			askSearch();
		else if (button)
			resetZoom();
		else if (frameOf(event))
			zoomTo(frameOf(event));
	}

	svg.addEventListener("click", activate);
	svg.addEventListener("mouseover", (event) => show(frameOf(event)));
	svg.addEventListener("mouseleave", () => show(null));
	svg.addEventListener("focusin", (event) => show(frameOf(event)));
	window.addEventListener("resize", layAll);
	window.addEventListener("scroll", pinDetails);
	window.addEventListener("keydown", (event) => {
		const frame = frameOf(event);
		const next = frame && neighbour(frame, event.key);

		if (event.key === "f" && (event.ctrlKey || event.metaKey) || event.key === "/") {
			askSearch();
		} else if (event.key === "Escape") {
			resetZoom();
			search("");
		} else if (event.key === "Enter" || event.key === " ") {
			activate(event);
		} else if (next) {
			frame.g.setAttribute("tabindex", "-1");
			next.g.setAttribute("tabindex", "0");
			next.g.focus();
		} else {
			return;
		}
		event.preventDefault();
	});
	layAll();
})();
