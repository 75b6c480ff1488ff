/* Trials in the dense network's programs: trial.h. */
#include "method/search/trial.h"
#include "base/alloc.h"
#include "graph/op.h"
#include "method/predict.h"
#include "method/search/refit_qk.h"
#include "method/search/zero.h"
#include <limits.h>
#include <math.h>
#include <string.h>

#define MOST_LIVE 6
#define DECIDE_AFTER 64	  /* sentences */
#define DECIDE_ERRORS 3.0 /* standard errors */

/* Values that must be there for a run from some node on: of the session's graph, with a host copy over all rows. */
struct live {
	int value[MOST_LIVE];
	float *data[MOST_LIVE];
	int n;
};

/* Where a sub-layer's options take effect. Nodes are those of the session's graph. */
struct skip_trial_place {
	size_t from_qk, from_consumer;
	struct live at_qk, at_consumer; /* at_qk: attention only */
	struct skip_consumer consumer;
	float *weight, *bias; /* dense */
	int weight_tensor, bias_tensor;
};

/* ---- opening */

/* Values made before canonical node `n` and read from it on. */
static enum skip_status find_live(const struct skip_graph *graph, size_t n, struct live *out, struct skip_err *err)
{
	for (size_t r = n; r < graph->n_nodes; r++) {
		for (int i = 0; i < graph->nodes[r].n_in; i++) {
			int value = graph->nodes[r].in[i], producer = value == SKIP_NONE ? SKIP_NONE : graph->values[value].producer;
			bool seen = producer == SKIP_NONE || (size_t)producer >= n;
			for (int j = 0; j < out->n; j++) seen |= out->value[j] == value;
			if (seen) continue;
			if (out->n == MOST_LIVE)
				return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "more than %d values are alive at '%s'", MOST_LIVE,
						    graph->values[graph->nodes[n].out[0]].name);
			out->value[out->n++] = value;
		}
	}
	return SKIP_OK;
}

/* The first node of the canonical graph that works on queries or keys of the group. */
static size_t first_qk_node(const struct skip_graph *graph, const struct skip_unit_group *group)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int p = 0; p < graph->nodes[n].n_param; p++) {
			for (int s = 0; s < group->n_slices; s++) {
				if (graph->nodes[n].param[p] == group->slices[s].tensor) return n;
			}
		}
	}
	return graph->n_nodes;
}

/* The first node that reads one of these tensors, alone or joined with others. */
static size_t first_reader(const struct skip_graph *graph, const struct skip_tensor *tensor)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		for (int p = 0; p < graph->nodes[n].n_param; p++) {
			if (graph->nodes[n].param[p] == SKIP_NONE) continue;
			const struct skip_tensor *read = graph->tensors[graph->nodes[n].param[p]];
			if (read == tensor) return n;
			for (int i = 0; i < read->n_parts; i++) {
				if (read->part[i] == tensor) return n;
			}
		}
	}
	return graph->n_nodes;
}

static enum skip_status find_places(struct skip_trial *t, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t s = 0; s < t->options->n; s++) {
		const struct skip_sublayer *sub = &t->options->sub[s];
		struct skip_trial_place *place = &t->place[s];
		const size_t group = sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn;
		const size_t consumer = (size_t)t->units->group[group].consumer;
		SKIP_TRY(find_live(t->work, consumer, &place->at_consumer, err));
		place->weight_tensor = t->work->nodes[consumer].param[0];
		place->bias_tensor = t->work->nodes[consumer].param[1];
		if (sub->qk != SKIP_NO_GROUP)
			SKIP_TRY(find_live(t->work, first_qk_node(t->work, &t->units->group[sub->qk]), &place->at_qk, err));
	}
cleanup:
	return status;
}

static size_t list_live(struct live *live, int **value, size_t n)
{
	for (int i = 0; i < live->n; i++) value[n++] = &live->value[i];
	return n;
}

