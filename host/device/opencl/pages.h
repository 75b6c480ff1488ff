/*
 * Memory of buffers on devices that share the host's: pieces of blocks that the system is asked to make of huge pages. A product walks through
 * weights and rows of megabytes, in pages of 4 KiB more than a core's table of pages holds, and in a virtual machine each miss costs two walks.
 */
#ifndef SKIP_DEVICE_OPENCL_PAGES_H
#define SKIP_DEVICE_OPENCL_PAGES_H

#include <stddef.h>

struct skip_pages;

/*
 * A piece of `bytes` above 0, on cache lines of its own; contents undefined. *current is the block that small pieces are taken from, NULL at first and
 * the caller's to release with skip_pages_release; *block is the one the piece lies in, held until it is released too. NULL when memory runs out.
 */
void *skip_pages_take(struct skip_pages **current, size_t bytes, struct skip_pages **block);
/* From any thread; NULL is ignored. A block goes when nobody holds it. */
void skip_pages_release(struct skip_pages *block);

#endif
