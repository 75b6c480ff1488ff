/* Re-tuning: skip_tune on the small network with the dense one as teacher. */
#include "method/search/retune.h"
#include "base/alloc.h"

#define RATES 3 /* learning rates of prompt and head are divided by it */
#define LR_WEIGHTS 2e-4 /* a cut network has further to go than a dense one that is tuned on, at 1e-4 */

void skip_retune_defaults(struct skip_tune_options *options)
{
	skip_tune_defaults(options);
	options->lr /= RATES;
	options->lr_head /= RATES;
	options->lr_weights = LR_WEIGHTS;
	options->keep_start = true;
}

/* A copy of rows that have no labels, with the teacher's answers in their place. */
static enum skip_status label_by_teacher(const struct skip_dataset *rows, const float *teacher, int classes, struct skip_dataset *out,
					 struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int *all = skip_alloc_array(rows->n_rows, sizeof(*all));
	if (!all) return skip_err_set(err, SKIP_ERR_NOMEM, "order of %zu rows", rows->n_rows);
	for (size_t i = 0; i < rows->n_rows; i++) all[i] = (int)i;
	SKIP_TRY(skip_dataset_take(rows, all, rows->n_rows, out, err));
	for (size_t i = 0; i < rows->n_rows; i++) out->label[i] = skip_argmax(teacher + i * (size_t)classes, classes);
	out->labelled = true;
cleanup:
	skip_free(all);
	return status;
}

/* Whether the change gives up a margin that was asked for and kept. */
static bool breaks_margin(const struct skip_prober *prober, const float *before, const float *after)
{
	const struct skip_prune_options *o = prober->options;
	const struct skip_dataset *dev = prober->dev;
	struct skip_paired was, is;
	if (!skip_prune_by_margin(o)) return false;
	const enum skip_margin_mode mode = skip_search_find(o->search)->by_mode ? o->margin_mode : SKIP_MARGIN_FIXED;
	skip_compare(prober->dense_logits, before, dev, prober->classes, &was);
	skip_compare(prober->dense_logits, after, dev, prober->classes, &is);
	return skip_margin_holds(mode, o->margin, &was) && !skip_margin_holds(mode, o->margin, &is);
}

enum skip_status skip_retune(struct skip_prober *prober, struct skip_candidate *candidate, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_dataset *rows = prober->options->retune_rows ? prober->options->retune_rows : prober->train;
	struct skip_tune_options options = prober->options->retune;
	struct skip_tune_result result = {0};
	struct skip_dataset answered = {0};
	float *teacher = NULL, *logits = NULL;
	SKIP_TRY(skip_prober_logits(prober->device, prober->dense, rows, &teacher, err));
	if (!rows->labelled) {
		SKIP_TRY(label_by_teacher(rows, teacher, prober->classes, &answered, err));
		options.kd_weight = 1;
		rows = &answered;
	}
	options.epochs = prober->options->retune_epochs;
	options.keep_start = true;
	options.teacher = teacher;
	options.seed = prober->options->seed;
	SKIP_TRY(skip_tune(prober->device, candidate->graph, rows, &options, prober->progress, &result, err));
	SKIP_TRY(skip_prober_logits(prober->device, result.graph, prober->dev, &logits, err));
	if (breaks_margin(prober, candidate->logits, logits)) goto cleanup;
	skip_graph_destroy(candidate->graph);
	skip_free(candidate->logits);
	candidate->graph = result.graph;
	candidate->logits = logits;
	result.graph = NULL;
	logits = NULL;
cleanup:
	skip_free(logits);
	skip_free(teacher);
	skip_dataset_deinit(&answered);
	skip_tune_result_deinit(&result);
	return status;
}
