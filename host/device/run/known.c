/*
 * Forms of products in short types are used after they have given a known answer on the device: an instruction that the compiler's assembler does not
 * know can vanish without any error, and the numbers are wrong then. A profile has matched the processor before anything of it runs.
 *
 * The answer is the float64 reference of one small linear, in bfloat16 beside one small attention, run through the very path of every other graph. A form that fails gives way to the next
 * of the profile.
 */
#include "base/log.h"
#include "base/rng.h"
#include "device/run/run.h"
#include "graph/op.h"
#include "graph/rules.h"
#include <math.h>
#include <string.h>

enum { ROWS = 61, DEPTH = 70, COLUMNS = 45, HEADS = 2, QK = 9, V = 16 }; /* every height of a row tile, depths that are no multiple of a word or a tile of 16 */

static enum skip_status add_weights(struct skip_graph *graph, int *tensor, struct skip_err *err)
{
	struct skip_tensor *w = NULL;
	struct skip_rng rng;
	enum skip_status status = skip_tensor_create("w", SKIP_F32, 2, (const int64_t[]){COLUMNS, DEPTH}, &w, err);
	if (status != SKIP_OK) return status;
	skip_rng_init(&rng, 0, "known weights");
	for (int i = 0; i < COLUMNS * DEPTH; i++) ((float *)w->owned)[i] = (float)skip_rng_normal(&rng);
	status = skip_graph_add_tensor(graph, w, tensor, err);
	skip_tensor_unref(w);
	return status;
}

/* Attention has instructions of its own in bfloat16, in which models of every short type take it: heads of the columns there are, one range after the other. */
static enum skip_status add_attention(struct skip_graph *graph, int x, struct skip_err *err)
{
	struct skip_node node = {.op = skip_op_find("attention"), .layer = 0, .n_in = 3, .in = {x, x, x}, .n_out = 1};
	node.attrs.attention = (struct skip_attrs_attention){.heads = HEADS, .qk = QK, .v = V, .q_col = 0, .k_col = HEADS * QK, .v_col = 2 * HEADS * QK, .scale = 0.25f,
							     .precision = SKIP_PRECISION_BF16};
	return skip_graph_add_node(graph, &node, (const char *[]){"ctx"}, NULL, err);
}

static enum skip_status make_graph(enum skip_precision precision, struct skip_graph **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_graph *graph = NULL;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = SKIP_NONE, .n_in = 1, .n_param = 1, .n_out = 1};
	node.attrs.linear.precision = precision;
	SKIP_TRY(skip_graph_create(&graph, err));
	SKIP_TRY(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, DEPTH, &node.in[0], err));
	SKIP_TRY(add_weights(graph, &node.param[0], err));
	SKIP_TRY(skip_graph_add_node(graph, &node, (const char *[]){"y"}, NULL, err));
	graph->max_positions = ROWS;
	if (precision == SKIP_PRECISION_BF16) SKIP_TRY(add_attention(graph, node.in[0], err));
	*out = graph;
	graph = NULL;
cleanup:
	skip_graph_destroy(graph);
	return status;
}

/* Whether the first form of `profile` gives the answer of the reference. */
static enum skip_status run_known(struct skip_device *device, const struct skip_profile *profile, enum skip_precision precision, bool *right,
				  struct skip_err *err)
{
	enum skip_status status;
	static const int32_t zeros[ROWS];
	const int32_t offset[2] = {0, ROWS};
	const struct skip_batch batch = {.n_tokens = ROWS, .n_seqs = 1, .ids = zeros, .types = zeros, .offset = offset};
	float x[ROWS * DEPTH], got[ROWS * COLUMNS];
	double wide[ROWS * DEPTH];
	struct skip_graph *graph = NULL;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	struct skip_ref_result known = {0};
	/* Sums of about 70 products near 1, where a step of int8 is a hundredth; weights of attention that may be rounded the other way, by 2^-8 of values near 1. */
	static const double within[] = {1e-3, 0.02};
	struct skip_rng rng;
	skip_rng_init(&rng, 0, "known inputs");
	for (int i = 0; i < ROWS * DEPTH; i++) wide[i] = x[i] = (float)skip_rng_normal(&rng);
	SKIP_TRY(make_graph(precision, &graph, err));
	const int in = graph->nodes[0].in[0], out[2] = {graph->nodes[0].out[0], graph->nodes[graph->n_nodes - 1].out[0]};
	const struct skip_ref_input input = {in, wide};
	SKIP_TRY(skip_reference_run(graph, &batch, &input, 1, 0, &known, err));
	SKIP_TRY(skip_lower(graph, profile, out, graph->n_nodes, &plan, err));
	SKIP_TRY(skip_session_create(device, graph, plan, false, &session, err));
	SKIP_TRY(skip_session_set_batch(session, &batch, err));
	SKIP_TRY(skip_session_write(session, in, x, err));
	SKIP_TRY(skip_session_enqueue(session, 0, graph->n_nodes, 0, err));
	*right = true;
	for (size_t n = 0; n < graph->n_nodes; n++) {
		SKIP_TRY(skip_session_read(session, out[n], got, err));
		const int count = ROWS * graph->values[out[n]].cols;
		for (int i = 0; i < count; i++) *right = *right && fabs(got[i] - known.data[out[n]][i]) < within[n];
	}
cleanup:
	skip_reference_free(&known);
	skip_session_destroy(session);
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	return status;
}

