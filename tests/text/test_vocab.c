/* Token table and trie. */
#include "base/alloc.h"
#include "check.h"
#include "text/vocab.h"
#include <stdio.h>
#include <string.h>

Test(vocab, finds_what_was_added)
{
	struct skip_err err;
	struct skip_vocab vocab;
	char name[32];
	enum { n = 6100 };
	skip_vocab_init(&vocab);
	cr_assert(skip_vocab_find(&vocab, "x", 1) == -1);
	cr_assert(skip_vocab_find(&vocab, "", 0) == -1);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "t%d", i * 7);
		CHECK_OK(skip_vocab_add(&vocab, name, strlen(name), i, &err));
	}
	cr_assert(vocab.count == n);
	for (int i = 0; i < n * 7; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		int id = skip_vocab_find(&vocab, name, strlen(name));
		cr_assert(id == (i % 7 ? -1 : i / 7), "%s: %d", name, id);
		if (id >= 0) cr_assert(eq(str, (char *)skip_vocab_token(&vocab, id), name));
	}
	cr_assert(skip_vocab_token(&vocab, -1) == NULL && skip_vocab_token(&vocab, n) == NULL);
	cr_assert(skip_vocab_find(&vocab, "t", 1) == -1);
	skip_vocab_deinit(&vocab);
}

Test(vocab, refuses_doubles)
{
	struct skip_err err;
	struct skip_vocab vocab;
	skip_vocab_init(&vocab);
	CHECK_OK(skip_vocab_add(&vocab, "one", 3, 5, &err));
	CHECK_FAILS(skip_vocab_add(&vocab, "one", 3, 6, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "\"one\" stands twice, with ids 5 and 6") != NULL);
	CHECK_FAILS(skip_vocab_add(&vocab, "two", 3, 5, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "id 5 stands for \"one\" and for \"two\"") != NULL);
	CHECK_FAILS(skip_vocab_add(&vocab, "two", 3, -1, &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_vocab_add(&vocab, "two", 3, INT32_MAX, &err), SKIP_ERR_INPUT);
	cr_assert(vocab.count == 6 && skip_vocab_token(&vocab, 4) == NULL);
	CHECK_OK(skip_vocab_add(&vocab, "on", 2, 4, &err));
	skip_vocab_deinit(&vocab);
}

Test(vocab, longest_match)
{
	static const char *const tokens[] = {"a", "abc", "abcd\u00e9", "##b", "##bc", "b"};
	struct skip_err err;
	struct skip_vocab vocab;
	skip_vocab_init(&vocab);
	for (int i = 0; i < 6; i++) CHECK_OK(skip_vocab_add(&vocab, tokens[i], strlen(tokens[i]), i, &err));
	int32_t id = -7;
	uint32_t inside = skip_vocab_walk(&vocab, 0, "##", 2);
	cr_assert(inside != SKIP_VOCAB_NO_NODE);
	cr_assert(skip_vocab_longest(&vocab, 0, "abcde", 5, &id) == 3 && id == 1);
	cr_assert(skip_vocab_longest(&vocab, 0, "abcd\u00e9x", 7, &id) == 6 && id == 2);
	cr_assert(skip_vocab_longest(&vocab, 0, "ab", 2, &id) == 1 && id == 0);
	cr_assert(skip_vocab_longest(&vocab, inside, "bcd", 3, &id) == 2 && id == 4);
	id = -7;
	cr_assert(skip_vocab_longest(&vocab, inside, "abc", 3, &id) == 0 && id == -7);
	cr_assert(skip_vocab_longest(&vocab, SKIP_VOCAB_NO_NODE, "abc", 3, &id) == 0 && id == -7);
	cr_assert(skip_vocab_walk(&vocab, 0, "##x", 3) == SKIP_VOCAB_NO_NODE);
	skip_vocab_deinit(&vocab);
}

Test(vocab, survives_lack_of_memory)
{
	struct skip_err err;
	size_t n = 1, failures = 0;
	for (bool done = false; !done; n++) {
		struct skip_vocab vocab;
		skip_vocab_init(&vocab);
		skip_err_init(&err);
		enum skip_status status = SKIP_OK;
		skip_alloc_fail_at(n);
		for (int i = 0; i < 700 && status == SKIP_OK; i++) {
			char name[16];
			int size = snprintf(name, sizeof(name), "%dx", i);
			status = skip_vocab_add(&vocab, name, (size_t)size, i, &err);
		}
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM);
		done = status == SKIP_OK;
		failures += !done;
		skip_vocab_deinit(&vocab);
	}
	cr_assert(failures > 20, "only %zu", failures);
}
