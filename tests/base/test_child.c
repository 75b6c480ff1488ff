/* Processes beside this one: what goes in and comes out, and every way they fail. */
#include "base/child.h"
#include "check.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Runs a script of sh; the status, and in `out` what it printed. */
static enum skip_status talk(const char *script, const char *input, size_t length, struct skip_buf *out, struct skip_err *err)
{
	struct skip_child child = {0};
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	enum skip_status status = skip_child_start(&child, argv, input, length, err);
	if (status == SKIP_OK) status = skip_child_wait(&child, out, err);
	cr_expect(child.pid == 0 && child.answer == NULL, "a child is left");
	return status;
}

Test(child, more_than_a_pipe_holds_goes_through)
{
	struct skip_err err;
	struct skip_buf out;
	const size_t n = 3u << 20;
	char *big = malloc(n);
	cr_assert(big != NULL);
	for (size_t i = 0; i < n; i++) big[i] = (char)(i * 7 + i / 1000);
	skip_err_init(&err);
	skip_buf_init(&out);
	CHECK_OK(talk("cat", big, n, &out, &err));
	cr_expect(out.length == n && memcmp(out.data, big, n) == 0, "%zu of %zu bytes", out.length, n);
	skip_buf_deinit(&out);
	free(big);
}

Test(child, failures_give_nothing_and_say_why)
{
	static const struct {
		const char *script, *why;
	} table[] = {
	    {"echo half; exit 3", "exit code 3"},
	    {"echo half; kill -9 $$", "signal 9"},
	    {"nowhere-to-be-found", "exit code 127"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct skip_err err;
		struct skip_buf out;
		skip_err_init(&err);
		skip_buf_init(&out);
		CHECK_FAILS(talk(table[i].script, "", 0, &out, &err), SKIP_ERR_IO);
		cr_expect(strstr(err.message, table[i].why) != NULL, "%s: %s", table[i].script, err.message);
		cr_expect(out.length == 0);
		skip_buf_deinit(&out);
	}
}

Test(child, what_is_no_program_does_not_start)
{
	struct skip_err err;
	struct skip_child child;
	const char *const argv[] = {"/nowhere/program", NULL};
	skip_err_init(&err);
	CHECK_FAILS(skip_child_start(&child, argv, "x", 1, &err), SKIP_ERR_IO);
	cr_expect(strstr(err.message, "/nowhere/program does not start") != NULL, "%s", err.message);
	cr_expect(child.pid == 0);
	skip_child_stop(&child);
}

Test(child, one_that_runs_is_seen_and_can_be_stopped)
{
	struct skip_err err;
	struct skip_child child;
	const char *const argv[] = {"/bin/sh", "-c", "exec sleep 60", NULL}, *const quick[] = {"/bin/sh", "-c", "exit 0", NULL};
	skip_err_init(&err);
	CHECK_OK(skip_child_start(&child, argv, "", 0, &err));
	cr_expect(skip_child_ended(&child) == false);
	skip_child_stop(&child);
	cr_expect(child.pid == 0);
	CHECK_OK(skip_child_start(&child, quick, "", 0, &err));
	while (!skip_child_ended(&child)) continue;
	cr_expect(skip_child_ended(&child), "asking does not take the answer away");
	CHECK_OK(skip_child_wait(&child, &(struct skip_buf){0}, &err));
}

Test(child, somebody_else_may_have_waited)
{
	struct skip_err err;
	struct skip_buf out;
	skip_err_init(&err);
	skip_buf_init(&out);
	signal(SIGCHLD, SIG_IGN); /* the system then keeps no exit code */
	CHECK_FAILS(talk("echo x", "", 0, &out, &err), SKIP_ERR_IO);
	cr_expect(out.length == 0);
	skip_buf_deinit(&out);
}
