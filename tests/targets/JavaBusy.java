/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A busy Java program whose live set does not grow: in each round, threads come and go, make
 * garbage and Inflaters, and end those of the round before. It speaks as tests/targets/protocol.h
 * does; its truth is how many Inflaters it has made since it said "ready", and how many are left.
 */
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.concurrent.CountDownLatch;
import java.util.zip.Inflater;

public class JavaBusy {
	static final int THREADS = 4, EACH = 100, STRINGS = 200;
	static final Inflater[][] kept = new Inflater[THREADS][EACH];
	static volatile int sink;
	static long made;

	static void work(Inflater[] mine) {
		StringBuilder garbage = new StringBuilder();

		for (int i = 0; i < EACH; i++) {
			if (mine[i] != null)
				mine[i].end();
			mine[i] = new Inflater();
			for (int k = 0; k < STRINGS; k++)
				garbage.append(k);
			sink = garbage.toString().hashCode();
			garbage.setLength(0);
		}
	}

	/* Not Thread.join: it would leave a monitor of the JVM's each time, for a while. */
	static void round() throws InterruptedException {
		CountDownLatch latch = new CountDownLatch(THREADS);

		for (Inflater[] mine : kept) {
			new Thread(() -> {
				work(mine);
				latch.countDown();
			}).start();
		}
		latch.await();
		made += (long)THREADS * EACH;
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		String word;

		for (int i = 0; i < 200; i++)
			round();
		made = 0;
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			round();
			System.out.println("{\"made\": " + made + ", \"left\": " + THREADS * EACH + "}");
		}
	}
}
