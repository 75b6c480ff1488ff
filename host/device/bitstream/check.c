/* The checks of an entry, in their order, and the block of text of one that fails. See library.h. */
#include "device/bitstream/library.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct check {
	const struct skip_library_entry *entry;
	const struct skip_bitstream_want *want;
	const void *data;
	size_t size;
	struct skip_binary binary;
	const char *name;
	struct skip_err *err;
};

/* ---- the block ---- */

const char *skip_bitstream_suffix(const struct skip_kernel_set *set)
{
	const json_t *tool = json_array_get(json_object_get(set->manifest, "toolchains"), 0);
	const char *name = json_string_value(json_object_get(tool, "name"));
	if (strcmp(skip_kernel_set_text(set, "kind"), "emulated") == 0) return "emulated";
	return name && strcmp(name, "aoc") == 0 ? "aocx" : "xclbin";
}

void skip_bitstream_command(const struct skip_bitstream_want *want, struct skip_buf *out)
{
	const char *source = want->source ? want->source : "PKG", *library = want->library ? want->library : "LIBRARY";
	const char *id = want->profile ? want->profile->id : want->set ? skip_kernel_set_text(want->set, "board") : "ID";
	const char *dtype = want->set ? skip_kernel_set_text(want->set, "dtype") : "f32";
	const bool emulated = want->profile ? !skip_profile_is_board(want->profile) : want->set && strcmp(skip_kernel_set_text(want->set, "kind"), "emulated") == 0;
	char classes[32] = "";
	if (want->set && skip_kernel_set_classes(want->set) > 0) snprintf(classes, sizeof(classes), " --classes %d", skip_kernel_set_classes(want->set));
	if (emulated) {
		skip_buf_printf(out, "skip bitstream build %s %s --device %s --dtype %s%s", library, source, id, dtype, classes);
		return;
	}
	skip_buf_printf(out, "skip emit %s --board %s --dtype %s%s --fit -o %s && sh %s/build_%s.sh bitstream && skip bitstream add %s %s/*.%s", source, id, dtype, classes, id, id, id, library,
			id, want->set ? skip_bitstream_suffix(want->set) : "aocx");
}

enum skip_status skip_bitstream_fail(const struct skip_library_entry *entry, const struct skip_bitstream_want *want, enum skip_status status, const char *check,
				     const char *expected, const char *expected_from, const char *found, const char *found_from, struct skip_err *err)
{
	struct skip_buf command;
	char path[1300];
	skip_buf_init(&command);
	skip_bitstream_command(want, &command);
	snprintf(path, sizeof(path), "%s/%s", entry->folder, entry->file);
	skip_err_at(err, status, path, 0, -1, "check '%s' failed\n    kernel set  %.80s\n    expected    %.150s (%s)\n    found       %.150s (%s)\n    make it     %.300s", check,
		    entry->set.name, expected, expected_from, found, found_from, skip_buf_text(&command));
	skip_buf_deinit(&command);
	return status;
}

static enum skip_status fail(struct check *c, enum skip_status status, const char *expected, const char *expected_from, const char *found, const char *found_from)
{
	return skip_bitstream_fail(c->entry, c->want, status, c->name, expected, expected_from, found, found_from, c->err);
}

static enum skip_status fail_numbers(struct check *c, int64_t expected, const char *expected_from, int64_t found, const char *found_from)
{
	char a[32], b[32];
	snprintf(a, sizeof(a), "%" PRId64, expected);
	snprintf(b, sizeof(b), "%" PRId64, found);
	return fail(c, SKIP_ERR_VERIFY, a, expected_from, b, found_from);
}

/* A field of the manifest of what is wanted against that of the entry. */
static enum skip_status same_text(struct check *c, const char *key)
{
	if (!c->want->set) return SKIP_OK;
	const char *expected = skip_kernel_set_text(c->want->set, key), *found = skip_kernel_set_text(&c->entry->set, key);
	return strcmp(expected, found) == 0 ? SKIP_OK : fail(c, SKIP_ERR_VERIFY, expected, "package", found, "side file");
}

/* ---- the file ---- */

/* The built file lies in the folder of its entry: no path, no link out of it. */
static enum skip_status check_place(struct check *c)
{
	const char *file = c->entry->file;
	if (!strchr(file, '/') && strcmp(file, "..") != 0 && strcmp(file, ".") != 0) return SKIP_OK;
	return fail(c, SKIP_ERR_INPUT, "a name without a path", "docs/boards.md", file, "side file");
}

