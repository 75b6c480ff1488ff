/*
 * Reports of tools: every format with the smallest file that has its fields, damaged ones, and estimates that take their counts and clock. The files are written
 * here in the documented formats; none was made by a tool.
 */
#include "../graph/toy_graph.h"
#include "base/alloc.h"
#include "device/estimate/estimate.h"
#include "device/session.h"
#include "graph/pass.h"
#include <stdio.h>
#include <string.h>

/* ---- formats ---- */

#define CSYNTH(part, top, counts) \
	"<?xml version=\"1.0\"?>\n<profile>\n<ReportVersion><Version>2022.2</Version></ReportVersion>\n<UserAssignments><Part>" part "</Part><TopModelName>" top \
	"</TopModelName></UserAssignments>\n<PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>2.5</EstimatedClockPeriod></SummaryOfTimingAnalysis>" \
	"</PerformanceEstimates>\n<AreaEstimates><Resources>" counts "</Resources><AvailableResources><LUT>9</LUT></AvailableResources></AreaEstimates>\n</profile>\n"

#define CSYNTH_LOOPS(top, loops, modules) \
	"<profile><ReportVersion><Version>2023.2</Version></ReportVersion><UserAssignments><Part>xcu280-fsvh2892-2L-e</Part><TopModelName>" top "</TopModelName></UserAssignments>" \
	"<PerformanceEstimates><SummaryOfOverallLatency><Best-caseLatency>undef</Best-caseLatency><Worst-caseLatency>undef</Worst-caseLatency><Interval-min>undef</Interval-min>" \
	"<Interval-max>undef</Interval-max></SummaryOfOverallLatency><SummaryOfLoopLatency>" loops "</SummaryOfLoopLatency></PerformanceEstimates>" \
	"<AreaEstimates><Resources><LUT>9000</LUT><DSP>64</DSP></Resources></AreaEstimates><ModuleInformation>" modules "</ModuleInformation></profile>"
#define LOOP(name, inside) "<" name "><Name>" name "</Name><TripCount>undef</TripCount><Latency>undef</Latency>" inside "</" name ">"
#define ROUND(cycles) "<IterationLatency>" cycles "</IterationLatency>"
#define INTERVAL(cycles) "<PipelineII>" cycles "</PipelineII><PipelineDepth>7</PipelineDepth>"

#define LOOPS_JS(loops) "var loopsJSON={\"columns\":[\"\",\"Pipelined\",\"II\",\"Bottleneck\"],\"children\":[" loops "]};\nvar areaJSON=" AREA_NEW ";\n"
#define ROW(name, pipelined, ii, inside) "{\"name\":\"" name "\",\"data\":[\"" pipelined "\",\"" ii "\",\"n/a\"],\"children\":[" inside "]}"

#define KERNEL_UTIL(rows) \
	"+---+\n| Name             | LUT              | LUTAsMem         | REG   | BRAM          | URAM | DSP |\n+---+\n" \
	"| Platform         | 192064 [ 16.25%] |  17282 [  2.92%] | 26844 |  314 [14.54%] |  20  |  10 |\n| User Budget      | 990176 [100.00%] | 574558 | 209 | 1846 | 940 | 6830 |\n" rows "+---+\n"
#define USED "|    Used Resources | 69389 [ 7.01%] | 7136 | 91572 | 87 | 10 | 414 |\n|    Unused Resources | 1 | 1 | 1 | 1 | 1 | 1 |\n"

#define VIVADO(state, rows) \
	"| Tool Version : Vivado v.2022.2\n| Device       : xcu280-fsvh2892-2L-e\n| Design State : " state "\n\n+--+\n| Site Type | Used | Fixed | Available | Util% |\n+--+\n" rows

#define QUARTUS \
	"ALUTs: 1\nRegisters: 655,360\nLogic utilization: 275,754 / 933,120 ( 30 % )\nI/O pins: 1 / 2\nDSP blocks: 3,398 / 5,760 ( 59 % )\nMemory bits: 1\n" \
	"RAM blocks: 8,336 / 11,721 ( 71 % )\nActual clock freq: 273.5\nKernel fmax: 300\n"

#define AREA_OLD \
	"{\"columns\":[\"ALUTs\",\"FFs\",\"RAMs\",\"DSPs\"],\"total\":[31211,53185,191,19],\"name\":\"Kernel System\",\"max_resources\":[109572,219144,514,112]," \
	"\"functions\":[{\"name\":\"k\",\"total_kernel_resources\":[100,200,3,4]}]}"
