/* skip encode: embeddings or hidden states, computed on the device. */
#include "base/alloc.h"
#include "base/clock.h"
#include "cli/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POOL_NONE = -1 }; /* beside enum skip_pool */

/* Hidden states keep the order of the file: batches of whole rows in order, read one after the other into [T][D]. */
static enum skip_status hidden_states(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, float *out,
				      struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session = NULL;
	struct skip_batches batches = { 0 };
	struct skip_packer packer;
	int value;
	skip_packer_init(&packer);
	SKIP_TRY(skip_open_inference(device, graph, "hidden", true, &session, &value, err));
	size_t width = (size_t)graph->model_width;
	SKIP_TRY(skip_batches_plain(data, 16, &batches, err));
	for (size_t i = 0; i < batches.n_batches; i++) {
		const int *rows = batches.rows + batches.start[i];
		SKIP_TRY(skip_packer_pack(&packer, data, rows, batches.start[i + 1] - batches.start[i], err));
		SKIP_TRY(skip_session_run(session, &packer.batch, value, out + (size_t)data->offset[rows[0]] * width, err));
	}
cleanup:
	skip_packer_deinit(&packer);
	skip_batches_deinit(&batches);
	skip_session_destroy(session);
	return status;
}

static enum skip_status embeddings(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, enum skip_pool pool,
				   float *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *pooled = NULL;
	struct skip_session *session = NULL;
	int value;
	SKIP_TRY(skip_pass_head(graph, pool, NULL, NULL, 0, &pooled, err));
	SKIP_TRY(skip_open_inference(device, pooled, "pooled", true, &session, &value, err));
	SKIP_TRY(skip_predict(session, value, data, 0, out, NULL, err));
cleanup:
	skip_session_destroy(session);
	skip_graph_destroy(pooled);
	return status;
}

static void normalize(float *rows, size_t n, size_t width)
{
	for (size_t i = 0; i < n; i++) {
		double sum = 0;
		for (size_t d = 0; d < width; d++) sum += (double)rows[i * width + d] * (double)rows[i * width + d];
		double scale = sum > 0 ? 1 / sqrt(sum) : 0;
		for (size_t d = 0; d < width; d++) rows[i * width + d] = (float)(rows[i * width + d] * scale);
	}
}

static enum skip_status write_out(const char *path, const struct skip_dataset *data, const float *rows, int64_t n_rows, int64_t width, bool hidden,
				  struct skip_err *err)
{
	enum skip_status status;
	struct skip_output *output = NULL;
	int32_t *offsets = NULL;
	struct skip_st_entry entry[2] = { { .dtype = SKIP_F32, .rank = 2, .dim = { n_rows, width }, .data = rows } };
	entry[0].bytes = (size_t)n_rows * (size_t)width * sizeof(float);
	strcpy(entry[0].name, hidden ? "hidden" : "embedding");
	if (hidden) {
		offsets = skip_alloc_array(data->n_rows + 1, sizeof(*offsets));
		if (!offsets) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu offsets", data->n_rows + 1);
		for (size_t i = 0; i <= data->n_rows; i++) offsets[i] = (int32_t)data->offset[i];
		entry[1] = (struct skip_st_entry){ .name = "offsets", .dtype = SKIP_I32, .rank = 1, .dim = { (int64_t)data->n_rows + 1 }, .data = offsets };
		entry[1].bytes = (data->n_rows + 1) * sizeof(*offsets);
	}
	skip_cli_catch_interrupt(); /* the file is written to its end or not at all */
	SKIP_TRY(skip_output_create_file(path, &output, err));
	SKIP_TRY(skip_st_write(output, NULL, entry, hidden ? 2 : 1, NULL, err));
	SKIP_TRY(skip_output_commit(output, err));
cleanup:
	skip_output_destroy(output);
	skip_free(offsets);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	static const char *const pools[] = { "mean", "cls", "last", "none", NULL }; /* as enum skip_pool, and none */
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_dataset data = { 0 };
	const char *out = NULL, *pool_name = NULL;
	float *rows = NULL;
	bool unit_length = false;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_string(&args, "--calibrate", &common.calibrate);
	skip_cli_string(&args, "-o", &out);
	skip_cli_string(&args, "--pool", &pool_name);
	skip_cli_flag(&args, "--normalize", &unit_length);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 2, 2, err));
	if (args.help) goto cleanup;
	if (!out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "-o OUT.safetensors is missing"));
	SKIP_TRY(skip_cli_check_file_place(out, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_apply_dtype(&common, &model, err));
	int pool = model.checkpoint.graph ? (int)model.checkpoint.pool : (int)SKIP_POOL_MEAN;
	if (pool_name) SKIP_TRY(skip_cli_choice("--pool", pool_name, pools, &pool, err));
	if (pool > SKIP_POOL_LAST) pool = POOL_NONE;
	if (skip_graph_find_value(model.graph, "hidden") == SKIP_NONE)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "%s gives no hidden states", model.path));
	SKIP_TRY(skip_cli_read(args.word[1], &model, &input, false, false, NULL, NULL, &data, err));
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_calibrate(&common, &model, &input, device.device, err));
	int64_t n_rows = pool == POOL_NONE ? data.offset[data.n_rows] : (int64_t)data.n_rows;
	size_t width = (size_t)model.graph->model_width;
	double start = skip_clock_seconds();
	rows = skip_alloc_array((size_t)n_rows, width * sizeof(*rows));
	if (!rows) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %lld rows", (long long)n_rows));
	if (pool == POOL_NONE)
		SKIP_TRY(hidden_states(device.device, model.graph, &data, rows, err));
	else
		SKIP_TRY(embeddings(device.device, model.graph, &data, (enum skip_pool)pool, rows, err));
	if (unit_length) normalize(rows, (size_t)n_rows, width);
	double seconds = skip_clock_seconds() - start;
	SKIP_TRY(write_out(out, &data, rows, n_rows, (int64_t)width, pool == POOL_NONE, err));
	if (common.json)
		SKIP_TRY(skip_cli_print_json(json_pack("{s:I, s:I, s:f}", "sequences", (json_int_t)data.n_rows, "tokens", (json_int_t)data.offset[data.n_rows],
						       "seconds", seconds), err));
	else
		printf("%zu sequences, %lld tokens, %.3f s -> %s\n", data.n_rows, (long long)data.offset[data.n_rows], seconds, out);
cleanup:
	skip_free(rows);
	skip_dataset_deinit(&data);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_encode = {
	.name = "encode",
	.arguments = "MODEL DATA -o OUT.safetensors",
	.summary = "Write embeddings or hidden states of every row",
	.help = "  -o FILE                 safetensors: embedding [B][D], or hidden [T][D] and offsets [B+1]\n"
		"  --pool none|cls|mean|last  default: what the model folder says\n"
		"  --normalize             unit length rows\n"
		"  --max-length N, --input-format tsv|jsonl|text\n"
		"  --device D, --threads N, --dtype T, --calibrate DATA, --json, --quiet\n\n"
		"examples:\n"
		"  skip encode models/all-minilm-l6-v2 test.tsv -o test.safetensors --normalize\n"
		"  skip encode models/all-minilm-l6-v2 lines.txt --pool none -o hidden.safetensors\n",
	.order = 65,
	.run = run,
};
