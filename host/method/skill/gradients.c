/* The backward session of attribution and its walks over the sample: gradients.h. */
#include "method/skill/gradients.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "graph/pass.h"
#include "method/metrics.h"
#include <math.h>
#include <stdio.h>

#define BATCH_TOKENS 2048
#define KL_TEMPERATURE 2.0
#define UNKNOWN (-1)

/* The values of one use of a group on the device, SKIP_NONE when not asked for. */
struct sites {
	int post, pre[2]; /* outputs of the score nodes, per sample [B][width]; post of slots: of the attention's gradient, [B][H*P] */
	int out;	  /* gradient at the consumer's output, a row per token, or per sample behind pooling */
};

struct skip_gradients {
	const struct skip_scoring *scoring;
	struct skip_gradients_needs needs;
	struct skip_session *session;
	int logits, seed;
	size_t n_forward, n_nodes;
	struct sites **sites; /* [n_groups][n_uses], n_groups of scoring */
	size_t n_sites;
	struct skip_batches batches;
	struct skip_packer packer;
	struct skip_rng draws;
	int32_t *label; /* [rows]; UNKNOWN: the model has not been asked yet */
	int walk, walks;
	/* per batch */
	float *batch_logits, *batch_seed; /* [B][C] */
	double *weight, *p;		  /* [B], [C] */
	float *read[3], *more;		  /* [B][widest group]: post and pre sites; of a further use */
	float *out;			  /* the rows of all uses of a group */
	size_t cap_out;
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

/* Appends the gradient of what is added to the scores of a prefix, and returns it through *out: that of the slots' masks. */
static enum skip_status add_slots(struct skip_graph *graph, int ctx, int gradient, int *out, struct skip_err *err)
{
	struct skip_node node = graph->nodes[graph->values[ctx].producer];
	const char *names[6] = {NULL};
	char name[SKIP_NAME];
	if (gradient == SKIP_NONE)
		return skip_err_set(err, SKIP_ERR_INPUT, "no gradient reaches '%s'; its prefix cannot be scored", graph->values[ctx].name);
	snprintf(name, sizeof(name), "score.%d.slots", ctx);
	names[5] = name;
	node.op = skip_op_find("attention_bwd");
	node.in[node.n_in++] = gradient;
	node.n_out = 6;
	enum skip_status status = skip_graph_add_node(graph, &node, names, NULL, err);
	if (status == SKIP_OK) *out = node.out[5];
	return status;
}

/* A site of scoring->graph in `graph`: values keep their names when masks are put in. */
static int site_in(const struct skip_gradients *a, const struct skip_graph *graph, int value)
{
	return skip_graph_find_value(graph, a->scoring->graph->values[value].name);
}

/* What the consumer of a use gives, in `graph`; SKIP_NONE where it has none or nobody asks. */
static int output_of(const struct skip_gradients *a, const struct skip_graph *graph, const struct skip_unit_use *use)
{
	if (!a->needs.out || use->consumer == SKIP_NONE) return SKIP_NONE;
	return site_in(a, graph, a->scoring->graph->nodes[use->consumer].out[0]);
}

static void want_once(int value, int *want, size_t *n)
{
	for (size_t k = 0; k < *n; k++) {
		if (want[k] == value) return;
	}
	want[(*n)++] = value;
}

/* Values whose gradients are needed: the post site of every use, the pre sites and the consumer's output when they are asked for; each once. */
static size_t list_wanted(const struct skip_gradients *a, const struct skip_graph *graph, int *want)
{
	size_t n = 0;
	const struct skip_units *units = a->scoring->units;
	for (size_t g = 0; g < a->scoring->n_groups; g++) {
		for (int u = 0; u < units->group[g].n_uses; u++) {
			const struct skip_unit_use *use = &units->group[g].use[u];
			const int output = output_of(a, graph, use);
			want_once(site_in(a, graph, use->post), want, &n);
			for (int i = 0; a->needs.pre && i < use->n_pre; i++) want_once(site_in(a, graph, use->pre[i]), want, &n);
			if (output != SKIP_NONE) want_once(output, want, &n);
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

/* The score nodes of one use, and the gradient of its consumer's output. wanted[] takes what will be read. */
static enum skip_status add_sites(const struct skip_gradients *a, const struct skip_graph *graph, const struct skip_backward *backward,
				  const int *want, size_t n_want, const struct skip_unit_group *group, const struct skip_unit_use *use,
				  struct sites *sites, int *wanted, size_t *n_wanted, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int post = site_in(a, graph, use->post), gradient = gradient_of(backward, want, n_want, post);
	const int output = output_of(a, graph, use);
	*sites = (struct sites){SKIP_NONE, {SKIP_NONE, SKIP_NONE}, SKIP_NONE};
	if (group->kind == SKIP_UNIT_PREFIX) SKIP_TRY(add_slots(backward->graph, post, gradient, &sites->post, err));
	else
		SKIP_TRY(add_score(backward->graph, post, gradient, SKIP_REDUCE_SUM, "post", use->layer, &sites->post, err));
	wanted[(*n_wanted)++] = sites->post;
	for (int i = 0; a->needs.pre && i < use->n_pre; i++) {
		int pre = site_in(a, graph, use->pre[i]);
		SKIP_TRY(add_score(backward->graph, pre, gradient_of(backward, want, n_want, pre), a->scoring->options->reduce, "pre", use->layer,
				   &sites->pre[i], err));
		wanted[(*n_wanted)++] = sites->pre[i];
	}
	if (output != SKIP_NONE) {
		sites->out = gradient_of(backward, want, n_want, output);
		if (sites->out == SKIP_NONE) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "no gradient reaches '%s'; it cannot be scored", graph->values[output].name);
			goto cleanup;
		}
		wanted[(*n_wanted)++] = sites->out;
	}
cleanup:
	return status;
}

static enum skip_status open_session(struct skip_gradients *a, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_backward backward = {0};
	const struct skip_units *units = a->scoring->units;
	const size_t most = 4 * a->n_sites;
	int *want = skip_alloc_array(most, sizeof(*want)), *wanted = skip_alloc_array(most + 1, sizeof(*wanted));
	if (!want || !wanted) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "%zu scored values", most);
		goto cleanup;
	}
	size_t n_want = list_wanted(a, graph, want), n_wanted = 0;
	a->logits = wanted[n_wanted++] = skip_graph_find_value(graph, "logits");
	SKIP_TRY(skip_pass_backward(graph, a->logits, want, n_want, &backward, err));
	for (size_t g = 0; g < a->scoring->n_groups; g++) {
		const struct skip_unit_group *group = &units->group[g];
		for (int u = 0; u < group->n_uses; u++)
			SKIP_TRY(add_sites(a, graph, &backward, want, n_want, group, &group->use[u], &a->sites[g][u], wanted, &n_wanted, err));
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

/* Columns of what is read for a group: those of its values; of slots one per head. */
static size_t read_columns(const struct skip_gradients *a, size_t g)
{
	return (size_t)skip_session_graph(a->session)->values[a->sites[g][0].post].cols;
}

/* Space for the longest batch of the plan. */
static enum skip_status alloc_batch(struct skip_gradients *a, struct skip_err *err)
{
	size_t rows = 0, width = 0, classes = (size_t)a->scoring->classes;
	for (size_t i = 0; i < a->batches.n_batches; i++) {
		size_t n = a->batches.start[i + 1] - a->batches.start[i];
		if (n > rows) rows = n;
	}
	for (size_t g = 0; g < a->scoring->n_groups; g++) {
		if (read_columns(a, g) > width) width = read_columns(a, g);
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

static enum skip_status alloc_sites(struct skip_gradients *a, struct skip_err *err)
{
	const struct skip_units *units = a->scoring->units;
	const size_t rows = a->scoring->sample->n_rows;
	a->sites = skip_alloc_zeroed(a->scoring->n_groups, sizeof(*a->sites));
	a->label = skip_alloc_array(rows, sizeof(*a->label));
	bool ok = a->sites && a->label;
	for (size_t g = 0; ok && g < a->scoring->n_groups; g++) {
		a->n_sites += (size_t)units->group[g].n_uses;
		a->sites[g] = skip_alloc_array((size_t)units->group[g].n_uses, sizeof(**a->sites));
		ok = a->sites[g] != NULL;
	}
	return ok ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups, %zu samples", a->scoring->n_groups, rows);
}

void skip_gradients_destroy(struct skip_gradients *a)
{
	if (!a) return;
	skip_session_destroy(a->session);
	skip_batches_deinit(&a->batches);
	skip_packer_deinit(&a->packer);
	for (size_t g = 0; a->sites && g < a->scoring->n_groups; g++) skip_free(a->sites[g]);
	skip_free(a->sites);
	skip_free(a->label);
	skip_free(a->batch_logits);
	skip_free(a->batch_seed);
	skip_free(a->weight);
	skip_free(a->p);
	for (int i = 0; i < 3; i++) skip_free(a->read[i]);
	skip_free(a->more);
	skip_free(a->out);
	skip_free(a);
}

enum skip_status skip_gradients_open(const struct skip_scoring *scoring, const struct skip_graph *graph, struct skip_gradients_needs needs, int walks,
				     struct skip_gradients **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_dataset *sample = scoring->sample;
	struct skip_gradients *a = skip_alloc_zeroed(1, sizeof(*a));
	if (!a) return skip_err_set(err, SKIP_ERR_NOMEM, "a backward session");
	a->scoring = scoring;
	a->needs = needs;
	a->walks = walks;
	skip_packer_init(&a->packer);
	skip_rng_init(&a->draws, scoring->options->seed, "label sampling");
	SKIP_TRY(skip_batches_sorted(sample, BATCH_TOKENS, (int)sample->n_rows, &a->batches, err));
	SKIP_TRY(alloc_sites(a, err));
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

/*
 * The same for several labels and for numbers, with the likelihoods of base/problem.h: every output is by itself, d log p / dz is y - sigmoid(z), or y - z.
 * The `logit` target raises the labels a row has and lowers the others; of numbers it is the number.
 */
static void seed_outputs(struct skip_gradients *a, enum skip_problem problem, const float *logits, const float *gold, float *seed, double *weight)
{
	const int target = a->scoring->target;
	bool numbers = problem == SKIP_REGRESSION;
	double log_p = 0;
	for (int c = 0; c < a->scoring->classes; c++) {
		double z = logits[c], mean = numbers ? z : skip_sigmoid(z), y = numbers ? z : z > 0;
		if (a->scoring->options->labels == SKIP_LABELS_GOLD) y = gold[c];
		if (target == SKIP_TARGET_KL) y = numbers ? z + skip_rng_normal(&a->draws) : skip_rng_uniform(&a->draws) < mean;
		seed[c] = target == SKIP_TARGET_LOGIT ? (numbers || y > 0 ? 1 : -1) : (float)(y - mean);
		log_p += numbers ? -0.5 * (y - z) * (y - z) : log(y > 0 ? mean : 1 - mean);
	}
	*weight = target == SKIP_TARGET_PROB ? exp(log_p) : 1;
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

/* What the device says at one site, added to what earlier uses of the group said: a unit is removed in all of them. */
static enum skip_status read_site(struct skip_gradients *a, int site, size_t n, bool first, float *out, struct skip_err *err)
{
	enum skip_status status = skip_session_read(a->session, site, first ? out : a->more, err);
	for (size_t i = 0; status == SKIP_OK && !first && i < n; i++) out[i] += a->more[i];
	return status;
}

/* The sums over the heads, in place: [samples][H][P] becomes [samples][P]. */
static void add_heads(int slots, int heads, int samples, float *rows)
{
	for (int s = 0; s < samples; s++) {
		const float *from = rows + (size_t)s * (size_t)(heads * slots);
		float *to = rows + (size_t)s * (size_t)slots; /* never behind `from` */
		for (int j = 0; j < slots; j++) {
			float sum = 0;
			for (int h = 0; h < heads; h++) sum += from[h * slots + j];
			to[j] = sum;
		}
	}
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

/* Rows of one use behind those of earlier uses, each times its sample's weight. */
static enum skip_status read_out(struct skip_gradients *a, int site, struct skip_criterion_batch *seen, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_value *value = &skip_session_graph(a->session)->values[site];
	const struct skip_batch *batch = &a->packer.batch;
	const size_t rows = (size_t)skip_value_rows(value, batch), cols = (size_t)value->cols, first = (size_t)seen->n_out;
	if (!skip_grow((void **)&a->out, &a->cap_out, (first + rows) * cols, sizeof(*a->out)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "gradients of %zu rows", first + rows);
	float *out = a->out + first * cols;
	SKIP_TRY(skip_session_read(a->session, site, out, err));
	for (int s = 0; s < batch->n_seqs; s++) {
		const bool pooled = value->rows == SKIP_ROWS_B;
		const size_t from = (size_t)(pooled ? s : batch->offset[s]), to = (size_t)(pooled ? s + 1 : batch->offset[s + 1]);
		for (size_t i = from * cols; i < to * cols; i++) out[i] *= (float)a->weight[s];
	}
	seen->out = a->out;
	seen->n_out = (int)(first + rows);
cleanup:
	return status;
}

static enum skip_status hand_over(struct skip_gradients *a, size_t g, int n_samples, skip_gradients_sink sink, void *context, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_unit_group *group = &a->scoring->units->group[g];
	struct skip_criterion_batch seen = {.group = group, .n_samples = n_samples, .sum_post = a->read[0], .weight = a->weight};
	const size_t columns = read_columns(a, g), n = (size_t)n_samples * columns;
	for (int u = 0; u < group->n_uses; u++) {
		const struct sites *sites = &a->sites[g][u];
		SKIP_TRY(read_site(a, sites->post, n, u == 0, a->read[0], err));
		for (int i = 0; i < 2; i++) {
			if (sites->pre[i] == SKIP_NONE) continue;
			SKIP_TRY(read_site(a, sites->pre[i], n, u == 0, a->read[1 + i], err));
			seen.reduce_pre[i] = a->read[1 + i];
		}
		if (sites->out != SKIP_NONE) SKIP_TRY(read_out(a, sites->out, &seen, err));
	}
	if (group->kind == SKIP_UNIT_PREFIX) add_heads(group->width, (int)columns / group->width, n_samples, a->read[0]);
	else
		add_columns(group, n_samples, a->read[0]);
	for (int i = 0; i < 2; i++) {
		if (seen.reduce_pre[i]) add_columns(group, n_samples, a->read[1 + i]);
	}
	sink(context, g, &seen);
cleanup:
	return status;
}

static void seed_batch(struct skip_gradients *a, const int *rows, size_t n)
{
	const struct skip_dataset *sample = a->scoring->sample;
	for (size_t b = 0; b < n; b++) {
		const size_t classes = (size_t)a->scoring->classes, row = (size_t)rows[b];
		const float *logits = a->batch_logits + b * classes;
		float *seed = a->batch_seed + b * classes;
		if (sample->problem == SKIP_SINGLE_LABEL)
			seed_sample(a, logits, &a->label[row], seed, &a->weight[b]);
		else
			seed_outputs(a, sample->problem, logits, sample->target + row * classes, seed, &a->weight[b]);
	}
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
	seed_batch(a, rows, n);
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
