/* A session against the float64 reference, on graphs of the one op that needs no other part: linear. */
#include "base/alloc.h"
#include "base/rng.h"
#include "open_device.h"
#include "device/session.h"
#include "graph/op.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

struct shape {
	char profile[16];    /* "auto": the device's own. No pointer: parameters go to another process */
	int in, hidden, out; /* widths of x -> h -> y (+ h2) */
	int transpose;
	enum skip_act act;
	enum skip_dtype dtype;
};

static struct skip_tensor *random_tensor(struct skip_rng *rng, const char *name, enum skip_dtype dtype, int rows, int cols)
{
	struct skip_err err;
	struct skip_tensor *tensor = NULL;
	CHECK_OK(skip_tensor_create(name, dtype, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, &err));
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) {
		double x = 0.3 * skip_rng_normal(rng);
		if (dtype == SKIP_F64) {
			((double *)tensor->owned)[i] = x;
		} else {
			((float *)tensor->owned)[i] = (float)x;
		}
	}
	return tensor;
}

/* Adds y = act(x W^T + b) and returns the value. The weight is a concatenation when `split` > 0 rows go to a first part. */
static int add_linear(struct skip_graph *graph, struct skip_rng *rng, const struct shape *shape, int x, int out_width, int split,
		      enum skip_act act, const char *name)
{
	struct skip_err err;
	char weight_name[64], bias_name[64];
	int in_width = graph->values[x].cols;
	struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .in = {x}, .n_param = 2};
	snprintf(weight_name, sizeof(weight_name), "%s.weight", name);
	snprintf(bias_name, sizeof(bias_name), "%s.bias", name);
	int rows = shape->transpose ? in_width : out_width, cols = shape->transpose ? out_width : in_width;
	struct skip_tensor *weight = NULL, *bias = random_tensor(rng, bias_name, shape->dtype, out_width, 0);
	if (split > 0) {
		struct skip_tensor *part[2] = {random_tensor(rng, "part0", shape->dtype, split, cols),
					       random_tensor(rng, "part1", shape->dtype, rows - split, cols)};
		part[1]->trained = true;
		CHECK_OK(skip_tensor_concat(weight_name, part, 2, &weight, &err));
		for (int i = 0; i < 2; i++) skip_tensor_unref(part[i]);
	} else {
		weight = random_tensor(rng, weight_name, shape->dtype, rows, cols);
	}
	CHECK_OK(skip_graph_add_tensor(graph, weight, &node.param[0], &err));
	CHECK_OK(skip_graph_add_tensor(graph, bias, &node.param[1], &err));
	node.attrs.linear.act = act;
	node.attrs.linear.transpose = shape->transpose;
	CHECK_OK(skip_graph_add_node(graph, &node, &name, NULL, &err));
	skip_tensor_unref(weight);
	skip_tensor_unref(bias);
	return node.out[0];
}

struct net {
	struct skip_graph *graph;
	int x, y;
};

static struct net make_net(const struct shape *shape)
{
	struct net net;
	struct skip_err err;
	struct skip_rng rng;
	skip_rng_init(&rng, 7, "test");
	CHECK_OK(skip_graph_create(&net.graph, &err));
	CHECK_OK(skip_graph_add_value(net.graph, "x", SKIP_ROWS_T, 0, shape->in, &net.x, &err));
	int h = add_linear(net.graph, &rng, shape, net.x, shape->hidden, 0, shape->act, "h");
	int rows = shape->transpose ? shape->hidden : shape->out;
	net.y = add_linear(net.graph, &rng, shape, h, shape->out, rows / 2, SKIP_ACT_NONE, "y");
	return net;
}

