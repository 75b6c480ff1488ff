/* Mapped read-only files with a reference count. */
#include "base/mapfile.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct skip_mapfile {
	atomic_int refs;
	unsigned char *data; /* NULL when the file is empty */
	size_t size;
	char *path;
	int fd;
};

enum skip_status skip_mapfile_open(const char *path, struct skip_mapfile **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct stat info;
	void *data = NULL;
	struct skip_mapfile *map = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot open: %m");
	if (fstat(fd, &info) != 0) {
		status = skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot read: %m");
		goto cleanup;
	}
	if (!S_ISREG(info.st_mode)) {
		status = skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "is %s, a file is needed",
		                     S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
		goto cleanup;
	}
	map = skip_alloc_zeroed(1, sizeof(*map));
	if (!map || !(map->path = skip_strdup(path))) {
		status = skip_err_at(err, SKIP_ERR_NOMEM, path, 0, -1, "no memory to map the file");
		goto cleanup;
	}
	if (info.st_size > 0) {
		data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED) {
			status = skip_err_at(err, SKIP_ERR_IO, path, 0, -1, "cannot map %lld bytes: %m", (long long)info.st_size);
			goto cleanup;
		}
	}
	map->data = data;
	map->size = (size_t)info.st_size;
	map->fd = fd;
	fd = -1;
	atomic_init(&map->refs, 1);
	*out = map;
	map = NULL;
cleanup:
	if (map) {
		skip_free(map->path);
		skip_free(map);
	}
	if (fd >= 0) close(fd);
	return status;
}

struct skip_mapfile *skip_mapfile_ref(struct skip_mapfile *map)
{
	atomic_fetch_add(&map->refs, 1);
	return map;
}

void skip_mapfile_unref(struct skip_mapfile *map)
{
	if (!map || atomic_fetch_sub(&map->refs, 1) != 1) return;
	if (map->data) munmap(map->data, map->size);
	close(map->fd);
	skip_free(map->path);
	skip_free(map);
}

const unsigned char *skip_mapfile_data(const struct skip_mapfile *map)
{
	static const unsigned char nothing[1];
	return map->data ? map->data : nothing;
}

size_t skip_mapfile_size(const struct skip_mapfile *map)
{
	return map->size;
}

const char *skip_mapfile_path(const struct skip_mapfile *map)
{
	return map->path;
}

void skip_mapfile_copy(const struct skip_mapfile *map, const void *data, size_t size, void *out)
{
	off_t at = (off_t)((const unsigned char *)data - map->data);
	ssize_t n = pread(map->fd, out, size, at);
	/* A read that is interrupted or refused leaves the mapping as the way to the same bytes. */
	size_t done = n > 0 ? (size_t)n : 0;
	if (done < size) memcpy((unsigned char *)out + done, (const unsigned char *)data + done, size - done);
}

void skip_mapfile_drop(const struct skip_mapfile *map, const void *data, size_t size)
{
	if (!map->data || !size) return;
	/* Whole pages inside the range only: its first and last page are shared with neighbours that may be in use. */
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)data + page - 1) / page * page;
	uintptr_t last = ((uintptr_t)data + size) / page * page;
	size_t start = first - (uintptr_t)map->data;
	if (first < last && start < map->size) madvise(map->data + start, last - first, MADV_DONTNEED);
}
