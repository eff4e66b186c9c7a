// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What a compiler is given to read.
namespace made
{
template <typename T, int n> struct array {
	T items[n];
	constexpr const T &operator[](int i) const
	{
		return items[i];
	}
};
template <int n> struct factorial {
	static constexpr long value = n * factorial<n - 1>::value;
};
template <> struct factorial<0> {
	static constexpr long value = 1;
};
template <typename... T> struct list {
};
template <typename T, typename... Rest> int count(const list<T, Rest...> &)
{
	return 1 + count(list<Rest...>());
}
int count(const list<> &)
{
	return 0;
}
struct base {
	virtual ~base() = default;
	virtual long area() const = 0;
};
struct square : base {
	long side = 3;
	long area() const override
	{
		return side * side;
	}
};
} // namespace made
static_assert(made::factorial<12>::value == 479001600);
constexpr made::array<int, 4> numbers{ { 1, 2, 3, 4 } };
int main(int argc, char **argv)
{
	made::square square;
	auto sum = [&](auto... all) { return (all + ... + square.area()); };

	for (int i = 0; i < argc; i++)
		switch (argv[i][0]) {
		case 'a':
			return made::count(made::list<int, char, long, made::square>());
		default:
			square.side += numbers[i & 3];
		}
	return (int)sum(1, 2L, 3.0);
}
