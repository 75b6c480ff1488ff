/*
 * Atomic output: a file or folder is made under a temporary name beside its target, synced, and takes the target's place in one rename.
 *
 * A target that is a device or a pipe is written directly: nothing can take its place. Temporary names are TARGET.tmp-PID; an old folder is
 * exchanged with the new one in one step where the system can, else it stands under TARGET.old-PID for the moment between two renames, so
 * that a crash at any point leaves the old or the new one complete.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct skip_output {
	struct skip_output *next; /* registry */
	char *target, *temporary; /* the same text when `direct` */
	char *marker;             /* folders only */
	bool folder, direct;
	bool pending; /* the temporary exists and is ours */
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct skip_output *registry;

static enum skip_status no_memory(struct skip_err *err, const char *target)
{
	return skip_err_at(err, SKIP_ERR_NOMEM, target, 0, -1, "no memory for the output");
}

static char *text_with_suffix(const char *text, const char *suffix, int attempt)
{
	struct skip_buf buf;
	skip_buf_init(&buf);
	skip_buf_printf(&buf, "%s.%s-%ld", text, suffix, (long)getpid());
	if (attempt) skip_buf_printf(&buf, "-%d", attempt);
	if (!skip_buf_ok(&buf)) skip_buf_deinit(&buf);
	return buf.data;
}

/* The path to replace: links are followed, so that what they point to is replaced and not the link; trailing slashes are dropped. */
static enum skip_status resolve_target(const char *target, char **out, struct skip_err *err)
{
	struct stat info;
	char *copy = skip_strdup(target);
	if (!copy) return no_memory(err, target);
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = '\0';
	if (lstat(copy, &info) == 0 && S_ISLNK(info.st_mode)) {
		char *real = realpath(copy, NULL);
		skip_free(copy);
		if (!real) return skip_err_at(err, SKIP_ERR_OUTPUT, target, 0, -1, "cannot follow the link: %m");
		copy = skip_strdup(real);
		free(real);
		if (!copy) return no_memory(err, target);
	}
	*out = copy;
	return SKIP_OK;
}

static bool folder_is_empty(const char *path)
{
	bool empty = true;
	DIR *folder = opendir(path);
	if (!folder) return false;
	for (struct dirent *entry; empty && (entry = readdir(folder));)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(folder);
	return empty;
}

/* What stands at the target may be replaced. Asked when the output is made and again right before it takes the place; `direct`: it is a
 * device or pipe. */
static enum skip_status check_target(const struct skip_output *output, bool *direct, struct skip_err *err)
{
	struct stat info;
	char marker[4096];
	*direct = false;
	if (stat(output->target, &info) != 0) {
		if (errno == ENOENT) return SKIP_OK;
		return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot write here: %m");
	}
	if (!output->folder) {
		if (S_ISDIR(info.st_mode))
			return skip_err_at(err, SKIP_ERR_USAGE, output->target, 0, -1, "is a folder and is not replaced by a file");
		*direct = !S_ISREG(info.st_mode);
		return SKIP_OK;
	}
	if (!S_ISDIR(info.st_mode))
		return skip_err_at(err, SKIP_ERR_USAGE, output->target, 0, -1, "is a file and is not replaced by a folder");
	bool ours = skip_path_join(marker, sizeof(marker), output->target, output->marker) && skip_file_exists(marker);
	if (!ours && !folder_is_empty(output->target))
		return skip_err_at(err, SKIP_ERR_USAGE, output->target, 0, -1,
		                   "is a folder with other content (no %s in it) and is not replaced", output->marker);
	return SKIP_OK;
}

static bool make_temporary(const struct skip_output *output)
{
	if (output->folder) return mkdir(output->temporary, 0777) == 0;
	int fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0) close(fd);
	return fd >= 0;
}

