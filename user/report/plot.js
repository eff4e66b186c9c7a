/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A moment is pointed at by mouse, or by the arrows: the table tells what was there then. */
(() => {
	const data = JSON.parse(document.getElementById("data").textContent);
	const plot = document.getElementById("plot");
	const [left, right, top, bottom] = ["left", "right", "top", "bottom"]
		.map((name) => Number(plot.dataset[name]));
	const end = data.seconds[data.seconds.length - 1] || 1;
	const cursor = document.createElementNS(plot.namespaceURI, "path");
	let now = data.seconds.length - 1;

	function size(bytes) {
		const units = ["B", "KiB", "MiB", "GiB", "TiB"];
		let unit = 0;

		for (; bytes >= 1000 && unit + 1 < units.length; unit++)
			bytes /= 1024;
		return (unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[unit];
	}

	function show(moment) {
		const x = left + data.seconds[moment] / end * (right - left);

		now = moment;
		cursor.setAttribute("d", `M${x} ${top}V${bottom}`);
		document.getElementById("when").textContent = `at ${data.seconds[moment].toFixed(1)} s`;
		document.querySelectorAll("tbody tr").forEach((row, i) => {
			row.cells[2].textContent = size(data.rows[i][moment]);
		});
	}

	function nearest(seconds) {
		let best = 0;

		data.seconds.forEach((each, i) => {
			if (Math.abs(each - seconds) < Math.abs(data.seconds[best] - seconds))
				best = i;
		});
		return best;
	}

	cursor.id = "cursor";
	plot.append(cursor);
	plot.setAttribute("tabindex", "0");
	plot.setAttribute("role", "img");
	plot.setAttribute("aria-label", "Memory by class over time: arrows choose a moment");
	plot.addEventListener("pointermove", (event) => {
		const box = plot.getBoundingClientRect();
		const x = (event.clientX - box.left) / box.width * plot.viewBox.baseVal.width;

		show(nearest((x - left) / (right - left) * end));
	});
	plot.addEventListener("keydown", (event) => {
		const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];

		if (!step)
			return;
		event.preventDefault();
		show(Math.min(Math.max(now + step, 0), data.seconds.length - 1));
	});
	show(now);
})();
