/*
 * The estimator: its formulas by hand, against published designs at their routed clock, and on graphs for every board. Published: HPCC FPGA, GEMM results
 * 1.0 and 1.3 (blocks of B x B on the chip, R engines of 8 x 8 x 8 lanes, loads of two ports of 64 bytes a cycle before the products, not beside them);
 * T2SP, gemm (one systolic array, double buffered).
 */
#include "../graph/toy_graph.h"
#include "device/estimate/estimate.h"
#include "device/estimate/formulas.h"

static const struct skip_profiles *boards(void)
{
	static struct skip_profiles *profiles;
	struct skip_err err;
	if (!profiles) CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	return profiles;
}

static struct skip_board board_of(const char *id)
{
	struct skip_err err;
	struct skip_board board;
	CHECK_OK(skip_board_read(skip_profiles_find(boards(), id), &board, &err));
	return board;
}

/* ---- formulas ---- */

Test(formulas, products)
{
	struct skip_product_form form = {.m = 32, .n = 100, .k = 384, .p_m = 1, .p_n = 8, .p_k = 16, .t_m = 16, .t_n = 100, .x_bytes = 4, .w_bytes = 4,
	                                 .y_bytes = 4, .in_flight = 16, .add_latency = 8, .pipeline_depth = 100, .write_lanes = 8};
	struct skip_product_cost cost = skip_product_cost(&form);
	cr_expect(cost.lanes == 128 && cost.ii == 1);
	cr_expect(cost.cycles == 32 * 13 * 24 + 100 + 4 * 8 + 8, "%g cycles", cost.cycles);
	cr_expect(cost.bytes_w == 2.0 * 100 * 384 * 4 && cost.bytes_x == 32.0 * 384 * 4 && cost.bytes_y == 32.0 * 100 * 4);
	cr_expect(fabs(cost.share - 32.0 * 100 * 384 / 128 / cost.cycles) < 1e-12);
	form.in_flight = 3;
	cr_expect(skip_product_cost(&form).ii == 3, "8 cycles of an addition over 3 sums");
	form.integer = true;
	cr_expect(skip_product_cost(&form).ii == 1);
}

struct block_case {
	enum skip_block block;
	int width;
	int64_t depth;
	int banks, reads;
	bool twofold;
	double blocks;
};

Test(formulas, memory_blocks)
{
	static const struct block_case cases[] = {
		{SKIP_BLOCK_BRAM36, 128, 8 * 192, 8, 1, false, 16}, /* routed: 16 RAMB36 */
		{SKIP_BLOCK_BRAM18, 36, 512, 1, 1, false, 1},      {SKIP_BLOCK_BRAM18, 37, 512, 1, 1, false, 2},
		{SKIP_BLOCK_BRAM18, 8, 2048, 1, 1, false, 1},      {SKIP_BLOCK_BRAM18, 1, 16384, 1, 1, true, 2},
		{SKIP_BLOCK_M20K, 512, 512, 1, 1, false, 13},      {SKIP_BLOCK_M20K, 512, 512, 1, 2, false, 26},
		{SKIP_BLOCK_URAM, 512, 4097, 1, 1, false, 16},     {SKIP_BLOCK_BRAM18, 512, 63, 1, 1, true, 0},
		{SKIP_BLOCK_BRAM18, 8, 128 * 1024, 128, 1, false, 128}, /* banking decides: 128 banks of 1 KiB */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct block_case *c = &cases[i];
		double blocks = skip_memory_blocks(c->block, c->width, c->depth, c->banks, c->reads, c->twofold);
		cr_expect(blocks == c->blocks, "case %zu: %g blocks, wanted %g", i, blocks, c->blocks);
	}
}