static enum skip_status open_session(struct skip_trial *t, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	size_t n = 0;
	int **value = skip_alloc_array(1 + 2 * MOST_LIVE * t->options->n, sizeof(*value));
	if (!value) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", t->options->n));
	t->logits = skip_graph_find_value(t->work, "logits");
	value[n++] = &t->logits;
	for (size_t s = 0; s < t->options->n; s++) {
		n = list_live(&t->place[s].at_qk, value, n);
		n = list_live(&t->place[s].at_consumer, value, n);
	}
	SKIP_TRY(skip_open_values(t->device, t->work, value, n, &t->session, err));
	const struct skip_graph *open = skip_session_graph(t->session);
	t->classes = open->values[t->logits].cols;
	for (size_t s = 0; s < t->options->n; s++) {
		const struct skip_sublayer *sub = &t->options->sub[s];
		struct skip_trial_place *place = &t->place[s];
		place->from_consumer = first_reader(open, t->work->tensors[place->weight_tensor]);
		place->from_qk = place->from_consumer;
		for (int i = 0; sub->qk != SKIP_NO_GROUP && i < t->units->group[sub->qk].n_slices; i++) {
			size_t reader = first_reader(open, t->work->tensors[t->units->group[sub->qk].slices[i].tensor]);
			if (reader < place->from_qk) place->from_qk = reader;
		}
	}
cleanup:
	skip_free(value);
	return status;
}

static enum skip_status alloc_live(const struct skip_trial *t, struct live *live, struct skip_err *err)
{
	for (int i = 0; i < live->n; i++) {
		const struct skip_value *value = &skip_session_graph(t->session)->values[live->value[i]];
		size_t rows = value->rows == SKIP_ROWS_B ? t->rows.data.n_rows : t->rows.n_rows;
		live->data[i] = skip_alloc_array(rows, (size_t)value->cols * sizeof(float));
		if (!live->data[i]) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu rows of '%s'", rows, value->name);
	}
	return SKIP_OK;
}

/* Dense weights of a sub-layer's consumer and its moments, ready to be fitted. */
static enum skip_status open_consumer(struct skip_trial *t, size_t s, struct skip_err *err)
{
	struct skip_trial_place *place = &t->place[s];
	const struct skip_sublayer *sub = &t->options->sub[s];
	const size_t group = sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn;
	const struct skip_tensor *weight = t->work->tensors[place->weight_tensor], *bias = t->work->tensors[place->bias_tensor];
	place->weight = skip_alloc_array((size_t)skip_tensor_count(weight), sizeof(float));
	place->bias = skip_alloc_array((size_t)skip_tensor_count(bias), sizeof(float));
	if (!place->weight || !place->bias) return skip_err_set(err, SKIP_ERR_NOMEM, "weights of layer %d", sub->layer);
	skip_tensor_to_f32(weight, place->weight);
	skip_tensor_to_f32(bias, place->bias);
	return skip_consumer_init(t->moments.cov[group], t->moments.mean[group], place->weight, place->bias, t->units->group[group].width,
				  (int)weight->dim[0], t->damping, &place->consumer, err);
}

static enum skip_status collect_moments(struct skip_trial *t, const struct skip_trial_options *o, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_calibration rows = {0};
	bool *all = skip_alloc_array(t->units->n_groups, sizeof(*all));
	if (!all) return skip_err_set(err, SKIP_ERR_NOMEM, "%zu groups", t->units->n_groups);
	memset(all, 1, t->units->n_groups * sizeof(*all));
	SKIP_TRY(skip_calibration_init(o->data, INT_MAX, o->moment_tokens, o->seed, &rows, err));
	SKIP_TRY(skip_moments_collect(t->device, t->graph, t->units, &rows, all, &t->moments, err));
cleanup:
	skip_calibration_deinit(&rows);
	skip_free(all);
	return status;
}

/* ---- running */

/* A batch of the rows: its number, and where its tokens and sentences start. */
struct position {
	size_t batch, row, sentence;
};

static float *place_of(const struct skip_trial *t, const struct live *live, int i, const struct position *at)
{
	const struct skip_value *value = &skip_session_graph(t->session)->values[live->value[i]];
	return live->data[i] + (value->rows == SKIP_ROWS_B ? at->sentence : at->row) * (size_t)value->cols;
}

