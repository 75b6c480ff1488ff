/*
 * Reports of tools in the place of an estimate's own counts. An engine whose kernels a report names gets their counts; a report of the whole alone is shared out
 * over the engines in proportion; and what formula and report say of the same engines corrects the engines of that family that no report names. Every
 * number keeps its tier.
 */
#include "base/alloc.h"
#include "device/estimate/internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct binding {
	struct skip_estimate *e;
	const struct skip_plan *plan;
	int *engine; /* [plan->n_kernels] of the kernel, SKIP_NONE where it is never launched */
};

static int engine_index(const struct skip_estimate *e, const char *name)
{
	for (size_t i = 0; i < e->n_kernels; i++) {
		if (strcmp(e->kernel[i].engine.name, name) == 0) return (int)i;
	}
	return SKIP_NONE;
}

static enum skip_status bind(struct binding *b, const struct skip_graph *graph, const struct skip_profile *forms, struct skip_err *err)
{
	b->engine = skip_alloc_array(b->plan->n_kernels, sizeof(*b->engine));
	if (!b->engine) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu kernels", b->plan->n_kernels);
	for (size_t k = 0; k < b->plan->n_kernels; k++) b->engine[k] = SKIP_NONE;
	for (size_t l = 0; l < b->plan->n_launches; l++) {
		const struct skip_plan_launch *launch = &b->plan->launches[l];
		struct skip_engine engine;
		enum skip_status status = skip_estimate_engine(graph, &graph->nodes[launch->node], forms, b->e->work, &engine, err);
		if (status != SKIP_OK) return status;
		b->engine[launch->kernel] = engine_index(b->e, engine.name);
	}
	return SKIP_OK;
}

/* Index of the kernel in the plan. A tool may call the one unit of a kernel NAME_1. */
static int kernel_index(const struct skip_plan *plan, const char *name)
{
	for (size_t k = 0; k < plan->n_kernels; k++) {
		const size_t length = strlen(plan->kernels[k].name);
		if (strncmp(plan->kernels[k].name, name, length) == 0 && (name[length] == '\0' || strcmp(name + length, "_1") == 0)) return (int)k;
	}
	return SKIP_NONE;
}

static enum skip_status same_chip(const struct skip_tool_report *report, const struct skip_board *board, struct skip_err *err)
{
	const size_t length = strcspn(board->part, "-");
	if (report->part[0] && strncmp(report->part, board->part, length) != 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "%s is of %s, board %s has %s", report->kind, report->part, board->profile->id, board->part);
	}
	if (report->chip_logic > 0 && board->die && report->chip_logic != board->total[SKIP_RESOURCE_LOGIC].value) {
		return skip_err_set(err, SKIP_ERR_INPUT, "%s is of a chip with %.0f %s, board %s has %.0f", report->kind, report->chip_logic, report->logic,
				    board->profile->id, board->total[SKIP_RESOURCE_LOGIC].value);
	}
	return SKIP_OK;
}

/* ---- counts ---- */

static enum skip_status unknown_kernels(const struct binding *b, const struct skip_tool_report *report, struct skip_err *err)
{
	struct skip_buf names;
	skip_buf_init(&names);
	for (size_t k = 0; k < b->plan->n_kernels && names.length < 500; k++) {
		if (b->engine[k] != SKIP_NONE) skip_buf_printf(&names, "%s%s", names.length ? ", " : "", b->plan->kernels[k].name);
	}
	skip_err_set(err, SKIP_ERR_INPUT, "%s speaks of kernel %.80s, which is none of this network in this form: %s", report->kind, report->kernel[0].name, skip_buf_text(&names));
	skip_buf_deinit(&names);
	return SKIP_ERR_INPUT;
}

/* Adds the counts of one kernel to those of its engine. */
static enum skip_status add_part(struct skip_estimate *e, const struct skip_tool_report *report, const struct skip_tool_report_part *part, struct skip_estimate_kernel *sum,
				 struct skip_err *err)
{
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		double count;
		enum skip_status status;
		if (!part->known[r] || r == SKIP_RESOURCE_FF) continue;
		status = skip_tool_report_count(report, e->board, (enum skip_resource)r, part->used[r], &count, err);
		if (status != SKIP_OK) return status;
		sum->used[r] += count;
	}
	sum->nodes++;
	return SKIP_OK;
}

