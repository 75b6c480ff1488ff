/* Checked allocation over the C library's heap, with one hook for tests. */
#include "base/alloc.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t seen;      /* allocations so far */
static atomic_size_t fail_when; /* value of `seen` at which one fails; 0: never */

static bool refused(void)
{
	size_t now = atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed) + 1;
	return now == atomic_load_explicit(&fail_when, memory_order_relaxed);
}

size_t skip_alloc_fail_at(size_t n)
{
	size_t now = atomic_load(&seen);
	atomic_store(&fail_when, n ? now + n : 0);
	return now;
}

bool skip_size_mul(size_t a, size_t b, size_t *out)
{
	size_t product;
	if (__builtin_mul_overflow(a, b, &product)) return false;
	*out = product;
	return true;
}

bool skip_size_add(size_t a, size_t b, size_t *out)
{
	size_t sum;
	if (__builtin_add_overflow(a, b, &sum)) return false;
	*out = sum;
	return true;
}

void *skip_alloc_array(size_t count, size_t size)
{
	size_t bytes;
	if (!skip_size_mul(count, size, &bytes) || refused()) return NULL;
	return malloc(bytes ? bytes : 1);
}

void *skip_alloc_zeroed(size_t count, size_t size)
{
	size_t bytes;
	if (!skip_size_mul(count, size, &bytes) || refused()) return NULL;
	return calloc(bytes ? bytes : 1, 1);
}

void *skip_alloc_aligned(size_t align, size_t count, size_t size)
{
	assert(align && (align & (align - 1)) == 0);
	size_t bytes, padded;
	if (align < sizeof(void *)) align = sizeof(void *);
	if (!skip_size_mul(count, size, &bytes) || !skip_size_add(bytes ? bytes : 1, align - 1, &padded) || refused()) return NULL;
	return aligned_alloc(align, padded & ~(align - 1));
}

void *skip_realloc_array(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (!skip_size_mul(count, size, &bytes) || refused()) return NULL;
	return realloc(old, bytes ? bytes : 1);
}

bool skip_grow(void **array, size_t *capacity, size_t need, size_t size)
{
	if (need <= *capacity) return true;
	size_t wanted = *capacity < 8 ? 8 : *capacity;
	while (wanted < need)
		if (!skip_size_mul(wanted, 2, &wanted)) wanted = need;
	void *grown = skip_realloc_array(*array, wanted, size);
	if (!grown) return false;
	*array = grown;
	*capacity = wanted;
	return true;
}

char *skip_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = skip_alloc_array(size, 1);
	if (copy) memcpy(copy, text, size);
	return copy;
}

void skip_free(void *block)
{
	free(block);
}
