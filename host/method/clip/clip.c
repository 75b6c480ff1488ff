/* Finding clips: clip.h. */
#include "method/clip/clip.h"
#include "base/alloc.h"
#include "graph/pass.h"
#include "method/clip/product.h"
#include "method/predict.h"
#include "method/search/calibration.h"
#include <math.h>
#include <string.h>

enum { SENTENCES = 96, TOKENS = 1024, WALKS = 2 };

/* A value that products in int8 read. */
struct site {
	int value, seen; /* in the graph; in the session's */
	float largest;
	double error[SKIP_CLIP_TRIED], error_rows, size; /* sums of squares */
};

struct search {
	const struct skip_graph *graph;
	struct site *site;
	size_t n_sites;
	struct skip_calibration rows;
	struct skip_session *session;
	const struct skip_progress *progress;
	float *data; /* of one value and batch */
	size_t capacity;
};

static bool reads(const struct skip_node *node, int value)
{
	return !strcmp(node->op->name, "linear") && node->attrs.linear.precision == SKIP_PRECISION_INT8 && node->in[0] == value;
}

static enum skip_status find_sites(struct search *search, struct skip_err *err)
{
	const struct skip_graph *graph = search->graph;
	search->site = skip_alloc_zeroed(graph->n_values, sizeof(*search->site));
	if (!search->site) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu values", graph->n_values);
	for (size_t v = 0; v < graph->n_values; v++) {
		bool read = false;
		for (size_t n = 0; n < graph->n_nodes && !read; n++) read = reads(&graph->nodes[n], (int)v);
		if (read) search->site[search->n_sites++] = (struct site){.value = (int)v, .seen = (int)v};
	}
	return search->n_sites ? SKIP_OK : skip_err_set(err, SKIP_ERR_INPUT, "there is nothing to calibrate: no product is in int8");
}

/* The float32 network, which makes the values of the sites. */
static enum skip_status open_values(struct search *search, struct skip_device *device, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *plain = NULL;
	int **place = skip_alloc_array(search->n_sites, sizeof(*place));
	if (!place) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu values", search->n_sites);
	for (size_t s = 0; s < search->n_sites; s++) place[s] = &search->site[s].seen;
	SKIP_TRY(skip_pass_precision(search->graph, SKIP_PRECISION_F32, &plain, err));
	SKIP_TRY(skip_open_values(device, plain, place, search->n_sites, &search->session, err));
cleanup:
	skip_graph_destroy(plain);
	skip_free(place);
	return status;
}

typedef enum skip_status (*clip_look)(const struct search *search, struct site *site, int rows, struct skip_err *err);

static enum skip_status see_largest(const struct search *search, struct site *site, int rows, struct skip_err *err)
{
	(void)err;
	const size_t count = (size_t)rows * (size_t)search->graph->values[site->value].cols;
	for (size_t i = 0; i < count; i++) site->largest = fmaxf(site->largest, fabsf(search->data[i]));
	return SKIP_OK;
}

/* Where nothing but zeros was seen, any clip will do. */
static float widest(const struct site *site) { return site->largest > 0x1p-90f ? site->largest : 1; }

/* From the largest magnitude down to 0.15 of it, four steps an octave. */
static float clip_at(const struct site *site, int i) { return widest(site) * exp2f(-0.25f * (float)i); }

static enum skip_status see_errors(const struct search *search, struct site *site, int rows, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_graph *graph = search->graph;
	struct skip_clip_product product = {0};
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (!reads(&graph->nodes[n], site->value)) continue;
		SKIP_TRY(skip_clip_product_init(&product, graph, &graph->nodes[n], search->data, rows, err));
		site->size += product.size;
		site->error_rows += skip_clip_product_error(&product, 0);
		for (int i = 0; i < SKIP_CLIP_TRIED; i++) site->error[i] += skip_clip_product_error(&product, clip_at(site, i));
		skip_clip_product_deinit(&product);
	}
cleanup:
	skip_clip_product_deinit(&product);
	return status;
}

/* Every batch through the network, and every site of it looked at. */
static enum skip_status walk(struct search *search, int which, clip_look look, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_graph *seen = skip_session_graph(search->session);
	const int64_t total = WALKS * (int64_t)search->rows.n_batches * (int64_t)search->n_sites;
	int64_t done = which * total / WALKS;
	for (size_t b = 0; b < search->rows.n_batches; b++) {
		const struct skip_batch *batch = &search->rows.packer[b].batch;
		SKIP_TRY(skip_session_set_batch(search->session, batch, err));
		SKIP_TRY(skip_session_enqueue(search->session, 0, seen->n_nodes, 0, err));
		for (size_t s = 0; s < search->n_sites; s++, done++) {
			struct site *site = &search->site[s];
			const int rows = skip_value_rows(&seen->values[site->seen], batch);
			if (!skip_progress_report(search->progress, "calibrate", done, total, ""))
				SKIP_TRY(skip_err_set(err, SKIP_ERR_INTERRUPTED, "calibration stopped"));
			if (!skip_grow((void **)&search->data, &search->capacity, (size_t)rows * (size_t)seen->values[site->seen].cols, sizeof(*search->data)))
				SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for values of %d rows", rows));
			SKIP_TRY(skip_session_read(search->session, site->seen, search->data, err));
			SKIP_TRY(look(search, site, rows, err));
		}
	}
cleanup:
	return status;
}

static int best_of(const struct site *site)
{
	int best = 0;
	for (int i = 1; i < SKIP_CLIP_TRIED; i++) {
		if (site->error[i] < site->error[best]) best = i;
	}
	return best;
}

static void make_report(const struct search *search, struct skip_clip_report *out)
{
	*out = (struct skip_clip_report){.tensors = search->n_sites, .tokens = (int64_t)search->rows.n_rows};
	for (size_t s = 0; s < search->n_sites; s++) {
		const struct site *site = &search->site[s];
		const double size = site->size > 0 ? site->size * (double)search->n_sites : 1;
		out->error += site->error[best_of(site)] / size;
		out->error_rows += site->error_rows / size;
		out->error_widest += site->error[0] / size;
	}
	out->error = sqrt(out->error);
	out->error_rows = sqrt(out->error_rows);
	out->error_widest = sqrt(out->error_widest);
}

enum skip_status skip_clip_find(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, uint64_t seed,
				const struct skip_progress *progress, struct skip_graph **out, struct skip_clip_report *report, struct skip_err *err)
{
	enum skip_status status;
	struct search search = {.graph = graph, .progress = progress};
	float *clip = skip_alloc_zeroed(graph->n_values, sizeof(*clip));
	if (!clip) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu values", graph->n_values);
	if (!data->n_rows) SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "there are no rows to calibrate on"));
	SKIP_TRY(find_sites(&search, err));
	SKIP_TRY(skip_calibration_init(data, SENTENCES, TOKENS, seed, &search.rows, err));
	SKIP_TRY(open_values(&search, device, err));
	SKIP_TRY(walk(&search, 0, see_largest, err));
	SKIP_TRY(walk(&search, 1, see_errors, err));
	for (size_t s = 0; s < search.n_sites; s++) clip[search.site[s].value] = clip_at(&search.site[s], best_of(&search.site[s]));
	SKIP_TRY(skip_pass_clip(graph, clip, out, err));
	make_report(&search, report);
	skip_progress_report(progress, "calibrate", 1, 1, "");
cleanup:
	skip_session_destroy(search.session);
	skip_calibration_deinit(&search.rows);
	skip_free(search.site);
	skip_free(search.data);
	skip_free(clip);
	return status;
}
