/* skip bench: median and p95 of packed batches, several packages interleaved in one process. */
#include "base/alloc.h"
#include "base/rng.h"
#include "cli/calibrate.h"
#include "cli/layers.h"
#include "cli/record.h"
#include "graph/rules.h"

#include <stdio.h>
#include <string.h>

#define MAX_LIST 16

struct subject {
	const char *path;
	struct skip_cli_model model;
	struct skip_graph *pooled; /* of an encoder without classes */
	struct skip_session *session, *launches; /* launches: with --layers, each on its own */
	int value, launches_value;
};

/* What the others are compared with runs as it was saved. */
static enum skip_status open_model(struct subject *subject, const struct skip_cli_common *common, bool reference, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_cli_open_model(subject->path, &subject->model, err));
	if (!reference) SKIP_TRY(skip_cli_apply_dtype(common, &subject->model, err));
	status = skip_cli_check_bitstreams(common, &subject->model, err);
cleanup:
	return status;
}

static enum skip_status open_subject(struct subject *subject, const struct skip_cli_common *common, const struct skip_cli_input *input, bool reference,
				     struct skip_device *device, struct skip_err *err)
{
	enum skip_status status;
	if (!reference) SKIP_TRY(skip_cli_calibrate(common, &subject->model, input, device, err));
	const struct skip_graph *graph = subject->model.graph;
	if (skip_graph_find_value(graph, "logits") != SKIP_NONE)
		return skip_cli_open_session(common, &subject->model, device, true, &subject->session, &subject->value, err);
	SKIP_TRY(skip_pass_head(graph, subject->model.checkpoint.pool, NULL, NULL, 0, &subject->pooled, err));
	SKIP_TRY(skip_open_inference(device, subject->pooled, "pooled", true, &subject->session, &subject->value, err));
cleanup:
	return status;
}

/* `rows` sequences of `length` token ids each, the same for every subject and known to all. */
static enum skip_status synthetic(int rows, int length, int vocabulary, struct skip_dataset *out, struct skip_err *err)
{
	struct skip_rng rng;
	size_t n = (size_t)rows, tokens = n * (size_t)length;
	struct skip_dataset data = { .n_rows = n };
	data.ids = skip_alloc_array(tokens, sizeof(*data.ids));
	data.types = skip_alloc_zeroed(tokens, sizeof(*data.types));
	data.offset = skip_alloc_array(n + 1, sizeof(*data.offset));
	if (!data.ids || !data.types || !data.offset) {
		skip_dataset_deinit(&data);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu tokens", tokens);
	}
	skip_rng_init(&rng, 0, "bench");
	for (size_t i = 0; i < tokens; i++) data.ids[i] = (int32_t)skip_rng_below(&rng, (uint64_t)vocabulary);
	for (size_t i = 0; i <= n; i++) data.offset[i] = (int64_t)i * length;
	*out = data;
	return SKIP_OK;
}

/* GFLOP of one pass over the data: 2 operations a multiply-add, real lengths. */
static double work_gflop(const struct skip_graph *graph, const struct skip_dataset *data)
{
	double macs = 0;
	for (size_t i = 0; i < data->n_rows; i++) macs += skip_graph_macs(graph, (double)(data->offset[i + 1] - data->offset[i]), false);
	return 2 * macs / 1e9;
}

struct cell {
	const struct skip_dataset *data;
	int batch, length; /* length 0: real data */
	const char *name;
};

static enum skip_status run_cell(struct subject *subjects, size_t n, const struct cell *cell, double seconds, const double *peak, bool print,
				 json_t *rows, struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *sessions[MAX_LIST];
	int values[MAX_LIST];
	struct skip_timing timing[MAX_LIST];
	for (size_t i = 0; i < n; i++) {
		sessions[i] = subjects[i].session;
		values[i] = subjects[i].value;
	}
	SKIP_TRY(skip_measure_interleaved(sessions, values, n, cell->data, cell->batch, 5, seconds, timing, err));
	for (size_t i = 0; i < n; i++) {
		const enum skip_precision precision = skip_cli_precision(subjects[i].model.graph);
		double share = 0, gflops = work_gflop(subjects[i].model.graph, cell->data) / (timing[i].median_ms / 1e3);
		if (peak[precision] > 0) share = gflops / peak[precision];
		json_t *row = json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "model", subjects[i].path, "dtype",
					skip_precision_names[precision], "batch", cell->batch, "median_ms", timing[i].median_ms, "p95_ms", timing[i].p95_ms, "gflops",
					gflops, "peak_gflops", peak[precision], "peak_share", share, "speedup", timing[i].speedup);
		const char *activations = skip_cli_activations(subjects[i].model.graph);
		if (activations) json_object_set_new(row, "activations", json_string(activations));
		if (cell->length)
			json_object_set_new(row, "length", json_integer(cell->length));
		else
			json_object_set_new(row, "data", json_string(cell->name));
		json_array_append_new(rows, row);
		if (!print) continue;
		char length[24];
		snprintf(length, sizeof(length), "%d", cell->length);
		printf("%-32.32s %5d %7s %10.3f %10.3f %9.1f %6.1f %% %7.2fx\n", subjects[i].path, cell->batch, cell->length ? length : "data", timing[i].median_ms,
		       timing[i].p95_ms, gflops, 100 * share, timing[i].speedup);
	}
