/* csynth.xml of Vitis HLS: one kernel as its compiler expects it. */
#include "device/estimate/report.h"
#include "base/xml.h"
#include <stdio.h>
#include <string.h>

struct reading {
	struct skip_tool_report *report;
	struct skip_tool_report_part part;
	double period_ns;
	bool is_profile;
	int outermost; /* loops of the kernel that stand in no other */
};

static const char loops[] = "/SummaryOfLoopLatency/";

/* What stands below a loop of the kernel itself: "IterationLatency", or "IterationLatency/range/max" where it depends; NULL elsewhere and deeper. */
static const char *of_outermost(const char *path)
{
	static const char own[] = "/profile/PerformanceEstimates";
	if (strncmp(path, own, sizeof(own) - 1) != 0 || strncmp(path + sizeof(own) - 1, loops, sizeof(loops) - 1) != 0) return NULL;
	const char *name = path + sizeof(own) - 1 + sizeof(loops) - 1;
	return name + strcspn(name, "/");
}

/* Latencies are words ("undef", "?") where they depend on an argument, as those of a whole call do: rows are one. A round of the outermost loop does not. */
static void take_loop(struct reading *reading, const char *path, const char *text)
{
	static const char interval[] = "/PipelineII";
	const char *below = of_outermost(path), *loop = strstr(path, loops);
	const size_t length = strlen(path);
	double number;
	if (below && !*below) reading->outermost++;
	if (below && (strcmp(below, "/IterationLatency") == 0 || strcmp(below, "/IterationLatency/range/max") == 0) && skip_tool_report_number(text, &number)) reading->part.round = number;
	if (!loop || length < sizeof(interval) || strcmp(path + length - (sizeof(interval) - 1), interval) != 0 || !skip_tool_report_number(text, &number)) return;
	char name[SKIP_NAME];
	const size_t end = length - (sizeof(interval) - 1);
	size_t start = end;
	while (start > 0 && path[start - 1] != '/') start--;
	snprintf(name, sizeof(name), "%.*s", (int)(end - start < sizeof(name) ? end - start : sizeof(name) - 1), path + start);
	skip_tool_report_loop(&reading->part, name, number);
}

/* Ends of the paths that are read: the root is <profile>. */
static enum skip_status take(void *context, const char *path, const char *text, struct skip_err *err)
{
	static const struct {
		const char *path;
		enum skip_resource resource;
	} counts[] = { /* DSP48E: versions before 2020.2 */
		{"LUT", SKIP_RESOURCE_LOGIC},     {"FF", SKIP_RESOURCE_FF},     {"DSP", SKIP_RESOURCE_DSP},
		{"DSP48E", SKIP_RESOURCE_DSP},    {"BRAM_18K", SKIP_RESOURCE_BRAM}, {"URAM", SKIP_RESOURCE_URAM},
	};
	static const char resources[] = "/profile/AreaEstimates/Resources/";
	struct reading *reading = context;
	struct skip_tool_report *report = reading->report;
	if (strcmp(path, "/profile") == 0) reading->is_profile = true;
	if (strcmp(path, "/profile/ReportVersion/Version") == 0) snprintf(report->tool, sizeof(report->tool), "Vitis HLS %.30s", text);
	if (strcmp(path, "/profile/UserAssignments/Part") == 0) snprintf(report->part, sizeof(report->part), "%.60s", text);
	if (strcmp(path, "/profile/UserAssignments/TopModelName") == 0) snprintf(reading->part.name, sizeof(reading->part.name), "%s", text);
	if (strcmp(path, "/profile/PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod") == 0) {
		if (!skip_tool_report_number(text, &reading->period_ns)) return skip_err_set(err, SKIP_ERR_INPUT, "EstimatedClockPeriod: expected nanoseconds, found '%.40s'", text);
	}
	take_loop(reading, path, text);
	if (strncmp(path, resources, sizeof(resources) - 1) != 0) return SKIP_OK;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (strcmp(path + sizeof(resources) - 1, counts[i].path) != 0) continue;
		if (!skip_tool_report_number(text, &reading->part.used[counts[i].resource])) {
			return skip_err_set(err, SKIP_ERR_INPUT, "%s: expected a count, found '%.40s'", counts[i].path, text);
		}
		reading->part.known[counts[i].resource] = true;
	}
	return SKIP_OK;
}

enum skip_status skip_tool_report_xml(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err)
{
	struct reading reading = {.report = out};
	const struct skip_xml_reader reader = {NULL, take, &reading};
	struct skip_tool_report_part *part;
	out->kind = "csynth.xml";
	out->tier = SKIP_TIER_REPORT;
	out->logic = "lut";
	out->block = "bram18";
	enum skip_status status = skip_xml_walk(text, size, &reader, err);
	if (status != SKIP_OK) return status;
	if (!reading.is_profile) return skip_err_set(err, SKIP_ERR_INPUT, "the root is not <profile>: not a csynth.xml");
	if (!reading.part.name[0]) return skip_err_set(err, SKIP_ERR_INPUT, "no UserAssignments/TopModelName: of which kernel it is");
	if (!reading.part.known[SKIP_RESOURCE_LOGIC] || !reading.part.known[SKIP_RESOURCE_DSP]) {
		return skip_err_set(err, SKIP_ERR_INPUT, "no AreaEstimates/Resources with LUT and DSP");
	}
	if (reading.outermost != 1) reading.part.round = 0;
	if (reading.period_ns > 0) out->clock_mhz = 1000 / reading.period_ns;
	status = skip_tool_report_add(out, reading.part.name, strlen(reading.part.name), &part, err);
	if (status == SKIP_OK) *part = reading.part;
	return status;
}
