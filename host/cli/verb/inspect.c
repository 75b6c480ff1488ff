/* skip inspect: what a model is, layer by layer, and what was removed. */
#include "cli/record.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

static json_t *hashes(const struct skip_cli_model *model, struct skip_err *err)
{
	char weights[SKIP_SHA256_HEX] = "", path[700];
	json_t *programs = json_object();
	snprintf(path, sizeof(path), "%s/%s", model->path, model->package ? "weights.safetensors" : "model.safetensors");
	if (skip_file_exists(path) && skip_sha256_file(path, weights, err) != SKIP_OK) {
		json_decref(programs);
		return NULL;
	}
	if (model->package) {
		const char *name;
		json_t *value;
		json_object_foreach(json_object_get(model->package->manifest, "files"), name, value)
			if (!strncmp(name, "programs/", 9)) json_object_set(programs, name, value);
	}
	json_t *out = json_pack("{s:s, s:o}", "weights", weights, "programs", programs);
	if (model->package) json_object_set_new(out, "package", json_string(model->package->hash));
	return out;
}

static void print_text(const struct skip_cli_model *model, const json_t *layers, double macs)
{
	const struct skip_graph *graph = model->graph;
	int64_t encoder = skip_graph_encoder_params(graph);
	size_t index;
	json_t *layer;
	printf("%-14s%s, %d layers, D %d, H %d, E %d, F %d, at most %d tokens\n", "architecture", graph->architecture, graph->layers, graph->model_width,
	       graph->heads, graph->head_width, graph->ffn_width, model->max_length);
	printf("%-14s%.2f M in all, encoder %.2f M of %.2f M (%.1f %% removed)\n", "parameters", (double)skip_graph_total_params(graph) / 1e6,
	       (double)encoder / 1e6, (double)graph->dense_encoder_params / 1e6, skip_record_removed_percent(graph));
	printf("%-14s%.2f M per token at 64 tokens\n", "MACs", macs / 1e6);
	if (model->labels.count) {
		printf("%-14s%d:", "classes", model->labels.count);
		for (int i = 0; i < model->labels.count; i++) printf(" %s", model->labels.name[i]);
		putchar('\n');
	}
	if (model->package) printf("%-14s%s\n", "package", model->package->hash);
	printf("\n%5s %6s %6s %6s %6s %7s\n", "layer", "heads", "qk", "v", "ffn", "prefix");
	json_array_foreach(layers, index, layer)
		printf("%5zu %6lld %6lld %6lld %6lld %7lld\n", index, json_integer_value(json_object_get(layer, "heads")),
		       json_integer_value(json_object_get(layer, "qk")), json_integer_value(json_object_get(layer, "v")),
		       json_integer_value(json_object_get(layer, "ffn")), json_integer_value(json_object_get(layer, "prefix")));
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_model model = { 0 };
	json_t *layers = NULL, *hash = NULL;
	skip_cli_common_options(&args, &common, false);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	layers = skip_record_layers(model.graph, err);
	if (!layers) SKIP_TRY(err ? err->status : SKIP_ERR_NOMEM);
	double macs = skip_graph_macs(model.graph, 64, true) / 64;
	if (common.json) {
		hash = hashes(&model, err);
		if (!hash) SKIP_TRY(err ? err->status : SKIP_ERR_NOMEM);
		SKIP_TRY(skip_cli_print_json(json_pack("{s:s, s:O, s:o, s:f, s:i, s:o, s:O}", "architecture", model.graph->architecture, "layers", layers,
						       "parameters", skip_record_parameters(model.graph), "macs_per_token", macs, "classes",
						       model.labels.count, "labels", skip_record_labels(&model.labels), "hashes", hash),
					     err));
	} else {
		print_text(&model, layers, macs);
	}
cleanup:
	json_decref(layers);
	json_decref(hash);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_inspect = {
	.name = "inspect",
	.arguments = "MODEL",
	.summary = "Show architecture, widths per layer, what was removed, hashes",
	.help = "  --json      one JSON object\n\n"
		"examples:\n"
		"  skip inspect models/all-minilm-l6-v2\n"
		"  skip inspect tickets.skip --json\n",
	.order = 60,
	.run = run,
};
