/* Blocks of huge pages, counted: pages.h. */
#include "device/opencl/pages.h"
#include "base/alloc.h"
#include <stdatomic.h>
#include <sys/mman.h>

#define LINE ((size_t)128)	 /* no two pieces share one, nor the line that is fetched with it */
#define PAGE ((size_t)2 << 20)	 /* a huge one */
#define BLOCK ((size_t)16 << 20) /* only what is touched of it is there */
#define ALONE (BLOCK / 4)	 /* pieces from here on have blocks of their own, which go with them */

struct skip_pages {
	unsigned char *base;
	size_t bytes, used;
	atomic_size_t holders;
};

static struct skip_pages *make_block(size_t bytes)
{
	struct skip_pages *block = skip_alloc_zeroed(1, sizeof(*block));
	size_t padded;
	if (!block || !skip_size_add(bytes, PAGE - 1, &padded)) goto fail;
	block->bytes = padded & ~(PAGE - 1);
	block->base = skip_alloc_aligned(PAGE, 1, block->bytes);
	if (!block->base) goto fail;
	/* The heap may give back what was in small pages before, and those stay small: they go, and the first touch asks for huge ones. Where the system has none,
	 * small ones do. */
	(void)madvise(block->base, block->bytes, MADV_DONTNEED);
	(void)madvise(block->base, block->bytes, MADV_HUGEPAGE);
	atomic_init(&block->holders, 1);
	return block;
fail:
	skip_free(block);
	return NULL;
}

void skip_pages_release(struct skip_pages *block)
{
	if (!block || atomic_fetch_sub(&block->holders, 1) != 1) return;
	skip_free(block->base);
	skip_free(block);
}

void *skip_pages_take(struct skip_pages **current, size_t bytes, struct skip_pages **out)
{
	size_t padded;
	if (!skip_size_add(bytes, LINE - 1, &padded)) return NULL;
	padded &= ~(LINE - 1);
	if (padded >= ALONE) {
		*out = make_block(padded);
		return *out ? (*out)->base : NULL;
	}
	if (!*current || (*current)->bytes - (*current)->used < padded) {
		struct skip_pages *next = make_block(BLOCK);
		if (!next) return NULL;
		skip_pages_release(*current);
		*current = next;
	}
	struct skip_pages *block = *current;
	void *piece = block->base + block->used;
	block->used += padded;
	atomic_fetch_add(&block->holders, 1);
	*out = block;
	return piece;
}