#define AREA_NEW \
	"{\"columns\":[\"\",\"ALUTs\",\"FFs\",\"RAMs\",\"DSPs\",\"MLABs\",\"Details\"],\"total\":[31211,53185,191,19,5]," \
	"\"children\":[{\"name\":\"Global interconnect\",\"data\":[1,1,1,1,1]},{\"name\":\"Kernel k\",\"data\":[100,200,3,4,5]},{\"name\":\"heading\"}]}"
#define FITTED \
	"{\"quartusFitClockSummary\":{\"nodes\":[{\"name\":\"Quartus Fit Clock Summary\",\"kernel clock\":\"270.5\"}]},\"quartusFitResourceUsageSummary\":{\"nodes\":[" \
	"{\"name\":\"Static\",\"type\":\"partition\",\"alm\":\"9\",\"reg\":\"9\",\"dsp\":\"9\",\"ram\":\"9\"},{\"name\":\"Quartus Fitter: Kernel System\",\"type\":\"system\"," \
	"\"alm\":\"275754.5\",\"reg\":\"1\",\"dsp\":\"3398\",\"ram\":\"8336\"}]}}"

struct good {
	const char *name, *text, *kind;
	enum skip_tier tier;
	const char *tool, *logic, *block;
	double used[4], clock; /* logic, dsp, bram, uram: of the total, else of the kernel `kernel` */
	const char *kernel;
};

static const struct good goods[] = {
	{"csynth.xml", CSYNTH("xcu280-fsvh2892-2L-e", "k", "<BRAM_18K>6</BRAM_18K><DSP>64</DSP><FF>7</FF><LUT>9000</LUT><URAM>2</URAM>"), "csynth.xml", SKIP_TIER_REPORT, "Vitis HLS 2022.2", "lut",
	 "bram18", {9000, 64, 6, 2}, 400, "k"},
	{"csynth.xml of an older version", CSYNTH("xcu280", "k", "<BRAM_18K>6</BRAM_18K><DSP48E>64</DSP48E><LUT>9000</LUT>"), "csynth.xml", SKIP_TIER_REPORT, "Vitis HLS 2022.2", "lut", "bram18",
	 {9000, 64, 6, 0}, 400, "k"},
	{"kernel_util_routed.rpt", KERNEL_UTIL(USED "| k | 16065 [ 1.62%] | 2520 | 22841 | 15 | 0 | 4 |\n|    k_1 | 7 | 7 | 7 | 7 | 7 | 7 |\n"), "kernel_util_routed.rpt", SKIP_TIER_ROUTED, "v++",
	 "lut", "bram36", {16065, 4, 15, 0}, 0, "k"},
	{"its total", KERNEL_UTIL(USED), "kernel_util_routed.rpt", SKIP_TIER_ROUTED, "v++", "lut", "bram36", {69389, 414, 87, 10}, 0, NULL},
	{"report_utilization, routed", VIVADO("Routed", "| CLB LUTs*     | 43043 | 0 | 0 | 1303680 | 3.3 |\n| CLB Registers | 1 | 0 | 0 | 2 | 3 |\n| Block RAM Tile | 139.5 | 0 | 0 | 2016 | 6 |\n"
					      "| URAM | 7 | 0 | 0 | 960 | 1 |\n| DSPs | 58 | 0 | 0 | 9024 | 1 |\n"),
	 "report_utilization", SKIP_TIER_ROUTED, "Vivado v.2022.2", "lut", "bram36", {43043, 58, 139.5, 7}, 0, NULL},
	{"report_utilization, synthesized", VIVADO("Synthesized", "| Slice LUTs | 5 | 0 | 1 | 1 |\n| DSPs | 6 | 0 | 1 | 1 |\n"), "report_utilization", SKIP_TIER_REPORT, "Vivado v.2022.2", "lut",
	 "bram36", {5, 6, 0, 0}, 0, NULL},
	{"acl_quartus_report.txt", QUARTUS, "acl_quartus_report.txt", SKIP_TIER_ROUTED, "Quartus", "alm", "m20k", {275754, 3398, 8336, 0}, 273.5, NULL},
	{"area.json", AREA_NEW, "area.json", SKIP_TIER_REPORT, "aoc", "alut", "m20k", {100, 4, 3, 0}, 0, "k"},
	{"area.json of an older version", AREA_OLD, "area.json", SKIP_TIER_REPORT, "aoc", "alut", "m20k", {100, 4, 3, 0}, 0, "k"},
	{"quartus.json", FITTED, "quartus.json", SKIP_TIER_ROUTED, "Quartus", "alm", "m20k", {275754.5, 3398, 8336, 0}, 270.5, NULL},
	{"report_data.js before the fitter", "var loopsJSON={\"a\":1};\nvar areaJSON=" AREA_NEW ";\nvar quartusJSON={\"quartusFitClockSummary\":{\"nodes\":[{\"clock\":\"TBD\"}]}};\n", "area.json",
	 SKIP_TIER_REPORT, "aoc", "alut", "m20k", {100, 4, 3, 0}, 0, "k"},
	{"report_data.js after it", "var areaJSON=" AREA_NEW ";\nvar quartusJSON=" FITTED ";\n", "quartus.json", SKIP_TIER_ROUTED, "Quartus", "alm", "m20k", {275754.5, 3398, 8336, 0}, 270.5, NULL},
};

