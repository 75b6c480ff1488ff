/* The backward session of attribution and its walks over the sample: gradients.h. */
#include "method/skill/gradients.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "method/metrics.h"
#include <stdio.h>

#define BATCH_TOKENS 2048
#define KL_TEMPERATURE 2.0
#define UNKNOWN (-1)

/* The values of one group on the device: per sample [B][width]. */
struct sites {
	int post, pre[2]; /* outputs of the score nodes, SKIP_NONE when not asked for */
};

struct skip_gradients {
	const struct skip_scoring *scoring;
	bool needs_pre;
	struct skip_session *session;
	int logits, seed;
	size_t n_forward, n_nodes;
	struct sites *sites; /* [n_groups] */
	struct skip_batches batches;
	struct skip_packer packer;
	struct skip_rng draws;
	int32_t *label; /* [rows]; UNKNOWN: the model has not been asked yet */
	int walk, walks;
	/* per batch */
	float *batch_logits, *batch_seed; /* [B][C] */
	double *weight, *p;		  /* [B], [C] */
	float *read[3];			  /* [B][widest group] */
};

/* Appends score(value, gradient of value); returns its output through *out. */
static enum skip_status add_score(struct skip_graph *graph, int value, int gradient, enum skip_reduce reduce, const char *site, int layer,
				  int *out, struct skip_err *err)
{
	char name[SKIP_NAME];
	if (gradient == SKIP_NONE)
		return skip_err_set(err, SKIP_ERR_INPUT, "no gradient reaches '%s'; it cannot be scored", graph->values[value].name);
	snprintf(name, sizeof(name), "score.%d.%s", value, site);
	const char *names[1] = {name};
	struct skip_node node = {.op = skip_op_find("score"), .layer = layer, .n_in = 2, .in = {value, gradient}};
	node.attrs.score.reduce = reduce;
	enum skip_status status = skip_graph_add_node(graph, &node, names, NULL, err);
	if (status == SKIP_OK) *out = node.out[0];
	return status;
}

/* A site of scoring->graph in `graph`: values keep their names when masks are put in. */
static int site_in(const struct skip_gradients *a, const struct skip_graph *graph, int value)
{
	return skip_graph_find_value(graph, a->scoring->graph->values[value].name);
}

/* Values whose gradients are needed: the post site of every group, and the pre sites when they are asked for; each once. */
static size_t list_wanted(const struct skip_gradients *a, const struct skip_graph *graph, int *want)
{
	size_t n = 0;
	const struct skip_units *units = a->scoring->units;
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		int site[3] = {group->post, group->pre[0], group->pre[1]};
		int n_sites = a->needs_pre ? 1 + group->n_pre : 1;
		for (int i = 0; i < n_sites; i++) {
			int value = site_in(a, graph, site[i]);
			bool seen = false;
			for (size_t k = 0; k < n; k++) seen |= want[k] == value;
			if (!seen) want[n++] = value;
		}
	}
	return n;
}

static int gradient_of(const struct skip_backward *backward, const int *want, size_t n, int value)
{
	for (size_t k = 0; k < n; k++) {
		if (want[k] == value) return backward->grad_of_want[k];
	}
	return SKIP_NONE;
}

static enum skip_status open_session(struct skip_gradients *a, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_backward backward = {0};
	const struct skip_units *units = a->scoring->units;
	const size_t most = 3 * units->n_groups;
	int *want = skip_alloc_array(most, sizeof(*want)), *wanted = skip_alloc_array(most + 1, sizeof(*wanted));
	if (!want || !wanted) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu scored values", most);
		goto cleanup;
	}
	size_t n_want = list_wanted(a, graph, want), n_wanted = 0;
	a->logits = wanted[n_wanted++] = skip_graph_find_value(graph, "logits");
	SKIP_TRY(skip_pass_backward(graph, a->logits, want, n_want, &backward, err));
	for (size_t g = 0; g < units->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		struct sites *sites = &a->sites[g];
		int post = site_in(a, graph, group->post);
		*sites = (struct sites){SKIP_NONE, {SKIP_NONE, SKIP_NONE}};
		SKIP_TRY(add_score(backward.graph, post, gradient_of(&backward, want, n_want, post), SKIP_REDUCE_SUM, "post", group->layer,
				   &sites->post, err));
		wanted[n_wanted++] = sites->post;
		for (int i = 0; a->needs_pre && i < group->n_pre; i++) {
			int pre = site_in(a, graph, group->pre[i]);
			SKIP_TRY(add_score(backward.graph, pre, gradient_of(&backward, want, n_want, pre), a->scoring->options->reduce, "pre",
					   group->layer, &sites->pre[i], err));
			wanted[n_wanted++] = sites->pre[i];
		}
	}
	a->seed = backward.seed;
	a->n_forward = backward.n_forward;
	a->n_nodes = backward.graph->n_nodes;
	SKIP_TRY(skip_session_open(a->scoring->device, backward.graph, wanted, n_wanted, false, &a->session, err));
