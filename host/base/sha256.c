/* SHA-256 of memory and files through nettle. */
#include "base/sha256.h"
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <unistd.h>

static void finish(struct sha256_ctx *context, char out[SKIP_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_digest(context, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[SKIP_SHA256_HEX - 1] = '\0';
}

void skip_sha256_hex(const void *data, size_t size, char out[SKIP_SHA256_HEX])
{
	struct sha256_ctx context;
	sha256_init(&context);
	if (size) sha256_update(&context, size, data);
	finish(&context, out);
}

enum skip_status skip_sha256_file(const char *path, char out[SKIP_SHA256_HEX], struct skip_err *err)
{
	unsigned char block[16384];
	struct sha256_ctx context;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot open: %m");
	sha256_init(&context);
	while ((got = read(fd, block, sizeof(block))) != 0) {
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) {
			skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot read: %m");
			close(fd);
			return SKIP_ERR_IO;
		}
		sha256_update(&context, (size_t)got, block);
	}
	close(fd);
	finish(&context, out);
	return SKIP_OK;
}