ParameterizedTestParameters(report, reads) { return check_rows(sizeof(goods) / sizeof(goods[0])); }
ParameterizedTest(size_t *row, report, reads)
{
	const struct good *c = &goods[*row];
	static const enum skip_resource of[] = {SKIP_RESOURCE_LOGIC, SKIP_RESOURCE_DSP, SKIP_RESOURCE_BRAM, SKIP_RESOURCE_URAM};
	struct skip_err err;
	struct skip_tool_report report;
	const struct skip_tool_report_part *part = &report.total;
	CHECK_OK(skip_tool_report_parse(c->text, strlen(c->text), &report, &err));
	for (size_t k = 0; c->kernel && k < report.n_kernels; k++) {
		if (strcmp(report.kernel[k].name, c->kernel) == 0) part = &report.kernel[k];
	}
	cr_expect(strcmp(report.kind, c->kind) == 0 && report.tier == c->tier, "%s: %s, %s", c->name, report.kind, skip_tier_name(report.tier));
	cr_expect(strcmp(report.tool, c->tool) == 0 && strcmp(report.logic, c->logic) == 0 && strcmp(report.block, c->block) == 0, "%s: %s %s %s", c->name, report.tool, report.logic, report.block);
	cr_expect(fabs(report.clock_mhz - c->clock) < 1e-9, "%s: %g MHz", c->name, report.clock_mhz);
	cr_assert(c->kernel == NULL || part != &report.total, "%s: no kernel %s", c->name, c->kernel);
	for (int i = 0; i < 4; i++) cr_expect(fabs(part->used[of[i]] - c->used[i]) < 1e-9, "%s: %s is %g", c->name, skip_resource_name(of[i]), part->used[of[i]]);
	skip_tool_report_deinit(&report);
}

/* ---- loops ---- */

struct looped {
	const char *name, *text;
	double round;
	int ii;
	const char *loop;
};

static const struct looped looped[] = {
	{"one outermost loop", CSYNTH_LOOPS("k", LOOP("L1", ROUND("1234") LOOP("L2", ROUND("9") INTERVAL("1")) LOOP("L3", INTERVAL("2"))), ""), 1234, 2, "L3"},
	{"a round that depends", CSYNTH_LOOPS("k", LOOP("L1", ROUND("<range><min>10</min><max>20</max></range>")), ""), 20, 0, ""},
	{"a round that is not known", CSYNTH_LOOPS("k", LOOP("L1", ROUND("undef") LOOP("L2", ROUND("9") INTERVAL("undef"))), ""), 0, 0, ""},
	{"a mark for a number", CSYNTH_LOOPS("k", LOOP("L1", ROUND("?") INTERVAL("?")), ""), 0, 0, ""},
	{"two outermost loops", CSYNTH_LOOPS("k", LOOP("L1", ROUND("7")) LOOP("L2", ROUND("8") INTERVAL("3")), ""), 0, 3, "L2"},
	{"no loop", CSYNTH_LOOPS("k", "", ""), 0, 0, ""},
	{"a loop in a module of its own",
	 CSYNTH_LOOPS("k", LOOP("L1", ROUND("50")), "<Module><Name>k_Pipeline_L4</Name><PerformanceEstimates><SummaryOfLoopLatency>" LOOP("L4", ROUND("3") INTERVAL("4")) "</SummaryOfLoopLatency>"
							    "</PerformanceEstimates></Module>"),
	 50, 4, "L4"},
	{"an interval beyond reason", CSYNTH_LOOPS("k", LOOP("L1", INTERVAL("99999999999")), ""), 0, 0, ""},
	{"loops of aoc", LOOPS_JS(ROW("Kernel: k (kernels.cl:12)", "", "", ROW("k.B1", "Yes", ">=1", ROW("k.B2", "Yes", "~4", "") "," ROW("k.B3", "Yes", "1", "")))), 0, 4, "k.B2"},
	{"of an older version", LOOPS_JS(ROW("k", "", "", ROW("Block1", "Yes", "2", ""))), 0, 2, "Block1"},
	{"of another kernel", LOOPS_JS(ROW("Kernel k2", "", "", ROW("B", "Yes", "9", ""))), 0, 0, ""},
	{"that are not pipelined", LOOPS_JS(ROW("Kernel k", "", "", ROW("B", "No", "n/a", "") "," ROW("C", "Yes", "n/a", "") "," ROW("D", "n/a", "3", ""))), 0, 0, ""},
	{"rows that are none", LOOPS_JS("1,{\"name\":2},{\"name\":\"Kernel k\",\"children\":[3,{\"data\":4},{\"data\":[\"Yes\"]},{\"data\":[\"Yes\",5]}]}"), 0, 5, ""},
};