/* Cycles and intervals of one kernel. Those of an engine that is one kernel are the engine's; stages that run side by side say nothing of the whole. */
static void take_cycles(struct skip_estimate_kernel *kernel, const struct skip_tool_report *report, const struct skip_tool_report_part *part, bool whole)
{
	if (part->ii > kernel->ii) {
		kernel->ii = part->ii;
		memcpy(kernel->loop, part->loop, sizeof(kernel->loop));
	}
	if (!whole || !(part->round > 0) || !(kernel->rounds > 0)) return;
	kernel->cycles = part->round * kernel->rounds;
	kernel->cycles_tier = report->tier;
}

static int kernels_of(const struct binding *b, int engine)
{
	int kernels = 0;
	for (size_t k = 0; k < b->plan->n_kernels; k++) kernels += b->engine[k] == engine;
	return kernels;
}

/* Engines all of whose kernels the report names. `sum[i].nodes` counts the kernels named of engine i. */
static enum skip_status take_named(const struct binding *b, const struct skip_tool_report *report, struct skip_estimate_kernel *sum, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_estimate *e = b->e;
	int named = 0;
	for (size_t i = 0; i < report->n_kernels; i++) {
		const int kernel = kernel_index(b->plan, report->kernel[i].name);
		if (kernel == SKIP_NONE || b->engine[kernel] == SKIP_NONE) continue;
		SKIP_TRY(add_part(e, report, &report->kernel[i], &sum[b->engine[kernel]], err));
		take_cycles(&e->kernel[b->engine[kernel]], report, &report->kernel[i], kernels_of(b, b->engine[kernel]) == 1);
		named++;
	}
	if (!named) return unknown_kernels(b, report, err);
	for (size_t i = 0; i < e->n_kernels; i++) {
		const int kernels = kernels_of(b, (int)i);
		if (!sum[i].nodes) continue;
		if (sum[i].nodes != kernels) {
			return skip_err_set(err, SKIP_ERR_INPUT, "engine %s is %d kernels, %s has counts of %d", e->kernel[i].engine.name, kernels, report->kind, sum[i].nodes);
		}
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
			if (r != SKIP_RESOURCE_FF) e->kernel[i].used[r] = sum[i].used[r];
		}
		e->kernel[i].tier = report->tier;
	}
cleanup:
	return status;
}

/* A count of the whole, shared out as the formulas say. */
static enum skip_status take_total(struct skip_estimate *e, const struct skip_tool_report *report, struct skip_err *err)
{
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		double total, formula = 0;
		enum skip_status status;
		if (!report->total.known[r] || r == SKIP_RESOURCE_FF) continue;
		status = skip_tool_report_count(report, e->board, (enum skip_resource)r, report->total.used[r], &total, err);
		if (status != SKIP_OK) return status;
		if (report->whole_chip && e->board->die) total = fmax(0, total - e->board->shell_used[r].value);
		for (size_t k = 0; k < e->n_kernels; k++) formula += e->kernel[k].formula[r];
		for (size_t k = 0; k < e->n_kernels; k++) {
			e->kernel[k].used[r] = formula > 0 ? e->kernel[k].formula[r] * total / formula : total / (double)e->n_kernels;
		}
	}
	for (size_t k = 0; k < e->n_kernels; k++) e->kernel[k].tier = report->tier;
	e->shell_within |= report->whole_chip && !(e->board->die && e->board->shell_used[SKIP_RESOURCE_LOGIC].value > 0);
	return SKIP_OK;
}

static enum skip_status take_report(const struct binding *b, const struct skip_tool_report *report, struct skip_err *err)
{
	struct skip_estimate *e = b->e;
	struct skip_estimate_kernel *sum = NULL;
	enum skip_status status = same_chip(report, e->board, err);
	if (status != SKIP_OK) return status;
	if (report->tier == SKIP_TIER_ROUTED && report->clock_mhz > 0) e->routed_mhz = report->clock_mhz;
	if (!report->n_kernels) return take_total(e, report, err);
	sum = skip_alloc_zeroed(e->n_kernels, sizeof(*sum));
	if (!sum) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu engines", e->n_kernels);
	status = take_named(b, report, sum, err);
	skip_free(sum);
	return status;
}

