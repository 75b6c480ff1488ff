/* Text files compiled into the library (kernel bodies, board profiles); tables end with a NULL path. Written by cmake/embed.cmake. */
#ifndef SKIP_BASE_EMBEDDED_H
#define SKIP_BASE_EMBEDDED_H

struct skip_embedded {
	const char *path; /* relative, "linear/cpu.cl" */
	const char *text; /* NUL-terminated */
};

extern const struct skip_embedded skip_embedded_kernels[];
extern const struct skip_embedded skip_embedded_boards[];

#endif