cleanup:
	return status;
}

/* A session whose launches can be timed, for the profile view. */
static enum skip_status open_launches(struct subject *subject, struct skip_device *device, struct skip_err *err)
{
	const struct skip_graph *graph = subject->pooled ? subject->pooled : subject->model.graph;
	return skip_open_launches(device, graph, subject->pooled ? "pooled" : "logits", &subject->launches, &subject->launches_value, err);
}

/* The profile view of the first --batch rows of the data. */
static enum skip_status print_layers(const struct subject *subject, const struct skip_dataset *data, int batch, const struct skip_layers_settings *set,
				     json_t *list, struct skip_err *err)
{
	enum skip_status status;
	struct skip_packer packer;
	int rows[4096], n = batch < (int)data->n_rows ? batch : (int)data->n_rows; /* --batch is at most 4096 */
	skip_packer_init(&packer);
	for (int i = 0; i < n; i++) rows[i] = i;
	SKIP_TRY(skip_packer_pack(&packer, data, rows, (size_t)n, err));
	SKIP_TRY(skip_cli_layers(subject->path, subject->launches, subject->launches_value, &packer.batch, set, list, err));
cleanup:
	skip_packer_deinit(&packer);
	return status;
}

struct settings {
	struct skip_cli_common common;
	struct skip_cli_input input;
	const char *batch, *length, *data, *against;
	double seconds;
	bool layers;
};

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* The lengths asked for; without --length those of the usual ones that every subject can take. */
static enum skip_status choose_lengths(const struct settings *set, const struct subject *subjects, size_t n, int *out, size_t *n_out,
				       struct skip_err *err)
{
	static const int usual[] = { 16, 64, 128 };
	int limit = subjects[0].model.max_length;
	size_t count = 0;
	for (size_t i = 1; i < n; i++) limit = smaller(limit, subjects[i].model.max_length);
	if (set->length) return skip_cli_int_list("--length", set->length, limit, out, MAX_LIST, n_out, err);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (usual[i] <= limit) out[count++] = usual[i];
	if (!count) out[count++] = limit;
	*n_out = count;
	return SKIP_OK;
}

/* The peaks of float32 and of the types the subjects use. */
static enum skip_status measure_peaks(struct skip_device *device, const struct subject *subjects, size_t n, double *peak, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	bool used[SKIP_PRECISION_COUNT] = { [SKIP_PRECISION_F32] = true };
	for (size_t i = 0; i < n; i++) {
		const struct skip_graph *graph = subjects[i].model.graph;
		for (size_t node = 0; node < graph->n_nodes; node++) used[skip_node_precision(&graph->nodes[node])] = true;
	}
	for (int p = 0; p < SKIP_PRECISION_COUNT; p++)
		if (used[p]) SKIP_TRY(skip_device_measure_peak(device, (enum skip_precision)p, &peak[p], err));
cleanup:
	return status;
}

static void print_head(const struct skip_device *device, const double *peak)
{
	printf("%s, measured GFLOP/s:", skip_device_get_info(device)->facts.name);
	for (int p = 0; p < SKIP_PRECISION_COUNT; p++)
		if (peak[p] > 0) printf(" %s %.1f", skip_precision_names[p], peak[p]);
	printf("\n%-32s %5s %7s %10s %10s %9s %8s %8s\n", "model", "batch", "length", "median ms", "p95 ms", "GFLOP/s", "of peak", "speedup");
}

