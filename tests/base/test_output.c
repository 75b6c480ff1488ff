/* Atomic output: what is on the disk after commit, after destroy, after refusal and after a full disk. */
#include "toy_bert.h"
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MARKER "manifest.json"

static char folder[512];

static void make_folder(void)
{
	toy_folder(folder);
}
static void drop_folder(void)
{
	toy_folder_remove(folder);
}
TestSuite(output, .init = make_folder, .fini = drop_folder);

static int entries_in(const char *path)
{
	int n = 0;
	DIR *open_folder = opendir(path);
	cr_assert(open_folder != NULL);
	for (struct dirent *entry; (entry = readdir(open_folder));) n += entry->d_name[0] != '.';
	closedir(open_folder);
	return n;
}

static void wants_text(const char *path, const char *wanted)
{
	struct skip_err err;
	struct skip_buf buf;
	skip_buf_init(&buf);
	CHECK_OK(skip_file_read(path, &buf, &err));
	cr_assert(eq(str, (char *)skip_buf_text(&buf), (char *)wanted));
	skip_buf_deinit(&buf);
}

Test(output, a_file_appears_at_commit)
{
	struct skip_err err;
	struct skip_output *output;
	const char *target = toy_path(folder, "out");
	CHECK_OK(skip_output_create_file(target, &output, &err));
	CHECK_OK(skip_output_write(output, NULL, "new", 3, &err));
	cr_assert(not(skip_file_exists(target)));
	wants_text(skip_output_path(output), "new");
	CHECK_OK(skip_output_commit(output, &err));
	wants_text(target, "new");
	cr_assert(entries_in(folder) == 1);
	skip_output_destroy(output);
	wants_text(target, "new");
	struct stat info;
	mode_t mask = umask(0);
	umask(mask);
	cr_assert(stat(target, &info) == 0 && (info.st_mode & 0777) == (0666 & ~mask));
}

Test(output, destroy_without_commit_leaves_the_old_file)
{
	struct skip_err err;
	struct skip_output *output;
	toy_write_text(folder, "out", "old");
	CHECK_OK(skip_output_create_file(toy_path(folder, "out"), &output, &err));
	CHECK_OK(skip_output_write(output, NULL, "new", 3, &err));
	skip_output_destroy(output);
	wants_text(toy_path(folder, "out"), "old");
	cr_assert(entries_in(folder) == 1);
	skip_output_destroy(NULL);
}

Test(output, two_outputs_of_one_name_do_not_meet)
{
	struct skip_err err;
	struct skip_output *a, *b;
	CHECK_OK(skip_output_create_file(toy_path(folder, "out"), &a, &err));
	CHECK_OK(skip_output_create_file(toy_path(folder, "out"), &b, &err));
	CHECK_OK(skip_output_write(a, NULL, "a", 1, &err));
	CHECK_OK(skip_output_write(b, NULL, "b", 1, &err));
	CHECK_OK(skip_output_commit(b, &err));
	CHECK_OK(skip_output_commit(a, &err));
	skip_output_destroy(a);
	skip_output_destroy(b);
	wants_text(toy_path(folder, "out"), "a");
	cr_assert(entries_in(folder) == 1);
}

