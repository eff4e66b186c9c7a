// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * leaker [--rate 200] [--for SECONDS]: the program of the demo, a little service that answers
 * requests and leaks. It remembers a session for each visitor, with its name and its basket, and
 * forgets those who log out, but not those who just stay away. Its cache, its parsing and its
 * replies are innocent: they allocate far more, and give it all back. It runs until it is killed.
 */
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <time.h>

#include "protocol.h"

namespace shop
{

struct Request {
	uint64_t visitor;
	std::string path;
	std::vector<std::string> headers;
};

struct Session {
	std::string visitor;
	std::map<std::string, int> basket;
	std::vector<char> recommendations;
};

// The last replies, a bounded number: grows at first, then stays.
class ReplyCache
{
      public:
	SITE void remember(const std::string &path, std::string reply)
	{
		replies_[path] = std::move(reply);
		order_.push_back(path);
		if (order_.size() > 500) {
			replies_.erase(order_.front());
			order_.pop_front();
		}
	}

      private:
	std::map<std::string, std::string> replies_;
	std::deque<std::string> order_;
};

class SessionStore
{
      public:
	SITE Session &open(uint64_t visitor)
	{
		std::unique_ptr<Session> &session = sessions_[visitor];

		if (!session)
			session = create(visitor);
		return *session;
	}

	SITE void close(uint64_t visitor)
	{
		sessions_.erase(visitor);
	}

      private:
	SITE std::unique_ptr<Session> create(uint64_t visitor)
	{
		auto session = std::make_unique<Session>();

		session->visitor = "visitor-" + std::to_string(visitor) + "@shop.example.com";
		recommend(*session);
		return session;
	}

	SITE void recommend(Session &session)
	{
		session.recommendations.assign(4096, 0);
	}

	std::map<uint64_t, std::unique_ptr<Session>> sessions_;
};

class Service
{
      public:
	SITE void handle(uint64_t number)
	{
		Request request = parse(number);
		Session &session = sessions_.open(request.visitor);

		put_into_basket(session, number);
		cache_.remember(request.path, render(request, session));
		if (number % 3) // two of three log out
			sessions_.close(request.visitor);
	}

      private:
	SITE Request parse(uint64_t number)
	{
		Request request = { number, "/articles/" + std::to_string(number % 5000), {} };

		for (int i = 0; i < 12; i++)
			request.headers.push_back("X-Header-" + std::to_string(i) +
						  ": some value of a believable length");
		return request;
	}

	SITE void put_into_basket(Session &session, uint64_t number)
	{
		for (int i = 0; i < 4; i++)
			session.basket["article-number-" + std::to_string(number + i)]++;
	}

	SITE std::string render(const Request &request, const Session &session)
	{
		std::string page = "<h1>" + request.path + "</h1>";

		for (const auto &article : session.basket)
			page += "<li>" + article.first + "</li>";
		return page;
	}

	SessionStore sessions_;
	ReplyCache cache_;
};

SITE static void serve(long rate, long seconds)
{
	const struct timespec pause = { 0, 10000000 };
	Service service;
	uint64_t number = 0;

	for (long tick = 0; !seconds || tick < seconds * 100; tick++) {
		for (uint64_t until = (tick + 1) * rate / 100; number < until; number++)
			service.handle(number);
		nanosleep(&pause, nullptr);
	}
}

} // namespace shop

int main(int argc, char **argv)
{
	shop::serve(option(argc, argv, "--rate", 200), option(argc, argv, "--for", 0));
	return 0;
}
