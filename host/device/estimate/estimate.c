/* Estimates of a graph on a board: engines from the families, resources, placement, clock, time. See estimate.h; formulas are formulas.c. */
#include "base/alloc.h"
#include "device/estimate/formulas.h"
#include "device/estimate/internal.h"
#include "device/family.h"
#include "graph/op.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PORT_BYTES 64.0    /* of a global word a cycle */
#define STREAM_BITS 520    /* a word of 64 bytes and its handshake */
#define STREAMS_CROSSING 2 /* of an engine cut in two: data and residual */
#define URAM_WORDS 4096    /* memories this deep go to UltraRAM where there is some */

const char *skip_bound_name(enum skip_estimate_bound bound)
{
	static const char *const names[SKIP_BOUND_COUNT] = {"compute", "memory", "launch"};
	return names[bound];
}

/* Gives the number and remembers that it was used. */
static double use(struct skip_estimate *e, const struct skip_figure *figure)
{
	const int most = (int)(sizeof(e->input) / sizeof(e->input[0]));
	for (int i = 0; i < e->n_inputs; i++) {
		if (strcmp(e->input[i].pointer, figure->pointer) == 0) return figure->value;
	}
	if (e->n_inputs < most && figure->pointer[0]) e->input[e->n_inputs++] = *figure;
	e->verified &= figure->verified;
	return figure->value;
}

/* ---- engines ---- */

/* Whether the board leaves a node to the host. */
static bool is_on_host(const struct skip_estimate *e, const struct skip_node *node)
{
	const struct skip_family *family = skip_family_of(node->op->name);
	return skip_board_is_rtl(e->board) && !(family && family->rtl);
}

enum skip_status skip_estimate_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *forms, struct skip_workload work,
				      struct skip_engine *out, struct skip_err *err)
{
	const struct skip_family *family = skip_family_of(node->op->name);
	memset(out, 0, sizeof(*out));
	if (skip_profile_is_rtl(forms) && family && family->rtl) return family->rtl->engine(graph, node, forms, work, out, err);
	if (!family || !family->engine) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "layer %d: op '%s' has no FPGA engine", node->layer, node->op->name);
	}
	return family->engine(graph, node, forms, work, out, err);
}

static enum skip_status add_engine(struct skip_estimate *e, const struct skip_engine *engine, size_t *capacity, struct skip_err *err)
{
	struct skip_estimate_kernel *kernel = NULL;
	for (size_t i = 0; i < e->n_kernels && !kernel; i++) {
		if (strcmp(e->kernel[i].engine.name, engine->name) == 0) kernel = &e->kernel[i];
	}
	if (!kernel) {
		if (!skip_grow((void **)&e->kernel, capacity, e->n_kernels + 1, sizeof(*e->kernel))) {
			return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an estimate");
		}
		kernel = &e->kernel[e->n_kernels++];
		*kernel = (struct skip_estimate_kernel){.engine = *engine, .region = SKIP_NONE};
	}
	kernel->nodes++;
	kernel->macs += engine->macs;
	kernel->cycles += engine->cycles + engine->fill;
	kernel->rounds += engine->rounds;
	for (int p = 0; p < engine->n_ports; p++) kernel->bytes += engine->port[p].bytes;
	return SKIP_OK;
}

static double memory_blocks(const struct skip_board *board, const struct skip_engine_memory *m, enum skip_resource *resource)
{
	bool deep = board->unit[SKIP_RESOURCE_URAM] && (m->depth + m->banks - 1) / m->banks >= URAM_WORDS;
	*resource = deep ? SKIP_RESOURCE_URAM : SKIP_RESOURCE_BRAM;
	return skip_memory_blocks(deep ? SKIP_BLOCK_URAM : board->block, m->width, m->depth, m->banks, m->reads, m->twofold);
}

static void count_resources(struct skip_estimate *e, struct skip_estimate_kernel *kernel)
{
	const struct skip_board *board = e->board;
	const struct skip_engine *engine = &kernel->engine;
	double logic = engine->n_ports * use(e, &board->lut_port) + engine->stages * use(e, &board->lut_stage) + use(e, &board->lut_control);
	double dsp = engine->units;
	if (engine->lanes[0]) {
		logic += engine->lanes[0] * use(e, &board->lut_lane[0]);
		dsp += ceil(engine->lanes[0] * use(e, &board->fp32_dsps));
	}
	if (engine->lanes[1]) {
		logic += engine->lanes[1] * use(e, &board->lut_lane[1]);
		dsp += ceil(engine->lanes[1] / use(e, &board->int8_macs));
	}
	kernel->used[SKIP_RESOURCE_LOGIC] = logic;
	kernel->used[SKIP_RESOURCE_DSP] = dsp;
	for (int m = 0; m < engine->n_memories; m++) {
		enum skip_resource resource;
		double blocks = memory_blocks(board, &engine->memory[m], &resource);
		kernel->used[resource] += blocks;
	}
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) e->used[r] += kernel->used[r];
}