static enum skip_status check_name(struct check *c)
{
	const struct skip_kernel_set *set = &c->entry->set;
	char expected[200];
	const char *tail = strrchr(set->name, '-');
	if (!tail || strncmp(tail + 1, c->entry->hash, 12) != 0 || strlen(tail + 1) != 12) return fail(c, SKIP_ERR_VERIFY, c->entry->hash, "folder", set->name, "side file");
	snprintf(expected, sizeof(expected), "%s.%s", set->name, skip_bitstream_suffix(set));
	return strcmp(expected, c->entry->file) == 0 ? SKIP_OK : fail(c, SKIP_ERR_VERIFY, expected, "side file", c->entry->file, "folder");
}

static enum skip_status check_size(struct check *c)
{
	return c->entry->bytes == (int64_t)c->size ? SKIP_OK : fail_numbers(c, c->entry->bytes, "side file", (int64_t)c->size, "bytes of the file");
}

static enum skip_status check_sum(struct check *c)
{
	char sum[SKIP_SHA256_HEX];
	skip_sha256_hex(c->data, c->size, sum);
	return strcmp(sum, c->entry->sha256) == 0 ? SKIP_OK : fail(c, SKIP_ERR_VERIFY, c->entry->sha256, "side file", sum, "the file's SHA-256");
}

static enum skip_status check_container(struct check *c)
{
	const char *suffix = skip_bitstream_suffix(&c->entry->set);
	struct skip_err inner;
	skip_err_init(&inner);
	enum skip_status status = skip_binary_read(c->data, c->size, &c->binary, &inner);
	if (status == SKIP_ERR_NOMEM) return skip_err_set(c->err, status, "%s", inner.message);
	if (status != SKIP_OK) return fail(c, SKIP_ERR_VERIFY, suffix, "its name", inner.message, "the file");
	const bool fits = strcmp(suffix, "emulated") == 0 ? c->binary.container != SKIP_CONTAINER_XCLBIN : strcmp(suffix, skip_container_name(c->binary.container)) == 0;
	return fits ? SKIP_OK : fail(c, SKIP_ERR_VERIFY, suffix, "its name", skip_container_name(c->binary.container), "the file's first bytes");
}

/* ---- the device ---- */

/* What only pretends to be a board never runs as one, nor the reverse. */
static enum skip_status check_mode(struct check *c)
{
	const bool emulated = strcmp(skip_kernel_set_text(&c->entry->set, "kind"), "emulated") == 0;
	const struct skip_profile *profile = c->want->profile;
	if (profile && skip_profile_is_board(profile) == emulated) return fail(c, SKIP_ERR_VERIFY, emulated ? "hardware" : "emulated", "device", emulated ? "emulated" : "hardware", "side file");
	const enum skip_binary_mode mode = c->binary.mode;
	if (c->binary.container == SKIP_CONTAINER_OTHER) return SKIP_OK; /* a runtime's own binary says nothing */
	if (mode == (emulated ? SKIP_MODE_EMULATED : SKIP_MODE_HARDWARE)) return SKIP_OK;
	return fail(c, SKIP_ERR_VERIFY, emulated ? "emulated" : "hardware", "side file", skip_mode_name(mode), "the file's header");
}

/* "xilinx:u280:xdma:201920.3" and "xilinx_u280_xdma_201920_3" are one name. */
static bool same_shell(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		const char x = *a == ':' || *a == '.' ? '_' : *a, y = *b == ':' || *b == '.' ? '_' : *b;
		if (x != y) return false;
	}
	return *a == *b;
}

/* The one loose comparison: a shell goes by the names its board file lists. */
static bool is_alias(const struct skip_profile *profile, const char *name)
{
	const json_t *list = profile ? json_object_get(json_object_get(profile->json, "fpga"), "shell_aliases") : NULL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *alias = json_string_value(json_array_get(list, i));
		if (alias && same_shell(alias, name)) return true;
	}
	return false;
}

static enum skip_status check_board(struct check *c)
{
	const char *shell = skip_kernel_set_text(&c->entry->set, "shell"), *board = skip_kernel_set_text(&c->entry->set, "board");
	if (c->want->profile && strcmp(c->want->profile->id, board) != 0) return fail(c, SKIP_ERR_VERIFY, c->want->profile->id, "device", board, "side file");
	if (c->binary.mode != SKIP_MODE_HARDWARE) return SKIP_OK;
	if (same_shell(shell, c->binary.board) || is_alias(c->want->profile, c->binary.board)) return SKIP_OK;
	return fail(c, SKIP_ERR_VERIFY, shell, "side file", c->binary.board, "the file's header");
}

