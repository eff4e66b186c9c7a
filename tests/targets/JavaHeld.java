// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Inflater;

/**
 * Holds what each word of its input asks for, and answers "{}": "direct N" buffers of 1 MiB, N
 * "inflaters", N "classes" with a loader each, N threads that "churn" native memory one after the
 * other. "drop" lets all go; "gc" collects.
 */
public class JavaHeld {
	static final List<Object> held = new ArrayList<>();

	/** A class with a long run(), which its constructor calls, and of which a compiler makes much. */
	static class Maker extends ClassLoader {
		static final byte[] BYTES = bytes();

		Object make() throws Exception {
			return defineClass("Long", BYTES, 0, BYTES.length).newInstance();
		}

		static void pair(DataOutputStream out, int tag, int first, int second) throws IOException {
			out.writeByte(tag);
			out.writeShort(first);
			if (second != 0)
				out.writeShort(second);
		}

		static void method(DataOutputStream out, int name, byte[] code) throws IOException {
			out.writeShort(1); // public
			out.writeShort(name);
			out.writeShort(7);
			out.writeShort(1);
			out.writeShort(8); // Code
			out.writeInt(12 + code.length);
			out.writeShort(4); // stack
			out.writeShort(1); // locals
			out.writeInt(code.length);
			out.write(code);
			out.writeInt(0); // neither handlers nor attributes
		}

		static byte[] bytes() {
			ByteArrayOutputStream file = new ByteArrayOutputStream();

			try {
				write(new DataOutputStream(file));
			} catch (IOException error) {
				throw new IllegalStateException(error);
			}
			return file.toByteArray();
		}

		static void write(DataOutputStream out) throws IOException {
			byte[] step = { (byte) 178, 0, 13, (byte) 178, 0, 13, 4, (byte) 128, 108, (byte) 179, 0, 13 };
			ByteArrayOutputStream code = new ByteArrayOutputStream();

			out.writeInt(0xcafebabe);
			out.writeInt(52);
			out.writeShort(19); // constants, which begin at 1
			for (String text : "Long java/lang/Object java/lang/Runnable value I <init> ()V Code run".split(" ")) {
				out.writeByte(1);
				out.writeUTF(text);
			}
			pair(out, 7, 1, 0); // 10: this class
			pair(out, 7, 2, 0); // 11: Object
			pair(out, 7, 3, 0); // 12: Runnable
			pair(out, 9, 10, 15); // 13: this.value
			pair(out, 12, 6, 7); // 14: <init>()V
			pair(out, 12, 4, 5); // 15: value I
			pair(out, 10, 11, 14); // 16: Object's constructor
			pair(out, 10, 10, 18); // 17: this.run()
			pair(out, 12, 9, 7); // 18: run()V
			for (int word : new int[] { 0x21, 10, 11, 1, 12, 1, 9, 4, 5, 0, 2 })
				out.writeShort(word); // public class, its interface, public static int value, two methods
			method(out, 6, new byte[] { 42, (byte) 183, 0, 16, 42, (byte) 182, 0, 17, (byte) 177 });
			for (int i = 0; i < 650; i++) // value /= value | 1
				code.write(step);
			code.write(177);
			method(out, 9, code.toByteArray());
			out.writeShort(0);
		}
	}

	static void churn() {
		Inflater last = null;
		List<Inflater> many = new ArrayList<>();

		for (int i = 0; i < 1000; i++)
			many.add(last = new Inflater());
		for (Inflater inflater : many) {
			if (inflater != last)
				inflater.end();
		}
		synchronized (held) {
			held.add(last);
			held.notifyAll();
		}
	}

	/** The thread stays, and so does its arena. */
	static void startChurning() throws Exception {
		synchronized (held) {
			int before = held.size();
			Thread thread = new Thread(() -> {
				churn();
				try {
					Thread.sleep(1000000);
				} catch (InterruptedException error) {
					Thread.currentThread().interrupt();
				}
			});

			thread.setDaemon(true);
			thread.start();
			while (held.size() == before)
				held.wait();
		}
	}

	static void hold(String word, int count) throws Exception {
		for (int i = 0; i < count; i++) {
			if (word.equals("direct")) {
				held.add(ByteBuffer.allocateDirect(1 << 20));
			} else if (word.equals("inflaters")) {
				held.add(new Inflater());
			} else if (word.equals("classes")) {
				held.add(new Maker().make());
			} else if (word.equals("churn")) {
				startChurning();
			}
		}
		if (word.equals("drop"))
			held.clear();
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
