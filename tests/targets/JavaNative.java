/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Java that calls C++ that calls Java, and so on; the C++ side allocates. Speaks as
 * tests/targets/protocol.h does. Arguments: the library, and rounds to warm up.
 */
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;

public class JavaNative {
	static final int LEAKS = 300;

	/* Allocates, and calls up() as often. */
	static native long leakBlocks(int depth);

	static long up(int depth) {
		return depth == 0 ? 0 : leakBlocks(depth - 1) + 1;
	}

	static long descend(int levels, int depth) {
		return levels == 0 ? leakBlocks(depth) : descend(levels - 1, depth) + 1;
	}

	static void run(int rounds) {
		for (int i = 0; i < rounds; i++)
			descend(i % 9, i % 4);
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		String word;

		System.load(arguments[0]);
		run(Integer.parseInt(arguments[1]));
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			Thread thread = new Thread(() -> run(LEAKS));
			thread.start();
			thread.join();
			System.out.println("{\"sites\": []}");
		}
	}
}
