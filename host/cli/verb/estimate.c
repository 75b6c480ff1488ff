/* skip estimate: what a network costs on an FPGA board before any toolchain has seen it. */
#include "base/alloc.h"
#include "cli/source.h"
#include "device/estimate/estimate.h"
#include "device/session.h"
#include "graph/pass.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_LENGTH = 128 };

struct settings {
	struct skip_cli_common common;
	const char *board, *report;
	bool all, fit;
	double clock;
	int64_t batch, length, classes;
};

/* Reports of tools, by --report. */
struct reports {
	struct skip_tool_report *list;
	size_t n, capacity;
};

static const char *status_text(bool verified)
{
	return verified ? "verified" : "unverified";
}

/* FILE or FILE,FILE. */
static enum skip_status read_reports(const char *list, struct reports *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	while (list && *list) {
		const size_t length = strcspn(list, ",");
		char path[1024];
		if ((size_t)snprintf(path, sizeof(path), "%.*s", (int)length, list) >= sizeof(path) || !length) return skip_err_set(err, SKIP_ERR_USAGE, "--report wants FILE or FILE,FILE");
		if (!skip_grow((void **)&out->list, &out->capacity, out->n + 1, sizeof(*out->list))) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for reports");
		SKIP_TRY(skip_tool_report_read(path, &out->list[out->n++], err));
		list += length + (list[length] == ',');
	}
cleanup:
	return status;
}

static void drop_reports(struct reports *reports)
{
	for (size_t i = 0; i < reports->n; i++) skip_tool_report_deinit(&reports->list[i]);
	skip_free(reports->list);
}

/* What the estimate speaks of: the network as it would be emitted for the board. */
static enum skip_status estimate_one(const struct skip_cli_model *model, const struct settings *set, const struct skip_board *board, const struct reports *reports,
				     struct skip_estimate *out, struct skip_err *err)
{
	static const char *const values[] = { "logits", "pooled", "hidden" };
	enum skip_status status;
	struct skip_graph *classed = NULL, *graph = NULL;
	struct skip_plan *plan = NULL;
	struct skip_profile forms = *board->profile;
	int value, v = 0;
	while (v < 2 && skip_graph_find_value(model->graph, values[v]) == SKIP_NONE) v++;
	if (set->classes) SKIP_TRY(skip_pass_classes(model->graph, (int)set->classes, &classed, err));
	SKIP_TRY(skip_pass_inference(classed ? classed : model->graph, values[v], forms.combine, &graph, &value, err));
	const struct skip_workload work = { (int)set->batch, (int)set->length };
	/* Formulas choose the form, as they did when the kernels were emitted; reports are of that form. */
	if (set->fit)
		status = skip_estimate_fit(graph, board, work, set->clock, &forms, out, err);
	else if (!reports->n)
		status = skip_estimate_run(graph, board, &forms, work, set->clock, out, err);
	else
		status = SKIP_OK;
	if (status != SKIP_OK || !reports->n) goto cleanup;
	skip_estimate_deinit(out);
	SKIP_TRY(skip_lower(graph, &forms, &value, 1, &plan, err));
	const struct skip_estimate_reports given = { plan, reports->list, reports->n };
	status = skip_estimate_run_reported(graph, board, &forms, work, set->clock, &given, out, err);
cleanup:
	skip_plan_destroy(plan);
	skip_graph_destroy(classed);
	skip_graph_destroy(graph);
	return status;
}

/* ---- JSON ---- */

static json_t *resources_json(const struct skip_estimate *e)
{
	json_t *out = json_object();
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		if (e->available[r] <= 0) continue;
		json_object_set_new(out, e->board->unit[r], json_pack("{s:f, s:f, s:f}", "used", e->used[r], "available", e->available[r], "share", e->used[r] / e->available[r]));
	}
	return out;
}

