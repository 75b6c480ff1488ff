/*
 * Standard output: results as JSON, and what became of what was printed. A reader that leaves early (a closed pipe) is no fault; a full disk is.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failure; /* errno of the first failed write; the stream itself remembers only that one failed */

enum skip_status skip_cli_printed(struct skip_err *err)
{
	if (!ferror(stdout)) return SKIP_OK;
	if (!failure) failure = errno;
	if (failure == EPIPE) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_OUTPUT, "cannot write standard output: %s", strerror(failure));
}

bool skip_cli_reader_left(void)
{
	return failure == EPIPE;
}

enum skip_status skip_cli_print_end(struct skip_err *err)
{
	fflush(stdout);
	return skip_cli_printed(err);
}

enum skip_status skip_cli_print_json(json_t *object, struct skip_err *err)
{
	if (!object) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the result");
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENSURE_ASCII);
	json_decref(object);
	if (!text) return skip_err_set(err, SKIP_ERR_INTERNAL, "a result could not be written as JSON");
	puts(text);
	free(text);
	return skip_cli_printed(err);
}
