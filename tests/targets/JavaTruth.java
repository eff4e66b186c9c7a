/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Java program that leaks Inflaters on request, and says by which methods and lines, as the JVM
 * itself has it. Arguments: rounds to warm up, and how much deeper its stacks are to be. It speaks
 * as tests/targets/protocol.h does: "ready PID", then an answer to each
 * line "go", until "quit".
 */
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.util.zip.Inflater;

public class JavaTruth implements Runnable {
	static final int LEAKS = 200;
	static Inflater[] kept;
	static int count;
	static Throwable seen;

	int rounds, levels;

	/* What was kept in the slot goes. */
	static void keep(Inflater inflater) {
		Inflater old = kept[count % kept.length];
		kept[count++ % kept.length] = inflater;
		if (old != null)
			old.end();
	}

	static void inner() {
		keep(new Inflater()); seen = new Throwable(); /* on one line */
	}

	int middle(int n) {
		inner();
		return n + 1;
	}

	static int outer(JavaTruth truth, int n, int levels) {
		return levels == 0 ? truth.middle(n) : outer(truth, n, levels - 1);
	}

	public void run() {
		int n = 0;

		while (n < rounds)
			n = outer(this, n, levels);
	}

	void runInThread(int rounds, int slots) throws InterruptedException {
		Thread thread = new Thread(this);

		this.rounds = rounds;
		kept = new Inflater[slots];
		thread.start();
		thread.join();
	}

	static String truth() {
		StringBuilder text = new StringBuilder("{\"frames\": [");
		String comma = "";

		for (StackTraceElement frame : seen.getStackTrace()) {
			text.append(comma).append('"').append(frame.getClassName()).append('.')
				.append(frame.getMethodName()).append(':')
				.append(frame.getLineNumber()).append('"');
			comma = ", ";
		}
		return text.append("], \"leaks\": ").append(LEAKS).append('}').toString();
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		JavaTruth truth = new JavaTruth();
		String word;

		truth.levels = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 0;
		truth.runInThread(Integer.parseInt(arguments[0]), 1);
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			truth.runInThread(LEAKS, LEAKS);
			System.out.println(truth());
		}
	}
}
