/* skip devices: what OpenCL offers here, which profile each device matches, and the tiles its products are cut by. */
#include "base/alloc.h"
#include "cli/source.h"
#include "device/tune.h"
#include "graph/pass.h"
#include "graph/rules.h"
#include "method/predict.h"

#include <stdio.h>
#include <string.h>

/* Of one device. */
struct findings {
	struct skip_device_probes probes;
	double gflops[SKIP_PRECISION_COUNT], gbs;
	json_t *tiles; /* those that are not the family's default */
	int n_tiles[SKIP_TILE_TUNED + 1];
};

static void add_tiles(const struct skip_profile *profile, enum skip_tile_origin origin, struct findings *out)
{
	const bool tuned = origin == SKIP_TILE_TUNED;
	for (size_t i = 0; i < (tuned ? profile->n_tuned : profile->n_shipped); i++) {
		const struct skip_tile_choice *choice = tuned ? &profile->tuned[i] : &profile->shipped[i];
		if (!tuned && skip_profile_tile(profile, SKIP_TILE_TUNED, choice->family, choice->shape)) continue;
		json_t *tile = skip_tile_choice_json(choice);
		json_object_set_new(tile, "from", json_string(skip_tile_origin_names[origin]));
		json_array_append_new(out->tiles, tile);
		out->n_tiles[origin]++;
	}
}

static enum skip_status examine(const struct skip_profiles *profiles, const struct skip_device_info *info, bool measure, struct findings *out,
				struct skip_err *err)
{
	enum skip_status status;
	struct skip_device *device = NULL;
	char which[32];
	snprintf(which, sizeof(which), "%d:%d", info->platform_index, info->device_index);
	SKIP_TRY(skip_device_open(profiles, which, 0, &device, err));
	SKIP_TRY(skip_device_probe(device, &out->probes, err));
	add_tiles(skip_device_profile(device), SKIP_TILE_SHIPPED, out);
	add_tiles(skip_device_profile(device), SKIP_TILE_TUNED, out);
	if (!measure) goto cleanup;
	for (int p = 0; p < SKIP_PRECISION_COUNT; p++) SKIP_TRY(skip_device_measure_peak(device, (enum skip_precision)p, &out->gflops[p], err));
	SKIP_TRY(skip_device_measure_bandwidth(device, &out->gbs, err));
cleanup:
	skip_device_close(device);
	return status;
}

static json_t *probed_json(const struct skip_device_probes *probes)
{
	json_t *probed = json_pack("{s:b, s:b, s:b}", "fp16", (int)probes->fp16, "fp64", (int)probes->fp64, "int_dot", (int)probes->int_dot);
	for (int p = SKIP_PRECISION_BF16; p < SKIP_PRECISION_COUNT; p++) {
		json_t *forms = json_array();
		for (int f = 0; f < probes->n_dot[p]; f++) json_array_append_new(forms, json_string(probes->dot[p][f]));
		json_object_set_new(probed, skip_precision_names[p], forms);
	}
	return probed;
}

static json_t *row_json(const struct skip_device_info *info, bool measured, const struct findings *found)
{
	char index[32];
	snprintf(index, sizeof(index), "%d:%d", info->platform_index, info->device_index);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:O}", "index", index, "platform", info->facts.platform, "name", info->facts.name,
				"driver", info->facts.driver, "profile", info->profile_id, "type", info->facts.type, "compute_units", info->compute_units,
				"probed", probed_json(&found->probes), "tiles", found->tiles);
	if (measured) {
		json_t *peaks = json_object();
		for (int p = 0; p < SKIP_PRECISION_COUNT; p++)
			json_object_set_new(peaks, skip_precision_names[p], found->gflops[p] > 0 ? json_real(found->gflops[p]) : json_null());
		json_object_set_new(row, "peak_gflops", peaks);
		json_object_set_new(row, "bandwidth_gbs", json_real(found->gbs));
	}
	return row;
}

static void print_head(bool measured)
{
	printf("%-6s %-34s %-34s %-24s %5s %-20s", "index", "platform", "device", "profile", "units", "tiles");
	for (int p = 0; measured && p < SKIP_PRECISION_COUNT; p++) printf(" %8s", skip_precision_names[p]);
	printf(measured ? " %6s\n" : "\n", "GB/s");
}

static void print_row(const struct skip_device_info *info, bool measured, const struct findings *found)
{
	char tiles[32];
	const int shipped = found->n_tiles[SKIP_TILE_SHIPPED], tuned = found->n_tiles[SKIP_TILE_TUNED];
	snprintf(tiles, sizeof(tiles), shipped + tuned ? "%d shipped, %d tuned" : "default", shipped, tuned);
	printf("%d:%-4d %-34.34s %-34.34s %-24s %5d %-20s", info->platform_index, info->device_index, info->facts.platform, info->facts.name, info->profile_id,
	       info->compute_units, tiles);
	for (int p = 0; measured && p < SKIP_PRECISION_COUNT; p++) {
		if (found->gflops[p] > 0)
			printf(" %8.1f", found->gflops[p]);
		else
			printf(" %8s", "-");
	}
	if (measured) printf(" %6.1f", found->gbs);
	putchar('\n');
}

/* ---- --tune ---- */

struct tuner {
	const struct skip_cli_common *common;
	json_t *list;
};