ParameterizedTestParameters(report, says_how_loops_run) { return check_rows(sizeof(looped) / sizeof(looped[0])); }
ParameterizedTest(size_t *row, report, says_how_loops_run)
{
	const struct looped *c = &looped[*row];
	struct skip_err err;
	struct skip_tool_report report;
	const struct skip_tool_report_part *part = NULL;
	CHECK_OK(skip_tool_report_parse(c->text, strlen(c->text), &report, &err));
	for (size_t k = 0; k < report.n_kernels; k++) part = strcmp(report.kernel[k].name, "k") == 0 ? &report.kernel[k] : part;
	cr_assert(part != NULL, "%s", c->name);
	cr_expect(part->round == c->round && part->ii == c->ii && strcmp(part->loop, c->loop) == 0, "%s: %g cycles, interval %d of '%s'", c->name, part->round, part->ii, part->loop);
	skip_tool_report_deinit(&report);
}

struct bad {
	const char *name, *text, *says;
	int64_t line;
};

static const struct bad bads[] = {
	{"empty", "", "not a report that is read", 0},
	{"prose", "All is well.\n", "not a report that is read", 0},
	{"another XML", "<root><kernel/></root>", "the root is not <profile>", 0},
	{"cut XML", "<profile>\n<AreaEstimates>", "not XML", 2},
	{"no kernel", CSYNTH("x", "", "<LUT>1</LUT><DSP>1</DSP>"), "TopModelName", 0},
	{"no counts", CSYNTH("x", "k", ""), "no AreaEstimates/Resources", 0},
	{"a word for a count", CSYNTH("x", "k", "<LUT>many</LUT><DSP>1</DSP>"), "LUT: expected a count, found 'many'", 0},
	{"a negative count", CSYNTH("x", "k", "<LUT>-1</LUT><DSP>1</DSP>"), "LUT: expected a count, found '-1'", 0},
	{"a document type", "<!DOCTYPE profile><profile/>", "document type", 1},
	{"a table without its total", KERNEL_UTIL("| k | 1 | 1 | 1 | 1 | 1 | 1 |\n"), "without its row \"Used Resources\"", 7},
	{"a row without a count", KERNEL_UTIL("|    Used Resources | x | 1 | 1 | 1 | 1 | 1 |\n"), "column LUT: expected a count", 6},
	{"a short row", KERNEL_UTIL("|    Used Resources | 1 |\n"), "expected a count", 6},
	{"no rows", VIVADO("Routed", "| Nothing | 1 |\n"), "without rows for LUTs and DSPs", 8},
	{"a site without a count", VIVADO("Routed", "| CLB LUTs | | 1 |\n"), "CLB LUTs: expected a count", 8},
	{"a line without a count", "Logic utilization: none / 2\n", "expected a count", 1},
	{"lines missing", "ALUTs: 1\nLogic utilization: 1 / 2\n", "no line \"Registers: \"", 0},
	{"a clock that is none", QUARTUS "Actual clock freq: unknown\n", "expected MHz", 10},
	{"cut JSON", "{\"columns\":[", "not JSON", 1},
	{"another JSON", "{\"a\":1}", "neither area.json", 0},
	{"a row too short", "{\"columns\":[\"\",\"ALUTs\",\"DSPs\"],\"total\":[1]}", "\"DSPs\": expected a count", 0},
	{"columns of numbers", "{\"columns\":[1],\"total\":[1]}", "\"columns\": expected names", 0},
	{"columns of others", "{\"columns\":[\"A\"],\"total\":[1]}", "do not name ALUTs and DSPs", 0},
	{"no total", "{\"columns\":[\"ALUTs\"]}", "\"total\" is missing", 0},
	{"not fitted", "{\"quartusFitResourceUsageSummary\":{\"nodes\":[{\"name\":\"a\",\"alm\":\"TBD\"}]}}", "\"alm\": expected a count, found TBD", 0},
	{"no nodes", "{\"quartusFitResourceUsageSummary\":{\"nodes\":[]}}", "\"alm\": expected a count, found none", 0},
	{"a script cut short", "var areaJSON={\"columns\":", "not JSON", 1},
	{"loops cut short", "var areaJSON=" AREA_NEW ";\nvar loopsJSON={\"children\":[", "not JSON", 1},
};

