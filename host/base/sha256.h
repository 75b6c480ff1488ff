/* SHA-256 (nettle). Hex digests are 64 lower-case characters and a NUL. */
#ifndef SKIP_BASE_SHA256_H
#define SKIP_BASE_SHA256_H

#include "base/err.h"
#include <stddef.h>

#define SKIP_SHA256_HEX 65

void skip_sha256_hex(const void *data, size_t size, char out[SKIP_SHA256_HEX]);
/* Streams the file with a small buffer (never maps it, so it costs no resident memory). */
enum skip_status skip_sha256_file(const char *path, char out[SKIP_SHA256_HEX], struct skip_err *err);

#endif