cleanup:
	skip_backward_deinit(&backward);
	skip_free(wanted);
	skip_free(want);
	return status;
}

/* Space for the longest batch of the plan. */
static enum skip_status alloc_batch(struct skip_gradients *a, struct skip_err *err)
{
	const struct skip_units *units = a->scoring->units;
	size_t rows = 0, width = 0, classes = (size_t)a->scoring->classes;
	for (size_t i = 0; i < a->batches.n_batches; i++) {
		size_t n = a->batches.start[i + 1] - a->batches.start[i];
		if (n > rows) rows = n;
	}
	for (size_t g = 0; g < units->n_groups; g++) {
		if ((size_t)units->group[g].width > width) width = (size_t)units->group[g].width;
	}
	a->batch_logits = skip_alloc_array(rows * classes, sizeof(float));
	a->batch_seed = skip_alloc_array(rows * classes, sizeof(float));
	a->weight = skip_alloc_array(rows, sizeof(double));
	a->p = skip_alloc_array(classes, sizeof(double));
	bool ok = a->batch_logits && a->batch_seed && a->weight && a->p;
	for (int i = 0; i < 3; i++) {
		a->read[i] = skip_alloc_array(rows * width, sizeof(float));
		ok = ok && a->read[i];
	}
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "scores of %zu samples of %zu units", rows, width);
}

void skip_gradients_destroy(struct skip_gradients *a)
{
	if (!a) return;
	skip_session_destroy(a->session);
	skip_batches_deinit(&a->batches);
	skip_packer_deinit(&a->packer);
	skip_free(a->sites);
	skip_free(a->label);
	skip_free(a->batch_logits);
	skip_free(a->batch_seed);
	skip_free(a->weight);
	skip_free(a->p);
	for (int i = 0; i < 3; i++) skip_free(a->read[i]);
	skip_free(a);
}

enum skip_status skip_gradients_open(const struct skip_scoring *scoring, const struct skip_graph *graph, bool needs_pre, int walks,
				     struct skip_gradients **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_dataset *sample = scoring->sample;
	struct skip_gradients *a = skip_alloc_zeroed(1, sizeof(*a));
	if (!a) return skip_err_set(err, SKIP_ERR_NOMEM, "a backward session");
	a->scoring = scoring;
	a->needs_pre = needs_pre;
	a->walks = walks;
	skip_packer_init(&a->packer);
	skip_rng_init(&a->draws, scoring->options->seed, "label sampling");
	SKIP_TRY(skip_batches_sorted(sample, BATCH_TOKENS, (int)sample->n_rows, &a->batches, err));
	a->sites = skip_alloc_array(scoring->units->n_groups, sizeof(*a->sites));
	a->label = skip_alloc_array(sample->n_rows, sizeof(*a->label));
	if (!a->sites || !a->label) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups, %zu samples", scoring->units->n_groups, sample->n_rows);
		goto cleanup;
	}
	for (size_t i = 0; i < sample->n_rows; i++) a->label[i] = scoring->options->labels == SKIP_LABELS_GOLD ? sample->label[i] : UNKNOWN;
	SKIP_TRY(open_session(a, graph, err));
	SKIP_TRY(alloc_batch(a, err));
	*out = a;
	a = NULL;
cleanup:
	skip_gradients_destroy(a);
	return status;
}

struct skip_session *skip_gradients_session(struct skip_gradients *gradients)
{
	return gradients->session;
}

static int draw_class(struct skip_rng *rng, const double *p, int classes)
{
	double u = skip_rng_uniform(rng), sum = 0;
	for (int c = 0; c < classes; c++) {
		sum += p[c];
		if (u < sum) return c;
	}
	return classes - 1;
}

