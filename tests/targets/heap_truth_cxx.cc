/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The C++ sites of heap_truth: operator new in all its forms, and containers that grow. */
#include <map>
#include <new>
#include <string>
#include <vector>

#include "heap_truth.h"
#include "protocol.h"

SITE struct left leak_new(size_t size)
{
	void *pointer = ::operator new(size);

	KEEP(pointer);
	return { nullptr, size, 1 };
}

SITE struct left leak_new_array(size_t size)
{
	char *array = new char[size];

	KEEP(array);
	return { nullptr, size, 1 };
}

SITE struct left leak_new_nothrow(size_t size)
{
	void *pointer = ::operator new(size, std::nothrow);

	KEEP(pointer);
	return { nullptr, size, 1 };
}

/* A multiple of the alignment: libstdc++ rounds others up before it asks aligned_alloc. */
SITE struct left leak_new_aligned(size_t size)
{
	void *pointer;

	size = (size + 63) / 64 * 64;
	pointer = ::operator new(size, std::align_val_t(64));
	KEEP(pointer);
	return { nullptr, size, 1 };
}

/* The object and its text, which is longer than what fits into the object. */
SITE struct left leak_string(size_t size)
{
	std::string *text = new std::string(size + 32, 'x');

	KEEP(text);
	return { nullptr, sizeof(*text) + text->capacity() + 1, 2 };
}

/* Grows several times; all but the last of its arrays are freed. */
SITE struct left leak_vector(size_t size)
{
	std::vector<size_t> *vector = new std::vector<size_t>;

	for (size_t i = 0; i <= size / sizeof(size_t); i++)
		vector->push_back(i);
	KEEP(vector);
	return { nullptr, sizeof(*vector) + vector->capacity() * sizeof(size_t), 2 };
}

SITE struct left churn_cxx(size_t size)
{
	std::map<size_t, std::string> map;
	void *aligned = ::operator new(size, std::align_val_t(128));
	char *array = new char[size];

	for (size_t i = 0; i < size % 8; i++)
		map[i] = std::string(size, 'y');
	KEEP(&map);
	KEEP(aligned);
	KEEP(array);
	::operator delete(aligned, std::align_val_t(128));
	delete[] array;
	return { nullptr, 0, 0 };
}
