/* Kernel specs: filling the constants, and the readable name of a kernel. Turning a spec into text is emit/. */
#include "device/lower/lowering.h"
#include "base/sha256.h"
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_DIMS 3
#define NAME_HASH 8

void skip_spec_init(struct skip_kernel_spec *spec, const char *family, const char *variant, const char *body_kernel)
{
	/* Constants are compared and hashed as whole arrays. */
	memset(spec, 0, sizeof(*spec));
	spec->family = family;
	spec->variant = variant;
	spec->body_kernel = body_kernel;
	for (int d = 0; d < 3; d++) spec->local[d] = 1;
}

void skip_spec_word(struct skip_kernel_spec *spec, const char *name, const char *word)
{
	assert(spec->n_constants < SKIP_SPEC_MAX_CONSTANTS);
	struct skip_constant *constant = &spec->constant[spec->n_constants++];
	assert(strlen(name) < sizeof(constant->name) && strlen(word) < sizeof(constant->text));
	strcpy(constant->name, name);
	strcpy(constant->text, word);
}

void skip_spec_int(struct skip_kernel_spec *spec, const char *name, int64_t value)
{
	char text[32];
	snprintf(text, sizeof(text), value < 0 ? "(%" PRId64 ")" : "%" PRId64, value);
	skip_spec_word(spec, name, text);
}

void skip_spec_float(struct skip_kernel_spec *spec, const char *name, float value)
{
	char text[48];
	assert(isfinite(value));
	snprintf(text, sizeof(text), value < 0 ? "(%af)" : "%af", (double)value);
	skip_spec_word(spec, name, text);
}

/* Names, work-group and constants as characters, so that a kernel is called the same on every machine. */
static void hash_of(const struct skip_kernel_spec *spec, char hex[SKIP_SHA256_HEX])
{
	char text[256 + sizeof(spec->constant)];
	int n = snprintf(text, 256, "%s/%s/%s/%d,%d,%d/", spec->family, spec->variant, spec->body_kernel, spec->local[0], spec->local[1], spec->local[2]);
	assert(n > 0 && n < 256);
	memcpy(text + n, spec->constant, sizeof(spec->constant));
	skip_sha256_hex(text, (size_t)n + sizeof(spec->constant), hex);
}

/* A plain number that tells kernels apart for a reader; switches (0, 1) do not. */
static bool is_dim(const char *text)
{
	if (!*text || !strcmp(text, "0") || !strcmp(text, "1")) return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text)) return false;
	}
	return true;
}

void skip_spec_name(const struct skip_kernel_spec *spec, char out[SKIP_NAME])
{
	char hex[SKIP_SHA256_HEX], text[4 * SKIP_NAME];
	size_t length = (size_t)snprintf(text, SKIP_NAME, "%s_%s", spec->family, spec->body_kernel);
	int dims = 0;
	for (int i = 0; i < spec->n_constants && dims < NAME_DIMS; i++) {
		const struct skip_constant *constant = &spec->constant[i];
		if (!is_dim(constant->text)) continue;
		const char *name = constant->name, *stem = strchr(name, '_');
		length += (size_t)snprintf(text + length, sizeof(text) - length, "_%s%s", stem ? stem + 1 : name, constant->text);
		dims++;
		if (length >= SKIP_NAME) break;
	}
	size_t room = SKIP_NAME - 1 - (NAME_HASH + 1);
	if (length > room) length = room;
	for (size_t i = 0; i < length; i++) out[i] = (char)tolower((unsigned char)text[i]);
	hash_of(spec, hex);
	snprintf(out + length, SKIP_NAME - length, "_%.*s", NAME_HASH, hex);
}
