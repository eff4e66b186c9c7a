/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Leaks Inflaters: native memory of zlib that no Java heap dump shows. See targets/protocol.h. */
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Inflater;

public class Leak {
	private static final List<Inflater> kept = new ArrayList<>();

	private static void leak(int count) {
		for (int i = 0; i < count; i++)
			kept.add(new Inflater());
	}

	private static void say(String line) throws IOException {
		System.out.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
		System.out.flush();
	}

	private static String hear() throws IOException {
		StringBuilder line = new StringBuilder();

		for (int got = System.in.read(); got >= 0 && got != '\n'; got = System.in.read())
			line.append((char)got);
		return line.toString();
	}

	public static void main(String[] arguments) throws IOException {
		int count = Integer.parseInt(arguments[0]);

		leak(1); /* classes and libraries are loaded before the window */
		say("ready " + ProcessHandle.current().pid());
		while (hear().equals("go")) {
			int before = kept.size();

			leak(count);
			say("{\"inflaters\":" + (kept.size() - before) + "}");
		}
	}
}