ParameterizedTestParameters(report, refuses) { return check_rows(sizeof(bads) / sizeof(bads[0])); }
ParameterizedTest(size_t *row, report, refuses)
{
	const struct bad *c = &bads[*row];
	struct skip_err err;
	struct skip_tool_report report;
	CHECK_FAILS(skip_tool_report_parse(c->text, strlen(c->text), &report, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, c->says) != NULL && err.line == c->line, "%s: line %lld: %s", c->name, (long long)err.line, err.message);
	skip_tool_report_deinit(&report);
}

Test(report, refuses_bytes_of_zero_and_files_that_are_not_there)
{
	struct skip_err err;
	struct skip_tool_report report;
	CHECK_FAILS(skip_tool_report_parse("ALUTs\0x", 7, &report, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "byte of zero") && err.offset == 5);
	CHECK_FAILS(skip_tool_report_read("/nowhere/csynth.xml", &report, &err), SKIP_ERR_IO);
	skip_tool_report_deinit(&report);
}

/* A prefix of any length is read or refused. */
Test(report, survives_being_cut_anywhere)
{
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		for (size_t n = 0; n < strlen(goods[i].text); n++) {
			struct skip_tool_report report;
			char *copy = skip_alloc_zeroed(n + 1, 1);
			memcpy(copy, goods[i].text, n);
			(void)skip_tool_report_parse(copy, n, &report, NULL);
			skip_tool_report_deinit(&report);
			skip_free(copy);
		}
	}
}

Test(report, every_allocation_may_fail)
{
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		enum skip_status status = SKIP_ERR_NOMEM;
		for (size_t n = 1; status != SKIP_OK && n < 2000; n++) {
			struct skip_err err;
			struct skip_tool_report report;
			skip_err_init(&err);
			skip_alloc_fail_at(n);
			status = skip_tool_report_parse(goods[i].text, strlen(goods[i].text), &report, &err);
			skip_alloc_fail_at(0);
			cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "%s, allocation %zu: %s", goods[i].name, n, err.message);
			skip_tool_report_deinit(&report);
		}
		cr_expect(status == SKIP_OK);
	}
}

/* ---- estimates ---- */

struct scene {
	struct skip_profiles *profiles;
	struct skip_board board;
	struct skip_graph *graph;
	struct skip_plan *plan;
};

static void begin(struct scene *s, const char *id)
{
	struct skip_err err;
	static const char *const combine[] = {"ffn", NULL};
	struct toy_options options = toy_defaults();
	int value;
	memset(s, 0, sizeof(*s));
	options.dtype = SKIP_F32;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_profiles_load(NULL, &s->profiles, &err));
	CHECK_OK(skip_board_read(skip_profiles_find(s->profiles, id), &s->board, &err));
	CHECK_OK(skip_pass_inference(graph, "logits", combine, &s->graph, &value, &err));
	CHECK_OK(skip_lower(s->graph, s->board.profile, &value, 1, &s->plan, &err));
	skip_graph_destroy(graph);
}

static void end(struct scene *s)
{
	skip_plan_destroy(s->plan);
	skip_graph_destroy(s->graph);
	skip_profiles_destroy(s->profiles);
}