static void hear(void *context, const struct skip_tune_found *found)
{
	const struct tuner *tuner = context;
	const char *from = skip_tile_origin_names[found->before_origin];
	json_t *row = skip_tile_choice_json(&found->choice);
	json_t *more = json_pack("{s:{s:s, s:s}, s:I, s:I, s:f}", "before", "tile", found->before, "from", from, "tried", (json_int_t)found->tried, "rejected",
				 (json_int_t)found->rejected, "gain", found->gain);
	json_object_update(row, more);
	json_decref(more);
	json_array_append_new(tuner->list, row);
	if (tuner->common->json) return;
	printf("%-10s %-40s %-18s %6.3fx of %s (%s), %zu tried, %zu rejected\n", found->choice.family, found->choice.shape, found->choice.tile, found->gain,
	       found->before, from, found->tried, found->rejected);
	fflush(stdout);
}

/* The network that runs: what skip_open_inference makes of a model. */
static enum skip_status tune_model(struct skip_device *device, const char *path, struct tuner *tuner, struct skip_tuning *tuning, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_model model = { 0 };
	struct skip_graph *pooled = NULL;
	struct skip_session *session = NULL;
	int value;
	const struct skip_tune_listener listener = { .tell = hear, .context = tuner };
	SKIP_TRY(skip_cli_open_model(path, &model, err));
	SKIP_TRY(skip_cli_apply_dtype(tuner->common, &model, err));
	const bool classifier = skip_graph_find_value(model.graph, "logits") != SKIP_NONE;
	if (!classifier) SKIP_TRY(skip_pass_head(model.graph, model.checkpoint.pool, NULL, NULL, 0, &pooled, err));
	SKIP_TRY(skip_open_inference(device, classifier ? model.graph : pooled, classifier ? "logits" : "pooled", false, &session, &value, err));
	SKIP_TRY(skip_tune_graph(device, skip_session_graph(session), &listener, tuning, err));
cleanup:
	skip_session_destroy(session);
	skip_graph_destroy(pooled);
	skip_cli_close_model(&model);
	return status;
}

static enum skip_status tune_usual(struct skip_device *device, struct tuner *tuner, struct skip_tuning *tuning, struct skip_err *err)
{
	enum skip_status status;
	enum skip_precision precision;
	struct skip_graph *graph = NULL;
	const struct skip_tune_listener listener = { .tell = hear, .context = tuner };
	SKIP_TRY(skip_cli_dtype(tuner->common, &precision, err));
	SKIP_TRY(skip_tune_usual(precision, &graph, err));
	SKIP_TRY(skip_tune_graph(device, graph, &listener, tuning, err));
cleanup:
	skip_graph_destroy(graph);
	return status;
}

/* Tunes the device of --device for the models, or for the usual shapes, and keeps what was found after each. */
static enum skip_status tune(const struct skip_profiles *profiles, const struct skip_cli_args *models, struct tuner *tuner, struct skip_err *err)
{
	enum skip_status status;
	struct skip_device *device = NULL;
	struct skip_tuning tuning = { 0 };
	SKIP_TRY(skip_device_open(profiles, tuner->common->device, (int)tuner->common->threads, &device, err));
	SKIP_TRY(skip_tuning_load(device, &tuning, err));
	for (int i = 0; i < models->n_words || i == 0; i++) {
		if (models->n_words)
			SKIP_TRY(tune_model(device, models->word[i], tuner, &tuning, err));
		else
			SKIP_TRY(tune_usual(device, tuner, &tuning, err));
		SKIP_TRY(skip_tuning_store(device, &tuning, err));
	}
cleanup:
	skip_device_close(device);
	skip_tuning_deinit(&tuning);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_profiles *profiles = NULL;
	struct skip_device_info *list = NULL;
	size_t n = 0;
	bool measured = false, tunes = false;
	json_t *rows = json_array();
	struct tuner tuner = { .common = &common, .list = json_array() };
	skip_cli_common_options(&args, &common, true);
	skip_cli_flag(&args, "--measure", &measured);
	skip_cli_flag(&args, "--tune", &tunes);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 0, 8, err));
	if (args.help) goto cleanup;
	if (!tunes && (args.n_words || common.device || common.dtype))
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "models, --device and --dtype belong to --tune"));
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	if (tunes) SKIP_TRY(tune(profiles, &args, &tuner, err));
	SKIP_TRY(skip_device_list(profiles, &list, &n, err));
	if (!common.json && n) print_head(measured);
	for (size_t i = 0; i < n; i++) {
		struct findings found = { .tiles = json_array() };
		status = examine(profiles, &list[i], measured, &found, err);
		if (status == SKIP_OK) json_array_append_new(rows, row_json(&list[i], measured, &found));
		json_decref(found.tiles);
		SKIP_TRY(status);
		if (!common.json) print_row(&list[i], measured, &found);
	}
	if (!n) SKIP_TRY(skip_err_set(err, SKIP_ERR_NO_DEVICE, "no OpenCL device found; install one (Debian: pocl-opencl-icd) or check the ICD files"));
	if (common.json) SKIP_TRY(skip_cli_print_json(json_pack(tunes ? "{s:O, s:O}" : "{s:O}", "devices", rows, "tuned", tuner.list), err));
cleanup:
	json_decref(rows);
	json_decref(tuner.list);
	skip_free(list);
	skip_profiles_destroy(profiles);
	return status;
}

const struct skip_verb skip_verb_devices = {
	.name = "devices",
	.arguments = "[--measure] [--tune [MODEL ...]]",
	.summary = "List the OpenCL devices and the profile each one matches",
	.help = "  --measure   run loops of multiply-adds and a reading kernel and print the peak of each type in GFLOP/s and the bandwidth of memory\n"
		"  --tune      search the tiles of products on a device, for the models' shapes or those of the usual encoders, and keep them in the user's cache\n"
		"  --device D, --threads N, --dtype T   of --tune\n"
		"  --json      one JSON object\n\n"
		"examples:\n"
		"  skip devices\n"
		"  skip devices --tune tickets.skip\n"
		"  skip devices --measure --json\n",
	.order = 90,
	.run = run,
};
