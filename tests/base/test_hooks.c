/* The log hook, the clock and the progress hook. */
#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "check.h"
#include <stdio.h>
#include <string.h>

struct heard {
	int count;
	enum skip_log_level level;
	char text[4096];
};

static void hear(void *context, enum skip_log_level level, const char *text)
{
	struct heard *heard = context;
	heard->count++;
	heard->level = level;
	snprintf(heard->text, sizeof(heard->text), "%s", text);
}

Test(log, is_silent_until_set_and_calls_back)
{
	struct heard heard = {0};
	char text[3000];
	skip_log(SKIP_LOG_WARN, "nobody %s", "listens");
	skip_log_set(hear, &heard);
	skip_log(SKIP_LOG_INFO, "%d of %d", 3, 7);
	cr_assert(heard.count == 1 && heard.level == SKIP_LOG_INFO && strcmp(heard.text, "3 of 7") == 0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	skip_log(SKIP_LOG_DEBUG, "%s", text);
	cr_assert(eq(sz, strlen(heard.text), 2047));
	skip_log_set(NULL, NULL);
	skip_log(SKIP_LOG_WARN, "again nobody");
	cr_assert(heard.count == 2);
}

Test(clock, goes_forward)
{
	double start = skip_clock_seconds(), now;
	do now = skip_clock_seconds();
	while (now - start < 0.002);
	cr_assert(now > start && now - start < 5);
}

Test(clock, date_is_iso)
{
	char date[32];
	int year, month, day, hour, minute, second, used = 0;
	skip_clock_date(date);
	cr_assert(sscanf(date, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second, &used) == 6);
	cr_assert(used == 20 && date[20] == '\0' && year >= 2024 && month >= 1 && month <= 12);
}

static bool count_reports(void *context, const char *stage, int64_t done, int64_t total, const char *note)
{
	(void)stage;
	(void)note;
	*(int64_t *)context += done;
	return done < total;
}

Test(progress, asks_whether_to_go_on)
{
	int64_t sum = 0;
	struct skip_progress progress = {count_reports, &sum}, none = {NULL, NULL};
	cr_assert(skip_progress_report(NULL, "tune", 1, 2, ""));
	cr_assert(skip_progress_report(&none, "tune", 2, 2, ""));
	cr_assert(skip_progress_report(&progress, "tune", 1, 2, ""));
	cr_assert(not(skip_progress_report(&progress, "tune", 2, 2, "")));
	cr_assert(sum == 3);
}