static enum skip_status bench(struct subject *subjects, size_t n, const struct settings *set, struct skip_device *device, struct skip_err *err)
{
	enum skip_status status;
	int batches[MAX_LIST], lengths[MAX_LIST];
	int vocabulary = 1000;
	size_t n_batches, n_lengths;
	struct skip_layers_settings profile = { .seconds = set->seconds, .print = !set->common.json };
	struct skip_dataset data = { 0 };
	json_t *rows = json_array(), *layers = json_array();
	SKIP_TRY(skip_cli_int_list("--batch", set->batch, 4096, batches, MAX_LIST, &n_batches, err));
	SKIP_TRY(choose_lengths(set, subjects, n, lengths, &n_lengths, err));
	for (size_t i = 0; i < n; i++) vocabulary = smaller(vocabulary, skip_cli_vocabulary(subjects[i].model.graph));
	/* Measured by kernels of their own, which a board that is loaded with a program cannot have. */
	if (!set->common.bitstreams) SKIP_TRY(measure_peaks(device, subjects, n, profile.peak_gflops, err));
	if (set->layers) SKIP_TRY(skip_device_measure_bandwidth(device, &profile.bandwidth_gbs, err));
	if (!set->common.json) print_head(device, profile.peak_gflops);
	if (set->data) {
		SKIP_TRY(skip_cli_read(set->data, &subjects[0].model, &set->input, false, false, NULL, NULL, &data, err));
		if (!data.n_rows) SKIP_TRY(skip_err_at(err, SKIP_ERR_INPUT, set->data, 0, -1, "no rows to time"));
	}
	for (size_t b = 0; b < n_batches; b++) {
		for (size_t l = 0; l < (set->data ? 1 : n_lengths); l++) {
			if (skip_cli_interrupted) SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERRUPTED, "interrupted"));
			if (!set->data) {
				skip_dataset_deinit(&data);
				SKIP_TRY(synthetic(batches[b], lengths[l], vocabulary, &data, err));
			}
			struct cell cell = { .data = &data, .batch = batches[b], .length = set->data ? 0 : lengths[l], .name = set->data };
			SKIP_TRY(run_cell(subjects, n, &cell, set->seconds, profile.peak_gflops, !set->common.json, rows, err));
			for (size_t i = 0; set->layers && i < n; i++) SKIP_TRY(print_layers(&subjects[i], &data, batches[b], &profile, layers, err));
		}
	}
	if (set->common.json) {
		json_t *out = json_pack("{s:o, s:f, s:O}", "device", skip_record_host(device), "peak_gflops", profile.peak_gflops[SKIP_PRECISION_F32], "rows", rows);
		if (set->layers) {
			json_object_set_new(out, "bandwidth_gbs", json_real(profile.bandwidth_gbs));
			json_object_set(out, "launches", layers);
		}
		SKIP_TRY(skip_cli_print_json(out, err));
	}
cleanup:
	json_decref(rows);
	json_decref(layers);
	skip_dataset_deinit(&data);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct settings set = { .batch = "1,8,32", .seconds = 1 };
	struct subject subjects[MAX_LIST] = { 0 };
	struct skip_cli_device device = { 0 };
	size_t n = 0;
	skip_cli_common_options(&args, &set.common, true);
	skip_cli_input_options(&args, &set.input);
	skip_cli_string(&args, "--calibrate", &set.common.calibrate);
	skip_cli_string(&args, "--batch", &set.batch);
	skip_cli_string(&args, "--length", &set.length);
	skip_cli_string(&args, "--data", &set.data);
	skip_cli_string(&args, "--against", &set.against);
	skip_cli_string(&args, "--bitstreams", &set.common.bitstreams);
	skip_cli_real(&args, "--seconds", &set.seconds, 0.01, 3600);
	skip_cli_flag(&args, "--layers", &set.layers);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 8, err));
	if (args.help) goto cleanup;
	if (set.data && skip_cli_seen(&args, "--length")) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--data and --length contradict each other"));
	for (int i = 0; i < args.n_words; i++) subjects[n++].path = args.word[i];
	if (set.against) subjects[n++].path = set.against;
	if (set.layers && set.common.bitstreams) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--layers compares with measured peaks, which are kernels of their own: not with --bitstreams"));
	for (size_t i = 0; i < n; i++) SKIP_TRY(open_model(&subjects[i], &set.common, (int)i >= args.n_words, err));
	SKIP_TRY(skip_cli_open_device(&set.common, &device, err));
	for (size_t i = 0; i < n; i++) SKIP_TRY(open_subject(&subjects[i], &set.common, &set.input, (int)i >= args.n_words, device.device, err));
	for (size_t i = 0; set.layers && i < n; i++) SKIP_TRY(open_launches(&subjects[i], device.device, err));
	skip_cli_catch_interrupt();
	SKIP_TRY(bench(subjects, n, &set, device.device, err));
cleanup:
	for (size_t i = 0; i < n; i++) {
		skip_session_destroy(subjects[i].session);
		skip_session_destroy(subjects[i].launches);
		skip_graph_destroy(subjects[i].pooled);
		skip_cli_close_model(&subjects[i].model);
	}
	skip_cli_close_device(&device);
	return status;
}

const struct skip_verb skip_verb_bench = {
	.name = "bench",
	.arguments = "PKG [PKG ...] [--against PKG0]",
	.summary = "Time packages, interleaved: median, p95, GFLOP/s, share of peak",
	.help = "  --batch 1,8,32          sequences a batch\n"
		"  --length 16,64,128      tokens a sequence, as far as the models go\n"
		"  --data DATA             the whole file in packed batches of --batch instead\n"
		"  --against PKG0          reference of the speedup column (else the last package)\n"
		"  --seconds S             at least S seconds a cell (default 1)\n"
		"  --bitstreams DIR        library of built programs, for FPGA boards and their emulation; without peaks\n"
		"  --layers                every kernel of a batch too: time, share, GFLOP/s, GB/s, bound, rows wasted\n"
		"  --device D, --threads N, --dtype T, --calibrate DATA, --json, --quiet\n\n"
		"examples:\n"
		"  skip bench tickets.skip --against tickets.dense.skip --batch 1 --length 16,64\n"
		"  skip bench tickets.skip --against tickets.dense.skip --batch 32 --data test.tsv --json\n",
	.order = 30,
	.run = run,
};