/* Runs T rows on the device and in float64 and compares every element of y. */
static void compare(struct skip_session *session, const struct net *net, int n_tokens, int n_seqs)
{
	struct skip_err err;
	struct skip_rng rng;
	int in = net->graph->values[net->x].cols, out = net->graph->values[net->y].cols;
	int32_t *zeros = calloc((size_t)n_tokens, sizeof(*zeros)), *offset = calloc((size_t)n_seqs + 1, sizeof(*offset));
	float *x = calloc((size_t)(n_tokens * in), sizeof(*x)), *y = calloc((size_t)(n_tokens * out), sizeof(*y));
	double *x64 = calloc((size_t)(n_tokens * in), sizeof(*x64)), *y64 = calloc((size_t)(n_tokens * out), sizeof(*y64));
	for (int b = 0; b <= n_seqs; b++) offset[b] = (int32_t)((int64_t)n_tokens * b / n_seqs);
	const struct skip_batch batch = {n_tokens, n_seqs, zeros, zeros, offset};
	skip_rng_init(&rng, (uint64_t)n_tokens, "x");
	for (int i = 0; i < n_tokens * in; i++) x64[i] = x[i] = (float)skip_rng_normal(&rng);
	struct skip_ref_input input = {net->x, x64};
	struct skip_ref_result result;
	CHECK_OK(skip_reference_run(net->graph, &batch, &input, 1, 0, &result, &err));
	CHECK_OK(skip_session_set_batch(session, &batch, &err));
	CHECK_OK(skip_session_write(session, net->x, x, &err));
	CHECK_OK(skip_session_enqueue(session, 0, net->graph->n_nodes, 0, &err));
	CHECK_OK(skip_session_read(session, net->y, y, &err));
	for (int i = 0; i < n_tokens * out; i++) y64[i] = y[i];
	size_t where = 0;
	double worst = check_max_diff(y64, result.data[net->y], (size_t)(n_tokens * out), &where);
	cr_expect(worst < 2e-4, "T = %d: element %zu is %.9g, expected %.9g", n_tokens, where, y64[where], result.data[net->y][where]);
	skip_reference_free(&result);
	free(zeros), free(offset), free(x), free(y), free(x64), free(y64);
}

ParameterizedTestParameters(session, matches_the_reference)
{
	static struct shape shapes[] = {
	    {"auto", 61, 7, 5, 0, SKIP_ACT_NONE, SKIP_F32},	  {"auto", 7, 61, 33, 1, SKIP_ACT_GELU, SKIP_F32},
	    {"auto", 64, 96, 1, 0, SKIP_ACT_GELU_TANH, SKIP_F64}, {"generic", 61, 7, 5, 0, SKIP_ACT_RELU, SKIP_F32},
	    {"generic", 7, 61, 33, 1, SKIP_ACT_NONE, SKIP_F64},
	};
	return cr_make_param_array(struct shape, shapes, sizeof(shapes) / sizeof(shapes[0]));
}

ParameterizedTest(struct shape *shape, session, matches_the_reference)
{
	struct skip_err err;
	struct test_device device = open_device(shape->profile);
	struct net net = make_net(shape);
	struct skip_session *session = NULL;
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, true, &session, &err));
	/* Growing, shrinking and growing again moves and keeps buffers. */
	static const int rows[][2] = {{1, 1}, {19, 3}, {7, 2}, {128, 9}, {61, 61}, {129, 1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) compare(session, &net, rows[i][0], rows[i][1]);
	skip_session_destroy(session);
	skip_graph_destroy(net.graph);
	close_device(&device);
}

Test(session, update_reaches_concatenations)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	const struct shape shape = {"auto", 7, 61, 9, 0, SKIP_ACT_NONE, SKIP_F32};
	struct net net = make_net(&shape);
	struct skip_session *session = NULL;
	struct skip_tensor *joined = net.graph->tensors[skip_graph_find_tensor(net.graph, "y.weight")];
	int part = SKIP_NONE;
	CHECK_OK(skip_graph_add_tensor(net.graph, joined->part[1], &part, &err));
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, false, &session, &err));
	float *numbers = skip_tensor_f32(joined->part[1]);
	for (int64_t i = 0; i < skip_tensor_count(joined->part[1]); i++) numbers[i] *= -3.0f;
	CHECK_OK(skip_session_update(session, part, &err));
	compare(session, &net, 19, 2);
	skip_session_destroy(session);
	skip_graph_destroy(net.graph);
	close_device(&device);
}