/* Puts back what is alive at `from`, runs `first` .. `last`, reads what is alive at `to`, and the logits. All may be NULL. Moves on. */
static enum skip_status run_batch(struct skip_trial *t, struct position *at, const struct live *from, size_t first, size_t last,
				  const struct live *to, float *logits, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_batch *batch = &t->rows.packer[at->batch].batch;
	SKIP_TRY(skip_session_set_batch(t->session, batch, err));
	for (int i = 0; from && i < from->n; i++) SKIP_TRY(skip_session_write(t->session, from->value[i], place_of(t, from, i, at), err));
	SKIP_TRY(skip_session_enqueue(t->session, first, last, 0, err));
	for (int i = 0; to && i < to->n; i++) SKIP_TRY(skip_session_read(t->session, to->value[i], place_of(t, to, i, at), err));
	if (logits) SKIP_TRY(skip_session_read(t->session, t->logits, logits + at->sentence * (size_t)t->classes, err));
	*at = (struct position){at->batch + 1, at->row + (size_t)batch->n_tokens, at->sentence + (size_t)batch->n_seqs};
cleanup:
	return status;
}

static enum skip_status run(struct skip_trial *t, const struct live *from, size_t first, size_t last, const struct live *to, float *logits,
			    struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct position at = {0};
	while (at.batch < t->rows.n_batches) SKIP_TRY(run_batch(t, &at, from, first, last, to, logits, err));
cleanup:
	return status;
}

static size_t end_of(const struct skip_trial *t)
{
	return skip_session_graph(t->session)->n_nodes;
}

/* Uploads tensor `index` of the working graph. */
static enum skip_status upload(struct skip_trial *t, int index, struct skip_err *err)
{
	const struct skip_graph *graph = skip_session_graph(t->session);
	const struct skip_tensor *mine = t->work->tensors[index];
	for (size_t i = 0; i < graph->n_tensors; i++) {
		bool holds = graph->tensors[i] == mine;
		for (int p = 0; p < graph->tensors[i]->n_parts; p++) holds |= graph->tensors[i]->part[p] == mine;
		if (holds) return skip_session_update(t->session, (int)i, err);
	}
	return SKIP_OK;
}

/* Queries and keys of sub-layer `s` as its group's keep says, the dense ones when nothing goes. */
static enum skip_status set_qk(struct skip_trial *t, size_t s, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const size_t g = t->options->sub[s].qk;
	const struct skip_unit_group *group = &t->units->group[g];
	for (int i = 0; i < group->n_slices; i++) {
		struct skip_tensor *tensor = t->work->tensors[group->slices[i].tensor];
		skip_tensor_to_f32(t->graph->tensors[group->slices[i].tensor], skip_tensor_f32(tensor));
		skip_zero_slice(t->work, group, &group->slices[i], t->keep.keep[g]);
	}
	SKIP_TRY(skip_refit_qk(t->graph, t->units, g, &t->moments, t->keep.keep[g], t->damping, t->work, err));
	for (int i = 0; i < group->n_slices; i++) SKIP_TRY(upload(t, group->slices[i].tensor, err));
cleanup:
	return status;
}

/* The consumer of sub-layer `s` refitted to what its group keeps; `dense`: as it was. */
static enum skip_status set_consumer(struct skip_trial *t, size_t s, bool dense, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_trial_place *place = &t->place[s];
	const struct skip_sublayer *sub = &t->options->sub[s];
	struct skip_tensor *weight = t->work->tensors[place->weight_tensor], *bias = t->work->tensors[place->bias_tensor];
	if (dense) {
		memcpy(skip_tensor_f32(weight), place->weight, (size_t)skip_tensor_count(weight) * sizeof(float));
		memcpy(skip_tensor_f32(bias), place->bias, (size_t)skip_tensor_count(bias) * sizeof(float));
	} else {
		const unsigned char *keep = t->keep.keep[sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn];
		SKIP_TRY(skip_consumer_fit(&place->consumer, keep, skip_tensor_f32(weight), skip_tensor_f32(bias), NULL, err));
	}
	SKIP_TRY(upload(t, place->weight_tensor, err));
	SKIP_TRY(upload(t, place->bias_tensor, err));
cleanup:
	return status;
}