static enum skip_status check_shell(struct check *c) { return same_text(c, "shell"); }

/* Major and minor of "20.4.0 Build 72", "2022.2"; 0 where there is no number. */
static double version_number(const char *text)
{
	int major = 0, minor = 0;
	const size_t blank = strcspn(text, "0123456789");
	return sscanf(text + blank, "%d.%d", &major, &minor) >= 1 ? 1000.0 * major + minor : 0;
}

static enum skip_status check_toolchain(struct check *c)
{
	const json_t *list = json_object_get(c->entry->set.manifest, "toolchains");
	const double version = version_number(c->binary.version);
	char expected[100] = "";
	if (strcmp(skip_kernel_set_text(&c->entry->set, "kind"), "emulated") == 0) {
		if (!c->want->runtime || strcmp(c->want->runtime, c->entry->built_by) == 0) return SKIP_OK;
		return fail(c, SKIP_ERR_VERIFY, c->want->runtime, "device", c->entry->built_by, "side file");
	}
	if (!c->binary.version[0]) return SKIP_OK; /* the file does not say */
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *tool = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(tool, "name")), *min = json_string_value(json_object_get(tool, "min"));
		const char *max = json_string_value(json_object_get(tool, "max"));
		if (!name || !min || !max) continue;
		if (version >= version_number(min) && version <= version_number(max)) return SKIP_OK;
		const size_t used = strlen(expected);
		snprintf(expected + used, sizeof(expected) - used, "%s%s %s to %s", used ? ", " : "", name, min, max);
	}
	return fail(c, SKIP_ERR_VERIFY, expected, "side file", c->binary.version, "the file");
}

/* ---- the kernels ---- */

static const struct skip_binary_kernel *find_kernel(const struct skip_binary *binary, const char *name)
{
	for (size_t k = 0; k < binary->n_kernels; k++) {
		if (strcmp(binary->kernel[k].name, name) == 0) return &binary->kernel[k];
	}
	return NULL;
}

static const char *kernel_name(const json_t *kernel)
{
	const char *name = json_string_value(json_object_get(kernel, "name"));
	return name ? name : "";
}

static enum skip_status check_kernels(struct check *c)
{
	const json_t *list = json_object_get(c->entry->set.manifest, "kernels");
	if (!c->binary.has_kernels) return SKIP_OK;
	for (size_t k = 0; k < json_array_size(list); k++) {
		const char *name = kernel_name(json_array_get(list, k));
		if (!find_kernel(&c->binary, name)) return fail(c, SKIP_ERR_VERIFY, name, "side file", "no such kernel", "the file");
	}
	if (c->binary.n_kernels == json_array_size(list)) return SKIP_OK;
	return fail_numbers(c, (int64_t)json_array_size(list), "kernels in the side file", (int64_t)c->binary.n_kernels, "kernels in the file");
}

static enum skip_status check_arguments(struct check *c)
{
	const json_t *list = json_object_get(c->entry->set.manifest, "kernels");
	for (size_t k = 0; c->binary.has_kernels && k < json_array_size(list); k++) {
		const json_t *kernel = json_array_get(list, k), *args = json_object_get(kernel, "args");
		const struct skip_binary_kernel *found = find_kernel(&c->binary, kernel_name(kernel));
		if (found->n_args != json_array_size(args)) {
			return fail_numbers(c, (int64_t)json_array_size(args), kernel_name(kernel), (int64_t)found->n_args, "arguments in the file");
		}
		for (size_t a = 0; a < found->n_args; a++) {
			const struct skip_binary_arg *arg = &c->binary.arg[found->first_arg + a];
			const char *name = json_string_value(json_object_get(json_array_get(args, a), "name")), *type = json_string_value(json_object_get(json_array_get(args, a), "type"));
			char expected[120], have[120];
			snprintf(expected, sizeof(expected), "argument %zu: %s %.30s", a, type ? type : "", name ? name : "");
			snprintf(have, sizeof(have), "argument %zu: %s %s", a, arg->pointer ? "pointer" : "int", arg->name);
			if (strcmp(expected, have) != 0) return fail(c, SKIP_ERR_VERIFY, expected, kernel_name(kernel), have, "the file");
		}
	}
	return SKIP_OK;
}

