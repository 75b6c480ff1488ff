/*
 * What vendors' tools say of built kernels: report files, read for the counts and the clock that stand in the place of an estimate's own (estimate.h). Nothing
 * here runs a tool. Formats and what is taken of each: docs/boards.md.
 */
#ifndef SKIP_DEVICE_ESTIMATE_REPORT_H
#define SKIP_DEVICE_ESTIMATE_REPORT_H

#include "device/profile/board.h"

/* Where a number comes from; a later one replaces an earlier one. */
enum skip_tier {
	SKIP_TIER_FORMULA, /* computed */
	SKIP_TIER_REPORT,  /* a compiler's own estimate */
	SKIP_TIER_ROUTED,  /* counted after placing and routing */
	SKIP_TIER_COUNT
};
const char *skip_tier_name(enum skip_tier tier); /* "formula", "report", "routed" */

struct skip_tool_report_part {
	char name[SKIP_NAME + 32];
	double used[SKIP_RESOURCE_COUNT]; /* in units of the report */
	bool known[SKIP_RESOURCE_COUNT];
	double round;        /* cycles of one round of the outermost loop; 0: the file does not say, or there is not one such loop */
	int ii;              /* largest initiation interval of its pipelined loops, 0: the file does not say */
	char loop[SKIP_NAME]; /* that loop */
};

struct skip_tool_report {
	const char *kind; /* the file's usual name: "csynth.xml" */
	enum skip_tier tier;
	char tool[48]; /* program and version, "" where the file does not say */
	char part[64]; /* the chip, "" where the file does not say */
	const char *logic, *block; /* units: "lut", "alm", "alut"; "bram18", "bram36", "m20k" */
	bool whole_chip; /* `total` may hold the shell's share */
	bool has_total;
	struct skip_tool_report_part total;
	double chip_logic; /* logic the chip has, 0 where the file does not say */
	struct skip_tool_report_part *kernel;
	size_t n_kernels, capacity;
	double clock_mhz; /* of the kernels, 0 where the file does not say */
};

/*
 * Reads csynth.xml of Vitis HLS, area.json / quartus.json / report_data.js of aoc, acl_quartus_report.txt, kernel_util_routed.rpt of v++ or Vivado's
 * report_utilization, told by its content. SKIP_ERR_INPUT names file and line: no such report, a damaged one, a count that is none. The caller deinits *out,
 * also after a failure.
 */
enum skip_status skip_tool_report_read(const char *path, struct skip_tool_report *out, struct skip_err *err);
/* The same of bytes that end with a NUL after them; errors name no file. */
enum skip_status skip_tool_report_parse(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err);
void skip_tool_report_deinit(struct skip_tool_report *report);
/* A count in the units of `board`. SKIP_ERR_INPUT: its chip counts another way. */
enum skip_status skip_tool_report_count(const struct skip_tool_report *report, const struct skip_board *board, enum skip_resource resource, double count, double *out,
				   struct skip_err *err);

/* For the readers of the formats (report_*.c). */
enum skip_status skip_tool_report_xml(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err);
enum skip_status skip_tool_report_json(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err);
enum skip_status skip_tool_report_table(const char *text, struct skip_tool_report *out, struct skip_err *err);
enum skip_status skip_tool_report_quartus(const char *text, struct skip_tool_report *out, struct skip_err *err);
/* A number with its thousands parted by commas, at the start of `text` after blanks; false where none stands there. */
bool skip_tool_report_number(const char *text, double *out);
/* Takes `ii` of a loop into account. */
void skip_tool_report_loop(struct skip_tool_report_part *part, const char *name, double ii);
/* Appends a kernel, zeroed but for its name (cut to what fits). */
enum skip_status skip_tool_report_add(struct skip_tool_report *report, const char *name, size_t length, struct skip_tool_report_part **out, struct skip_err *err);

#endif