static enum skip_status estimate(const struct scene *s, const char *const *text, size_t n, double clock, struct skip_estimate *out, struct skip_err *problem)
{
	struct skip_err err;
	struct skip_tool_report report[2];
	const struct skip_estimate_reports given = {s->plan, report, n};
	for (size_t i = 0; i < n; i++) CHECK_OK(skip_tool_report_parse(text[i], strlen(text[i]), &report[i], &err));
	enum skip_status status = skip_estimate_run_reported(s->graph, &s->board, s->board.profile, (struct skip_workload){1, 8}, clock, n ? &given : NULL, out, problem);
	for (size_t i = 0; i < n; i++) skip_tool_report_deinit(&report[i]);
	return status;
}

/* The first kernel of the plan with this in its name. */
static const char *kernel_called(const struct scene *s, const char *part)
{
	for (size_t k = 0; k < s->plan->n_kernels; k++) {
		if (strstr(s->plan->kernels[k].name, part)) return s->plan->kernels[k].name;
	}
	cr_assert(part == NULL, "no kernel %s", part);
	return NULL;
}

/* The U280 by formulas, and with a compiler's report on a linear kernel, whose name stands in its place (%s). */
static void estimate_linear(struct scene *s, const char *report, double mhz, struct skip_estimate *before, struct skip_estimate *after)
{
	struct skip_err err;
	struct skip_buf text;
	const char *name = strstr(report, "%s");
	skip_buf_init(&text);
	begin(s, "u280");
	cr_assert(name != NULL);
	skip_buf_append(&text, report, (size_t)(name - report));
	skip_buf_puts(&text, kernel_called(s, "linear_"));
	skip_buf_puts(&text, name + 2);
	const char *const list[] = {skip_buf_text(&text)};
	CHECK_OK(estimate(s, NULL, 0, mhz, before, &err));
	CHECK_OK(estimate(s, list, 1, mhz, after, &err));
	skip_buf_deinit(&text);
}

Test(calibration, one_kernel_by_its_compiler)
{
	struct scene s;
	struct skip_estimate before, after;
	estimate_linear(&s, CSYNTH("xcu280-fsvh2892-2L-e", "%s", "<BRAM_18K>6</BRAM_18K><DSP>64</DSP><LUT>9000</LUT>"), 0, &before, &after);
	cr_expect(before.tier == SKIP_TIER_FORMULA && before.n_calibrations == 0);
	int reported = 0, corrected = 0;
	double sum = 0;
	for (size_t k = 0; k < after.n_kernels; k++) {
		const struct skip_estimate_kernel *kernel = &after.kernel[k];
		const bool linear = strncmp(kernel->engine.name, "linear_", 7) == 0;
		if (kernel->tier == SKIP_TIER_REPORT) cr_expect(linear && kernel->used[SKIP_RESOURCE_DSP] == 64 && kernel->used[SKIP_RESOURCE_LOGIC] == 9000 && kernel->used[SKIP_RESOURCE_BRAM] == 6);
		if (kernel->tier == SKIP_TIER_FORMULA) cr_expect(kernel->calibrated == linear, "%s", kernel->engine.name);
		if (!linear) cr_expect(kernel->used[SKIP_RESOURCE_DSP] == before.kernel[k].used[SKIP_RESOURCE_DSP]);
		cr_expect(kernel->formula[SKIP_RESOURCE_DSP] == before.kernel[k].used[SKIP_RESOURCE_DSP], "what the formula said is kept");
		reported += kernel->tier == SKIP_TIER_REPORT;
		corrected += kernel->calibrated;
		sum += kernel->used[SKIP_RESOURCE_DSP];
	}
	cr_expect(reported == 1 && corrected > 0, "%d reported, %d corrected", reported, corrected);
	cr_expect(fabs(sum - after.used[SKIP_RESOURCE_DSP]) < 1e-9 && after.tier == SKIP_TIER_FORMULA, "a whole is no better than its worst part");
	cr_expect(after.routed_mhz == 0 && !after.clock_given, "a compiler's clock is not the routed one");
	const struct skip_calibration *c = after.calibration;
	cr_assert(after.n_calibrations >= 2, "%d corrections", after.n_calibrations);
	cr_expect(strcmp(c->family, "linear") == 0 && c->resource == SKIP_RESOURCE_LOGIC && c->reported == 9000 && fabs(c->factor - 9000 / c->formula) < 1e-12 && c->tier == SKIP_TIER_REPORT);
	skip_estimate_deinit(&before);
	skip_estimate_deinit(&after);
	end(&s);
}