static enum skip_status output_create(const char *target, const char *marker, struct skip_output **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_output *output = NULL;
	if (!target[0]) return skip_err_set(err, SKIP_ERR_USAGE, "the name of the output is empty");
	output = skip_alloc_zeroed(1, sizeof(*output));
	if (!output) return no_memory(err, target);
	output->folder = marker != NULL;
	if (marker && !(output->marker = skip_strdup(marker))) {
		status = no_memory(err, target);
		goto cleanup;
	}
	SKIP_TRY(resolve_target(target, &output->target, err));
	SKIP_TRY(check_target(output, &output->direct, err));
	if (output->direct) {
		output->temporary = output->target;
	} else {
		bool made = false;
		for (int attempt = 0; !made && attempt < 100; attempt++) {
			skip_free(output->temporary);
			output->temporary = text_with_suffix(output->target, "tmp", attempt);
			if (!output->temporary) {
				status = no_memory(err, target);
				goto cleanup;
			}
			made = make_temporary(output);
			if (!made && errno != EEXIST) break;
		}
		if (!made) {
			status = skip_err_at(err, SKIP_ERR_OUTPUT, target, 0, -1, "cannot create: %m");
			goto cleanup;
		}
		output->pending = true;
	}
	pthread_mutex_lock(&registry_lock);
	output->next = registry;
	registry = output;
	pthread_mutex_unlock(&registry_lock);
	*out = output;
	output = NULL;
cleanup:
	skip_output_destroy(output);
	return status;
}

enum skip_status skip_output_create_file(const char *target, struct skip_output **out, struct skip_err *err)
{
	return output_create(target, NULL, out, err);
}

enum skip_status skip_output_create_folder(const char *target, const char *kind_marker, struct skip_output **out, struct skip_err *err)
{
	assert(kind_marker);
	return output_create(target, kind_marker, out, err);
}

const char *skip_output_path(const struct skip_output *output)
{
	return output->temporary;
}

/* `name` stays inside the folder: relative, and no part of it is "..". */
static bool name_is_inside(const char *name)
{
	if (!name[0] || name[0] == '/') return false;
	for (const char *part = name; part; part = strchr(part, '/')) {
		if (*part == '/') part++;
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
	}
	return true;
}

/* Makes every folder above the last part of `path` that starts after `start`. */
static bool make_parents(char *path, size_t start)
{
	for (char *slash = strchr(path + start, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
		*slash = '/';
		if (!made) return false;
	}
	return true;
}

enum skip_status skip_output_open(struct skip_output *output, const char *name, FILE **out, struct skip_err *err)
{
	assert((name != NULL) == output->folder);
	if (name && !name_is_inside(name))
		return skip_err_at(err, SKIP_ERR_INTERNAL, output->target, 0, -1, "'%s' does not lie inside the output", name);
	enum skip_status status = SKIP_OK;
	struct skip_buf path;
	FILE *file = NULL;
	skip_buf_init(&path);
	skip_buf_puts(&path, output->temporary);
	if (name) skip_buf_printf(&path, "/%s", name);
	if (!skip_buf_ok(&path)) status = no_memory(err, output->target);
	else if (name && !make_parents(path.data, strlen(output->temporary) + 1))
		status = skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot create the folder of %s: %m", name);
	else if (!(file = fopen(path.data, "wbe")))
		status = skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot create %s: %m", name ? name : "the file");
	else
		*out = file;
	skip_buf_deinit(&path);
	return status;
}

enum skip_status skip_output_close(struct skip_output *output, FILE *file, struct skip_err *err)
{
	/* ferror remembers that a write failed, but not why; a full disk is then the likely reason and fflush usually names it. */
	bool failed = ferror(file) != 0;
	int reason = failed ? errno : 0;
	if (fflush(file) != 0) {
		failed = true;
		reason = errno;
	}
	if (fclose(file) != 0 && !failed) {
		failed = true;
		reason = errno;
	}
	if (!failed) return SKIP_OK;
	errno = reason;
	return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot write: %m");
}

enum skip_status skip_output_write(struct skip_output *output, const char *name, const void *data, size_t size, struct skip_err *err)
{
	FILE *file = NULL;
	enum skip_status status = skip_output_open(output, name, &file, err);
	if (status != SKIP_OK) return status;
	if (size) fwrite(data, 1, size, file);
	return skip_output_close(output, file, err);
}

static int sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	int result = fsync(fd);
	/* Some file systems cannot sync a folder; that is no lost data. */
	if (result != 0 && (errno == EINVAL || errno == EROFS)) result = 0;
	int reason = errno;
	close(fd);
	errno = reason;
	return result;
}