Test(session, refuses_bad_batches)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	const struct shape shape = {"auto", 7, 5, 3, 0, SKIP_ACT_NONE, SKIP_F32};
	struct net net = make_net(&shape);
	struct skip_session *session = NULL;
	float y[30];
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, false, &session, &err));
	CHECK_FAILS(skip_session_read(session, net.y, y, &err), SKIP_ERR_INTERNAL);
	static const int32_t ids[4] = {0}, falling[] = {0, 3, 3, 4}, late[] = {1, 4}, shorter[] = {0, 3};
	const struct skip_batch bad[] = {
	    {4, 3, ids, ids, falling}, {4, 1, ids, ids, late}, {4, 1, ids, ids, shorter}, {0, 0, ids, ids, late}, {4, 0, ids, ids, late},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_FAILS(skip_session_set_batch(session, &bad[i], &err), SKIP_ERR_INPUT);
	CHECK_FAILS(skip_session_enqueue(session, 0, 2, 0, &err), SKIP_ERR_INTERNAL);
	compare(session, &net, 10, 2);
	skip_session_destroy(session);
	skip_graph_destroy(net.graph);
	close_device(&device);
}

Test(session, profile_times_every_launch)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	const struct shape shape = {"auto", 64, 64, 64, 0, SKIP_ACT_NONE, SKIP_F32};
	struct net net = make_net(&shape);
	struct skip_session *session = NULL;
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, true, &session, &err));
	compare(session, &net, 64, 1);
	struct skip_launch_profile profile[16];
	size_t n = skip_session_plan(session)->n_launches;
	cr_assert(n <= 16);
	/* In one chunk, and in more than one: the work is that of the whole batch, the weights are read once a chunk. */
	double bytes[2] = {0, 0};
	for (int whole = 0; whole < 2; whole++) {
		enum { MOST = 64 * 61 };
		static const int32_t zeros[MOST];
		int32_t offset[65];
		const int n_seqs = whole ? 1 : 64;
		for (int b = 0; b <= n_seqs; b++) offset[b] = b * 61;
		const struct skip_batch batch = {n_seqs * 61, n_seqs, zeros, zeros, offset};
		double macs = 0, chunk = skip_device_profile(device.device)->chunk;
		double chunks = chunk > 0 && batch.n_tokens > chunk ? ceil(batch.n_tokens / chunk) : 1;
		CHECK_OK(skip_session_profile(session, &batch, net.y, 0, profile, &err));
		for (size_t i = 0; i < n; i++) {
			cr_expect(profile[i].seconds > 0 && profile[i].seconds < 10, "%g", profile[i].seconds);
			cr_expect(profile[i].computed >= profile[i].rows && (profile[i].rows == 0 || profile[i].rows == batch.n_tokens));
			macs += profile[i].macs;
			bytes[whole] += profile[i].bytes;
		}
		cr_expect(macs == 2.0 * 64 * 64 * batch.n_tokens, "%g", macs);
		/* x, h, h, y; h + y again: the residual, and two weights with their biases */
		cr_expect(bytes[whole] >= 4.0 * (4 * 64 * batch.n_tokens + chunks * 2 * 64 * 64), "%g bytes", bytes[whole]);
		cr_expect(bytes[whole] <= 4.0 * (5 * 64 * batch.n_tokens + chunks * 2 * 65 * 64), "%g bytes", bytes[whole]);
	}
	struct skip_session_memory memory;
	skip_session_get_memory(session, &memory);
	cr_expect(memory.weights >= 2 * 64 * 64 * 4 && memory.weights < 4 * 64 * 64 * 4, "%zu", memory.weights);
	cr_expect(memory.activations >= 3 * 64 * 64 * 4, "%zu", memory.activations);
	skip_session_destroy(session);
	skip_graph_destroy(net.graph);
	close_device(&device);
}

