/* Times of an FPGA board, by estimate, in the place of the device's: the table, its file, whole prunings. */
#include "device/estimate/estimate.h"
#include "method/search/allocation.h"
#include "method/search/on_board.h"
#include "method/search/times.h"
#include "method/world.h"

static struct skip_err err;

static struct skip_board board_of(const struct world *w, const char *id)
{
	struct skip_board board;
	CHECK_OK(skip_board_read(skip_profiles_find(w->scene.device.profiles, id), &board, &err));
	return board;
}

static struct skip_allocator allocator_on(const struct world *w, const struct skip_on_board *on)
{
	struct skip_allocator a = {.allocation = skip_allocation_find("fisher"), .cost = SKIP_COST_TIME, .on_board = on};
	a.input = (struct skip_allocation_input){.device = w->scene.device.device,
						 .graph = w->scene.graph,
						 .working = w->scene.graph,
						 .units = &w->units,
						 .scores = &w->scores,
						 .calibration = &w->scene.train,
						 .damping = 1e-2};
	CHECK_OK(skip_allocator_init(&a, 5, NULL, &w->scene.dev, 1, &err));
	return a;
}

Test(on_board, times_are_those_of_the_estimate)
{
	struct world w;
	struct skip_on_board on;
	struct skip_keep keep = {0};
	struct skip_graph *cut = NULL;
	world_init(&w, false);
	const struct skip_board board = board_of(&w, "u250");
	CHECK_OK(skip_on_board_init(&board, SKIP_PRECISION_INT8, w.scene.graph, 5.4, &on, &err));
	cr_assert(on.work.batch == 1 && on.work.length == 5 && on.clock_mhz > 0);
	struct skip_allocator a = allocator_on(&w, &on);
	const struct skip_options *o = &a.options;
	cr_assert_float_eq(o->dense[SKIP_COST_TIME], on.dense_ms, 1e-9, "the sum over sub-layers and the rest is the whole");
	cr_assert(skip_options_fixed(o, SKIP_COST_TIME) > 0);
	for (size_t s = 0; s < o->n; s++) {
		const double *ms = o->sub[s].cost[SKIP_COST_TIME];
		cr_assert_eq(ms[o->sub[s].n_options - 1], 0, "a sub-layer that leaves takes no time");
		for (size_t k = 1; k + 1 < o->sub[s].n_options; k++) cr_assert(ms[k] > 0 && ms[k] <= ms[0], "option %zu: %g ms of %g", k, ms[k], ms[0]);
	}
	/* One option in every layer, in the dense network's form: what the table says is what the network takes, but for its own clock. */
	double wanted = o->dense[SKIP_COST_TIME], sum = 0;
	CHECK_OK(skip_keep_create(&w.units, &keep, &err));
	for (size_t s = 0; s < o->n; s++) {
		const size_t k = o->sub[s].n_options / 2;
		wanted += o->sub[s].cost[SKIP_COST_TIME][k] - o->sub[s].cost[SKIP_COST_TIME][0];
		CHECK_OK(skip_widths_keep(&w.units, &w.scores, &o->sub[s], &o->sub[s].option[k], &keep, &err));
	}
	CHECK_OK(skip_pass_prune(w.scene.graph, &w.units, &keep, &cut, &err));
	struct skip_graph *typed = NULL, *made = NULL;
	int value;
	CHECK_OK(skip_pass_precision(cut, SKIP_PRECISION_INT8, &typed, &err));
	CHECK_OK(skip_pass_inference(typed, "logits", board.profile->combine, &made, &value, &err));
	double *seconds = calloc(made->n_nodes, sizeof(*seconds));
	CHECK_OK(skip_estimate_node_seconds(made, &board, &on.forms, on.work, on.clock_mhz, seconds, &err));
	for (size_t n = 0; n < made->n_nodes; n++) sum += 1000 * seconds[n];
	cr_assert_float_eq(sum, wanted, 1e-9, "%g ms by its nodes, %g by the table", sum, wanted);
	free(seconds);
	skip_graph_destroy(made);
	skip_graph_destroy(typed);
	skip_graph_destroy(cut);
	skip_keep_deinit(&keep);
	skip_allocator_deinit(&a);
	world_deinit(&w);
}

Test(on_board, a_table_says_where_it_is_from)
{
	struct world w;
	struct skip_on_board on, other;
	world_init(&w, false);
	const struct skip_board board = board_of(&w, "u250"), p520n = board_of(&w, "p520n");
	CHECK_OK(skip_on_board_init(&board, SKIP_PRECISION_INT8, w.scene.graph, 5, &on, &err));
	struct skip_allocator a = allocator_on(&w, &on);
	json_t *table = skip_times_to_json(w.scene.device.device, &on, &a.options, 1);
	cr_assert_str_eq(json_string_value(json_object_get(table, "source")), "estimated");
	cr_assert_str_eq(json_string_value(json_object_get(table, "profile")), "u250");
	CHECK_OK(skip_times_from_json(table, &on, 1, &a.options, &err));
	CHECK_FAILS(skip_times_from_json(table, NULL, 1, &a.options, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "--board u250 --dtype int8 takes it") != NULL, "%s", err.message);
	CHECK_OK(skip_on_board_init(&p520n, SKIP_PRECISION_INT8, w.scene.graph, 5, &other, &err));
	CHECK_FAILS(skip_times_from_json(table, &other, 1, &a.options, &err), SKIP_ERR_INPUT);
	json_object_set_new(table, "source", json_string("measured"));
	CHECK_FAILS(skip_times_from_json(table, &on, 1, &a.options, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "measured on a device") != NULL, "%s", err.message);
	json_decref(table);
	skip_allocator_deinit(&a);
	world_deinit(&w);
}

Test(on_board, boards_that_cannot_speak_for_the_whole_are_refused)
{
	struct world w;
	struct skip_on_board on;
	world_init(&w, false);
	const struct skip_board rtl = board_of(&w, "ecp5_85"), small = board_of(&w, "kv260");
	CHECK_FAILS(skip_on_board_init(&rtl, SKIP_PRECISION_INT8, w.scene.graph, 5, &on, &err), SKIP_ERR_USAGE);
	CHECK_FAILS(skip_on_board_init(&small, SKIP_PRECISION_INT8, w.scene.graph, 5, &on, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "does not fit kv260") != NULL, "%s", err.message);
	world_deinit(&w);
}

Test(on_board, prunes_for_a_speed_there)
{
	struct world w;
	struct skip_prune_options options;
	struct skip_prune_result result;
	world_init(&w, true);
	const struct skip_board board = board_of(&w, "u250");
	skip_prune_defaults(&options);
	options.compensate.tokens = 1000;
	options.allocate = "kl";
	options.classes = 1;
	options.speedup = 1.3;
	options.board = &board;
	options.board_precision = SKIP_PRECISION_INT8;
	CHECK_OK(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err));
	cr_assert(result.target_met && result.board.fits && result.board.length > 0);
	cr_assert_geq(result.board.dense_ms / result.board.pruned_ms, 0.99 * options.speedup);
	cr_assert_str_eq(json_string_value(json_object_get(result.time_table, "source")), "estimated");
	skip_prune_result_deinit(&result);
	options.speedup = 1000;
	CHECK_FAILS(skip_prune(w.scene.device.device, w.scene.graph, &w.scores, &w.scene.train, &w.scene.dev, &options, NULL, &result, &err), SKIP_ERR_USAGE);
	cr_assert(strstr(err.message, "ceiling") != NULL, "%s", err.message);
	world_deinit(&w);
}