static int sync_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)place;
	return kind == FTW_F || kind == FTW_DP ? sync_path(path) : 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
	(void)info;
	(void)kind;
	(void)place;
	return remove(path);
}

static int for_each_entry(const char *path, int (*visit)(const char *, const struct stat *, int, struct FTW *))
{
	return nftw(path, visit, 16, FTW_DEPTH | FTW_PHYS);
}

static void sync_parent(const char *path)
{
	char parent[4096];
	const char *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) : 0;
	if (!slash) snprintf(parent, sizeof(parent), ".");
	else
		snprintf(parent, sizeof(parent), "%.*s", length ? length : 1, path);
	sync_path(parent);
}

/* Moves the finished folder to a target that exists. */
static enum skip_status replace_folder(struct skip_output *output, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	char *aside = NULL;
	const char *old = output->temporary; /* where the old folder lies afterwards */
	if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->target, RENAME_EXCHANGE) != 0) {
		if (errno != EINVAL && errno != ENOSYS)
			return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot replace: %m");
		aside = text_with_suffix(output->target, "old", 0);
		if (!aside) return no_memory(err, output->target);
		if (rename(output->target, aside) != 0) {
			status = skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot move the old folder aside: %m");
			goto cleanup;
		}
		if (rename(output->temporary, output->target) != 0) {
			status = skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot replace: %m");
			if (rename(aside, output->target) != 0) skip_log(SKIP_LOG_WARN, "the old %s is now %s", output->target, aside);
			goto cleanup;
		}
		old = aside;
	}
	output->pending = false;
	sync_parent(output->target);
	if (for_each_entry(old, remove_entry) != 0) skip_log(SKIP_LOG_WARN, "cannot remove the replaced folder %s", old);
cleanup:
	skip_free(aside);
	return status;
}

enum skip_status skip_output_commit(struct skip_output *output, struct skip_err *err)
{
	if (output->direct) return SKIP_OK;
	assert(output->pending);
	bool direct;
	enum skip_status status = check_target(output, &direct, err);
	if (status != SKIP_OK) return status;
	if (direct) return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "became a device or pipe while the output was made");
	if (for_each_entry(output->temporary, sync_entry) != 0)
		return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot write to the disk: %m");
	if (output->folder && skip_file_exists(output->target)) return replace_folder(output, err);
	if (rename(output->temporary, output->target) != 0)
		return skip_err_at(err, SKIP_ERR_OUTPUT, output->target, 0, -1, "cannot replace: %m");
	output->pending = false;
	sync_parent(output->target);
	return SKIP_OK;
}

static void remove_temporary(struct skip_output *output)
{
	if (!output->pending) return;
	output->pending = false;
	for_each_entry(output->temporary, remove_entry);
}

void skip_output_destroy(struct skip_output *output)
{
	if (!output) return;
	pthread_mutex_lock(&registry_lock);
	for (struct skip_output **link = &registry; *link; link = &(*link)->next) {
		if (*link == output) {
			*link = output->next;
			break;
		}
	}
	pthread_mutex_unlock(&registry_lock);
	remove_temporary(output);
	if (!output->direct) skip_free(output->temporary);
	skip_free(output->target);
	skip_free(output->marker);
	skip_free(output);
}

void skip_output_abort_all(void)
{
	pthread_mutex_lock(&registry_lock);
	for (struct skip_output *output = registry; output; output = output->next) remove_temporary(output);
	pthread_mutex_unlock(&registry_lock);
}
