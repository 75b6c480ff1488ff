/* Reading whole files and joining paths. Atomic output is in output.c. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum skip_status skip_file_read(const char *path, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	char block[16384];
	bool standard = strcmp(path, "-") == 0;
	const char *name = standard ? "standard input" : path;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot open: %m");
	for (;;) {
		ssize_t got = read(fd, block, sizeof(block));
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) status = skip_err_at(err, SKIP_ERR_IO, name, 0, -1, "cannot read: %m");
		if (got <= 0) break;
		skip_buf_append(out, block, (size_t)got);
		if (!skip_buf_ok(out)) {
			status = skip_err_at(err, SKIP_ERR_NOMEM, name, 0, -1, "no memory to read the file");
			break;
		}
	}
	if (!standard) close(fd);
	return status;
}

bool skip_file_exists(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0;
}

bool skip_file_is_folder(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool skip_path_join(char *out, size_t size, const char *folder, const char *name)
{
	size_t length = strlen(folder);
	const char *slash = length && folder[length - 1] != '/' ? "/" : "";
	int written = snprintf(out, size, "%s%s%s", folder, slash, name);
	return written >= 0 && (size_t)written < size;
}
