/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Java program that keeps native memory, as fast as it can, until the kernel has had enough of it:
 * "direct", direct buffers, or "inflater", Inflaters that nobody ends. How many it has stands in a
 * file of greedy's (see greedy.c): java -cp DIR JavaGreedy KIND FILE.
 */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.Inflater;

public class JavaGreedy {
	static final int BUFFER_BYTES = 20000, COUNTS_BYTES = 64 * 32;
	static final List<Object> kept = new ArrayList<>();

	static void leak_buffer(MappedByteBuffer counts) {
		kept.add(ByteBuffer.allocateDirect(BUFFER_BYTES));
		counts.putLong(8, (long)kept.size() * BUFFER_BYTES);
		counts.putLong(16, kept.size());
	}

	static void leak_inflater(MappedByteBuffer counts) {
		kept.add(new Inflater());
		counts.putLong(16, kept.size());
	}

	static void leak(boolean direct, MappedByteBuffer counts) {
		for (;;) {
			if (direct)
				leak_buffer(counts);
			else
				leak_inflater(counts);
		}
	}

	public static void main(String[] arguments) throws Exception {
		boolean direct = arguments[0].equals("direct");
		MappedByteBuffer counts = new RandomAccessFile(arguments[1], "rw").getChannel().map(
			FileChannel.MapMode.READ_WRITE, 0, COUNTS_BYTES);
		BufferedReader input = new BufferedReader(new InputStreamReader(System.in));

		counts.order(ByteOrder.LITTLE_ENDIAN);
		counts.putLong(0, 1);
		new Inflater().end();
		ByteBuffer.allocateDirect(BUFFER_BYTES);
		System.out.println("ready 1");
		System.out.flush();
		input.readLine();
		System.out.println("{}");
		System.out.flush();
		leak(direct, counts);
	}
}
