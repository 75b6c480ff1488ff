/* The disk cache of program binaries: what is stored comes back, anything damaged counts as absent. */
#include "base/file.h"
#include "device/opencl/cache.h"
#include "check.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char other[] = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char binary[] = "not really\0a binary, but it has bytes of its own";
static char top[256], folder[300], path[512];

static void make_folder(void)
{
	snprintf(top, sizeof(top), "%s/cache-test-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	cr_assert(mkdtemp(top) != NULL);
	snprintf(folder, sizeof(folder), "%s/not/yet/there", top);
	snprintf(path, sizeof(path), "%s/%s.clb", folder, key);
}

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	if (top[0]) cr_expect(system(command) == 0);
}

TestSuite(cache, .fini = remove_folder);

static void store(void)
{
	struct skip_err err;
	make_folder();
	CHECK_OK(skip_cl_cache_store(folder, key, binary, sizeof(binary), &err));
}

static bool loads(const char *which)
{
	struct skip_buf buf;
	skip_buf_init(&buf);
	bool ok = skip_cl_cache_load(folder, which, &buf);
	if (ok) cr_expect(buf.length == sizeof(binary) && memcmp(buf.data, binary, sizeof(binary)) == 0);
	if (!ok) cr_expect(buf.length == 0, "a miss leaves nothing behind");
	skip_buf_deinit(&buf);
	return ok;
}

static void rewrite(const struct skip_buf *file, size_t length)
{
	FILE *out = fopen(path, "wb");
	cr_assert(out != NULL && fwrite(file->data, 1, length, out) == length && fclose(out) == 0);
}

Test(cache, gives_back_what_was_stored)
{
	store();
	cr_expect(loads(key));
	cr_expect(loads(other) == false);
}

Test(cache, every_damaged_byte_and_every_length_is_a_miss)
{
	struct skip_err err;
	struct skip_buf file;
	store();
	skip_buf_init(&file);
	CHECK_OK(skip_file_read(path, &file, &err));
	for (size_t i = 0; i < file.length; i++) {
		file.data[i] = (char)(file.data[i] ^ 0x10);
		rewrite(&file, file.length);
		file.data[i] = (char)(file.data[i] ^ 0x10);
		cr_expect(loads(key) == false, "byte %zu", i);
		rewrite(&file, i);
		cr_expect(loads(key) == false, "length %zu", i);
	}
	skip_buf_append(&file, "x", 1);
	rewrite(&file, file.length);
	cr_expect(loads(key) == false, "one byte more");
	rewrite(&file, file.length - 1);
	cr_expect(loads(key), "whole again");
	skip_buf_deinit(&file);
}

Test(cache, a_file_under_another_name_is_a_miss)
{
	char renamed[512];
	store();
	snprintf(renamed, sizeof(renamed), "%s/%s.clb", folder, other);
	cr_assert(rename(path, renamed) == 0);
	cr_expect(loads(other) == false);
}

Test(cache, a_folder_that_cannot_be_is_an_error)
{
	struct skip_err err;
	store();
	CHECK_FAILS(skip_cl_cache_store(path, key, binary, sizeof(binary), &err), SKIP_ERR_OUTPUT);
}

Test(cache, environment_names_the_folder)
{
	static const struct {
		const char *set, *xdg, *home, *expected;
	} cases[] = {
	    {"/a/b", "/x", "/h", "/a/b"},	  {"0", "/x", "/h", ""},       {"off", "/x", "/h", ""},
	    {NULL, "/x", "/h", "/x/skip"},	  {"", "/x", "/h", "/x/skip"}, {NULL, "x", "/h", "/h/.cache/skip"},
	    {NULL, NULL, "/h", "/h/.cache/skip"}, {NULL, NULL, NULL, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name[] = {"SKIP_KERNEL_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
		const char *value[] = {cases[i].set, cases[i].xdg, cases[i].home};
		char out[64];
		for (int v = 0; v < 3; v++) value[v] ? setenv(name[v], value[v], 1) : unsetenv(name[v]);
		bool found = skip_cache_folder("SKIP_KERNEL_CACHE_DIR", out, sizeof(out));
		cr_expect(found == (cases[i].expected[0] != '\0'), "case %zu", i);
		cr_expect(strcmp(found ? out : "", cases[i].expected) == 0, "case %zu: \"%s\"", i, out);
	}
	char tiny[8];
	setenv("SKIP_KERNEL_CACHE_DIR", "/a/path/that/does/not/fit", 1);
	cr_expect(skip_cache_folder("SKIP_KERNEL_CACHE_DIR", tiny, sizeof(tiny)) == false);
}
