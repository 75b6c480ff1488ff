/*
 * Reports in tables: kernel_util_routed.rpt of v++, a row a kernel; report_utilization of Vivado, a row a resource; acl_quartus_report.txt of aoc, a line a
 * resource.
 */
#include "device/estimate/report.h"
#include <stdio.h>
#include <string.h>

#define CELLS 12

/* A line of a table, cut at its bars; cells keep the blanks before their text, which say how deep a row lies. */
struct row {
	const char *cell[CELLS];
	int length[CELLS];
	int n;
};

static bool cut(const char *line, size_t length, struct row *row)
{
	const char *end = line + length, *at = memchr(line, '|', length);
	row->n = 0;
	while (at && row->n < CELLS) {
		const char *next = memchr(at + 1, '|', (size_t)(end - at - 1));
		if (!next) break;
		const char *last = next;
		while (last > at + 1 && last[-1] == ' ') last--;
		row->cell[row->n] = at + 1;
		row->length[row->n++] = (int)(last - at - 1);
		at = next;
	}
	return row->n > 0;
}

/* Whether a cell holds `name`, but for blanks and a mark after it ("CLB LUTs*"). */
static bool is(const struct row *row, int cell, const char *name)
{
	if (cell >= row->n) return false;
	int skip = (int)strspn(row->cell[cell], " "), length = row->length[cell] - skip;
	if (length > 0 && row->cell[cell][row->length[cell] - 1] == '*') length--;
	return length == (int)strlen(name) && strncmp(row->cell[cell] + skip, name, (size_t)length) == 0;
}

struct column {
	const char *name;
	enum skip_resource resource;
};

/* ---- kernel_util_routed.rpt ---- */

static const struct column columns[] = {
	{"LUT", SKIP_RESOURCE_LOGIC}, {"REG", SKIP_RESOURCE_FF}, {"BRAM", SKIP_RESOURCE_BRAM}, {"URAM", SKIP_RESOURCE_URAM}, {"DSP", SKIP_RESOURCE_DSP},
};

static enum skip_status take_counts(const struct row *head, const struct row *row, int64_t line, struct skip_tool_report_part *out, struct skip_err *err)
{
	for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
		for (int cell = 1; cell < head->n; cell++) {
			if (!is(head, cell, columns[c].name)) continue;
			if (cell >= row->n || !skip_tool_report_number(row->cell[cell], &out->used[columns[c].resource])) {
				return skip_err_at(err, SKIP_ERR_INPUT, NULL, line, -1, "column %s: expected a count", columns[c].name);
			}
			out->known[columns[c].resource] = true;
		}
	}
	return SKIP_OK;
}

/* Rows of kernels start one blank after the bar; their compute units and the shares of the budget lie deeper. */
static enum skip_status take_kernel_row(struct skip_tool_report *out, const struct row *head, const struct row *row, int64_t line, struct skip_err *err)
{
	struct skip_tool_report_part *part;
	const int blanks = (int)strspn(row->cell[0], " ");
	enum skip_status status = SKIP_OK;
	if (is(row, 0, "Platform") || is(row, 0, "User Budget")) return SKIP_OK;
	if (is(row, 0, "Used Resources")) {
		out->has_total = true;
		return take_counts(head, row, line, &out->total, err);
	}
	if (blanks != 1 || row->length[0] <= blanks) return SKIP_OK;
	SKIP_TRY(skip_tool_report_add(out, row->cell[0] + blanks, (size_t)(row->length[0] - blanks), &part, err));
	status = take_counts(head, row, line, part, err);
cleanup:
	return status;
}

/* ---- report_utilization ---- */

static const struct column sites[] = {
	{"CLB LUTs", SKIP_RESOURCE_LOGIC}, {"Slice LUTs", SKIP_RESOURCE_LOGIC}, {"CLB Registers", SKIP_RESOURCE_FF}, {"Slice Registers", SKIP_RESOURCE_FF},
	{"Block RAM Tile", SKIP_RESOURCE_BRAM}, {"URAM", SKIP_RESOURCE_URAM}, {"DSPs", SKIP_RESOURCE_DSP}, {"DSP Slices", SKIP_RESOURCE_DSP},
};

static enum skip_status take_site_row(struct skip_tool_report *out, const struct row *row, int64_t line, struct skip_err *err)
{
	for (size_t s = 0; s < sizeof(sites) / sizeof(sites[0]); s++) {
		if (row->n < 2 || !is(row, 0, sites[s].name) || out->total.known[sites[s].resource]) continue;
		if (!skip_tool_report_number(row->cell[1], &out->total.used[sites[s].resource])) {
			return skip_err_at(err, SKIP_ERR_INPUT, NULL, line, -1, "%s: expected a count", sites[s].name);
		}
		out->total.known[sites[s].resource] = true;
	}
	return SKIP_OK;
}

