/* What the C++ form of a kernel uses of an HLS compiler's hls_stream.h, for g++: a queue of any length, so stages run one after the other. */
#ifndef SKIP_TESTS_HLS_STREAM_H
#define SKIP_TESTS_HLS_STREAM_H

#include <deque>
#include <stdio.h>
#include <stdlib.h>

namespace hls {
/* A stream with a depth is one without it, as there. Reading what nobody wrote, or leaving something unread, is a hang or a wrong count on a chip: here it ends the process. */
template <typename T, int DEPTH = 0> class stream : public stream<T, 0> {};
template <typename T> class stream<T, 0> {
	std::deque<T> tokens;
	static void end(const char *why)
	{
		fprintf(stderr, "hls::stream: %s\n", why);
		abort();
	}

public:
	stream() {}
	stream(const stream &) = delete;
	~stream()
	{
		if (!tokens.empty()) end("tokens left unread");
	}
	T read()
	{
		if (tokens.empty()) end("read of an empty stream");
		const T token = tokens.front();
		tokens.pop_front();
		return token;
	}
	void write(const T &token) { tokens.push_back(token); }
};
}

#endif