/* Seed dlogits and weight of one sample (docs/method.md 3.1). */
static void seed_sample(struct skip_gradients *a, const float *logits, int32_t *known, float *seed, double *weight)
{
	const int classes = a->scoring->classes, target = a->scoring->target;
	if (*known == UNKNOWN) *known = skip_argmax(logits, classes);
	skip_softmax(logits, classes, target == SKIP_TARGET_KL ? KL_TEMPERATURE : 1, a->p);
	int label = target == SKIP_TARGET_KL ? draw_class(&a->draws, a->p, classes) : *known;
	*weight = target == SKIP_TARGET_PROB ? a->p[label] : 1;
	if (target == SKIP_TARGET_LOGIT) {
		int other = label == 0 ? 1 : 0;
		for (int c = 0; c < classes; c++) {
			if (c != label && logits[c] > logits[other]) other = c;
		}
		for (int c = 0; c < classes; c++) seed[c] = (float)((c == label) - (c == other));
		return;
	}
	for (int c = 0; c < classes; c++) seed[c] = (float)((c == label) - a->p[c]);
}

static enum skip_status hand_over(struct skip_gradients *a, size_t group, int n_samples, skip_gradients_sink sink, void *context,
				  struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct sites *sites = &a->sites[group];
	struct skip_criterion_batch seen = {
	    .group = &a->scoring->units->group[group], .n_samples = n_samples, .sum_post = a->read[0], .weight = a->weight};
	SKIP_TRY(skip_session_read(a->session, sites->post, a->read[0], err));
	for (int i = 0; i < 2; i++) {
		if (sites->pre[i] == SKIP_NONE) continue;
		SKIP_TRY(skip_session_read(a->session, sites->pre[i], a->read[1 + i], err));
		seen.reduce_pre[i] = a->read[1 + i];
	}
	sink(context, group, &seen);
cleanup:
	return status;
}

static enum skip_status walk_batch(struct skip_gradients *a, const int *rows, size_t n, size_t first, size_t last, skip_gradients_sink sink,
				   void *context, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_scores *scores = a->scoring->scores;
	SKIP_TRY(skip_packer_pack(&a->packer, a->scoring->sample, rows, n, err));
	SKIP_TRY(skip_session_set_batch(a->session, &a->packer.batch, err));
	SKIP_TRY(skip_session_enqueue(a->session, 0, a->n_forward, 0, err));
	SKIP_TRY(skip_session_read(a->session, a->logits, a->batch_logits, err));
	for (size_t b = 0; b < n; b++) {
		size_t at = b * (size_t)a->scoring->classes;
		seed_sample(a, a->batch_logits + at, &a->label[rows[b]], a->batch_seed + at, &a->weight[b]);
	}
	scores->forward += (int64_t)n;
	if (first == last) goto cleanup;
	SKIP_TRY(skip_session_write(a->session, a->seed, a->batch_seed, err));
	SKIP_TRY(skip_session_enqueue(a->session, a->n_forward, a->n_nodes, 0, err));
	scores->backward += (int64_t)n;
	for (size_t g = first; g < last; g++) SKIP_TRY(hand_over(a, g, (int)n, sink, context, err));
cleanup:
	return status;
}

enum skip_status skip_gradients_walk(struct skip_gradients *a, size_t first, size_t last, skip_gradients_sink sink, void *context,
				     struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const int64_t n_rows = (int64_t)a->scoring->sample->n_rows, before = a->walk * n_rows, all = a->walks * n_rows;
	for (size_t i = 0; i < a->batches.n_batches; i++) {
		const size_t start = a->batches.start[i];
		if (!skip_progress_report(a->scoring->progress, "score", before + (int64_t)start, all, a->scoring->name)) {
			status = skip_err_set(err, SKIP_ERR_INTERRUPTED, "scoring stopped after %lld of %lld samples",
					      (long long)(before + (int64_t)start), (long long)all);
			goto cleanup;
		}
		SKIP_TRY(walk_batch(a, a->batches.rows + start, a->batches.start[i + 1] - start, first, last, sink, context, err));
	}
	a->walk++;
	skip_progress_report(a->scoring->progress, "score", before + n_rows, all, a->scoring->name);
cleanup:
	return status;
}
