/* Whole files, folders and atomic replacement. */
#ifndef SKIP_BASE_FILE_H
#define SKIP_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdio.h>

/* Reads the whole of `path` ("-" is standard input) into `out` (appended). SKIP_ERR_IO names the file. */
enum skip_status skip_file_read(const char *path, struct skip_buf *out, struct skip_err *err);
/* The rest of an open file, which stays open; `name` is for messages. */
enum skip_status skip_file_read_open(int fd, const char *name, struct skip_buf *out, struct skip_err *err);
bool skip_file_exists(const char *path);
bool skip_file_is_folder(const char *path);
/* "a/b" joined into `out`; false when it does not fit. */
bool skip_path_join(char *out, size_t size, const char *folder, const char *name);
/* The user's cache folder for skip: what `variable` of the environment says, else $XDG_CACHE_HOME/skip, ~/.cache/skip. False when that variable is "off" or
 * "0", or there is no such place. */
bool skip_cache_folder(const char *variable, char *out, size_t size);
/* mkdir -p. SKIP_ERR_OUTPUT names the folder. */
enum skip_status skip_folder_make(const char *folder, struct skip_err *err);

/*
 * Atomic output: everything is written beside the target under a temporary name, synced and renamed by commit; destroy without
 * commit removes it, so an interrupted run leaves the old output or the new one, never a part.
 * `kind_marker`: file name that proves an existing target folder is of our kind ("manifest.json"); a non-empty folder without it is
 * refused (SKIP_ERR_USAGE), as is a file where a folder stands or the reverse. Write failures (disk full) are SKIP_ERR_OUTPUT. Links are
 * followed. A device or pipe in place of a file is written directly.
 */
struct skip_output;
enum skip_status skip_output_create_file(const char *target, struct skip_output **out, struct skip_err *err);
enum skip_status skip_output_create_folder(const char *target, const char *kind_marker, struct skip_output **out, struct skip_err *err);
/* Temporary path of the file or folder being made; sub-folders are made by skip_output_write. */
const char *skip_output_path(const struct skip_output *output);
/* Writes one file: `name` is NULL for a file output, else a path inside the folder ("programs/generic/model.cl"). */
enum skip_status skip_output_write(struct skip_output *output, const char *name, const void *data, size_t size, struct skip_err *err);
/* An open stream for long writes; close it with skip_output_close, which reports a full disk. */
enum skip_status skip_output_open(struct skip_output *output, const char *name, FILE **out, struct skip_err *err);
enum skip_status skip_output_close(struct skip_output *output, FILE *file, struct skip_err *err);
enum skip_status skip_output_commit(struct skip_output *output, struct skip_err *err);
void skip_output_destroy(struct skip_output *output);
/* Removes temporaries of outputs that are still open; async-signal-unsafe, for exit paths only. */
void skip_output_abort_all(void);

#endif
