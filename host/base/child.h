/* A process beside this one that reads one text and writes one answer, for work that libraries do one piece at a time in a process. */
#ifndef SKIP_BASE_CHILD_H
#define SKIP_BASE_CHILD_H

#include "base/buf.h"
#include "base/err.h"
#include <stdio.h>
#include <sys/types.h>

struct skip_child {
	pid_t pid; /* 0: none runs */
	FILE *answer;
};

/*
 * Starts argv[0], a path (argv is NULL-terminated), with `input` as its standard input and what it writes kept in an unnamed temporary file, so that neither
 * side waits for the other; its standard error is thrown away. SKIP_ERR_IO says what failed, and nothing runs then.
 */
enum skip_status skip_child_start(struct skip_child *child, const char *const *argv, const char *input, size_t length, struct skip_err *err);
/* Whether it has ended; does not wait. */
bool skip_child_ended(struct skip_child *child);
/* Waits, appends what it wrote and clears the child. SKIP_ERR_IO: it did not end by exit code 0, and nothing is appended; as skip_file_read otherwise. */
enum skip_status skip_child_wait(struct skip_child *child, struct skip_buf *out, struct skip_err *err);
/* Ends it without its answer. One that does not run is fine. */
void skip_child_stop(struct skip_child *child);

#endif
