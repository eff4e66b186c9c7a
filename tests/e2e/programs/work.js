// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a node program does, at each line on its input: the same again. Answers "done".
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const vm = require("vm");
const zlib = require("zlib");

const TEXT = "the quick brown fox jumps over the lazy dog ".repeat(50);
const kept = [];

function recurse(depth, action) {
	return depth ? recurse(depth - 1, action) : action();
}

const works = [
	() => kept.push(Buffer.allocUnsafeSlow(20000), new ArrayBuffer(5000)),
	() => zlib.inflateSync(zlib.deflateSync(TEXT)),
	() => crypto.createHash("sha256").update(TEXT).digest("hex"),
	() => crypto.createHmac("sha1", "key").update(TEXT).digest(),
	() => JSON.parse(JSON.stringify({ text: TEXT, list: Array.from(TEXT) })),
	() => fs.readFileSync(__filename, "utf8").split(/\s+/u).sort(),
	() => fs.readdirSync("/").map((name) => fs.statSync("/" + name, { bigint: true })),
	() => vm.runInNewContext("a + b", { a: 1, b: 2 }),
	() => new URL("http://example.org:80/a/../b?x=1#y").href,
	() => new TextDecoder("utf-16le").decode(Buffer.from(TEXT, "utf16le")),
	() => [..."äöü".repeat(300).normalize("NFD")].map((c) => c.toLocaleUpperCase("de")),
	() => new Intl.DateTimeFormat("en", { dateStyle: "full" }).format(0),
	() => new Float64Array(4000).map((_, i) => Math.sqrt(i)).sort(),
	() => { try { JSON.parse("{"); } catch (error) { return error.stack; } },
];

process.stdin.on("data", () => {
	kept.length = 0;
	global.gc();
	works.forEach((work, i) => {
		recurse(i, work);
		recurse(3 * i, work);
	});
	fs.writeSync(1, "done\n");
});
fs.writeSync(1, `ready ${process.pid}\n`);
