// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Inflater;

/** Holds what each word of its input asks for: "direct N", "inflaters N", "gc"; answers "{}". */
public class JavaHeld {
	static final List<Object> held = new ArrayList<>();

	static void hold(String word, int count) {
		for (int i = 0; i < count; i++) {
			if (word.equals("direct"))
				held.add(ByteBuffer.allocateDirect(1 << 20));
			else if (word.equals("inflaters"))
				held.add(new Inflater());
		}
		if (word.equals("gc"))
			System.gc();
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
		String line;

		System.out.println("ready");
		while ((line = input.readLine()) != null) {
			String[] words = line.split(" ");
			hold(words[0], words.length > 1 ? Integer.parseInt(words[1]) : 1);
			System.out.println("{}");
		}
	}
}