/* Writes `shift` bytes and `n` random numbers into a new file (path ends in XXXXXX) and maps it. */
static struct skip_mapfile *map_random(char *path, struct skip_rng *rng, size_t shift, int n)
{
	struct skip_err err;
	struct skip_mapfile *map = NULL;
	FILE *file = fdopen(mkstemp(path), "wb");
	cr_assert(file && fwrite("123456789abcdef", 1, shift, file) == shift);
	for (int i = 0; i < n; i++) {
		float x = 0.3f * (float)skip_rng_normal(rng);
		cr_assert(fwrite(&x, sizeof(x), 1, file) == 1);
	}
	cr_assert(fclose(file) == 0);
	CHECK_OK(skip_mapfile_open(path, &map, &err));
	return map;
}

/* A weight that stays in its file: large, float32, as it stands, at an address that no vector type would like. */
Test(session, reads_large_weights_from_the_mapped_file)
{
	enum { WIDTH = 521, OUT = 509, SHIFT = 12 };
	struct skip_err err;
	struct skip_rng rng;
	char path[300];
	struct test_device device = open_device("generic");
	snprintf(path, sizeof(path), "%s/session-weights-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	skip_rng_init(&rng, 5, "file");
	struct skip_mapfile *map = map_random(path, &rng, SHIFT, WIDTH * OUT);
	struct skip_tensor *weight = NULL;
	CHECK_OK(skip_tensor_view("w", SKIP_F32, 2, (const int64_t[]){OUT, WIDTH}, skip_mapfile_data(map) + SHIFT, map, &weight, &err));
	skip_mapfile_unref(map);
	struct net net;
	const char *name = "y";
	struct skip_node node = {.op = skip_op_find("linear"), .layer = 0, .n_in = 1, .n_param = 1};
	CHECK_OK(skip_graph_create(&net.graph, &err));
	CHECK_OK(skip_graph_add_value(net.graph, "x", SKIP_ROWS_T, 0, WIDTH, &net.x, &err));
	CHECK_OK(skip_graph_add_tensor(net.graph, weight, &node.param[0], &err));
	node.in[0] = net.x;
	CHECK_OK(skip_graph_add_node(net.graph, &node, &name, NULL, &err));
	net.y = node.out[0];
	skip_tensor_unref(weight);
	struct skip_session *session = NULL;
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, true, &session, &err));
	compare(session, &net, 7, 2);
	/* Such a weight does not change, so there is nothing to send again. */
	CHECK_OK(skip_session_update(session, node.param[0], &err));
	compare(session, &net, 19, 2);
	skip_session_destroy(session);
	skip_graph_destroy(net.graph);
	close_device(&device);
	unlink(path);
}

/* A word table that stays in its file: only the rows of a batch go to the device. */
enum { VOCAB = 1021, WORD_WIDTH = 260, POSITIONS = 61, MOST_ROWS = 40 * POSITIONS };

/* Graph of one embed node over a mapped word table; gives its value. */
static int make_embed(char *path, struct skip_rng *rng, struct skip_graph **out)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	struct skip_tensor *words = NULL, *positions = NULL;
	struct skip_node node = {.op = skip_op_find("embed"), .layer = SKIP_NONE, .n_param = 2};
	const char *name = "x";
	struct skip_mapfile *map = map_random(path, rng, 4, VOCAB * WORD_WIDTH);
	CHECK_OK(skip_graph_create(&graph, &err));
	CHECK_OK(
	    skip_tensor_view("word", SKIP_F32, 2, (const int64_t[]){VOCAB, WORD_WIDTH}, skip_mapfile_data(map) + 4, map, &words, &err));
	skip_mapfile_unref(map);
	positions = random_tensor(rng, "position", SKIP_F32, POSITIONS, WORD_WIDTH);
	CHECK_OK(skip_graph_add_tensor(graph, words, &node.param[0], &err));
	CHECK_OK(skip_graph_add_tensor(graph, positions, &node.param[1], &err));
	skip_tensor_unref(words);
	skip_tensor_unref(positions);
	CHECK_OK(skip_graph_add_node(graph, &node, &name, NULL, &err));
	*out = graph;
	return node.out[0];
}