Test(formulas, clock_roofline_balance)
{
	cr_expect(fabs(skip_derated_clock(300, 0.85, 0) - 237) < 0.1 && fabs(skip_derated_clock(300, 0.71, 0) - 266.4) < 0.1);
	cr_expect(skip_derated_clock(300, 0.3, 0) == 300 && fabs(skip_derated_clock(300, 0.3, 2) - 216.75) < 0.01);
	cr_expect(skip_derated_clock(300, 5, 0) == skip_derated_clock(300, 1, 0));
	cr_expect(skip_stage_seconds(2, 3, true) == 3 && skip_stage_seconds(2, 3, false) == 5);
	cr_expect(skip_roofline(1000, 250, 1e9, 1e6, 60) == 5e11 && skip_roofline(1000, 250, 1e9, 1e9, 60) == 6e10);
	cr_expect(fabs(skip_balance_rows(4096, 250, 1, 60) - 17.07) < 0.01);
}

/* ---- published designs ---- */

struct anchor {
	const char *name, *board;
	double m, n, k;
	double p_m, p_n, p_k, engines;
	double tile_m, tile_n;
	bool overlaps;
	int memory;   /* of the board file */
	double ports; /* of 64 bytes a cycle, all engines; each with a bank of its own where `banked` */
	bool banked;
	double mhz, published;
};

static const struct anchor anchors[] = {
	{"HPCC 520N", "p520n", 4096, 4096, 4096, 8, 8, 8, 5, 512, 512, false, 0, 10, false, 273, 1232},
	{"HPCC 520N, SDK 19.4", "p520n", 4096, 4096, 4096, 8, 8, 8, 5, 512, 512, false, 0, 10, false, 160.42, 708.95},
	{"HPCC U280 HBM", "u280", 4096, 4096, 4096, 8, 8, 8, 3, 256, 256, false, 0, 6, true, 236, 603.86},
	{"HPCC U280 DDR", "u280", 4096, 4096, 4096, 8, 8, 8, 3, 256, 256, false, 1, 6, false, 100, 266.91},
	{"HPCC D5005", "pac_d5005", 4096, 4096, 4096, 8, 8, 8, 5, 512, 512, false, 1, 10, false, 225, 739.59},
	{"T2SP Arria 10", "pac_a10", 10240, 8192, 16384, 10, 8, 16, 1, 320, 256, true, 0, 2, false, 244, 620},
	{"T2SP Stratix 10", "pac_d5005", 14336, 16384, 16384, 14, 16, 16, 1, 448, 512, true, 0, 2, false, 251, 1790},
};

static double predicted_gflops(const struct anchor *a)
{
	const struct skip_board board = board_of(a->board);
	const struct skip_board_memory *memory = &board.memory[a->memory];
	const double banks = a->banked ? fmin(a->ports, memory->banks.value) : memory->banks.value;
	const struct skip_product_form form = {.m = a->m, .n = a->n, .k = a->k, .p_m = a->p_m, .p_n = a->p_n, .p_k = a->p_k, .t_m = a->tile_m, .t_n = a->tile_n,
		.x_bytes = 4, .w_bytes = 4, .y_bytes = 4, .in_flight = 64, .add_latency = 8, .pipeline_depth = 100, .write_lanes = 16};
	const struct skip_product_cost cost = skip_product_cost(&form);
	const double compute = cost.cycles / a->engines / (a->mhz * 1e6), bytes = cost.bytes_x + cost.bytes_w + cost.bytes_y;
	const double at_banks = bytes / (banks * memory->gbps_per_bank.value * memory->efficiency.value * 1e9);
	const double at_ports = bytes / (a->ports * 64 * a->mhz * 1e6);
	return 2 * a->m * a->n * a->k / skip_stage_seconds(compute, fmax(at_banks, at_ports), a->overlaps) / 1e9;
}

Test(anchors, published_designs_within_30_percent)
{
	for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
		const double gflops = predicted_gflops(&anchors[i]), off = 100 * (gflops / anchors[i].published - 1);
		printf("%-20s %7.1f GFLOP/s estimated, %7.1f published, %+5.1f %%\n", anchors[i].name, gflops, anchors[i].published, off);
		cr_expect(fabs(off) <= 30, "%s: %.1f GFLOP/s against %.1f", anchors[i].name, gflops, anchors[i].published);
	}
}

