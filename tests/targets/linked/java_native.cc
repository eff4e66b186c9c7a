// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The C++ side of JavaNative.java, without frame pointers: containers, and calls up into Java.
#include <jni.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace
{
std::vector<std::map<std::string, long>> kept;

struct counter {
	explicit counter(std::map<std::string, long> &counts) : counts(counts)
	{
	}
	void operator()(int i)
	{
		counts["a name too long to be kept within " + std::to_string(i)]++;
	}
	std::map<std::string, long> &counts;
};

long count(int depth)
{
	std::vector<int> numbers(depth + 3, depth);

	std::for_each(numbers.begin(), numbers.end(), counter(kept.emplace_back()));
	if (kept.size() > 1000)
		kept.clear();
	return (long)kept.size();
}
} // namespace

extern "C" JNIEXPORT jlong JNICALL Java_JavaNative_leakBlocks(JNIEnv *env, jclass type, jint depth)
{
	jmethodID up = env->GetStaticMethodID(type, "up", "(I)J");
	long sum = count(depth);

	return up ? sum + env->CallStaticLongMethod(type, up, depth) : 0;
}
