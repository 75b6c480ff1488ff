/* Reading whole files and joining paths. Atomic output is in output.c. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum skip_status skip_file_read_open(int fd, const char *name, struct skip_buf *out, struct skip_err *err)
{
	char block[16384];
	for (;;) {
		ssize_t got = read(fd, block, sizeof(block));
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return skip_err_at(err, SKIP_ERR_IO, name, 0, -1, "cannot read: %m");
		if (got == 0) return SKIP_OK;
		skip_buf_append(out, block, (size_t)got);
		if (!skip_buf_ok(out)) return skip_err_at(err, SKIP_ERR_NOMEM, name, 0, -1, "no memory to read the file");
	}
}

enum skip_status skip_file_read(const char *path, struct skip_buf *out, struct skip_err *err)
{
	if (strcmp(path, "-") == 0) return skip_file_read_open(STDIN_FILENO, "standard input", out, err);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot open: %m");
	enum skip_status status = skip_file_read_open(fd, path, out, err);
	close(fd);
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

bool skip_cache_folder(const char *variable, char *out, size_t size)
{
	const char *set = getenv(variable), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (set && set[0]) return strcmp(set, "0") && strcmp(set, "off") && (size_t)snprintf(out, size, "%s", set) < size;
	if (xdg && xdg[0] == '/') return skip_path_join(out, size, xdg, "skip");
	return home && home[0] && skip_path_join(out, size, home, ".cache/skip");
}

enum skip_status skip_folder_make(const char *folder, struct skip_err *err)
{
	char path[1200];
	if ((size_t)snprintf(path, sizeof(path), "%s", folder) >= sizeof(path)) {
		return skip_err_at(err, SKIP_ERR_OUTPUT, folder, 0, -1, "path is too long");
	}
	for (char *at = path + 1;; at++) {
		if (*at != '/' && *at != '\0') continue;
		char end = *at;
		*at = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST) {
			return skip_err_at(err, SKIP_ERR_OUTPUT, path, 0, -1, "cannot make folder: %s", strerror(errno));
		}
		if (!end) return SKIP_OK;
		*at = end;
	}
}
