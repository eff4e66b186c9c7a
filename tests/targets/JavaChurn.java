/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Java program whose compiled code comes and goes: it loads its own class anew each round, makes
 * it hot, and lets it go. It speaks as tests/targets/protocol.h does.
 */
import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.zip.Inflater;

public class JavaChurn implements Runnable {
	static final int CALLS = 400;

	/* What it makes is freed: the stacks are what matters. */
	static void inner() {
		new Inflater().end();
	}

	/* Frames of many sizes, compiled apart: one's code lands where another's was. */
	static double wide(double a, double b, double c, double d, double e, double f, int n) {
		double sum = n > 0 ? wide(b, c, d, e, f, a * a, n - 1) : 0;

		if (n == 0)
			inner();
		return sum + a * b + c * d - e / (f + 1);
	}

	static int narrow(int n) {
		if (n > 0)
			return narrow(n - 1) + 1;
		inner();
		return 1;
	}

	public void run() {
		for (int i = 0; i < CALLS; i++) {
			narrow(i % 7);
			wide(i, 1, 2, 3, 4, 5, i % 5);
		}
	}

	/* Loads this class from its own file each time. */
	static class Loader extends ClassLoader {
		protected Class<?> loadClass(String name, boolean resolve)
			throws ClassNotFoundException {
			ByteArrayOutputStream bytes = new ByteArrayOutputStream();
			int next;

			if (!name.equals("JavaChurn"))
				return super.loadClass(name, resolve);
			try (InputStream in = JavaChurn.class.getResourceAsStream(name + ".class")) {
				while ((next = in.read()) >= 0)
					bytes.write(next);
			} catch (java.io.IOException error) {
				throw new ClassNotFoundException(name, error);
			}
			return defineClass(name, bytes.toByteArray(), 0, bytes.size());
		}
	}

	static void round() throws Exception {
		Runnable fresh = (Runnable) new Loader().loadClass("JavaChurn", true)
			.getDeclaredConstructor().newInstance();
		Thread thread = new Thread(fresh);

		thread.start();
		thread.join();
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		int rounds = Integer.parseInt(arguments[0]);
		String word;

		round();
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			for (int i = 0; i < rounds; i++) {
				round();
				if (i % 4 == 3)
					System.gc(); /* unloads classes, and their code */
			}
			System.out.println("{\"calls\": " + 2 * CALLS * rounds + "}");
		}
	}
}