/* Cycles of a round times the rounds, beside what the formula said; engines of the family without a report are corrected alike, and time follows. */
Test(calibration, cycles_by_a_compiler)
{
	struct scene s;
	struct skip_estimate before, after;
	estimate_linear(&s, CSYNTH_LOOPS("%s", LOOP("L1", ROUND("50000") LOOP("L2", INTERVAL("3"))), ""), 300, &before, &after);
	const struct skip_calibration *cycles = NULL;
	for (int i = 0; i < after.n_calibrations; i++) cycles = after.calibration[i].resource == SKIP_RESOURCE_COUNT ? &after.calibration[i] : cycles;
	cr_assert(cycles != NULL && strcmp(cycles->family, "linear") == 0 && cycles->tier == SKIP_TIER_REPORT);
	cr_expect_str_eq(skip_calibration_unit(&after, cycles), "cycles");
	int reported = 0, corrected = 0;
	double more = 0;
	for (size_t k = 0; k < after.n_kernels; k++) {
		const struct skip_estimate_kernel *kernel = &after.kernel[k], *was = &before.kernel[k];
		const bool linear = strncmp(kernel->engine.name, "linear_", 7) == 0;
		cr_expect(kernel->cycles_formula == was->cycles && was->cycles_formula == 0, "what the formula said is kept");
		cr_expect(kernel->rounds > 0, "%s has no outermost loop", kernel->engine.name);
		if (kernel->cycles_tier == SKIP_TIER_REPORT) {
			/* 8 tokens are one tile. */
			cr_expect(linear && kernel->cycles == 50000 * kernel->nodes && kernel->rounds == kernel->nodes && kernel->ii == 3, "%s: %g", kernel->engine.name, kernel->cycles);
			cr_expect_str_eq(kernel->loop, "L2");
			cr_expect(fabs(cycles->factor - kernel->cycles / was->cycles) < 1e-9 * cycles->factor);
		} else {
			cr_expect(kernel->cycles_calibrated == linear && kernel->ii == 0);
			cr_expect(fabs(kernel->cycles - was->cycles * (linear ? cycles->factor : 1)) < 1e-6 * kernel->cycles);
		}
		reported += kernel->cycles_tier == SKIP_TIER_REPORT;
		corrected += kernel->cycles_calibrated;
		more += kernel->compute_seconds - was->compute_seconds;
	}
	cr_expect(reported == 1 && corrected > 0, "%d reported, %d corrected", reported, corrected);
	cr_expect(cycles->factor > 2 && more > 0 && fabs(after.compute_seconds - before.compute_seconds - more) < 1e-9 && after.seconds > before.seconds);
	skip_estimate_deinit(&before);
	skip_estimate_deinit(&after);
	end(&s);
}

/* Of stages that run side by side none says what the whole takes; their intervals are said. */
Test(calibration, stages_say_nothing_of_the_whole)
{
	struct skip_err err;
	struct scene s;
	struct skip_estimate e;
	struct skip_buf text;
	const char *list[1];
	int stages = 0;
	begin(&s, "p520n");
	skip_buf_init(&text);
	skip_buf_puts(&text, "var areaJSON={\"columns\":[\"ALUTs\",\"DSPs\"],\"total\":[1,1],\"functions\":[");
	for (size_t k = 0; k < s.plan->n_kernels; k++) skip_buf_printf(&text, "%s{\"name\":\"%s\",\"data\":[1,1]}", k ? "," : "", s.plan->kernels[k].name);
	skip_buf_puts(&text, "]};\nvar loopsJSON={\"children\":[");
	for (size_t k = 0; k < s.plan->n_kernels; k++) {
		const bool second = strstr(s.plan->kernels[k].name, "_second") != NULL;
		skip_buf_printf(&text, "%s{\"name\":\"Kernel: %s\",\"children\":[{\"name\":\"B\",\"data\":[\"Yes\",\"%d\"]}]}", k ? "," : "", s.plan->kernels[k].name, second ? 5 : 1);
	}
	skip_buf_puts(&text, "]};\n");
	list[0] = skip_buf_text(&text);
	CHECK_OK(estimate(&s, list, 1, 0, &e, &err));
	for (size_t k = 0; k < e.n_kernels; k++) {
		const bool ffn = strncmp(e.kernel[k].engine.name, "ffn_", 4) == 0;
		cr_expect(e.kernel[k].ii == (ffn ? 5 : 1) && e.kernel[k].cycles_tier == SKIP_TIER_FORMULA && e.kernel[k].cycles == e.kernel[k].cycles_formula, "%s", e.kernel[k].engine.name);
		stages += ffn;
	}
	cr_expect(stages > 0);
	skip_estimate_deinit(&e);
	skip_buf_deinit(&text);
	end(&s);
}