/* ---- placement ---- */

struct place {
	double amount[SKIP_RESOURCE_COUNT], budget[SKIP_RESOURCE_COUNT], used[SKIP_RESOURCE_COUNT];
};

/* What a region holds; counts the file leaves out are the chip's in proportion to logic. */
static void fill_places(struct skip_estimate *e, struct place *place, int n)
{
	const struct skip_board *board = e->board;
	double logic = 0;
	for (int s = 0; s < board->n_regions; s++) logic += board->region[s].amount[SKIP_RESOURCE_LOGIC].value;
	for (int s = 0; s < n; s++) {
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
			if (!board->unit[r] || r == SKIP_RESOURCE_FF) continue;
			const struct skip_board_region *region = board->n_regions ? &board->region[s] : NULL;
			double amount = region && region->known[r] ? use(e, &region->amount[r]) : use(e, &board->total[r]);
			if (region && !region->known[r]) amount *= use(e, &region->amount[SKIP_RESOURCE_LOGIC]) / logic;
			double shell = board->die && board->shell_used[r].value > 0 ? use(e, &board->shell_used[r]) / n : 0;
			place[s].amount[r] = amount;
			place[s].budget[r] = (amount - shell) * use(e, &board->usable[r]);
			place[s].used[r] = 0;
			e->available[r] += place[s].budget[r];
		}
	}
}

/* Whether 1/parts of a kernel fits beside what is there. */
static bool has_room(const struct place *place, const struct skip_estimate_kernel *kernel, int parts)
{
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		if (kernel->used[r] > 0 && place->used[r] + kernel->used[r] / parts > place->budget[r]) return false;
	}
	return true;
}

static void put(struct place *place, const struct skip_estimate_kernel *kernel, int parts)
{
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) place->used[r] += kernel->used[r] / parts;
}

/* How much of its region a kernel takes, by the resource it takes most of. */
static double weight_of(const struct place *place, const struct skip_estimate_kernel *kernel)
{
	double most = 0;
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		if (place->budget[r] > 0) most = fmax(most, kernel->used[r] / place->budget[r]);
	}
	return most;
}

static void say_why(struct skip_estimate *e, const struct skip_estimate_kernel *kernel)
{
	if (e->why[0]) return;
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
		if (e->used[r] <= e->available[r]) continue;
		snprintf(e->why, sizeof(e->why), "%.0f %s needed, %.0f usable", e->used[r], e->board->unit[r] ? e->board->unit[r] : skip_resource_name((enum skip_resource)r),
		         e->available[r]);
		return;
	}
	snprintf(e->why, sizeof(e->why), "engine %s fits no region beside the others", kernel->engine.name);
}

/*
 * Into the region with most room left; a kernel that fits none whole is cut at its streams over as few neighbours as hold it, and each cut is a
 * crossing.
 */
static void place_kernel(struct skip_estimate *e, struct skip_estimate_kernel *kernel, struct place *place, int n)
{
	int best = SKIP_NONE;
	for (int s = 0; s < n; s++) {
		if (has_room(&place[s], kernel, 1) && (best == SKIP_NONE || place[s].used[SKIP_RESOURCE_DSP] < place[best].used[SKIP_RESOURCE_DSP])) best = s;
	}
	if (best != SKIP_NONE) {
		kernel->region = n > 1 ? best : SKIP_NONE;
		put(&place[best], kernel, 1);
		return;
	}
	for (int parts = 2; parts <= n && parts <= kernel->engine.stages; parts++) {
		for (int first = 0; first + parts <= n; first++) {
			bool room = true;
			for (int s = first; s < first + parts; s++) {
				double lines = s > first ? e->board->sll[s - 1].value : 0;
				room &= has_room(&place[s], kernel, parts) && (lines <= 0 || lines >= STREAMS_CROSSING * STREAM_BITS);
			}
			if (!room) continue;
			for (int s = first; s < first + parts; s++) put(&place[s], kernel, parts);
			e->crossings += parts - 1;
			return;
		}
	}
	e->fits = false;
	say_why(e, kernel);
	for (int s = 0; s < n; s++) put(&place[s], kernel, n);
}

