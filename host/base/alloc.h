/*
 * Allocation with hooks and checked sizes.
 *
 * All heap memory of the library goes through here so that a test can fail the n-th allocation. Sizes multiply only here.
 */
#ifndef SKIP_BASE_ALLOC_H
#define SKIP_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when out of memory or when count * size overflows; count or size 0 gives a valid pointer to free. */
void *skip_alloc_array(size_t count, size_t size);
void *skip_alloc_zeroed(size_t count, size_t size);
/* `align` is a power of two; release with skip_free. Contents undefined. */
void *skip_alloc_aligned(size_t align, size_t count, size_t size);
/* Like realloc with a checked product; on failure the old block stays valid and NULL is returned. */
void *skip_realloc_array(void *old, size_t count, size_t size);
/* Grows `*array` (element `size`) so that at least `need` elements fit, doubling; false when out of memory, nothing changed. */
bool skip_grow(void **array, size_t *capacity, size_t need, size_t size);
char *skip_strdup(const char *text);
void skip_free(void *block);

/* false on overflow, `*out` untouched. */
bool skip_size_mul(size_t a, size_t b, size_t *out);
bool skip_size_add(size_t a, size_t b, size_t *out);

/* Test hook: the n-th allocation from now (1 = the next) fails once; 0 switches the hook off. Returns allocations seen so far. */
size_t skip_alloc_fail_at(size_t n);

#endif