static json_t *kernels_json(const struct skip_estimate *e)
{
	json_t *list = json_array();
	for (size_t k = 0; k < e->n_kernels; k++) {
		const struct skip_estimate_kernel *kernel = &e->kernel[k];
		json_t *used = json_object();
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++)
			if (e->available[r] > 0) json_object_set_new(used, e->board->unit[r], json_real(kernel->used[r]));
		json_t *row = json_pack("{s:s, s:i, s:{s:i, s:i}, s:f, s:f, s:f, s:f, s:s, s:o}", "name", kernel->engine.name, "nodes", kernel->nodes, "lanes", "f32",
					kernel->engine.lanes[0], "int8", kernel->engine.lanes[1], "cycles", kernel->cycles, "bytes", kernel->bytes, "macs", kernel->macs,
					"latency_us", 1e6 * kernel->seconds, "bound", skip_bound_name(kernel->bound), "used", used);
		json_object_set_new(row, "tier", json_string(skip_tier_name(kernel->tier)));
		json_object_set_new(row, "calibrated", json_boolean(kernel->calibrated));
		json_object_set_new(row, "cycles_tier", json_string(skip_tier_name(kernel->cycles_tier)));
		json_object_set_new(row, "cycles_calibrated", json_boolean(kernel->cycles_calibrated));
		if (kernel->cycles_formula > 0) json_object_set_new(row, "cycles_formula", json_real(kernel->cycles_formula));
		if (kernel->ii) json_object_set_new(row, "ii", json_pack("{s:i, s:s}", "worst", kernel->ii, "loop", kernel->loop));
		if (kernel->region != SKIP_NONE) json_object_set_new(row, "region", json_string(e->board->region[kernel->region].name));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *calibration_json(const struct skip_estimate *e)
{
	json_t *list = json_array();
	for (int i = 0; i < e->n_calibrations; i++) {
		const struct skip_calibration *c = &e->calibration[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:f, s:f, s:f}", "family", c->family, "resource", skip_calibration_unit(e, c), "tier", skip_tier_name(c->tier), "formula",
						      c->formula, "reported", c->reported, "factor", c->factor));
	}
	return list;
}

static json_t *inputs_json(const struct skip_estimate *e)
{
	json_t *list = json_array();
	for (int i = 0; i < e->n_inputs; i++)
		json_array_append_new(list, json_pack("{s:s, s:f, s:s}", "field", e->input[i].pointer, "value", e->input[i].value, "status", status_text(e->input[i].verified)));
	return list;
}

/* Where the clock comes from. */
static const char *clock_tier(const struct skip_estimate *e)
{
	return e->routed_mhz > 0 && e->clock_mhz == e->routed_mhz ? "routed" : e->clock_given ? "given" : "formula";
}

static json_t *estimate_json(const struct skip_estimate *e)
{
	json_t *out = json_pack("{s:s, s:s, s:i, s:i, s:b, s:o, s:f, s:[f, f], s:f, s:[f, f], s:s, s:s, s:s, s:f, s:f, s:{s:i, s:i}, s:i, s:i, s:o, s:o, s:s, s:o}", "board", e->board->profile->id,
				"dtype", e->int8 ? "int8" : "f32", "batch", e->work.batch, "length", e->work.length, "fits", (int)e->fits, "resources", resources_json(e),
				"clock_mhz", e->clock_mhz, "clock_range_mhz", e->clock_mhz * (e->clock_given ? 1 : 0.5), e->clock_mhz * (e->clock_given ? 1 : 1.1),
				"latency_us", 1e6 * e->seconds, "latency_range_us", 1e6 * e->low_seconds, 1e6 * e->high_seconds, "bound", skip_bound_name(e->bound), "status",
				status_text(e->verified), "tier", skip_tier_name(e->tier), "macs", e->macs, "gops", 2e-9 * e->macs / e->seconds, "form", "rows", e->rows, "outputs", e->outputs,
				"crossings", e->crossings, "on_host", e->on_host, "kernels", kernels_json(e), "inputs", inputs_json(e), "clock_tier", clock_tier(e), "calibration", calibration_json(e));
	if (!e->fits) json_object_set_new(out, "why", json_string(e->why));
	return out;
}

/* ---- text ---- */

static void print_inputs(const struct skip_estimate *e)
{
	int n = 0;
	for (int i = 0; i < e->n_inputs; i++) n += !e->input[i].verified;
	printf("\nstatus      %s: %d of the %d numbers of the board file behind this have no confirmed source%s\n", status_text(e->verified), n, e->n_inputs, n ? ":" : "");
	for (int i = 0; i < e->n_inputs; i++)
		if (!e->input[i].verified) printf("            %s %.6g (unverified)\n", e->input[i].pointer, e->input[i].value);
}

static void print_calibration(const struct skip_estimate *e)
{
	for (int i = 0; i < e->n_calibrations; i++) {
		const struct skip_calibration *c = &e->calibration[i];
		printf("%s%-12s%-10s %-7s %10.0f by formula, %10.0f %s, factor %.3f\n", i ? "" : "\n", i ? "" : "calibration", c->family, skip_calibration_unit(e, c), c->formula, c->reported,
		       skip_tier_name(c->tier), c->factor);
	}
	for (size_t k = 0; k < e->n_kernels; k++)
		if (e->kernel[k].ii > 1) printf("interval    %s: loop %s starts a round in %d cycles, by its compiler\n", e->kernel[k].engine.name, e->kernel[k].loop, e->kernel[k].ii);
	if (e->shell_within) printf("            a report counts the whole chip: what the shell takes is not known and within\n");
}