/* "| Device       : xcu280-fsvh2892-2L-e" and its like, above the tables. */
static void take_heading(struct skip_tool_report *out, const char *line, size_t length)
{
	const struct {
		const char *key;
		char *out;
		size_t size;
	} texts[] = {{"| Tool Version : ", out->tool, sizeof(out->tool)}, {"| Device       : ", out->part, sizeof(out->part)}};
	for (size_t i = 0; i < 2; i++) {
		const size_t key = strlen(texts[i].key);
		if (length > key && strncmp(line, texts[i].key, key) == 0) snprintf(texts[i].out, texts[i].size, "%.*s", (int)(length - key), line + key);
	}
	if (strncmp(line, "| Design State : Routed", 23) == 0) out->tier = SKIP_TIER_ROUTED;
}

enum skip_status skip_tool_report_table(const char *text, struct skip_tool_report *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct row head = {.n = 0}, row;
	int64_t line = 1;
	out->kind = "report_utilization";
	out->tier = SKIP_TIER_REPORT;
	out->logic = "lut";
	out->block = "bram36";
	for (; *text; line++) {
		const size_t length = strcspn(text, "\n");
		take_heading(out, text, length);
		if (cut(text, length, &row)) {
			if (is(&row, 0, "Name") && is(&row, 1, "LUT"))
				head = row;
			else if (head.n)
				SKIP_TRY(take_kernel_row(out, &head, &row, line, err));
			else
				SKIP_TRY(take_site_row(out, &row, line, err));
		}
		text += length + (text[length] == '\n');
	}
	if (head.n) {
		out->kind = "kernel_util_routed.rpt";
		out->tier = SKIP_TIER_ROUTED;
		snprintf(out->tool, sizeof(out->tool), "v++");
	} else {
		out->has_total = out->whole_chip = true;
	}
	if (!out->has_total || !out->total.known[SKIP_RESOURCE_LOGIC] || !out->total.known[SKIP_RESOURCE_DSP]) {
		status = skip_err_at(err, SKIP_ERR_INPUT, NULL, line - 1, -1, "the table ends without %s", head.n ? "its row \"Used Resources\"" : "rows for LUTs and DSPs");
	}
cleanup:
	return status;
}

/* ---- acl_quartus_report.txt ---- */

enum skip_status skip_tool_report_quartus(const char *text, struct skip_tool_report *out, struct skip_err *err)
{
	static const struct column lines[] = {
		{"Logic utilization: ", SKIP_RESOURCE_LOGIC}, {"Registers: ", SKIP_RESOURCE_FF}, {"DSP blocks: ", SKIP_RESOURCE_DSP}, {"RAM blocks: ", SKIP_RESOURCE_BRAM},
	};
	static const char clock[] = "Actual clock freq: ";
	out->kind = "acl_quartus_report.txt";
	out->tier = SKIP_TIER_ROUTED;
	out->logic = "alm";
	out->block = "m20k";
	out->has_total = out->whole_chip = true;
	snprintf(out->tool, sizeof(out->tool), "Quartus");
	for (int64_t line = 1; *text; line++) {
		const size_t length = strcspn(text, "\n");
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			const size_t key = strlen(lines[i].name);
			if (strncmp(text, lines[i].name, key) != 0) continue;
			if (!skip_tool_report_number(text + key, &out->total.used[lines[i].resource])) {
				return skip_err_at(err, SKIP_ERR_INPUT, NULL, line, -1, "%s expected a count", lines[i].name);
			}
			out->total.known[lines[i].resource] = true;
			const char *slash = memchr(text, '/', length);
			if (lines[i].resource == SKIP_RESOURCE_LOGIC && slash && !skip_tool_report_number(slash + 1, &out->chip_logic)) out->chip_logic = 0;
		}
		if (strncmp(text, clock, sizeof(clock) - 1) == 0 && !skip_tool_report_number(text + sizeof(clock) - 1, &out->clock_mhz)) {
			return skip_err_at(err, SKIP_ERR_INPUT, NULL, line, -1, "%s expected MHz", clock);
		}
		text += length + (text[length] == '\n');
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!out->total.known[lines[i].resource]) return skip_err_set(err, SKIP_ERR_INPUT, "no line \"%s\"", lines[i].name);
	}
	return SKIP_OK;
}
