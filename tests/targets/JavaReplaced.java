/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Java program whose classes have another name each time, and nothing else that differs: the code
 * of one lands where that of another was. Says how many Inflaters each has made. It speaks as
 * tests/targets/protocol.h does.
 */
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.zip.Inflater;

public class JavaReplaced {
	static final String NAME = "JavaReplaced$Made0000";
	static final int CALLS = 1500;
	static int made;

	/* What it makes is freed: the stacks are what matters. */
	static class Made0000 implements Runnable {
		static void inner() {
			new Inflater().end();
		}

		public void run() {
			inner();
		}
	}

	static byte[] bytes() throws Exception {
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		int next;

		try (InputStream in = JavaReplaced.class.getResourceAsStream(NAME + ".class")) {
			while ((next = in.read()) >= 0)
				bytes.write(next);
		}
		return bytes.toByteArray();
	}

	static class Loader extends ClassLoader {
		Class<?> define(String name) throws Exception {
			String text = new String(bytes(), "ISO-8859-1").replace(NAME, name);

			return defineClass(name, text.getBytes("ISO-8859-1"), 0, text.length());
		}
	}

	static String round(int calls) throws Exception {
		String name = NAME.substring(0, NAME.length() - 4) + String.format("%04d", ++made);
		java.lang.reflect.Constructor<?> maker =
			new Loader().define(name).getDeclaredConstructor();

		maker.setAccessible(true);
		Runnable fresh = (Runnable) maker.newInstance();
		for (int i = 0; i < calls; i++)
			fresh.run();
		return "\"" + name + "\": " + calls;
	}

	public static void main(String[] arguments) throws Exception {
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		int rounds = Integer.parseInt(arguments[0]);
		String word;

		round(1);
		System.out.println("ready " + new File("/proc/self").getCanonicalFile().getName());
		while ((word = in.readLine()) != null && !word.equals("quit")) {
			StringBuilder text = new StringBuilder("{\"made\": {");

			for (int i = 0; i < rounds; i++) {
				text.append(i == 0 ? "" : ", ").append(round(CALLS + i));
				System.gc(); /* unloads the class, and its code */
			}
			System.out.println(text.append("}}"));
		}
	}
}
