/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Spawn COUNT PROGRAM [ARGUMENT...]: starts a target COUNT times by ProcessBuilder, and passes on
 * what they say: after "go" their pids, after "work" their truths. See targets/protocol.h.
 */
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class Spawn {
	private static final List<Process> children = new ArrayList<>();
	private static final List<BufferedReader> voices = new ArrayList<>();

	private static String tell(int child, String word) throws IOException {
		if (word != null) {
			children.get(child).getOutputStream().write((word + "\n").getBytes());
			children.get(child).getOutputStream().flush();
		}
		return voices.get(child).readLine();
	}

	private static void start(int count, List<String> command) throws IOException {
		for (int i = 0; i < count; i++) {
			children.add(new ProcessBuilder(command).redirectError(
				ProcessBuilder.Redirect.INHERIT).start());
			voices.add(new BufferedReader(
				new InputStreamReader(children.get(i).getInputStream())));
		}
	}

	private static void say(String line) {
		System.out.println(line);
		System.out.flush();
	}

	public static void main(String[] arguments) throws IOException, InterruptedException {
		BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
		int count = Integer.parseInt(arguments[0]);
		List<String> answers = new ArrayList<>();

		say("ready " + ProcessHandle.current().pid());
		input.readLine();
		start(count, Arrays.asList(arguments).subList(1, arguments.length));
		for (int i = 0; i < count; i++)
			answers.add(tell(i, null).split(" ")[1]);
		say("{\"pids\":[" + String.join(",", answers) + "]}");
		input.readLine();
		answers.clear();
		for (int i = 0; i < count; i++)
			answers.add(tell(i, "go"));
		say("{\"truths\":[" + String.join(",", answers) + "]}");
		input.readLine();
		for (Process child : children) {
			child.getOutputStream().close();
			child.waitFor();
		}
	}
}
