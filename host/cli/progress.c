/*
 * What a person sees while waiting: one bar on a terminal, one line per finished stage otherwise. stdout is never touched.
 */
#include "base/clock.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile int skip_cli_interrupted;

static struct {
	bool terminal, quiet, open; /* open: a bar is on the screen */
	char stage[32], note[128];
	double started, drawn;
	int64_t done, total;
} state;

static void on_signal(int signal_number)
{
	(void)signal_number;
	skip_cli_interrupted = 1;
}

void skip_cli_catch_interrupt(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void clear_line(void)
{
	if (state.open) fputs("\r\033[K", stderr);
	state.open = false;
}

static void print_duration(double seconds, char *out, size_t size)
{
	long s = (long)(seconds + 0.5);
	if (s >= 3600)
		snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

static void draw(void)
{
	enum { WIDTH = 20 };
	double spent = skip_clock_seconds() - state.started;
	double share = state.total > 0 ? (double)state.done / (double)state.total : 0;
	int full = (int)(share * WIDTH);
	char bar[WIDTH * 3 + 1] = "", left[32] = "";
	for (int i = 0; i < WIDTH; i++) strcat(bar, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
	if (share > 0) print_duration(spent / share - spent, left, sizeof(left));
	fprintf(stderr, "\r\033[K%-9s", state.stage);
	if (state.total > 0) fprintf(stderr, "%s %lld/%lld ", bar, (long long)state.done, (long long)state.total);
	fprintf(stderr, "%s%s%s%s", state.note, left[0] ? "  " : "", left, left[0] ? " left" : "");
	fflush(stderr);
	state.open = true;
	state.drawn = skip_clock_seconds();
}

static void end_stage(void)
{
	if (!state.stage[0]) return;
	char spent[32];
	clear_line();
	print_duration(skip_clock_seconds() - state.started, spent, sizeof(spent));
	if (!state.quiet) fprintf(stderr, "%-9s%s%s%s\n", state.stage, spent, state.note[0] ? "  " : "", state.note);
	state.stage[0] = '\0';
}

static bool report(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
	(void)context;
	if (strncmp(stage, state.stage, sizeof(state.stage) - 1)) {
		end_stage();
		snprintf(state.stage, sizeof(state.stage), "%s", stage);
		state.note[0] = '\0';
		state.started = skip_clock_seconds();
		state.drawn = 0;
	}
	state.done = done;
	state.total = total;
	if (note && note[0]) snprintf(state.note, sizeof(state.note), "%s", note);
	if (state.terminal && !state.quiet && skip_clock_seconds() - state.drawn > 0.1) draw();
	return !skip_cli_interrupted;
}

struct skip_progress skip_cli_progress(const struct skip_cli_common *common)
{
	skip_cli_catch_interrupt();
	state.quiet = common->quiet;
	state.terminal = isatty(STDERR_FILENO) != 0;
	return (struct skip_progress){ .report = report };
}

void skip_cli_progress_end(void)
{
	end_stage();
}

void skip_cli_note(const struct skip_cli_common *common, const char *name, const char *format, ...)
{
	va_list list;
	if (common->quiet) return;
	end_stage();
	fprintf(stderr, "%-9s", name);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}