static enum skip_status place_all(struct skip_estimate *e, struct skip_err *err)
{
	struct place place[SKIP_BOARD_REGIONS];
	const int n = e->board->n_regions ? e->board->n_regions : 1;
	bool *done = skip_alloc_zeroed(e->n_kernels, sizeof(*done));
	if (!done) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for an estimate");
	memset(place, 0, sizeof(place));
	fill_places(e, place, n);
	e->fits = true;
	for (size_t step = 0; step < e->n_kernels; step++) {
		size_t largest = e->n_kernels;
		for (size_t i = 0; i < e->n_kernels; i++) {
			if (!done[i] && (largest == e->n_kernels || weight_of(&place[0], &e->kernel[i]) > weight_of(&place[0], &e->kernel[largest]))) largest = i;
		}
		done[largest] = true;
		place_kernel(e, &e->kernel[largest], place, n);
	}
	for (int s = 0; s < n; s++) {
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) {
			if (place[s].amount[r] <= 0) continue;
			double shell = e->board->die ? e->board->shell_used[r].value / n : 0;
			e->largest_share = fmax(e->largest_share, (place[s].used[r] + shell) / place[s].amount[r]);
		}
	}
	skip_free(done);
	return SKIP_OK;
}

/* ---- time ---- */

/*
 * As the link file has it: ports that reach a range of banks find a free one each; else rows lie in the first bank and weights, pointer by pointer, in
 * the others. Boards without a link file spread addresses over all banks.
 */
static double memory_seconds(struct skip_estimate *e, const struct skip_engine *engine, double mhz)
{
	const struct skip_board_memory *memory = &e->board->memory[0];
	const int banks = (int)use(e, &memory->banks);
	const double rate = use(e, &memory->gbps_per_bank) * use(e, &memory->efficiency) * 1e9;
	const bool linked = memory->tag_link[0] != '\0', ranges = skip_board_memory_has_ranges(memory);
	double bank[64] = {0}, sum = 0, slowest = 0;
	for (int p = 0, weights = 0; p < engine->n_ports; p++) {
		const struct skip_engine_port *port = &engine->port[p];
		int at = ranges ? p % banks : port->weights && banks > 1 ? 1 + weights++ % (banks - 1) : 0;
		bank[at] += port->bytes;
		sum += port->bytes;
		slowest = fmax(slowest, port->bytes / (PORT_BYTES * mhz * 1e6));
	}
	if (!linked) return fmax(slowest, sum / (rate * banks));
	for (int b = 0; b < banks; b++) slowest = fmax(slowest, bank[b] / rate);
	return slowest;
}

struct spent {
	double seconds, compute, memory, launch;
};

/* `factor`: cycles as they are taken over those of the formula. */
static struct spent node_time(struct skip_estimate *e, const struct skip_engine *engine, double factor, double mhz)
{
	struct spent t = {.compute = factor * engine->cycles / (mhz * 1e6), .memory = memory_seconds(e, engine, mhz)};
	t.launch = use(e, &e->board->launch_us) * 1e-6;
	t.seconds = skip_stage_seconds(t.compute, t.memory, engine->overlaps) + factor * engine->fill / (mhz * 1e6) + t.launch;
	return t;
}

static struct skip_estimate_kernel *kernel_of(struct skip_estimate *e, const struct skip_engine *engine)
{
	size_t k = 0;
	while (strcmp(e->kernel[k].engine.name, engine->name) != 0) k++;
	return &e->kernel[k];
}

static enum skip_estimate_bound bound_of(double compute, double memory, double launch)
{
	if (launch > compute && launch > memory) return SKIP_BOUND_LAUNCH;
	return memory > compute ? SKIP_BOUND_MEMORY : SKIP_BOUND_COMPUTE;
}

static enum skip_status add_time(struct skip_estimate *e, const struct skip_graph *graph, const struct skip_profile *forms, struct skip_err *err)
{
	const double slow = e->clock_given ? 1 : SKIP_CLOCK_LOW, fast = e->clock_given ? 1 : SKIP_CLOCK_HIGH;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_engine engine;
		if (is_on_host(e, &graph->nodes[n])) continue;
		enum skip_status status = skip_estimate_engine(graph, &graph->nodes[n], forms, e->work, &engine, err);
		if (status != SKIP_OK) return status;
		struct skip_estimate_kernel *kernel = kernel_of(e, &engine);
		const double factor = kernel->cycles_formula > 0 ? kernel->cycles / kernel->cycles_formula : 1;
		struct spent t = node_time(e, &engine, factor, e->clock_mhz);
		e->low_seconds += node_time(e, &engine, factor, e->clock_mhz * fast).seconds;
		e->high_seconds += node_time(e, &engine, factor, e->clock_mhz * slow).seconds;
		kernel->seconds += t.seconds;
		kernel->compute_seconds += t.compute;
		kernel->memory_seconds += t.memory;
		kernel->bound = bound_of(kernel->compute_seconds, kernel->memory_seconds, t.launch * kernel->nodes);
		e->seconds += t.seconds;
		e->compute_seconds += t.compute;
		e->memory_seconds += t.memory;
		e->launch_seconds += t.launch;
		e->macs += engine.macs;
	}
	e->bound = bound_of(e->compute_seconds, e->memory_seconds, e->launch_seconds);
	return SKIP_OK;
}

