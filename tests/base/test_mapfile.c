#include "base/mapfile.h"
#include "toy_bert.h"

Test(mapfile, shows_the_bytes_until_the_last_reference_goes)
{
	struct skip_err err;
	struct skip_mapfile *map;
	char folder[512];
	static unsigned char data[20000];
	for (size_t i = 0; i < sizeof(data); i++) data[i] = (unsigned char)(i / 61);
	toy_folder(folder);
	toy_write_file(folder, "data", data, sizeof(data));
	CHECK_OK(skip_mapfile_open(toy_path(folder, "data"), &map, &err));
	cr_assert(skip_mapfile_ref(map) == map);
	skip_mapfile_unref(map);
	cr_assert(eq(sz, skip_mapfile_size(map), sizeof(data)));
	cr_assert(memcmp(skip_mapfile_data(map), data, sizeof(data)) == 0);
	cr_assert(strstr(skip_mapfile_path(map), "/data") != NULL);
	/* dropped pages come back with the same bytes, at every alignment */
	for (size_t start = 0; start < 9000; start += 611) skip_mapfile_drop(map, skip_mapfile_data(map) + start, sizeof(data) - start);
	skip_mapfile_drop(map, skip_mapfile_data(map), 0);
	cr_assert(memcmp(skip_mapfile_data(map), data, sizeof(data)) == 0);
	static unsigned char copy[sizeof(data) + 1];
	for (size_t start = 0; start < sizeof(data); start += 1999) {
		size_t size = sizeof(data) - start < 4100 ? sizeof(data) - start : 4100;
		memset(copy, 0xa5, sizeof(copy));
		skip_mapfile_copy(map, skip_mapfile_data(map) + start, size, copy);
		cr_assert(memcmp(copy, data + start, size) == 0 && copy[size] == 0xa5);
	}
	skip_mapfile_unref(map);
	skip_mapfile_unref(NULL);
	toy_folder_remove(folder);
}

Test(mapfile, an_empty_file_has_no_bytes)
{
	struct skip_err err;
	struct skip_mapfile *map;
	char folder[512];
	toy_folder(folder);
	toy_write_file(folder, "empty", "", 0);
	CHECK_OK(skip_mapfile_open(toy_path(folder, "empty"), &map, &err));
	cr_assert(skip_mapfile_size(map) == 0 && skip_mapfile_data(map) != NULL);
	skip_mapfile_drop(map, skip_mapfile_data(map), 1);
	skip_mapfile_unref(map);
	toy_folder_remove(folder);
}

Test(mapfile, refuses_what_is_no_file)
{
	struct skip_err err;
	struct skip_mapfile *map = NULL;
	CHECK_FAILS(skip_mapfile_open("/nowhere/x", &map, &err), SKIP_ERR_IO);
	cr_assert(eq(str, err.file, "/nowhere/x"));
	CHECK_FAILS(skip_mapfile_open("/", &map, &err), SKIP_ERR_IO);
	cr_assert(eq(str, err.message, "is a folder, a file is needed"));
	CHECK_FAILS(skip_mapfile_open("/dev/null", &map, &err), SKIP_ERR_IO);
	cr_assert(map == NULL);
}

Test(mapfile, survives_failing_allocations)
{
	struct skip_err err;
	struct skip_mapfile *map = NULL;
	char folder[512];
	toy_folder(folder);
	toy_write_file(folder, "data", "x", 1);
	for (size_t n = 1; n <= 2; n++) {
		skip_alloc_fail_at(n);
		CHECK_FAILS(skip_mapfile_open(toy_path(folder, "data"), &map, &err), SKIP_ERR_NOMEM);
		cr_assert(map == NULL);
	}
	skip_alloc_fail_at(3);
	CHECK_OK(skip_mapfile_open(toy_path(folder, "data"), &map, &err));
	skip_mapfile_unref(map);
	toy_folder_remove(folder);
}