static void print_one(const struct skip_estimate *e)
{
	static const char *const words[SKIP_TIER_COUNT] = { "estimated by formula", "counts by a compiler's report", "counts as routed" };
	const struct skip_board *board = e->board;
	printf("board       %s: %s, %s, %s, never run\n", board->profile->id, board->profile->title, board->part, words[e->tier]);
	if (e->on_host) printf("host        %d nodes have no engine here and stay with the host: not in these figures\n", e->on_host);
	printf("form        %s, tiles of %d rows, %d outputs a cycle; batch %d of %d tokens\n", e->int8 ? "int8" : "f32", e->rows, e->outputs, e->work.batch, e->work.length);
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++)
		if (e->available[r] > 0) printf("%-12s%10.0f of %10.0f usable  %5.1f %%\n", board->unit[r], e->used[r], e->available[r], 100 * e->used[r] / e->available[r]);
	printf("fits        %s%s%s\n", e->fits ? "yes" : "no: ", e->fits ? "" : e->why, e->crossings ? ", cut across regions" : "");
	if (board->note[0]) printf("note        %s\n", board->note);
	printf("clock       %.0f MHz", e->clock_mhz);
	if (e->clock_given)
		printf(" (%s)\n", clock_tier(e));
	else
		printf(" (%.0f to %.0f)\n", 0.5 * e->clock_mhz, 1.1 * e->clock_mhz);
	printf("latency     %.1f us", 1e6 * e->seconds);
	if (!e->clock_given) printf(" (%.1f to %.1f)", 1e6 * e->low_seconds, 1e6 * e->high_seconds);
	printf(", bound by %s; products %.1f, memory %.1f, launches %.1f us\n\n", skip_bound_name(e->bound), 1e6 * e->compute_seconds, 1e6 * e->memory_seconds, 1e6 * e->launch_seconds);
	printf("%-30s %5s %7s %8s %8s %6s %8s %10s %s\n", "engine", "nodes", "lanes", board->unit[SKIP_RESOURCE_LOGIC], "dsp", board->unit[SKIP_RESOURCE_BRAM], "region", "us", "bound   counts");
	for (size_t k = 0; k < e->n_kernels; k++) {
		const struct skip_estimate_kernel *kernel = &e->kernel[k];
		printf("%-30s %5d %7d %8.0f %8.0f %6.0f %8s %10.1f %-7s %s%s\n", kernel->engine.name, kernel->nodes, kernel->engine.lanes[0] + kernel->engine.lanes[1],
		       kernel->used[SKIP_RESOURCE_LOGIC], kernel->used[SKIP_RESOURCE_DSP], kernel->used[SKIP_RESOURCE_BRAM],
		       kernel->region == SKIP_NONE ? "-" : board->region[kernel->region].name, 1e6 * kernel->seconds, skip_bound_name(kernel->bound), skip_tier_name(kernel->tier),
		       kernel->calibrated ? ", calibrated" : "");
	}
	print_calibration(e);
	print_inputs(e);
}

static void print_row(const struct skip_estimate *e)
{
	double share[3];
	const enum skip_resource of[3] = { SKIP_RESOURCE_LOGIC, SKIP_RESOURCE_DSP, SKIP_RESOURCE_BRAM };
	for (int i = 0; i < 3; i++) share[i] = 100 * e->used[of[i]] / e->available[of[i]];
	printf("%-14s %-4s %5d %7d %7.1f %7.1f %7.1f %5.0f %11.1f %11.1f %11.1f  %-7s %s\n", e->board->profile->id, e->fits ? "yes" : "no", e->rows, e->outputs, share[0], share[1],
	       share[2], e->clock_mhz, 1e6 * e->seconds, 1e6 * e->low_seconds, 1e6 * e->high_seconds, skip_bound_name(e->bound), status_text(e->verified));
}

/* A board whose engines do not take an op or a type of the network. */
static void print_refusal(const struct settings *set, const struct skip_board *board, const struct skip_err *err, json_t *list)
{
	if (set->common.json)
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "board", board->profile->id, "fits", 0, "why", err->message));
	else
		printf("%-14s no   %s; unverified\n", board->profile->id, err->message);
}

/* ---- the two forms of the verb ---- */

static enum skip_status run_one(const struct skip_cli_model *model, const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	enum skip_status status;
	struct skip_board board;
	struct skip_estimate e = { 0 };
	struct reports reports = { 0 };
	const struct skip_profile *profile = skip_profiles_find(profiles, set->board);
	if (!profile || !skip_profile_is_board(profile))
		return skip_err_set(err, SKIP_ERR_USAGE, "--board: there is no FPGA board '%s'; skip estimate MODEL --all lists them", set->board);
	SKIP_TRY(skip_board_read(profile, &board, err));
	SKIP_TRY(read_reports(set->report, &reports, err));
	SKIP_TRY(estimate_one(model, set, &board, &reports, &e, err));
	if (set->common.json)
		SKIP_TRY(skip_cli_print_json(estimate_json(&e), err));
	else
		print_one(&e);
	if (!e.fits) status = skip_err_set(err, SKIP_ERR_TARGET, "the network does not fit %s: %s", board.profile->id, e.why);
cleanup:
	drop_reports(&reports);
	skip_estimate_deinit(&e);
	return status;
}