enum skip_status skip_estimate_node_seconds(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                            struct skip_workload work, double clock_mhz, double *seconds, struct skip_err *err)
{
	struct skip_estimate e = {.board = board, .work = work};
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_engine engine;
		seconds[n] = 0;
		if (is_on_host(&e, &graph->nodes[n])) continue;
		enum skip_status status = skip_estimate_engine(graph, &graph->nodes[n], forms, work, &engine, err);
		if (status != SKIP_OK) return status;
		seconds[n] = node_time(&e, &engine, 1, clock_mhz).seconds;
	}
	return SKIP_OK;
}

enum skip_status skip_estimate_run(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                   struct skip_workload work, double clock_mhz, struct skip_estimate *out, struct skip_err *err)
{
	return skip_estimate_run_reported(graph, board, forms, work, clock_mhz, NULL, out, err);
}

enum skip_status skip_estimate_run_reported(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                            struct skip_workload work, double clock_mhz, const struct skip_estimate_reports *reports,
                                            struct skip_estimate *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_estimate e = {.board = board, .work = work, .rows = forms->mr[0], .outputs = forms->nv, .verified = true};
	size_t capacity = 0;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		struct skip_engine engine;
		const bool on_host = is_on_host(&e, &graph->nodes[n]);
		e.on_host += on_host;
		if (on_host) continue;
		SKIP_TRY(skip_estimate_engine(graph, &graph->nodes[n], forms, work, &engine, err));
		SKIP_TRY(add_engine(&e, &engine, &capacity, err));
		e.int8 |= engine.lanes[1] > 0;
	}
	if (e.n_kernels == 0) SKIP_TRY(skip_err_set(err, SKIP_ERR_UNSUPPORTED, "board '%s' has an engine for none of the %zu nodes", board->profile->id, graph->n_nodes));
	for (size_t k = 0; k < e.n_kernels; k++) count_resources(&e, &e.kernel[k]);
	if (reports) SKIP_TRY(skip_estimate_apply(&e, graph, forms, reports, err));
	SKIP_TRY(place_all(&e, err));
	if (!(clock_mhz > 0)) clock_mhz = e.routed_mhz;
	e.clock_given = clock_mhz > 0;
	e.clock_mhz = e.clock_given ? clock_mhz : skip_derated_clock(use(&e, &board->default_mhz), e.largest_share, e.crossings);
	SKIP_TRY(add_time(&e, graph, forms, err));
	*out = e;
	e.kernel = NULL;
cleanup:
	skip_free(e.kernel);
	return status;
}

const char *skip_calibration_unit(const struct skip_estimate *estimate, const struct skip_calibration *calibration)
{
	return calibration->resource == SKIP_RESOURCE_COUNT ? "cycles" : estimate->board->unit[calibration->resource];
}

void skip_estimate_deinit(struct skip_estimate *estimate)
{
	skip_free(estimate->kernel);
	memset(estimate, 0, sizeof(*estimate));
}

/* ---- fit ---- */

enum skip_status skip_estimate_fit(const struct skip_graph *graph, const struct skip_board *board, struct skip_workload work, double clock_mhz,
                                   struct skip_profile *forms, struct skip_estimate *out, struct skip_err *err)
{
	static const int rows[] = {16, 32, 64}, outputs[] = {1, 2, 4, 8, 16, 32, 64};
	enum skip_status status = SKIP_OK;
	struct skip_estimate best = {0};
	for (size_t o = 0; o < sizeof(outputs) / sizeof(outputs[0]); o++) {
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			struct skip_profile tried = *forms;
			struct skip_estimate e;
			tried.mr[0] = rows[r];
			tried.nv = outputs[o];
			SKIP_TRY(skip_estimate_run(graph, board, &tried, work, clock_mhz, &e, err));
			bool better = !best.kernel || (e.fits && (!best.fits || e.seconds < best.seconds));
			skip_estimate_deinit(better ? &best : &e);
			if (better) best = e;
		}
	}
	forms->mr[0] = best.rows;
	forms->nv = best.outputs;
	*out = best;
	memset(&best, 0, sizeof(best));
cleanup:
	skip_estimate_deinit(&best);
	return status;
}
