/*
 * Saving a classifier as a package: programs for the device at hand and for `generic`, known answers from the float64 reference, report.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "cli/stage.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

#define KNOWN_SEQS 3
static const int known_lengths[KNOWN_SEQS] = { 3, 17, 30 };

struct known {
	int32_t ids[64], types[64], offset[KNOWN_SEQS + 1];
	struct skip_batch batch;
};

/* Three fixed sequences of token ids; texts would tie the answers to the tokenizer, which has its own tests. */
static void make_known(const struct skip_graph *graph, struct known *known)
{
	struct skip_rng rng;
	int at = 0, words = skip_cli_vocabulary(graph);
	skip_rng_init(&rng, 0, "known answers");
	memset(known, 0, sizeof(*known));
	for (int b = 0; b < KNOWN_SEQS; b++) {
		int length = known_lengths[b] < graph->max_positions ? known_lengths[b] : graph->max_positions;
		for (int i = 0; i < length; i++) known->ids[at++] = (int32_t)skip_rng_below(&rng, (uint64_t)words);
		known->offset[b + 1] = at;
	}
	known->batch = (struct skip_batch){ .n_tokens = at, .n_seqs = KNOWN_SEQS, .ids = known->ids, .types = known->types, .offset = known->offset };
}

static enum skip_status known_answers(const struct skip_graph *graph, json_t **out, struct skip_err *err)
{
	struct known known;
	struct skip_ref_result result = { 0 };
	int logits = skip_graph_find_value(graph, "logits"), classes = graph->values[logits].cols;
	make_known(graph, &known);
	enum skip_status status = skip_reference_run(graph, &known.batch, NULL, 0, 0, &result, err);
	if (status != SKIP_OK) return status;
	json_t *rows = json_array();
	for (int i = 0; i < KNOWN_SEQS * classes; i++) json_array_append_new(rows, json_real(result.data[logits][i]));
	skip_reference_free(&result);
	*out = json_pack("{s:i, s:o}", "sequences", KNOWN_SEQS, "logits", rows);
	return *out ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers");
}

enum skip_status skip_cli_known_error(struct skip_device *device, const struct skip_package *package, double *worst, double *allowed,
				      struct skip_err *err)
{
	enum skip_status status;
	struct known known;
	struct skip_session *session = NULL;
	int value, classes = package->labels.count;
	const json_t *rows = json_object_get(json_object_get(json_object_get(package->manifest, "history"), "known_answers"), "logits");
	float *got = skip_alloc_array(KNOWN_SEQS, (size_t)classes * sizeof(*got));
	if (!got) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers");
	if (json_array_size(rows) != (size_t)(KNOWN_SEQS * classes))
		SKIP_TRY(skip_err_at(err, SKIP_ERR_VERIFY, package->path, 0, -1, "the manifest holds no known answers for %d classes", classes));
	make_known(package->graph, &known);
	SKIP_TRY(skip_open_inference(device, package->graph, "logits", false, &session, &value, err));
	SKIP_TRY(skip_session_run(session, &known.batch, value, got, err));
	/*
	 * Of the largest answer. In a short type the device's own last bits now and then round a number to the neighbouring value, which moves
	 * it by a step of the type.
	 */
	static const double share[SKIP_PRECISION_COUNT] = { [SKIP_PRECISION_F32] = 1e-4, [SKIP_PRECISION_BF16] = 2e-2, [SKIP_PRECISION_INT8] = 5e-2 };
	double scale = 1;
	*worst = 0;
	for (int i = 0; i < KNOWN_SEQS * classes; i++) {
		double wanted = json_number_value(json_array_get(rows, (size_t)i));
		*worst = fmax(*worst, isfinite(got[i]) ? fabs(got[i] - wanted) : INFINITY);
		scale = fmax(scale, fabs(wanted));
	}
	*allowed = scale * share[skip_cli_precision(package->graph)];
cleanup:
	skip_session_destroy(session);
	skip_free(got);
	return status;
}

enum skip_status skip_cli_save(const char *path, const struct skip_cli_device *device, const struct skip_cli_save *save, struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session = NULL;
	struct skip_plan *own = NULL, *generic = NULL;
	struct skip_buf report;
	json_t *history = NULL, *known = NULL, *scores_metadata = NULL;
	struct skip_st_entry *scores = NULL;
	size_t n_scores = 0;
	char folder[600];
	int value;
	const struct skip_plan *plans[2];
	const struct skip_profile *profile = skip_profiles_find(device->profiles, "generic");
	skip_buf_init(&report);
	SKIP_TRY(skip_open_inference(device->device, save->graph, "logits", false, &session, &value, err));
	/* As the profiles were shipped: what a tuner found on this machine is not the package's. */
	const struct skip_profile *shipped = skip_profiles_find(device->profiles, skip_device_profile(device->device)->id);
	SKIP_TRY(skip_lower(skip_session_graph(session), shipped, &value, 1, &own, err));
	plans[0] = own;
	SKIP_TRY(skip_lower(skip_session_graph(session), profile, &value, 1, &generic, err));
	plans[1] = generic;
	SKIP_TRY(known_answers(save->graph, &known, err));
	history = json_pack("{s:O, s:O}", "settings", save->settings, "known_answers", known);
	if (!history) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the manifest"));
	if (save->report) SKIP_TRY(skip_report_html(save->graph, save->metrics, path, &report, err));
	skip_cli_tokenizer_folder(save->source, folder, sizeof(folder));
	if (save->scores) {
		SKIP_TRY(skip_scores_entries(save->scores, save->units, &scores, &n_scores, err));
		scores_metadata = skip_scores_metadata(save->scores);
		if (!scores_metadata) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the scores"));
	}
	struct skip_package_write write = {
		.graph = save->graph, .labels = save->labels, .tokenizer_folder = folder, .tokenizer = save->source->tokenizer,
		.max_length = save->max_length, .plans = plans, .n_plans = strcmp(plans[0]->profile, "generic") ? 2 : 1, .metrics = save->metrics,
		.report_html = save->report ? skip_buf_text(&report) : NULL, .history = history, .scores = scores, .n_scores = n_scores,
		.scores_metadata = scores_metadata,
	};
	SKIP_TRY(skip_package_save(path, &write, err));
cleanup:
	json_decref(history);
	json_decref(known);
	json_decref(scores_metadata);
	skip_free(scores);
	skip_buf_deinit(&report);
	skip_plan_destroy(own);
	skip_plan_destroy(generic);
	skip_session_destroy(session);
	return status;
}