static enum skip_status run_all(const struct skip_cli_model *model, const struct settings *set, const struct skip_profiles *profiles, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	json_t *list = json_array();
	bool any = false, tried = false;
	const struct reports none = { 0 };
	if (!set->common.json)
		printf("%-14s %-4s %5s %7s %7s %7s %7s %5s %11s %11s %11s  %-7s %s\n", "board", "fits", "rows", "outputs", "logic %", "dsp %", "ram %", "MHz", "us", "fast us", "slow us",
		       "bound", "status");
	for (size_t i = 0; i < skip_profiles_count(profiles); i++) {
		const struct skip_profile *profile = skip_profiles_at(profiles, i);
		struct skip_board board;
		struct skip_estimate e;
		if (!skip_profile_is_board(profile)) continue;
		SKIP_TRY(skip_board_read(profile, &board, err));
		status = estimate_one(model, set, &board, &none, &e, err);
		if (status == SKIP_ERR_UNSUPPORTED) {
			print_refusal(set, &board, err, list);
			continue;
		}
		SKIP_TRY(status);
		tried = true;
		if (set->common.json)
			json_array_append_new(list, estimate_json(&e));
		else
			print_row(&e);
		any |= e.fits;
		skip_estimate_deinit(&e);
	}
	/* No board takes it: what the last one said. */
	if (!tried) goto cleanup;
	status = SKIP_OK;
	if (set->common.json) SKIP_TRY(skip_cli_print_json(json_pack("{s:O}", "boards", list), err));
	if (!any) status = skip_err_set(err, SKIP_ERR_TARGET, "the network fits no board in this form; try --fit");
cleanup:
	json_decref(list);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct settings set = { .batch = 1 };
	struct skip_cli_model model = { 0 };
	struct skip_profiles *profiles = NULL;
	skip_cli_common_options(&args, &set.common, false);
	skip_cli_string(&args, "--board", &set.board);
	skip_cli_flag(&args, "--all", &set.all);
	skip_cli_flag(&args, "--fit", &set.fit);
	skip_cli_real(&args, "--clock", &set.clock, 1, 5000);
	skip_cli_string(&args, "--report", &set.report);
	skip_cli_string(&args, "--dtype", &set.common.dtype);
	skip_cli_int(&args, "--batch", &set.batch, 1, 65536);
	skip_cli_int(&args, "--classes", &set.classes, 1, 64);
	skip_cli_int(&args, "--length", &set.length, 1, 65536);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!set.board == !set.all) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "name a board with --board ID, or take --all"));
	if (set.report && set.all) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--report is of kernels for one board: without --all"));
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_apply_dtype(&set.common, &model, err));
	if (!set.length) set.length = model.graph->max_positions < DEFAULT_LENGTH ? model.graph->max_positions : DEFAULT_LENGTH;
	if (set.length > model.graph->max_positions)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--length %lld: the model takes at most %d tokens", (long long)set.length, model.graph->max_positions));
	status = set.all ? run_all(&model, &set, profiles, err) : run_one(&model, &set, profiles, err);
cleanup:
	skip_cli_close_model(&model);
	skip_profiles_destroy(profiles);
	return status;
}

const struct skip_verb skip_verb_estimate = {
	.name = "estimate",
	.arguments = "MODEL --board ID | --all",
	.summary = "Estimate resources, clock and latency on FPGA boards, without any toolchain",
	.help = "  --board ID     one board, engine by engine; exit 5 where the network does not fit\n"
		"  --all          a row for every board\n"
		"  --fit          the fastest of the forms that fit: rows of a tile, outputs a cycle\n"
		"  --classes K    at most K shapes of attention and of ffn; narrower layers get units of zeros\n"
		"  --clock MHZ    the routed clock, where it is known; else it is estimated with a range\n"
		"  --report FILES what tools said of the kernels, FILE or FILE,FILE (docs/boards.md): counts and clock in the place of formulas\n"
		"  --dtype T      f32 or int8\n"
		"  --batch N      sequences (1)\n"
		"  --length N     tokens of each (128, or as many as the model takes)\n"
		"  --json         one JSON object\n\n"
		"A number of a board file without a confirmed source is printed as unverified.\n\n"
		"examples:\n"
		"  skip estimate tickets.skip --all --fit --dtype int8\n"
		"  skip estimate models/all-minilm-l6-v2 --board u280 --length 64\n"
		"  skip estimate tickets.skip --board u280 --report kernel_util_routed.rpt\n",
	.order = 72,
	.run = run,
};
