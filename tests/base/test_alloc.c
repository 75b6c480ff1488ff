#include "base/alloc.h"
#include "base/buf.h"
#include "check.h"
#include <stdint.h>
#include <string.h>

Test(alloc, products_that_overflow_give_null)
{
	size_t out = 5;
	cr_assert(skip_alloc_array(SIZE_MAX / 2, 3) == NULL);
	cr_assert(skip_alloc_zeroed(SIZE_MAX, 2) == NULL);
	cr_assert(skip_alloc_aligned(64, SIZE_MAX - 8, 1) == NULL);
	cr_assert(skip_realloc_array(NULL, SIZE_MAX, 2) == NULL);
	cr_assert(false == skip_size_mul(SIZE_MAX, 2, &out) && out == 5);
	cr_assert(false == skip_size_add(SIZE_MAX, 1, &out) && out == 5);
	cr_assert(skip_size_mul(61, 7, &out) && out == 427);
	cr_assert(skip_size_add(61, 7, &out) && out == 68);
	cr_assert(skip_size_mul(0, SIZE_MAX, &out) && out == 0);
}

Test(alloc, nothing_is_a_valid_block)
{
	void *blocks[] = {skip_alloc_array(0, 4), skip_alloc_zeroed(4, 0), skip_alloc_aligned(64, 0, 1), skip_realloc_array(NULL, 0, 1)};
	for (size_t i = 0; i < 4; i++) {
		cr_expect(blocks[i] != NULL);
		skip_free(blocks[i]);
	}
	skip_free(NULL);
}

Test(alloc, zeroed_and_aligned)
{
	unsigned char *zero = skip_alloc_zeroed(61, 7);
	for (size_t i = 0; i < 61 * 7; i++) cr_assert(zero[i] == 0);
	skip_free(zero);
	for (size_t align = 1; align <= 4096; align *= 2) {
		void *block = skip_alloc_aligned(align, 7, 61);
		cr_assert(block != NULL && (uintptr_t)block % align == 0);
		memset(block, 1, 7 * 61);
		skip_free(block);
	}
}

Test(alloc, grow_doubles_and_keeps_what_was_there)
{
	int *list = NULL;
	size_t capacity = 0;
	for (int i = 0; i < 1000; i++) {
		cr_assert(skip_grow((void **)&list, &capacity, (size_t)i + 1, sizeof(*list)));
		list[i] = i;
	}
	cr_assert(eq(sz, capacity, 1024));
	for (int i = 0; i < 1000; i++) cr_assert(list[i] == i);
	int *before = list;
	cr_assert(not(skip_grow((void **)&list, &capacity, SIZE_MAX, sizeof(*list))));
	cr_assert(list == before && capacity == 1024);
	skip_alloc_fail_at(1);
	cr_assert(not(skip_grow((void **)&list, &capacity, 2000, sizeof(*list))));
	cr_assert(list == before && capacity == 1024);
	skip_free(list);
}

Test(alloc, exactly_the_nth_allocation_fails)
{
	size_t before = skip_alloc_fail_at(3);
	void *a = skip_alloc_array(1, 1), *b = skip_alloc_zeroed(1, 1);
	char *c = skip_strdup("third"), *d = skip_strdup("fourth");
	cr_assert(a != NULL && b != NULL && c == NULL && d != NULL);
	cr_assert(eq(str, d, "fourth"));
	cr_assert(eq(sz, skip_alloc_fail_at(1), before + 4));
	cr_assert(eq(sz, skip_alloc_fail_at(0), before + 4));
	void *e = skip_alloc_aligned(64, 1, 1);
	cr_assert(e != NULL);
	skip_free(a);
	skip_free(b);
	skip_free(d);
	skip_free(e);
}

Test(alloc, a_failed_realloc_keeps_the_block)
{
	char *text = skip_strdup("kept");
	skip_alloc_fail_at(1);
	cr_assert(skip_realloc_array(text, 100, 1) == NULL);
	cr_assert(eq(str, text, "kept"));
	skip_free(text);
}

Test(buf, starts_empty_and_grows)
{
	struct skip_buf buf;
	skip_buf_init(&buf);
	cr_assert(eq(str, (char *)skip_buf_text(&buf), ""));
	for (int i = 0; i < 100; i++) skip_buf_printf(&buf, "%d,", i);
	skip_buf_puts(&buf, "end");
	skip_buf_append(&buf, "\0x", 2);
	cr_assert(skip_buf_ok(&buf));
	cr_assert(eq(sz, buf.length, 10 * 2 + 90 * 3 + 3 + 2));
	cr_assert(memcmp(buf.data, "0,1,2,", 6) == 0 && memcmp(buf.data + buf.length - 5, "end\0x", 6) == 0);
	skip_buf_clear(&buf);
	cr_assert(strcmp(skip_buf_text(&buf), "") == 0 && buf.length == 0);
	skip_buf_deinit(&buf);
	cr_assert(buf.data == NULL && buf.capacity == 0);
	skip_buf_deinit(NULL);
}

Test(buf, failure_is_sticky)
{
	struct skip_buf buf;
	skip_buf_init(&buf);
	skip_buf_puts(&buf, "abc");
	skip_alloc_fail_at(1);
	skip_buf_printf(&buf, "%0100d", 1);
	cr_assert(not(skip_buf_ok(&buf)));
	skip_buf_puts(&buf, "d");
	cr_assert(eq(str, (char *)skip_buf_text(&buf), "abc"));
	skip_buf_clear(&buf);
	cr_assert(skip_buf_ok(&buf));
	skip_buf_deinit(&buf);
}