Test(calibration, the_whole_as_it_was_fitted)
{
	struct skip_err err;
	struct scene s;
	struct skip_estimate e;
	begin(&s, "p520n");
	CHECK_OK(estimate(&s, (const char *const[]){QUARTUS}, 1, 0, &e, &err));
	cr_expect(e.tier == SKIP_TIER_ROUTED && e.clock_mhz == 273.5 && e.clock_given && e.low_seconds == e.seconds);
	cr_expect(fabs(e.used[SKIP_RESOURCE_LOGIC] - 275754) < 1e-6 && fabs(e.used[SKIP_RESOURCE_DSP] - 3398) < 1e-6 && fabs(e.used[SKIP_RESOURCE_BRAM] - 8336) < 1e-6);
	cr_expect(e.shell_within, "what the shell takes of this board is not known");
	skip_estimate_deinit(&e);
	CHECK_OK(estimate(&s, (const char *const[]){QUARTUS}, 1, 200, &e, &err));
	cr_expect(e.clock_mhz == 200, "who gives a clock means it");
	skip_estimate_deinit(&e);
	CHECK_OK(estimate(&s, (const char *const[]){FITTED, "{\"columns\":[\"ALUTs\",\"DSPs\"],\"total\":[2,2]}"}, 2, 0, &e, &err));
	cr_expect(fabs(e.used[SKIP_RESOURCE_LOGIC] - 275754.5) < 1e-6 && e.clock_mhz == 270.5, "the later tier wins, whatever the order");
	skip_estimate_deinit(&e);
	CHECK_OK(estimate(&s, (const char *const[]){"{\"columns\":[\"ALUTs\",\"DSPs\"],\"total\":[1000,20]}"}, 1, 0, &e, &err));
	cr_expect(fabs(e.used[SKIP_RESOURCE_LOGIC] - 500) < 1e-9, "two ALUTs to an ALM");
	skip_estimate_deinit(&e);
	end(&s);
}

struct wrong {
	const char *board, *text, *says;
};

static const struct wrong wrongs[] = {
	{"u280", CSYNTH("xcu250-figd2104-2L-e", "k", "<LUT>1</LUT><DSP>1</DSP>"), "is of xcu250-figd2104-2L-e, board u280 has xcu280"},
	{"u280", CSYNTH("xcu280-fsvh2892-2L-e", "k", "<LUT>1</LUT><DSP>1</DSP>"), "speaks of kernel k, which is none of this network"},
	{"u280", QUARTUS, "counts alm, board u280 has lut"},
	{"p520n", KERNEL_UTIL(USED), "counts lut, board p520n has alm"},
	{"a10gx", QUARTUS, "of a chip with 933120 alm, board a10gx has 427200"},
};

ParameterizedTestParameters(calibration, refuses) { return check_rows(sizeof(wrongs) / sizeof(wrongs[0])); }
ParameterizedTest(size_t *row, calibration, refuses)
{
	const struct wrong *c = &wrongs[*row];
	struct skip_err err;
	struct scene s;
	struct skip_estimate e;
	begin(&s, c->board);
	CHECK_FAILS(estimate(&s, &c->text, 1, 0, &e, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, c->says) != NULL, "%s", err.message);
	end(&s);
}

/* An engine of several kernels needs all of them. */
Test(calibration, wants_whole_engines)
{
	struct skip_err err;
	struct scene s;
	struct skip_estimate e;
	char text[2048];
	const char *const list[] = {text};
	begin(&s, "p520n");
	snprintf(text, sizeof(text), "{\"columns\":[\"ALUTs\",\"DSPs\"],\"total\":[1,1],\"functions\":[{\"name\":\"%s\",\"data\":[1,1]}]}", kernel_called(&s, "_load_x"));
	CHECK_FAILS(estimate(&s, list, 1, 0, &e, &err), SKIP_ERR_INPUT);
	cr_expect(strstr(err.message, "is 6 kernels, area.json has counts of 1") != NULL, "%s", err.message);
	end(&s);
}
