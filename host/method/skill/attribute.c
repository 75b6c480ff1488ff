/*
 * Attribution: one backward pass of a packed batch with a seed per sample. Sequences do not interact, so the pass holds every per-sample
 * gradient; `score` nodes reduce activation x gradient over each sample's rows on the device and criteria add up what comes back
 * (docs/method.md 3).
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "method/metrics.h"
#include "method/skill/sample.h"
#include "method/skill/skill.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BATCH_TOKENS 2048
#define KL_TEMPERATURE 2.0

void skip_skill_defaults(struct skip_skill_options *options)
{
	*options = (struct skip_skill_options){.criterion = "skip", .target = -1, .labels = SKIP_LABELS_GOLD, .reduce = SKIP_REDUCE_MAX};
}

/* The values of one use of a group on the device: per sample [B][width]. */
struct sites {
	int post, pre[2]; /* outputs of the score nodes, SKIP_NONE when not asked for */
};

struct attribution {
	const struct skip_units *units;
	const struct skip_criterion *criterion;
	const struct skip_skill_options *options;
	int target, classes;
	struct skip_session *session;
	int logits, seed;
	size_t n_forward, n_nodes;
	struct sites *sites; /* [n_sites] of the uses of all groups, in order */
	size_t n_sites;
	struct skip_rng draws;
	/* per batch */
	float *batch_logits, *batch_seed; /* [B][C] */
	double *weight, *p;		  /* [B], [C] */
	float *read[3], *more;		  /* [B][widest group]: post and pre sites; of a further use */
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

/* Values whose gradients are needed: the post site of every use, and the pre sites when the criterion reads them; each once. */
static size_t list_wanted(const struct attribution *a, int *want)
{
	size_t n = 0;
	for (size_t g = 0; g < a->units->n_groups; g++) {
		const struct skip_unit_group *group = &a->units->group[g];
		for (int u = 0; u < group->n_uses; u++) {
			const struct skip_unit_use *use = &group->use[u];
			int site[3] = {use->post, use->pre[0], use->pre[1]};
			int n_sites = a->criterion->needs_pre ? 1 + use->n_pre : 1;
			for (int i = 0; i < n_sites; i++) {
				bool seen = false;
				for (size_t k = 0; k < n; k++) seen |= want[k] == site[i];
				if (!seen) want[n++] = site[i];
			}
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

/* The score nodes of one use. wanted[] takes their outputs. */
static enum skip_status add_sites(const struct attribution *a, const struct skip_backward *backward, const int *want, size_t n_want,
				  const struct skip_unit_use *use, struct sites *sites, int *wanted, size_t *n_wanted, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	*sites = (struct sites){SKIP_NONE, {SKIP_NONE, SKIP_NONE}};
	SKIP_TRY(add_score(backward->graph, use->post, gradient_of(backward, want, n_want, use->post), SKIP_REDUCE_SUM, "post", use->layer,
			   &sites->post, err));
	wanted[(*n_wanted)++] = sites->post;
	for (int i = 0; a->criterion->needs_pre && i < use->n_pre; i++) {
		SKIP_TRY(add_score(backward->graph, use->pre[i], gradient_of(backward, want, n_want, use->pre[i]), a->options->reduce, "pre",
				   use->layer, &sites->pre[i], err));
		wanted[(*n_wanted)++] = sites->pre[i];
	}
cleanup:
	return status;
}

static enum skip_status open_session(struct attribution *a, struct skip_device *device, const struct skip_graph *graph,
				     struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_backward backward = {0};
	const size_t most = 3 * a->n_sites;
	int *want = skip_alloc_array(most, sizeof(*want)), *wanted = skip_alloc_array(most + 1, sizeof(*wanted));
	if (!want || !wanted) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu scored values", most);
		goto cleanup;
	}
	size_t n_want = list_wanted(a, want), n_wanted = 0;
	struct sites *sites = a->sites;
	a->logits = wanted[n_wanted++] = skip_graph_find_value(graph, "logits");
	SKIP_TRY(skip_pass_backward(graph, a->logits, want, n_want, &backward, err));
	for (size_t g = 0; g < a->units->n_groups; g++) {
		const struct skip_unit_group *group = &a->units->group[g];
		for (int u = 0; u < group->n_uses; u++)
			SKIP_TRY(add_sites(a, &backward, want, n_want, &group->use[u], sites++, wanted, &n_wanted, err));
	}
	a->seed = backward.seed;
	a->n_forward = backward.n_forward;
	a->n_nodes = backward.graph->n_nodes;
	SKIP_TRY(skip_session_open(device, backward.graph, wanted, n_wanted, false, &a->session, err));
cleanup:
	skip_backward_deinit(&backward);
	skip_free(wanted);
	skip_free(want);
	return status;
}

/* Space for the longest batch of the plan. */
static enum skip_status alloc_batch(struct attribution *a, const struct skip_batches *batches, struct skip_err *err)
{
	size_t rows = 0, width = 0, classes = (size_t)a->classes;
	for (size_t i = 0; i < batches->n_batches; i++) {
		size_t n = batches->start[i + 1] - batches->start[i];
		if (n > rows) rows = n;
	}
	for (size_t g = 0; g < a->units->n_groups; g++) {
		size_t columns = (size_t)a->units->group[g].width * (size_t)a->units->group[g].columns;
		if (columns > width) width = columns;
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
	a->more = skip_alloc_array(rows * width, sizeof(float));
	ok = ok && a->more;
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "scores of %zu samples of %zu units", rows, width);
}

static void attribution_deinit(struct attribution *a)
{
	skip_session_destroy(a->session);
	skip_free(a->sites);
	skip_free(a->batch_logits);
	skip_free(a->batch_seed);
	skip_free(a->weight);
	skip_free(a->p);
	for (int i = 0; i < 3; i++) skip_free(a->read[i]);
	skip_free(a->more);
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

static double sigmoid(double z)
{
	return 1 / (1 + exp(-z));
}

/*
 * The same for several labels and for numbers, with the likelihoods of base/problem.h: every output is by itself, d log p / dz is y - sigmoid(z), or y - z.
 * The `logit` target raises the labels a row has and lowers the others; of numbers it is the number.
 */
static void seed_outputs(struct attribution *a, enum skip_problem problem, const float *logits, const float *gold, float *seed, double *weight)
{
	bool numbers = problem == SKIP_REGRESSION;
	double log_p = 0;
	for (int c = 0; c < a->classes; c++) {
		double z = logits[c], mean = numbers ? z : sigmoid(z), y = numbers ? z : z > 0;
		if (a->options->labels == SKIP_LABELS_GOLD) y = gold[c];
		if (a->target == SKIP_TARGET_KL) y = numbers ? z + skip_rng_normal(&a->draws) : skip_rng_uniform(&a->draws) < mean;
		if (a->target == SKIP_TARGET_LOGIT) seed[c] = numbers || y > 0 ? 1 : -1;
		else
			seed[c] = (float)(y - mean);
		log_p += numbers ? -0.5 * (y - z) * (y - z) : log(y > 0 ? mean : 1 - mean);
	}
	*weight = a->target == SKIP_TARGET_PROB ? exp(log_p) : 1;
}

/* Seed dlogits and weight of one sample (docs/method.md 3.1). `gold` is read for SKIP_LABELS_GOLD only. */
static void seed_sample(struct attribution *a, const float *logits, int gold, float *seed, double *weight)
{
	const int classes = a->classes;
	skip_softmax(logits, classes, a->target == SKIP_TARGET_KL ? KL_TEMPERATURE : 1, a->p);
	int label = a->options->labels == SKIP_LABELS_GOLD ? gold : skip_argmax(logits, classes);
	if (a->target == SKIP_TARGET_KL) label = draw_class(&a->draws, a->p, classes);
	*weight = a->target == SKIP_TARGET_PROB ? a->p[label] : 1;
	if (a->target == SKIP_TARGET_LOGIT) {
		int other = label == 0 ? 1 : 0;
		for (int c = 0; c < classes; c++) {
			if (c != label && logits[c] > logits[other]) other = c;
		}
		for (int c = 0; c < classes; c++) seed[c] = (float)((c == label) - (c == other));
		return;
	}
	for (int c = 0; c < classes; c++) seed[c] = (float)((c == label) - a->p[c]);
}

/* What the device says at one site, added to what earlier uses of the group said: a unit is removed in all of them. */
static enum skip_status read_site(struct attribution *a, int site, size_t n, bool first, float *out, struct skip_err *err)
{
	enum skip_status status = skip_session_read(a->session, site, first ? out : a->more, err);
	for (size_t i = 0; status == SKIP_OK && !first && i < n; i++) out[i] += a->more[i];
	return status;
}

/* The sums of a unit's columns, in place: [samples][width * columns] becomes [samples][width]. */
static void add_columns(const struct skip_unit_group *group, int samples, float *rows)
{
	for (int s = 0; group->columns > 1 && s < samples; s++) {
		const float *from = rows + (size_t)s * (size_t)(group->width * group->columns);
		float *to = rows + (size_t)s * (size_t)group->width;
		for (int unit = 0; unit < group->width; unit++) { /* no later unit needs what is written over */
			float sum = 0;
			for (int k = 0; k < group->columns; k++) sum += from[skip_unit_column(group, unit, k)];
			to[unit] = sum;
		}
	}
}

static enum skip_status score_batch(struct attribution *a, const struct skip_batch *batch, const struct skip_dataset *data, const int *rows,
				    struct skip_scores *scores, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_session_set_batch(a->session, batch, err));
	SKIP_TRY(skip_session_enqueue(a->session, 0, a->n_forward, 0, err));
	SKIP_TRY(skip_session_read(a->session, a->logits, a->batch_logits, err));
	for (int b = 0; b < batch->n_seqs; b++) {
		size_t at = (size_t)b * (size_t)a->classes;
		if (data->problem == SKIP_SINGLE_LABEL) {
			seed_sample(a, a->batch_logits + at, data->label[rows[b]], a->batch_seed + at, &a->weight[b]);
		} else {
			const float *gold = data->target + (size_t)rows[b] * (size_t)a->classes;
			seed_outputs(a, data->problem, a->batch_logits + at, gold, a->batch_seed + at, &a->weight[b]);
		}
	}
	SKIP_TRY(skip_session_write(a->session, a->seed, a->batch_seed, err));
	SKIP_TRY(skip_session_enqueue(a->session, a->n_forward, a->n_nodes, 0, err));
	const struct sites *sites = a->sites;
	for (size_t g = 0; g < a->units->n_groups; g++) {
		const struct skip_unit_group *group = &a->units->group[g];
		struct skip_criterion_batch seen = {.group = group, .n_samples = batch->n_seqs, .sum_post = a->read[0], .weight = a->weight};
		size_t n = (size_t)batch->n_seqs * (size_t)(group->width * group->columns);
		for (int u = 0; u < group->n_uses; u++, sites++) {
			SKIP_TRY(read_site(a, sites->post, n, u == 0, a->read[0], err));
			for (int i = 0; i < 2; i++) {
				if (sites->pre[i] == SKIP_NONE) continue;
				SKIP_TRY(read_site(a, sites->pre[i], n, u == 0, a->read[1 + i], err));
				seen.reduce_pre[i] = a->read[1 + i];
			}
		}
		add_columns(group, batch->n_seqs, a->read[0]);
		for (int i = 0; i < 2; i++)
			if (seen.reduce_pre[i]) add_columns(group, batch->n_seqs, a->read[1 + i]);
		a->criterion->accumulate(&seen, scores->unit[g], scores->head[g]);
	}
cleanup:
	return status;
}

static void divide(struct skip_scores *scores, const struct skip_units *units, double n)
{
	for (size_t g = 0; g < units->n_groups; g++) {
		for (int j = 0; j < units->group[g].width; j++) scores->unit[g][j] /= n;
		for (int h = 0; scores->head[g] && h < units->group[g].heads; h++) scores->head[g][h] /= n;
	}
}

static enum skip_status score_samples(struct attribution *a, struct skip_device *device, const struct skip_graph *graph,
				      const struct skip_dataset *data, const struct skip_progress *progress, struct skip_scores *scores,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_dataset sample = {0};
	struct skip_batches batches = {0};
	struct skip_packer packer;
	skip_packer_init(&packer);
	SKIP_TRY(skip_skill_sample(data, a->criterion, a->options, a->classes, &sample, err));
	SKIP_TRY(skip_batches_sorted(&sample, BATCH_TOKENS, (int)sample.n_rows, &batches, err));
	for (size_t g = 0; g < a->units->n_groups; g++) a->n_sites += (size_t)a->units->group[g].n_uses;
	a->sites = skip_alloc_array(a->n_sites, sizeof(*a->sites));
	if (!a->sites) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu scored places", a->n_sites);
		goto cleanup;
	}
	SKIP_TRY(open_session(a, device, graph, err));
	SKIP_TRY(alloc_batch(a, &batches, err));
	skip_rng_init(&a->draws, a->options->seed, "label sampling");
	for (size_t i = 0; i < batches.n_batches; i++) {
		const int *rows = batches.rows + batches.start[i];
		if (!skip_progress_report(progress, "score", (int64_t)batches.start[i], (int64_t)sample.n_rows, a->criterion->name)) {
			status = skip_err_set(err, SKIP_ERR_INTERRUPTED, "scoring stopped after %zu of %zu samples", batches.start[i],
					      sample.n_rows);
			goto cleanup;
		}
		SKIP_TRY(skip_packer_pack(&packer, &sample, rows, batches.start[i + 1] - batches.start[i], err));
		SKIP_TRY(score_batch(a, &packer.batch, &sample, rows, scores, err));
	}
	skip_progress_report(progress, "score", (int64_t)sample.n_rows, (int64_t)sample.n_rows, a->criterion->name);
	divide(scores, a->units, (double)sample.n_rows);
	scores->samples = (int)sample.n_rows;
cleanup:
	skip_packer_deinit(&packer);
	skip_batches_deinit(&batches);
	skip_dataset_deinit(&sample);
	return status;
}

static enum skip_status choose_target(struct attribution *a, struct skip_err *err)
{
	const struct skip_criterion *criterion = a->criterion;
	bool unlabelled = a->options->labels == SKIP_LABELS_NONE;
	a->target = a->options->target >= 0		  ? a->options->target
		    : unlabelled && criterion->label_free ? SKIP_TARGET_KL
							  : criterion->default_target;
	if (a->target == SKIP_TARGET_KL && !criterion->label_free)
		return skip_err_set(err, SKIP_ERR_USAGE,
				    "target kl has no first-order gradient at the model itself; criterion '%s' needs one", criterion->name);
	if (a->target != SKIP_TARGET_KL && unlabelled)
		return skip_err_set(err, SKIP_ERR_USAGE, "criterion '%s' needs labels: gold or pred", criterion->name);
	return SKIP_OK;
}

enum skip_status skip_attribute(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_skill_options *options,
				const struct skip_progress *progress, struct skip_scores *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	double start = skip_clock_seconds();
	struct skip_scores scores = {0};
	struct attribution a = {.units = units, .options = options, .criterion = skip_criterion_find(options->criterion)};
	if (!a.criterion) return skip_err_set(err, SKIP_ERR_USAGE, "no criterion '%s'", options->criterion);
	SKIP_TRY(skip_scores_alloc(units, &scores, err));
	if (a.criterion->needs_backward) {
		int logits = skip_graph_find_value(graph, "logits");
		if (logits == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "the graph has no logits to attribute");
			goto cleanup;
		}
		a.classes = graph->values[logits].cols;
		SKIP_TRY(choose_target(&a, err));
		SKIP_TRY(score_samples(&a, device, graph, data, progress, &scores, err));
	} else {
		for (size_t g = 0; g < units->n_groups; g++)
			SKIP_TRY(a.criterion->compute(graph, &units->group[g], options->seed, scores.unit[g], scores.head[g], err));
	}
	snprintf(scores.criterion, sizeof(scores.criterion), "%s", a.criterion->name);
	scores.seconds = skip_clock_seconds() - start;
	*out = scores;
	scores = (struct skip_scores){0};
cleanup:
	attribution_deinit(&a);
	skip_scores_deinit(&scores);
	return status;
}