Test(session, gathers_rows_of_a_mapped_word_table)
{
	static int32_t ids[MOST_ROWS], types[MOST_ROWS], offset[41];
	static float y[MOST_ROWS * WORD_WIDTH];
	/* The second batch has more rows than one block of the stage holds. */
	static const int seqs[] = {2, 40, 1};
	struct skip_err err;
	struct skip_rng rng;
	char path[300];
	struct skip_graph *graph = NULL;
	struct skip_session *session = NULL;
	struct test_device device = open_device(NULL);
	snprintf(path, sizeof(path), "%s/session-words-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	skip_rng_init(&rng, 9, "embed");
	int x = make_embed(path, &rng, &graph);
	CHECK_OK(skip_session_open(device.device, graph, &x, 1, true, &session, &err));
	for (size_t trial = 0; trial < 3; trial++) {
		for (int b = 0; b < seqs[trial]; b++) offset[b + 1] = offset[b] + 1 + (int32_t)skip_rng_below(&rng, POSITIONS);
		const struct skip_batch batch = {offset[seqs[trial]], seqs[trial], ids, types, offset};
		for (int t = 0; t < batch.n_tokens; t++) ids[t] = (int32_t)skip_rng_below(&rng, VOCAB);
		struct skip_ref_result result;
		CHECK_OK(skip_reference_run(graph, &batch, NULL, 0, 0, &result, &err));
		CHECK_OK(skip_session_run(session, &batch, x, y, &err));
		for (int i = 0; i < batch.n_tokens * WORD_WIDTH; i++) {
			cr_assert(fabs(y[i] - result.data[x][i]) < 1e-6, "element %d is %g, expected %g", i, y[i], result.data[x][i]);
		}
		/* a batch that is set and never looked up leaves nothing behind for the next */
		const struct skip_batch first = {offset[1], 1, ids + batch.n_tokens - offset[1], types, offset};
		CHECK_OK(skip_session_set_batch(session, &first, &err));
		CHECK_OK(skip_session_set_batch(session, &batch, &err));
		CHECK_OK(skip_session_enqueue(session, 0, skip_session_graph(session)->n_nodes, 0, &err));
		CHECK_OK(skip_session_read(session, x, y, &err));
		for (int i = 0; i < batch.n_tokens * WORD_WIDTH; i++) cr_assert(fabs(y[i] - result.data[x][i]) < 1e-6, "element %d after another batch", i);
		skip_reference_free(&result);
	}
	skip_session_destroy(session);
	skip_graph_destroy(graph);
	close_device(&device);
	unlink(path);
}

Test(session, a_batch_in_chunks_gives_the_same)
{
	enum { SEQS = 400 };
	static int32_t ids[SEQS * POSITIONS], types[SEQS * POSITIONS], offset[SEQS + 1];
	static float whole[SEQS * POSITIONS * WORD_WIDTH], chunks[SEQS * POSITIONS * WORD_WIDTH];
	struct skip_err err;
	struct skip_rng rng;
	char path[300];
	struct skip_graph *graph = NULL;
	struct skip_session *session = NULL;
	struct test_device device = open_device(NULL);
	snprintf(path, sizeof(path), "%s/session-words-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	skip_rng_init(&rng, 9, "embed");
	int wanted[2] = {make_embed(path, &rng, &graph)};
	struct skip_node pool = {.op = skip_op_find("pool"), .n_in = 1, .n_out = 1, .in = {wanted[0]}, .layer = SKIP_NONE};
	CHECK_OK(skip_graph_add_node(graph, &pool, (const char *[]){"pooled"}, NULL, &err));
	wanted[1] = pool.out[0];
	CHECK_OK(skip_session_open(device.device, graph, wanted, 2, true, &session, &err));
	for (int b = 0; b < SEQS; b++) offset[b + 1] = offset[b] + 1 + (int32_t)skip_rng_below(&rng, POSITIONS);
	const struct skip_batch batch = {offset[SEQS], SEQS, ids, types, offset};
	for (int t = 0; t < batch.n_tokens; t++) ids[t] = (int32_t)skip_rng_below(&rng, VOCAB);
	int chunk = skip_device_profile(device.device)->chunk;
	if (chunk == 0) cr_skip_test("this device takes batches whole");
	cr_assert(batch.n_tokens > 2 * chunk, "%d tokens are no two chunks", batch.n_tokens);
	for (int w = 0; w < 2; w++) {
		size_t count = (size_t)(w ? SEQS : batch.n_tokens) * WORD_WIDTH;
		CHECK_OK(skip_session_set_batch(session, &batch, &err));
		CHECK_OK(skip_session_enqueue(session, 0, graph->n_nodes, 0, &err));
		CHECK_OK(skip_session_read(session, wanted[w], whole, &err));
		CHECK_OK(skip_session_run(session, &batch, wanted[w], chunks, &err));
		cr_expect(memcmp(whole, chunks, count * sizeof(float)) == 0, "value %d differs", w);
	}
	offset[7] = offset[6];
	cr_expect(skip_session_run(session, &batch, wanted[1], chunks, &err) == SKIP_ERR_INPUT);
	skip_session_destroy(session);
	skip_graph_destroy(graph);
	close_device(&device);
	unlink(path);
}

Test(session, a_gathered_table_takes_the_room_of_its_batch)
{
	struct skip_err err;
	struct skip_rng rng;
	char path[300];
	struct skip_graph *graph = NULL;
	struct skip_session *session = NULL;
	struct skip_session_memory memory;
	struct test_device device = open_device(NULL);
	snprintf(path, sizeof(path), "%s/session-words-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	skip_rng_init(&rng, 9, "embed");
	int x = make_embed(path, &rng, &graph);
	CHECK_OK(skip_session_open(device.device, graph, &x, 1, true, &session, &err));
	skip_session_get_memory(session, &memory);
	size_t whole = (size_t)(VOCAB + POSITIONS) * WORD_WIDTH * sizeof(float),
	       least = (size_t)(1 + POSITIONS) * WORD_WIDTH * sizeof(float);
	if (skip_device_get_info(device.device)->facts.local_cpu) {
		cr_expect(memory.weights >= least && memory.weights < least + 256, "%zu, expected %zu", memory.weights, least);
	} else {
		cr_expect(memory.weights >= whole, "%zu", memory.weights);
	}
	skip_session_destroy(session);
	skip_graph_destroy(graph);
	close_device(&device);
	unlink(path);
}

Test(session, survives_every_failed_allocation)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	const struct shape shape = {"auto", 7, 5, 3, 0, SKIP_ACT_NONE, SKIP_F32};
	struct net net = make_net(&shape);
	struct skip_session *session = NULL;
	size_t before = skip_alloc_fail_at(0);
	CHECK_OK(skip_session_open(device.device, net.graph, &net.y, 1, true, &session, &err));
	size_t total = skip_alloc_fail_at(0) - before;
	skip_session_destroy(session);
	cr_assert(total > 20, "%zu allocations", total);
	for (size_t n = 1; n <= total; n++) {
		session = NULL;
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_session_open(device.device, net.graph, &net.y, 1, true, &session, &err);
		skip_alloc_fail_at(0);
		/* Only the cache of binaries may do without. */
		cr_assert(status == SKIP_ERR_NOMEM || status == SKIP_OK, "allocation %zu: %s", n, err.message);
		cr_assert(session == NULL || status == SKIP_OK);
		skip_session_destroy(session);
	}
	skip_graph_destroy(net.graph);
	close_device(&device);
}