/* Whole heads that go keep their queries: nothing reads them. What changes the attention is how many dims of a head stay. */
static enum skip_status use_dims(struct skip_trial *t, size_t s, int qk, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_trial_place *place = &t->place[s];
	const struct skip_sublayer *sub = &t->options->sub[s];
	struct skip_widths all_heads = sub->option[0];
	all_heads.qk = qk;
	SKIP_TRY(skip_widths_keep(t->units, t->scores, sub, &all_heads, &t->keep, err));
	SKIP_TRY(set_qk(t, s, err));
	SKIP_TRY(run(t, &place->at_qk, place->from_qk, place->from_consumer, &place->at_consumer, NULL, err));
cleanup:
	return status;
}

static enum skip_status try_option(struct skip_trial *t, size_t s, size_t k, double *kl, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_trial_place *place = &t->place[s];
	SKIP_TRY(skip_widths_keep(t->units, t->scores, &t->options->sub[s], &t->options->sub[s].option[k], &t->keep, err));
	SKIP_TRY(set_consumer(t, s, false, err));
	SKIP_TRY(run(t, &place->at_consumer, place->from_consumer, end_of(t), NULL, t->answer, err));
	*kl = skip_divergence(t->rows.data.problem, t->dense, t->answer, t->rows.data.n_rows, t->classes);
cleanup:
	return status;
}

/* All options of a sub-layer, those with the same dims of queries and keys together; then everything as it was. */
static enum skip_status try_sublayer(struct skip_trial *t, size_t s, double *error, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_sublayer *sub = &t->options->sub[s];
	const int full = sub->option[0].qk;
	int now = full;
	for (int qk = full; qk >= 0; qk--) {
		for (size_t k = 1; k < sub->n_options; k++) {
			/* a sub-layer that leaves reads no queries either way */
			int wants = sub->option[k].heads == 0 ? full : sub->option[k].qk;
			if (wants != qk) continue;
			if (now != qk) SKIP_TRY(use_dims(t, s, now = qk, err));
			SKIP_TRY(try_option(t, s, k, &error[k], err));
		}
	}
	SKIP_TRY(set_consumer(t, s, true, err));
	if (now != full) SKIP_TRY(use_dims(t, s, full, err));
cleanup:
	return status;
}

enum skip_status skip_trial_each(struct skip_trial *t, double *const *error, const struct skip_progress *progress, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t s = 0; s < t->options->n; s++) {
		const struct skip_trial_place *place = &t->place[s], *before = s ? &t->place[s - 1] : NULL;
		const struct live *from = before ? &before->at_consumer : NULL;
		size_t first = before ? before->from_consumer : 0;
		if (!skip_progress_report(progress, "options", (int64_t)s, (int64_t)t->options->n, ""))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERRUPTED, "options stopped after those of %zu sub-layers", s));
		if (place->at_qk.n > 0) {
			SKIP_TRY(run(t, from, first, place->from_qk, &place->at_qk, NULL, err));
			from = &place->at_qk;
			first = place->from_qk;
		}
		SKIP_TRY(run(t, from, first, place->from_consumer, &place->at_consumer, NULL, err));
		SKIP_TRY(try_sublayer(t, s, error[s], err));
	}
	skip_progress_report(progress, "options", (int64_t)t->options->n, (int64_t)t->options->n, "");
cleanup:
	return status;
}

/* Running mean and variance of the divergence by sentence. */
struct divergence {
	double sum, squares;
	size_t n;
};

static void add_sentence(struct divergence *d, const struct skip_trial *t, size_t i)
{
	const size_t first = i * (size_t)t->classes;
	double kl = skip_divergence(t->rows.data.problem, t->dense + first, t->answer + first, 1, t->classes);
	d->sum += kl;
	d->squares += kl * kl;
	d->n++;
}

/* Whether the mean is certainly on one side of kappa. */
static bool decided(const struct divergence *d, double kappa)
{
	double n = (double)d->n, mean = d->sum / n;
	double se = sqrt(fmax(0, d->squares / n - mean * mean) / n);
	return d->n >= DECIDE_AFTER && fabs(mean - kappa) > DECIDE_ERRORS * se;
}