/* ---- graphs on boards ---- */

static struct skip_graph *network(enum skip_precision precision, int ffn)
{
	struct skip_err err;
	static const char *const combine[] = {"ffn", NULL};
	struct toy_options options = toy_defaults();
	struct skip_graph *made = NULL, *typed = NULL;
	int value;
	options.dtype = SKIP_F32;
	options.width = 96;
	options.heads = 3;
	options.qk = options.v = 32;
	options.ffn = ffn;
	struct skip_graph *graph = toy_graph(&options);
	graph->max_positions = 512;
	CHECK_OK(skip_pass_precision(graph, precision, &typed, &err));
	CHECK_OK(skip_pass_inference(typed, "logits", combine, &made, &value, &err));
	skip_graph_destroy(graph);
	skip_graph_destroy(typed);
	return made;
}

static struct skip_estimate estimate(const struct skip_graph *graph, const struct skip_board *board, double clock)
{
	struct skip_err err;
	struct skip_estimate e;
	CHECK_OK(skip_estimate_run(graph, board, board->profile, (struct skip_workload){1, 64}, clock, &e, &err));
	return e;
}

Test(estimate, every_board_stays_within_its_resources)
{
	struct skip_err err;
	for (int precision = SKIP_PRECISION_F32; precision <= SKIP_PRECISION_INT8; precision += SKIP_PRECISION_INT8) {
		struct skip_graph *graph = network((enum skip_precision)precision, 384);
		int fitted = 0;
		for (size_t i = 0; i < skip_profiles_count(boards()); i++) {
			const struct skip_profile *profile = skip_profiles_at(boards(), i);
			if (!skip_profile_is_board(profile)) continue;
			struct skip_board board = board_of(profile->id);
			if (skip_board_is_rtl(&board) && precision != SKIP_PRECISION_INT8) continue;
			struct skip_profile forms = *profile;
			struct skip_estimate e;
			CHECK_OK(skip_estimate_fit(graph, &board, (struct skip_workload){1, 64}, 0, &forms, &e, &err));
			cr_expect(e.rows == forms.mr[0] && e.outputs == forms.nv);
			for (int r = 0; r < SKIP_RESOURCE_COUNT && e.fits; r++) {
				cr_expect(e.used[r] <= e.available[r] && e.used[r] <= board.total[r].value, "%s: %g of %g %s", profile->id, e.used[r], e.available[r], skip_resource_name(r));
			}
			cr_expect(e.fits || e.why[0], "%s does not say why it does not fit", profile->id);
			cr_expect(e.low_seconds < e.seconds && e.seconds < e.high_seconds && e.seconds > 0 && isfinite(e.seconds));
			cr_expect(e.clock_mhz > 0 && e.clock_mhz <= board.default_mhz.value && e.verified == false && e.n_inputs > 10);
			fitted += e.fits;
			skip_estimate_deinit(&e);
		}
		cr_expect(fitted >= 12, "only %d boards hold the network", fitted);
		skip_graph_destroy(graph);
	}
}

Test(estimate, adds_up)
{
	struct skip_graph *graph = network(SKIP_PRECISION_F32, 384);
	struct skip_board board = board_of("u250");
	struct skip_estimate e = estimate(graph, &board, 200);
	double used[SKIP_RESOURCE_COUNT] = {0}, seconds = 0, macs = 0;
	int nodes = 0;
	for (size_t k = 0; k < e.n_kernels; k++) {
		for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) used[r] += e.kernel[k].used[r];
		seconds += e.kernel[k].seconds;
		macs += e.kernel[k].macs;
		nodes += e.kernel[k].nodes;
		cr_expect(e.kernel[k].region >= 0 && e.kernel[k].region < board.n_regions);
	}
	cr_expect(nodes == (int)graph->n_nodes && e.n_kernels < graph->n_nodes, "layers of equal shape share an engine");
	for (int r = 0; r < SKIP_RESOURCE_COUNT; r++) cr_expect(fabs(used[r] - e.used[r]) < 1e-6);
	cr_expect(fabs(seconds - e.seconds) < 1e-12 && e.clock_mhz == 200 && e.low_seconds == e.seconds && e.high_seconds == e.seconds);
	cr_expect(fabs(macs - skip_graph_macs(graph, 64, false)) < 1, "%g multiply-adds, the graph says %g", macs, skip_graph_macs(graph, 64, false));
	skip_estimate_deinit(&e);
	skip_graph_destroy(graph);
}

