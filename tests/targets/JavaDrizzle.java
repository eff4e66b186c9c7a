// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * A storm of Inflaters and Deflaters, which are used and ended; every hundredth Inflater never is.
 * Begins at "go", rests at "rest", leaks one more at "leak"; answers each word by how many were
 * leaked, and when that was (seconds).
 */
public class JavaDrizzle {
	static final int EVERY = 100, CACHED = 256;
	static final List<Inflater> kept = new ArrayList<>();
	static final Deflater[] cache = new Deflater[CACHED];
	static final byte[] packed = new byte[1000], unpacked = new byte[4000];
	static int packedBytes;
	static boolean working;

	static synchronized void leak_inflater() {
		kept.add(new Inflater());
	}

	static void churn_inflater() throws Exception {
		Inflater inflater = new Inflater();

		inflater.setInput(packed, 0, packedBytes);
		inflater.inflate(new byte[4000]);
		inflater.end();
	}

	/* Each lives until its place is wanted again. */
	static void churn_deflater(int turn) {
		Deflater old = cache[turn % CACHED];

		if (old != null)
			old.end();
		cache[turn % CACHED] = new Deflater();
	}

	static void work() throws Exception {
		for (int turn = 0;; turn++) {
			synchronized (JavaDrizzle.class) {
				while (!working)
					JavaDrizzle.class.wait();
			}
			for (int i = 0; i < EVERY; i++)
				churn_inflater();
			churn_deflater(turn);
			leak_inflater();
		}
	}

	static synchronized void answer(String word) {
		working = word.equals("go") || (working && !word.equals("rest"));
		JavaDrizzle.class.notifyAll();
		if (word.equals("leak"))
			leak_inflater();
		System.out.println("{\"leaked\": " + kept.size() + ", \"seconds\": "
				   + System.nanoTime() / 1e9 + "}");
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		Deflater deflater = new Deflater();
		String word;
		Thread worker = new Thread(() -> {
			try {
				work();
			} catch (Exception error) {
				throw new IllegalStateException(error);
			}
		});

		deflater.setInput(unpacked);
		deflater.finish();
		packedBytes = deflater.deflate(packed);
		worker.setDaemon(true);
		worker.start();
		leak_inflater();
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit"))
			answer(word);
	}
}
