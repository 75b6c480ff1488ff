/* Temporary folders and files in them, for any test. */
#ifndef SKIP_TESTS_TOY_FOLDER_H
#define SKIP_TESTS_TOY_FOLDER_H

#include "base/safetensors.h"
#include "check.h"
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A fresh folder below the build folder; `out` has 512 bytes. */
static inline void toy_folder(char *out)
{
	const char *base = getenv("SKIP_TEST_BINARY");
	snprintf(out, 512, "%s/skip-test-XXXXXX", base ? base : "/tmp");
	cr_assert(mkdtemp(out) != NULL, "cannot make %s", out);
}

static inline int toy_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)kind;
	(void)place;
	return remove(path);
}

static inline void toy_folder_remove(const char *folder)
{
	nftw(folder, toy_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* folder/name in one of a few static buffers. */
static inline const char *toy_path(const char *folder, const char *name)
{
	static char buffer[4][1024];
	static int next;
	next = (next + 1) % 4;
	snprintf(buffer[next], sizeof(buffer[next]), "%s/%s", folder, name);
	return buffer[next];
}

static inline void toy_write_file(const char *folder, const char *name, const void *data, size_t size)
{
	char path[1024], *slash = path;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	FILE *file = fopen(path, "wb");
	cr_assert(file != NULL, "cannot write %s", path);
	cr_assert(fwrite(data, 1, size, file) == size);
	cr_assert(fclose(file) == 0);
}

static inline void toy_write_text(const char *folder, const char *name, const char *text)
{
	toy_write_file(folder, name, text, strlen(text));
}

static inline void toy_write_tensors(const char *path, const struct skip_st_entry *entries, size_t count)
{
	struct skip_err err;
	struct skip_output *output;
	CHECK_OK(skip_output_create_file(path, &output, &err));
	CHECK_OK(skip_st_write(output, NULL, entries, count, NULL, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
}

#endif
