/* Report files: which of the formats it is, and counts in a board's units. See report.h. */
#include "device/estimate/report.h"
#include "base/alloc.h"
#include "base/file.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *skip_tier_name(enum skip_tier tier)
{
	static const char *const names[SKIP_TIER_COUNT] = {"formula", "report", "routed"};
	return names[tier];
}

bool skip_tool_report_number(const char *text, double *out)
{
	double value = 0, scale = 1;
	text += strspn(text, " \t");
	if (!isdigit((unsigned char)*text)) return false;
	for (; isdigit((unsigned char)*text) || (*text == ',' && isdigit((unsigned char)text[1])); text++) {
		if (*text != ',') value = 10 * value + (*text - '0');
	}
	if (*text == '.') {
		for (text++; isdigit((unsigned char)*text); text++) value += (*text - '0') * (scale /= 10);
	}
	*out = value;
	return value <= 1e12;
}

void skip_tool_report_loop(struct skip_tool_report_part *part, const char *name, double ii)
{
	if (!(ii > part->ii) || ii > 1e6) return;
	part->ii = (int)ii;
	snprintf(part->loop, sizeof(part->loop), "%.*s", (int)sizeof(part->loop) - 1, name);
}

enum skip_status skip_tool_report_add(struct skip_tool_report *report, const char *name, size_t length, struct skip_tool_report_part **out, struct skip_err *err)
{
	if (!skip_grow((void **)&report->kernel, &report->capacity, report->n_kernels + 1, sizeof(*report->kernel))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a report of %zu kernels", report->n_kernels + 1);
	}
	struct skip_tool_report_part *part = &report->kernel[report->n_kernels++];
	memset(part, 0, sizeof(*part));
	if (length >= sizeof(part->name)) length = sizeof(part->name) - 1;
	memcpy(part->name, name, length);
	*out = part;
	return SKIP_OK;
}

/* Formats by what only they hold. */
enum skip_status skip_tool_report_parse(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err)
{
	const char *start = text + strspn(text, " \t\r\n");
	memset(out, 0, sizeof(*out));
	if (strlen(text) != size) return skip_err_at(err, SKIP_ERR_INPUT, NULL, 0, (int64_t)strlen(text), "a byte of zero in a report");
	if (*start == '<') return skip_tool_report_xml(text, size, out, err);
	if (*start == '{' || strstr(text, "areaJSON=") || strstr(text, "quartusJSON=")) return skip_tool_report_json(text, size, out, err);
	if (strstr(text, "Logic utilization:")) return skip_tool_report_quartus(text, out, err);
	if (*start == '+' || *start == '|' || strstr(text, "\n|")) return skip_tool_report_table(text, out, err);
	return skip_err_set(err, SKIP_ERR_INPUT,
			    "not a report that is read: csynth.xml, area.json, quartus.json, report_data.js, acl_quartus_report.txt, kernel_util_routed.rpt, report_utilization");
}

enum skip_status skip_tool_report_read(const char *path, struct skip_tool_report *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_buf text;
	memset(out, 0, sizeof(*out));
	skip_buf_init(&text);
	SKIP_TRY(skip_file_read(path, &text, err));
	status = skip_tool_report_parse(skip_buf_text(&text), text.length, out, err);
	if (status != SKIP_OK) skip_err_add_file(err, path);
cleanup:
	skip_buf_deinit(&text);
	return status;
}

void skip_tool_report_deinit(struct skip_tool_report *report)
{
	skip_free(report->kernel);
	memset(report, 0, sizeof(*report));
}

enum skip_status skip_tool_report_count(const struct skip_tool_report *report, const struct skip_board *board, enum skip_resource resource, double count, double *out,
				   struct skip_err *err)
{
	/* What one unit of a report is in units of boards. aoc counts the two look-up tables of an ALM each. */
	static const struct {
		const char *from, *to;
		double factor;
	} units[] = {{"alut", "alm", 0.5}, {"bram18", "bram36", 0.5}, {"bram36", "bram18", 2}};
	const char *from = resource == SKIP_RESOURCE_LOGIC ? report->logic : resource == SKIP_RESOURCE_BRAM ? report->block : board->unit[resource];
	const char *to = board->unit[resource];
	*out = count;
	if (count == 0 || (from && to && strcmp(from, to) == 0)) return SKIP_OK;
	for (size_t i = 0; from && to && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].from, from) != 0 || strcmp(units[i].to, to) != 0) continue;
		*out = count * units[i].factor;
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_INPUT, "%s counts %s, board %s has %s: a report of another chip", report->kind, from ? from : skip_resource_name(resource),
			    board->profile->id, to ? to : "none");
}