/* ---- calibration ---- */

/* "ffn" of "ffn_d384_f736". */
static size_t family_length(const char *engine) { return strcspn(engine, "_"); }

static bool same_family(const char *a, const char *b)
{
	return family_length(a) == family_length(b) && strncmp(a, b, family_length(a)) == 0;
}

/* One number of an engine as a calibration sees it. */
struct calibrated {
	double formula, *used;
	enum skip_tier tier;
	bool *corrected;
};

static struct calibrated number_of(struct skip_estimate_kernel *kernel, int resource)
{
	if (resource == SKIP_RESOURCE_COUNT) return (struct calibrated){kernel->cycles_formula, &kernel->cycles, kernel->cycles_tier, &kernel->cycles_calibrated};
	return (struct calibrated){kernel->formula[resource], &kernel->used[resource], kernel->tier, &kernel->calibrated};
}

/* What reports say over what formulas say, of the engines of a family that are in a report. */
static void calibrate_family(struct skip_estimate *e, const char *name, int resource)
{
	double formula = 0, reported = 0;
	enum skip_tier tier = SKIP_TIER_ROUTED;
	for (size_t k = 0; k < e->n_kernels; k++) {
		const struct calibrated number = number_of(&e->kernel[k], resource);
		if (number.tier == SKIP_TIER_FORMULA || !same_family(e->kernel[k].engine.name, name)) continue;
		formula += number.formula;
		reported += *number.used;
		if (number.tier < tier) tier = number.tier;
	}
	if (formula <= 0 || e->n_calibrations == SKIP_ESTIMATE_CALIBRATIONS) return;
	struct skip_calibration *made = &e->calibration[e->n_calibrations++];
	*made = (struct skip_calibration){.resource = (enum skip_resource)resource, .tier = tier, .formula = formula, .reported = reported, .factor = reported / formula};
	snprintf(made->family, sizeof(made->family), "%.*s", (int)family_length(name), name);
	for (size_t k = 0; k < e->n_kernels; k++) {
		const struct calibrated number = number_of(&e->kernel[k], resource);
		if (number.tier != SKIP_TIER_FORMULA || !same_family(e->kernel[k].engine.name, name)) continue;
		*number.used = number.formula * made->factor;
		*number.corrected = true;
	}
}

static bool is_first_of_family(const struct skip_estimate *e, size_t k)
{
	for (size_t i = 0; i < k; i++) {
		if (same_family(e->kernel[i].engine.name, e->kernel[k].engine.name)) return false;
	}
	return true;
}

enum skip_status skip_estimate_apply(struct skip_estimate *e, const struct skip_graph *graph, const struct skip_profile *forms,
				     const struct skip_estimate_reports *reports, struct skip_err *err)
{
	enum skip_status status;
	struct binding b = {.e = e, .plan = reports->plan};
	for (size_t k = 0; k < e->n_kernels; k++) {
		memcpy(e->kernel[k].formula, e->kernel[k].used, sizeof(e->kernel[k].formula));
		e->kernel[k].cycles_formula = e->kernel[k].cycles;
	}
	SKIP_TRY(bind(&b, graph, forms, err));
	for (int tier = SKIP_TIER_REPORT; tier < SKIP_TIER_COUNT; tier++) {
		for (size_t i = 0; i < reports->n; i++) {
			if (reports->report[i].tier == (enum skip_tier)tier) SKIP_TRY(take_report(&b, &reports->report[i], err));
		}
	}
	memset(e->used, 0, sizeof(e->used));
	for (size_t k = 0; k < e->n_kernels; k++) {
		for (int r = 0; r <= SKIP_RESOURCE_COUNT && is_first_of_family(e, k); r++) calibrate_family(e, e->kernel[k].engine.name, r);
	}
	e->tier = SKIP_TIER_ROUTED;
	for (size_t k = 0; k < e->n_kernels; k++) {
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) e->used[r] += e->kernel[k].used[r];
		if (e->kernel[k].tier < e->tier) e->tier = e->kernel[k].tier;
	}
	status = SKIP_OK;
cleanup:
	skip_free(b.engine);
	return status;
}