/* The masks of the slots as the choice at work says. */
static enum skip_status set_slots(struct skip_trial *t, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t g = t->units->n_groups; t->slots && g < t->units->n_all; g++) {
		const struct skip_unit_group *group = &t->units->group[g];
		const int tensor = t->work->nodes[t->work->values[group->post].producer].param[SKIP_ATTENTION_SLOTS];
		for (int j = 0; j < group->width; j++) skip_tensor_f32(t->work->tensors[tensor])[j] = t->keep.keep[g][j] ? 0 : -INFINITY;
		SKIP_TRY(upload(t, tensor, err));
	}
cleanup:
	return status;
}

enum skip_status skip_trial_keep(struct skip_trial *t, const struct skip_keep *keep, double kappa, double *kl, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct divergence d = {0};
	struct position at = {0};
	for (size_t g = 0; g < t->units->n_all; g++) memcpy(t->keep.keep[g], keep->keep[g], (size_t)t->units->group[g].width);
	SKIP_TRY(set_slots(t, err));
	for (size_t s = 0; s < t->options->n; s++) {
		const struct skip_sublayer *sub = &t->options->sub[s];
		const size_t g = sub->ffn == SKIP_NO_GROUP ? sub->v : sub->ffn;
		if (sub->qk != SKIP_NO_GROUP) SKIP_TRY(set_qk(t, s, err));
		SKIP_TRY(set_consumer(t, s, !memchr(keep->keep[g], 0, (size_t)t->units->group[g].width), err));
	}
	while (at.batch < t->rows.n_batches) {
		SKIP_TRY(run_batch(t, &at, NULL, 0, end_of(t), NULL, t->answer, err));
		while (d.n < at.sentence) add_sentence(&d, t, d.n);
		if (isfinite(kappa) && decided(&d, kappa)) break;
	}
	*kl = d.sum / (double)d.n;
cleanup:
	return status;
}

/* ---- the whole */

enum skip_status skip_trial_init(struct skip_trial *t, const struct skip_trial_options *o, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	t->damping = o->damping;
	t->place = skip_alloc_zeroed(t->options->n, sizeof(*t->place));
	if (!t->place) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu sub-layers", t->options->n));
	SKIP_TRY(skip_keep_create(t->units, &t->keep, err));
	SKIP_TRY(skip_zero_units(t->graph, t->units, &t->keep, &t->work, err));
	SKIP_TRY(skip_zero_biases(t->work, t->units, err));
	if (t->slots) SKIP_TRY(skip_place_masks(t->work, t->units, err));
	SKIP_TRY(collect_moments(t, o, err));
	SKIP_TRY(skip_calibration_init(o->data, o->sentences, o->tokens, o->seed + 1, &t->rows, err));
	SKIP_TRY(find_places(t, err));
	SKIP_TRY(open_session(t, err));
	t->dense = skip_alloc_array(t->rows.data.n_rows, (size_t)t->classes * sizeof(float));
	t->answer = skip_alloc_array(t->rows.data.n_rows, (size_t)t->classes * sizeof(float));
	if (!t->dense || !t->answer) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "answers of %zu sentences", t->rows.data.n_rows));
	for (size_t s = 0; s < t->options->n; s++) {
		SKIP_TRY(alloc_live(t, &t->place[s].at_qk, err));
		SKIP_TRY(alloc_live(t, &t->place[s].at_consumer, err));
		SKIP_TRY(open_consumer(t, s, err));
	}
	SKIP_TRY(run(t, NULL, 0, end_of(t), NULL, t->dense, err));
cleanup:
	return status;
}

void skip_trial_deinit(struct skip_trial *t)
{
	for (size_t s = 0; t->place && s < t->options->n; s++) {
		for (int i = 0; i < MOST_LIVE; i++) {
			skip_free(t->place[s].at_qk.data[i]);
			skip_free(t->place[s].at_consumer.data[i]);
		}
		skip_consumer_deinit(&t->place[s].consumer);
		skip_free(t->place[s].weight);
		skip_free(t->place[s].bias);
	}
	skip_free(t->place);
	skip_session_destroy(t->session);
	skip_graph_destroy(t->work);
	skip_keep_deinit(&t->keep);
	skip_moments_deinit(&t->moments);
	skip_calibration_deinit(&t->rows);
	skip_free(t->dense);
	skip_free(t->answer);
	*t = (struct skip_trial){0};
}