Test(estimate, a_narrower_network_costs_less)
{
	struct skip_graph *wide = network(SKIP_PRECISION_INT8, 384), *narrow = network(SKIP_PRECISION_INT8, 192);
	struct skip_board board = board_of("u280");
	struct skip_estimate a = estimate(wide, &board, 0), b = estimate(narrow, &board, 0);
	cr_expect(b.seconds < a.seconds && b.used[SKIP_RESOURCE_BRAM] <= a.used[SKIP_RESOURCE_BRAM] && b.used[SKIP_RESOURCE_DSP] <= a.used[SKIP_RESOURCE_DSP]);
	skip_estimate_deinit(&a);
	skip_estimate_deinit(&b);
	skip_graph_destroy(wide);
	skip_graph_destroy(narrow);
}

Test(estimate, refuses_what_has_no_engine)
{
	struct skip_err err;
	struct skip_estimate e;
	struct skip_board board = board_of("u280");
	struct skip_graph *graph = network(SKIP_PRECISION_BF16, 384);
	CHECK_FAILS(skip_estimate_run(graph, &board, board.profile, (struct skip_workload){1, 64}, 0, &e, &err), SKIP_ERR_UNSUPPORTED);
	cr_expect(strstr(err.message, "bf16") != NULL, "%s", err.message);
	skip_graph_destroy(graph);
	struct toy_options options = toy_defaults();
	options.dtype = SKIP_F32;
	graph = toy_graph(&options);
	CHECK_FAILS(skip_estimate_run(graph, &board, board.profile, (struct skip_workload){1, 64}, 0, &e, &err), SKIP_ERR_UNSUPPORTED);
	cr_expect(strstr(err.message, "op 'act' has no FPGA engine") != NULL, "%s", err.message);
	skip_graph_destroy(graph);
}

/* Routed: 128 multipliers of the products and 4 of each of 4 multiply-adders; banks of floats of 512 x 36. */
Test(estimate, a_board_built_from_rtl_leaves_the_rest_to_the_host)
{
	struct skip_err err;
	struct skip_estimate e;
	struct skip_graph *graph = network(SKIP_PRECISION_INT8, 384), *floats = network(SKIP_PRECISION_F32, 384);
	struct skip_board board = board_of("ecp5_85");
	cr_assert(skip_board_is_rtl(&board));
	e = estimate(graph, &board, 0);
	cr_expect(e.n_kernels == 1 && e.kernel[0].nodes + e.on_host == (int)graph->n_nodes && e.on_host > 0, "%d on the host", e.on_host);
	cr_expect(e.used[SKIP_RESOURCE_DSP] == 8 * 16 + 4 * 4, "%g", e.used[SKIP_RESOURCE_DSP]);
	cr_expect(e.used[SKIP_RESOURCE_BRAM] == 4 * 3 + 4, "%g", e.used[SKIP_RESOURCE_BRAM]);
	skip_estimate_deinit(&e);
	CHECK_FAILS(skip_estimate_run(floats, &board, board.profile, (struct skip_workload){1, 64}, 0, &e, &err), SKIP_ERR_UNSUPPORTED);
	cr_expect(strstr(err.message, "int8") != NULL, "%s", err.message);
	skip_graph_destroy(graph);
	skip_graph_destroy(floats);
}
