/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Virtual threads (JDK 21) that leak Inflaters before they are parked and after. It speaks as
 * tests/targets/protocol.h does.
 */
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.util.zip.Inflater;

public class JavaVirtual implements Runnable {
	static final int THREADS = 50;
	static final Inflater[] kept = new Inflater[2 * THREADS];

	final int number;

	JavaVirtual(int number) {
		this.number = number;
	}

	static void leak(int slot) {
		kept[slot] = new Inflater();
	}

	void parked() throws InterruptedException {
		Thread.sleep(1);
		leak(2 * number + 1);
	}

	public void run() {
		try {
			leak(2 * number);
			parked();
		} catch (InterruptedException error) {
			throw new RuntimeException(error);
		}
	}

	static void runAll() throws Exception {
		Method start = Thread.class.getMethod("startVirtualThread", Runnable.class);
		Thread[] threads = new Thread[THREADS];

		for (int i = 0; i < THREADS; i++)
			threads[i] = (Thread) start.invoke(null, new JavaVirtual(i));
		for (Thread thread : threads)
			thread.join();
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		String word;

		for (int i = Integer.parseInt(arguments[0]); i > 0; i--)
			runAll();
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			runAll();
			System.out.println("{\"leaks\": " + 2 * THREADS + "}");
		}
	}
}