Test(output, a_stream_is_closed_with_its_errors)
{
	struct skip_err err;
	struct skip_output *output;
	FILE *file;
	CHECK_OK(skip_output_create_file(toy_path(folder, "out"), &output, &err));
	CHECK_OK(skip_output_open(output, NULL, &file, &err));
	for (int i = 0; i < 3; i++) fprintf(file, "%d\n", i);
	CHECK_OK(skip_output_close(output, file, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
	wants_text(toy_path(folder, "out"), "0\n1\n2\n");
}

static void write_package(const char *target, const char *text)
{
	struct skip_err err;
	struct skip_output *output;
	CHECK_OK(skip_output_create_folder(target, MARKER, &output, &err));
	CHECK_OK(skip_output_write(output, "programs/generic/model.cl", text, strlen(text), &err));
	CHECK_OK(skip_output_write(output, "programs/plan.json", "{}", 2, &err));
	CHECK_OK(skip_output_write(output, MARKER, text, strlen(text), &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
}

Test(output, a_folder_is_replaced_whole)
{
	char target[1024];
	snprintf(target, sizeof(target), "%s/a.skip", folder);
	write_package(target, "first");
	wants_text(toy_path(target, "programs/generic/model.cl"), "first");
	toy_write_text(target, "left/over", "from the older package");
	write_package(target, "second");
	wants_text(toy_path(target, "programs/generic/model.cl"), "second");
	wants_text(toy_path(target, MARKER), "second");
	cr_assert(entries_in(target) == 2 && entries_in(folder) == 1);
	strcat(target, "//");
	write_package(target, "third");
	wants_text(toy_path(target, MARKER), "third");
	cr_assert(entries_in(folder) == 1);
}

Test(output, an_empty_folder_may_be_replaced)
{
	char target[1024];
	snprintf(target, sizeof(target), "%s/empty", folder);
	cr_assert(mkdir(target, 0777) == 0);
	write_package(target, "x");
	cr_assert(entries_in(target) == 2 && entries_in(folder) == 1);
}

Test(output, links_are_followed)
{
	struct skip_err err;
	struct skip_output *output;
	struct stat info;
	char target[1024], link[1024];
	snprintf(target, sizeof(target), "%s/real.skip", folder);
	snprintf(link, sizeof(link), "%s/link.skip", folder);
	write_package(target, "first");
	cr_assert(symlink("real.skip", link) == 0);
	write_package(link, "second");
	cr_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
	wants_text(toy_path(target, MARKER), "second");
	snprintf(link, sizeof(link), "%s/dangling", folder);
	cr_assert(symlink("nowhere", link) == 0);
	CHECK_FAILS(skip_output_create_file(link, &output, &err), SKIP_ERR_OUTPUT);
}

Test(output, refuses_what_is_not_of_its_kind)
{
	struct skip_err err;
	struct skip_output *output;
	char target[1024];
	snprintf(target, sizeof(target), "%s/home", folder);
	toy_write_text(target, "letter.txt", "precious");
	CHECK_FAILS(skip_output_create_folder(target, MARKER, &output, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "no manifest.json in it") != NULL);
	cr_assert(eq(str, err.file, target));
	CHECK_FAILS(skip_output_create_file(target, &output, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "is a folder") != NULL);
	CHECK_FAILS(skip_output_create_folder(toy_path(target, "letter.txt"), MARKER, &output, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "is a file") != NULL);
	CHECK_FAILS(skip_output_create_folder("/dev/null", MARKER, &output, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_output_create_file("", &output, &err), SKIP_ERR_USAGE);
	wants_text(toy_path(target, "letter.txt"), "precious");
	cr_assert(entries_in(folder) == 1);
}

Test(output, looks_again_before_it_replaces)
{
	struct skip_err err;
	struct skip_output *output;
	char target[1024];
	snprintf(target, sizeof(target), "%s/late", folder);
	CHECK_OK(skip_output_create_folder(target, MARKER, &output, &err));
	CHECK_OK(skip_output_write(output, MARKER, "{}", 2, &err));
	toy_write_text(target, "letter.txt", "precious");
	CHECK_FAILS(skip_output_commit(output, &err), SKIP_ERR_USAGE);
	skip_output_destroy(output);
	wants_text(toy_path(target, "letter.txt"), "precious");
	cr_assert(entries_in(folder) == 1);
}

Test(output, names_stay_inside)
{
	static const char *const names[] = {"../x", "a/../../x", "/etc/x", "a/..", ""};
	struct skip_err err;
	struct skip_output *output;
	FILE *file;
	CHECK_OK(skip_output_create_folder(toy_path(folder, "a.skip"), MARKER, &output, &err));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CHECK_FAILS(skip_output_open(output, names[i], &file, &err), SKIP_ERR_INTERNAL);
	CHECK_OK(skip_output_write(output, "a/..b/c", "x", 1, &err));
	skip_output_destroy(output);
	cr_assert(entries_in(folder) == 0);
}

Test(output, places_that_cannot_be_written)
{
	struct skip_err err;
	struct skip_output *output = NULL;
	CHECK_FAILS(skip_output_create_file(toy_path(folder, "no/such/folder/out"), &output, &err), SKIP_ERR_OUTPUT);
	cr_assert(strstr(err.message, "No such file or directory") != NULL);
	toy_write_text(folder, "file", "x");
	CHECK_FAILS(skip_output_create_file(toy_path(folder, "file/out"), &output, &err), SKIP_ERR_OUTPUT);
	CHECK_FAILS(skip_output_create_folder("/proc/out", MARKER, &output, &err), SKIP_ERR_OUTPUT);
	cr_assert(output == NULL);
}

Test(output, a_full_disk_is_reported)
{
	struct skip_err err;
	struct skip_output *output;
	FILE *file;
	static char big[100000];
	CHECK_OK(skip_output_create_file("/dev/full", &output, &err));
	CHECK_FAILS(skip_output_write(output, NULL, "x", 1, &err), SKIP_ERR_OUTPUT);
	cr_assert(strstr(err.message, "No space left on device") != NULL);
	cr_assert(eq(str, err.file, "/dev/full"));
	CHECK_FAILS(skip_output_write(output, NULL, big, sizeof(big), &err), SKIP_ERR_OUTPUT);
	CHECK_OK(skip_output_open(output, NULL, &file, &err));
	fprintf(file, "%s", "late");
	CHECK_FAILS(skip_output_close(output, file, &err), SKIP_ERR_OUTPUT);
	skip_output_destroy(output);
	struct stat info;
	cr_assert(stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode));
}

Test(output, devices_are_written_directly)
{
	struct skip_err err;
	struct skip_output *output;
	struct stat info;
	CHECK_OK(skip_output_create_file("/dev/null", &output, &err));
	cr_assert(eq(str, (char *)skip_output_path(output), "/dev/null"));
	CHECK_OK(skip_output_write(output, NULL, "x", 1, &err));
	CHECK_OK(skip_output_commit(output, &err));
	skip_output_destroy(output);
	cr_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
}

Test(output, abort_all_removes_what_is_open)
{
	struct skip_err err;
	struct skip_output *file, *package, *done;
	CHECK_OK(skip_output_create_file(toy_path(folder, "file"), &file, &err));
	CHECK_OK(skip_output_create_folder(toy_path(folder, "a.skip"), MARKER, &package, &err));
	CHECK_OK(skip_output_write(package, "deep/er/file", "x", 1, &err));
	CHECK_OK(skip_output_create_file(toy_path(folder, "done"), &done, &err));
	CHECK_OK(skip_output_commit(done, &err));
	cr_assert(entries_in(folder) == 3);
	skip_output_abort_all();
	cr_assert(entries_in(folder) == 1 && skip_file_exists(toy_path(folder, "done")));
	skip_output_destroy(file);
	skip_output_destroy(package);
	skip_output_destroy(done);
	skip_output_abort_all();
	cr_assert(entries_in(folder) == 1);
}

Test(output, failing_allocations_leave_nothing_behind)
{
	struct skip_err err;
	size_t n = 1;
	for (; n < 100; n++) {
		struct skip_output *output = NULL;
		skip_alloc_fail_at(n);
		enum skip_status status = skip_output_create_folder(toy_path(folder, "a.skip"), MARKER, &output, &err);
		if (status == SKIP_OK) status = skip_output_write(output, "x/y", "z", 1, &err);
		if (status == SKIP_OK) status = skip_output_commit(output, &err);
		skip_alloc_fail_at(0);
		skip_output_destroy(output);
		if (status == SKIP_OK) break;
		cr_assert(status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		cr_assert(entries_in(folder) == 0, "allocation %zu", n);
	}
	cr_assert(n > 3 && n < 100);
}

/* A writer killed at any moment leaves one complete package under the target's name. */
Test(output, killed_half_way)
{
	char target[1024];
	static char text[200000];
	snprintf(target, sizeof(target), "%s/a.skip", folder);
	memset(text, 'a', sizeof(text) - 1);
	write_package(target, text);
	for (int round = 0; round < 20; round++) {
		pid_t child = fork();
		cr_assert(child >= 0);
		if (child == 0) {
			for (int i = 0;; i++) {
				memset(text, 'b' + i % 20, sizeof(text) - 1);
				struct skip_output *output;
				if (skip_output_create_folder(target, MARKER, &output, NULL) != SKIP_OK) _exit(1);
				if (skip_output_write(output, "programs/generic/model.cl", text, strlen(text), NULL) != SKIP_OK) _exit(1);
				if (skip_output_write(output, MARKER, text, strlen(text), NULL) != SKIP_OK) _exit(1);
				if (skip_output_commit(output, NULL) != SKIP_OK) _exit(1);
				skip_output_destroy(output);
			}
		}
		usleep((useconds_t)(1000 + 700 * round));
		int result;
		kill(child, SIGKILL);
		cr_assert(waitpid(child, &result, 0) == child && WIFSIGNALED(result));
		struct skip_err err;
		struct skip_buf a, b;
		skip_buf_init(&a);
		skip_buf_init(&b);
		CHECK_OK(skip_file_read(toy_path(target, MARKER), &a, &err));
		CHECK_OK(skip_file_read(toy_path(target, "programs/generic/model.cl"), &b, &err));
		cr_assert(a.length == sizeof(text) - 1 && b.length == a.length && memcmp(a.data, b.data, a.length) == 0);
		skip_buf_deinit(&a);
		skip_buf_deinit(&b);
	}
}
