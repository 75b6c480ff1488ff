/* Memory of buffers: pieces apart from each other, blocks that go when nobody holds them. */
#include "base/alloc.h"
#include "check.h"
#include "device/opencl/pages.h"
#include <stdint.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

Test(pages, pieces_lie_apart_and_keep_what_they_are_given)
{
	static const size_t bytes[] = {1, 127, 128, 129, MIB, 3 * MIB, 5 * MIB, 7, 4 * MIB, 4 * MIB - 1, 3 * MIB, 3 * MIB, 3 * MIB};
	enum { N = sizeof(bytes) / sizeof(*bytes) };
	struct skip_pages *current = NULL, *block[N];
	unsigned char *piece[N];
	for (int i = 0; i < N; i++) {
		piece[i] = skip_pages_take(&current, bytes[i], &block[i]);
		cr_assert(piece[i] != NULL);
		cr_assert(eq(sz, (uintptr_t)piece[i] % 128, 0));
		memset(piece[i], i + 1, bytes[i]);
	}
	for (int i = 0; i < N; i++) {
		for (size_t b = 0; b < bytes[i]; b++) cr_assert_eq(piece[i][b], i + 1, "piece %d, byte %zu", i, b);
	}
	for (int i = 0; i < N; i++) skip_pages_release(block[i]);
	skip_pages_release(current);
	skip_pages_release(NULL);
}

Test(pages, the_block_of_a_piece_outlives_its_turn)
{
	struct skip_pages *current = NULL, *first, *block;
	unsigned char *kept = skip_pages_take(&current, 100, &first);
	memset(kept, 7, 100);
	for (int i = 0; i < 20; i++) {
		memset(skip_pages_take(&current, 3 * MIB, &block), 1, 3 * MIB);
		skip_pages_release(block);
	}
	cr_assert(current != first);
	cr_assert(kept[0] == 7 && kept[99] == 7);
	skip_pages_release(first);
	skip_pages_release(current);
}

Test(pages, survive_failing_allocations)
{
	struct skip_pages *current = NULL, *block = NULL;
	cr_assert(skip_pages_take(&current, SIZE_MAX, &block) == NULL);
	cr_assert(skip_pages_take(&current, SIZE_MAX - 4 * MIB, &block) == NULL);
	for (size_t bytes = 100; bytes <= 5 * MIB; bytes += 5 * MIB - 100) {
		for (size_t n = 1; n <= 2; n++) {
			skip_alloc_fail_at(n);
			cr_assert(skip_pages_take(&current, bytes, &block) == NULL);
			skip_alloc_fail_at(0);
			cr_assert(current == NULL);
		}
	}
	skip_pages_release(current);
}
