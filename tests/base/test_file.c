#include "toy_bert.h"
#include <fcntl.h>

Test(file, reads_everything_and_appends)
{
	struct skip_err err;
	struct skip_buf buf;
	char folder[512];
	static char data[40000];
	for (size_t i = 0; i < sizeof(data); i++) data[i] = (char)(i % 61);
	toy_folder(folder);
	toy_write_file(folder, "data", data, sizeof(data));
	toy_write_file(folder, "empty", "", 0);
	skip_buf_init(&buf);
	skip_buf_puts(&buf, "head");
	CHECK_OK(skip_file_read(toy_path(folder, "data"), &buf, &err));
	cr_assert(buf.length == 4 + sizeof(data) && memcmp(buf.data + 4, data, sizeof(data)) == 0 && buf.data[buf.length] == '\0');
	CHECK_OK(skip_file_read(toy_path(folder, "empty"), &buf, &err));
	cr_assert(buf.length == 4 + sizeof(data));
	skip_buf_deinit(&buf);
	toy_folder_remove(folder);
}

Test(file, dash_is_standard_input)
{
	struct skip_err err;
	struct skip_buf buf;
	int ends[2];
	cr_assert(pipe(ends) == 0 && write(ends[1], "one\ntwo", 7) == 7);
	close(ends[1]);
	cr_assert(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	skip_buf_init(&buf);
	CHECK_OK(skip_file_read("-", &buf, &err));
	cr_assert(eq(str, (char *)skip_buf_text(&buf), "one\ntwo"));
	skip_buf_deinit(&buf);
}

Test(file, names_what_it_cannot_read)
{
	struct skip_err err;
	struct skip_buf buf;
	char folder[512];
	toy_folder(folder);
	skip_buf_init(&buf);
	CHECK_FAILS(skip_file_read(toy_path(folder, "absent"), &buf, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.file, "/absent") != NULL && strstr(err.message, "No such file or directory") != NULL);
	CHECK_FAILS(skip_file_read(folder, &buf, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.message, "Is a directory") != NULL);
	toy_write_text(folder, "text", "x");
	skip_alloc_fail_at(1);
	CHECK_FAILS(skip_file_read(toy_path(folder, "text"), &buf, &err), SKIP_ERR_NOMEM);
	skip_buf_deinit(&buf);
	toy_folder_remove(folder);
}

Test(file, tells_files_from_folders)
{
	char folder[512];
	toy_folder(folder);
	toy_write_text(folder, "text", "x");
	cr_assert(skip_file_exists(folder) && skip_file_is_folder(folder));
	cr_assert(skip_file_exists(toy_path(folder, "text")) && !(skip_file_is_folder(toy_path(folder, "text"))));
	cr_assert(false == skip_file_exists(toy_path(folder, "absent")) && !(skip_file_is_folder(toy_path(folder, "absent"))));
	toy_folder_remove(folder);
}

Test(file, joins_paths_that_fit)
{
	char out[8];
	cr_assert(skip_path_join(out, sizeof(out), "ab", "cd") && strcmp(out, "ab/cd") == 0);
	cr_assert(skip_path_join(out, sizeof(out), "ab/", "cd") && strcmp(out, "ab/cd") == 0);
	cr_assert(skip_path_join(out, sizeof(out), "", "cd") && strcmp(out, "cd") == 0);
	cr_assert(skip_path_join(out, sizeof(out), "/", "cd") && strcmp(out, "/cd") == 0);
	cr_assert(skip_path_join(out, sizeof(out), "abc", "def"));
	cr_assert(not(skip_path_join(out, sizeof(out), "abcd", "def")));
}