/* The same where a device that fails it gives no answer: only a lack of memory is an error. */
static enum skip_status try_known(struct skip_device *device, const struct skip_profile *profile, enum skip_precision precision, bool *right,
				  struct skip_err *err)
{
	struct skip_err why;
	skip_err_init(&why);
	*right = false;
	enum skip_status status = run_known(device, profile, precision, right, &why);
	if (status == SKIP_ERR_NOMEM) return skip_err_set(err, status, "%s", why.message);
	if (!*right)
		skip_log(SKIP_LOG_INFO, "form %s of products fails its known answer: %s", profile->dot[precision][0],
			 status == SKIP_OK ? "wrong numbers" : why.message);
	return SKIP_OK;
}

static bool uses(const struct skip_graph *graph, enum skip_precision precision)
{
	for (size_t n = 0; n < graph->n_nodes; n++) {
		if (skip_node_precision(&graph->nodes[n]) == precision) return true;
	}
	return false;
}

enum skip_status skip_known_forms(struct skip_device *device, enum skip_precision precision, struct skip_err *err)
{
	const struct skip_profile *profile = skip_device_profile(device);
	if (skip_device_form_settled(device, precision)) return SKIP_OK;
	while (profile->n_dot[precision] > 0) {
		bool right;
		enum skip_status status = try_known(device, profile, precision, &right, err);
		if (status != SKIP_OK) return status;
		if (right) break;
		skip_log(SKIP_LOG_WARN, "form %s of products fails its known answer and is not used", profile->dot[precision][0]);
		skip_device_drop_form(device, precision);
	}
	skip_device_settle_form(device, precision);
	return SKIP_OK;
}

static bool first_is_plain(const struct skip_profile *profile, enum skip_precision precision)
{
	const char *form = profile->n_dot[precision] > 0 ? profile->dot[precision][0] : "generic";
	return !strcmp(form, "generic") || !strcmp(form, "portable");
}

enum skip_status skip_device_accelerates(struct skip_device *device, enum skip_precision precision, bool *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	/* Plain forms are tried when they are used: this is asked on devices that will not. */
	if (!first_is_plain(skip_device_profile(device), precision)) status = skip_known_forms(device, precision, err);
	*out = status == SKIP_OK && !first_is_plain(skip_device_profile(device), precision);
	return status;
}

enum skip_status skip_known_graph(struct skip_device *device, const struct skip_graph *graph, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_profile *profile = skip_device_profile(device);
	for (int p = SKIP_PRECISION_BF16; p < SKIP_PRECISION_COUNT; p++) {
		/* Where there is nothing to choose from, the families have one way, or refuse. */
		if (profile->n_dot[p] == 0 || !uses(graph, (enum skip_precision)p)) continue;
		SKIP_TRY(skip_known_forms(device, (enum skip_precision)p, err));
		if (profile->n_dot[p] > 0) continue;
		SKIP_TRY(skip_err_set(err, SKIP_ERR_DEVICE, "profile '%s': no form of products in a short type gives the right numbers on this device",
				      profile->id));
	}
cleanup:
	return status;
}

enum skip_status skip_known_each(struct skip_device *device, enum skip_precision precision, struct skip_device_probes *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_profile *own = skip_device_profile(device);
	struct skip_profile one = *own;
	one.n_dot[precision] = 1;
	for (int f = 0; f < own->n_dot[precision]; f++) {
		bool right;
		memcpy(one.dot[precision][0], own->dot[precision][f], sizeof(one.dot[precision][0]));
		SKIP_TRY(try_known(device, &one, precision, &right, err));
		if (right) memcpy(out->dot[precision][out->n_dot[precision]++], one.dot[precision][0], sizeof(one.dot[precision][0]));
	}
cleanup:
	return status;
}