static enum skip_status same_flag(struct check *c, const char *key, const char *yes, const char *no)
{
	if (!c->want->set) return SKIP_OK;
	const bool expected = json_is_true(json_object_get(c->want->set->manifest, key)), found = json_is_true(json_object_get(c->entry->set.manifest, key));
	return expected == found ? SKIP_OK : fail(c, SKIP_ERR_VERIFY, expected ? yes : no, "device", found ? yes : no, "side file");
}

static enum skip_status check_channels(struct check *c)
{
	return same_flag(c, "channels", "kernels joined by channels", "each engine one kernel");
}

static enum skip_status check_dtype(struct check *c) { return same_text(c, "dtype"); }

/* Every number of an object of the manifest. */
static enum skip_status same_numbers(struct check *c, const char *key)
{
	if (!c->want->set) return SKIP_OK;
	json_t *wanted = json_object_get(c->want->set->manifest, key);
	const json_t *have = json_object_get(c->entry->set.manifest, key);
	const char *field;
	json_t *value;
	json_object_foreach(wanted, field, value) {
		const json_t *found = json_object_get(have, field);
		if (json_is_integer(found) && json_integer_value(value) == json_integer_value(found)) continue;
		char a[80], b[80];
		snprintf(a, sizeof(a), "%s %" PRId64, field, (int64_t)json_integer_value(value));
		snprintf(b, sizeof(b), "%s %" PRId64, field, (int64_t)json_integer_value(found));
		return fail(c, SKIP_ERR_VERIFY, a, "package", b, "side file");
	}
	return SKIP_OK;
}

static enum skip_status check_dims(struct check *c) { return same_numbers(c, "dims"); }

static enum skip_status check_form(struct check *c) { return same_numbers(c, "form"); }

/* ---- hashes, last: their block says least ---- */

static enum skip_status check_text(struct check *c) { return same_text(c, "program"); }

static enum skip_status check_embedded(struct check *c)
{
	if (!c->binary.manifest_hash[0] || strcmp(c->binary.manifest_hash, c->entry->hash) == 0) return SKIP_OK;
	return fail(c, SKIP_ERR_VERIFY, c->entry->hash, "folder", c->binary.manifest_hash, "USER:skip_manifest in the file");
}

static enum skip_status check_hash(struct check *c)
{
	if (strcmp(c->entry->hash, c->entry->set.hash) != 0) return fail(c, SKIP_ERR_VERIFY, c->entry->hash, "folder", c->entry->set.hash, "hash of the manifest in the side file");
	if (!c->want->set || strcmp(c->want->set->hash, c->entry->hash) == 0) return SKIP_OK;
	return fail(c, SKIP_ERR_VERIFY, c->want->set->hash, "package", c->entry->hash, "folder");
}

/* ---- all ---- */

const char *const skip_bitstream_checks[] = {"place", "name",      "size",     "sha256", "container", "mode", "board", "shell",    "toolchain",
					     "kernels", "arguments", "channels", "dtype",  "dims",      "form", "text",  "embedded", "hash", SKIP_BITSTREAM_ANSWER, NULL};
/* Of all but the last, which asks the loaded program (run/open.c). */
static enum skip_status (*const functions[])(struct check *) = {
	check_place,   check_name,      check_size,     check_sum,   check_container, check_mode, check_board, check_shell,    check_toolchain,
	check_kernels, check_arguments, check_channels, check_dtype, check_dims,      check_form, check_text,  check_embedded, check_hash,
};

enum skip_status skip_bitstream_check(const struct skip_library_entry *entry, const void *data, size_t size, const struct skip_bitstream_want *want,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct check c = {.entry = entry, .want = want, .data = data, .size = size, .err = err};
	for (size_t i = 0; status == SKIP_OK && i < sizeof(functions) / sizeof(functions[0]); i++) {
		c.name = skip_bitstream_checks[i];
		status = functions[i](&c);
	}
	skip_binary_deinit(&c.binary);
	return status;
}

void skip_kernel_set_differences(const struct skip_kernel_set *a, const struct skip_kernel_set *b, struct skip_buf *out)
{
	static const char *const keys[] = {"kind", "board", "shell", "dtype", "dims", "form", "classes", "channels", "kernels", "program", "link", "options", "toolchains"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *x = json_object_get(a->manifest, keys[i]), *y = json_object_get(b->manifest, keys[i]);
		if ((x || y) && !json_equal(x, y)) skip_buf_printf(out, "%s%s", out->length ? ", " : "", keys[i]); /* what neither has is equal */
	}
}
