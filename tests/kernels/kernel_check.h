/*
 * Kernels against the float64 reference. A test builds a small graph, runs it once in float64 and once on the device for a profile, and compares
 * element by element.
 *
 *   struct kernel_check check;
 *   kernel_check_begin(&check, seed);
 *   int x = kernel_check_input(&check, "x", SKIP_ROWS_T, 0, 37);
 *   int w = kernel_check_param(&check, "w", 61, 37, 0, 0.2);
 *   int y = kernel_check_node(&check, "linear", (int[]){x}, 1, (int[]){w}, 1, attrs, (const char *[]){"y"}, 1);
 *   kernel_check_run(&check, "pocl-x86-avx512", (int[]){1, 7, 61}, 3, 0);
 *   kernel_check_relative(&check, y, 1e-6);
 *   kernel_check_end(&check);
 *
 * Every value and scratch buffer gets its own memory with guard words behind it, and is filled with NaN before the run, so that what was never written,
 * or lies in slack, cannot pass as a result. Tests whose name starts with "small" also run under oclgrind (oclgrind.sh): sizes up to 64.
 */
#ifndef SKIP_TESTS_KERNEL_CHECK_H
#define SKIP_TESTS_KERNEL_CHECK_H

#include "base/rng.h"
#include "device/run/run.h"
#include "graph/pass.h"
#include "../device/open_device.h"
#include <string.h>

#define KERNEL_CHECK_GUARD 64 /* words */
#define KERNEL_CHECK_WORD 0x7fc5a5a5u /* a NaN */

struct kernel_check {
	struct skip_graph *graph;
	struct skip_rng rng;
	uint64_t seed;
	double scale;      /* of the inputs; 1 after begin */
	int vocab, types;  /* token and type ids lie below these; 1 after begin */
	struct test_device device;
	const char *profile;
	struct skip_batch batch;
	double **input; /* [n_values] float numbers in double; NULL where a node writes */
	float **got;    /* [n_values] */
	struct skip_ref_result reference;
	uint32_t key;
	const int *wanted; /* values that keep their own memory; none after begin */
	size_t n_wanted;
};

/* Whether this processor has the instructions of the assembly that a profile's short types are multiplied with. */
static inline bool kernel_check_processor_has(const char *profile)
{
	if (!strcmp(profile, "pocl-x86-avx2")) return skip_cpu_has("avx2");
	if (!strcmp(profile, "pocl-x86-amx")) return skip_cpu_has("amx_bf16") && skip_cpu_has("amx_int8") && skip_cpu_has("avx512_bf16");
	return skip_cpu_has("avx512vnni") && skip_cpu_has("avx512_bf16");
}

static inline void kernel_check_begin(struct kernel_check *check, uint64_t seed)
{
	struct skip_err err;
	*check = (struct kernel_check){.seed = seed, .scale = 1, .vocab = 1, .types = 1};
	skip_rng_init(&check->rng, seed, "kernel");
	CHECK_OK(skip_graph_create(&check->graph, &err));
}

/* A graph input of normal numbers times check->scale. */
static inline int kernel_check_input(struct kernel_check *check, const char *name, enum skip_rows rows, int fixed_rows, int cols)
{
	struct skip_err err;
	int value = SKIP_NONE;
	CHECK_OK(skip_graph_add_value(check->graph, name, rows, fixed_rows, cols, &value, &err));
	return value;
}

/* A float32 tensor of center + scale * normal; cols 0: a vector. */
static inline int kernel_check_param(struct kernel_check *check, const char *name, int rows, int cols, double center, double scale)
{
	struct skip_err err;
	struct skip_tensor *tensor = NULL;
	int index = SKIP_NONE;
	CHECK_OK(skip_tensor_create(name, SKIP_F32, cols ? 2 : 1, (const int64_t[]){rows, cols}, &tensor, &err));
	for (int64_t i = 0; i < skip_tensor_count(tensor); i++) ((float *)tensor->owned)[i] = (float)(center + scale * skip_rng_normal(&check->rng));
	CHECK_OK(skip_graph_add_tensor(check->graph, tensor, &index, &err));
	skip_tensor_unref(tensor);
	return index;
}

/* Adds a node and returns its first output; the others follow it in node->out of the last node. */
static inline int kernel_check_node(struct kernel_check *check, const char *op, const int *in, int n_in, const int *param, int n_param,
				    union skip_attrs attrs, const char *const *names, int n_out)
{
	struct skip_err err;
	struct skip_node node = {.op = skip_op_find(op), .layer = 0, .n_in = n_in, .n_param = n_param, .n_out = n_out, .attrs = attrs};
	cr_assert(node.op != NULL, "no op '%s'", op);
	for (int i = 0; i < n_in; i++) node.in[i] = in[i];
	for (int i = 0; i < n_param; i++) node.param[i] = param[i];
	CHECK_OK(skip_graph_add_node(check->graph, &node, names, NULL, &err));
	return node.out[0];
}

static inline size_t kernel_check_count(const struct kernel_check *check, int value)
{
	const struct skip_value *v = &check->graph->values[value];
	return (size_t)skip_value_rows(v, &check->batch) * (size_t)v->cols;
}

static inline void kernel_check_make_inputs(struct kernel_check *check, struct skip_ref_input *inputs, size_t *n_inputs)
{
	const struct skip_graph *graph = check->graph;
	*n_inputs = 0;
	for (size_t v = 0; v < graph->n_values; v++) {
		if (graph->values[v].producer != SKIP_NONE) continue;
		size_t n = kernel_check_count(check, (int)v);
		if (!check->input[v]) {
			check->input[v] = calloc(n + 1, sizeof(double));
			for (size_t i = 0; i < n; i++) check->input[v][i] = (float)(check->scale * skip_rng_normal(&check->rng));
		}
		inputs[(*n_inputs)++] = (struct skip_ref_input){(int)v, check->input[v]};
	}
}

/* Fills the whole memory of a buffer. */
static inline void kernel_check_poison(struct skip_session *session, size_t buffer)
{
	struct skip_err err;
	struct skip_cl_buffer *memory = skip_memory_buffer(session, (int)buffer);
	size_t n = skip_cl_buffer_bytes(memory) / 4;
	uint32_t *words = malloc(n * 4);
	for (size_t i = 0; i < n; i++) words[i] = KERNEL_CHECK_WORD;
	CHECK_OK(skip_cl_write(session->cl, memory, 0, words, n * 4, &err));
	free(words);
}

static inline void kernel_check_guard(const struct kernel_check *check, struct skip_session *session, size_t buffer)
{
	struct skip_err err;
	const struct skip_plan_buffer *b = &session->plan->buffers[buffer];
	struct skip_cl_buffer *memory = skip_memory_buffer(session, (int)buffer);
	size_t n = skip_cl_buffer_bytes(memory) / 4;
	size_t used = (size_t)(skip_extent_rows(&b->rows, &session->sizes) * b->cols + b->slack) - KERNEL_CHECK_GUARD;
	uint32_t *words = malloc(n * 4);
	CHECK_OK(skip_cl_read(session->cl, memory, 0, words, n * 4, &err));
	for (size_t i = used; i < n; i++) {
		cr_assert(words[i] == KERNEL_CHECK_WORD, "buffer %s: word %zu, %zu past the end, was overwritten (profile %s, seed %llu)", b->name, i, i - used,
			  check->profile, (unsigned long long)check->seed);
	}
	free(words);
}

static inline void kernel_check_execute(struct kernel_check *check, const struct skip_profile *profile, uint32_t key)
{
	struct skip_err err;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	const struct skip_graph *graph = check->graph;
	CHECK_OK(skip_lower(graph, profile, check->wanted, check->n_wanted, &plan, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role != SKIP_BUFFER_VALUE && plan->buffers[i].role != SKIP_BUFFER_SCRATCH) continue;
		plan->buffers[i].pool = SKIP_NONE;
		plan->buffers[i].slack += KERNEL_CHECK_GUARD;
	}
	plan->n_pools = 0;
	CHECK_OK(skip_session_create(check->device.device, graph, plan, false, &session, &err));
	CHECK_OK(skip_session_set_batch(session, &check->batch, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role == SKIP_BUFFER_VALUE || plan->buffers[i].role == SKIP_BUFFER_SCRATCH) kernel_check_poison(session, i);
	}
	for (size_t v = 0; v < graph->n_values; v++) {
		if (!check->input[v] || plan->value_buffer[v] == SKIP_NONE) continue;
		size_t n = kernel_check_count(check, (int)v);
		float *data = malloc((n + 1) * sizeof(float));
		for (size_t i = 0; i < n; i++) data[i] = (float)check->input[v][i];
		CHECK_OK(skip_session_write(session, (int)v, data, &err));
		free(data);
	}
	CHECK_OK(skip_session_enqueue(session, 0, graph->n_nodes, key, &err));
	CHECK_OK(skip_session_finish(session, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) {
		if (plan->buffers[i].role == SKIP_BUFFER_VALUE || plan->buffers[i].role == SKIP_BUFFER_SCRATCH) kernel_check_guard(check, session, i);
	}
	for (size_t v = 0; v < graph->n_values; v++) {
		if (plan->value_buffer[v] == SKIP_NONE) continue;
		if (!check->got[v]) check->got[v] = malloc((kernel_check_count(check, (int)v) + 1) * sizeof(float));
		CHECK_OK(skip_session_read(session, (int)v, check->got[v], &err));
	}
	skip_session_destroy(session);
	skip_plan_destroy(plan);
}

/* Runs the graph in float64 and on the device, lowered for `profile` (an id; NULL: the device's own), on sequences of these lengths. May be called
 * again, with other lengths as well; inputs are made anew then. */
static inline void kernel_check_run(struct kernel_check *check, const char *profile, const int *length, int n_seqs, uint32_t key)
{
	struct skip_err err;
	const size_t n = check->graph->n_values;
	int32_t *offset = calloc((size_t)n_seqs + 1, sizeof(*offset));
	if (!check->device.device) check->device = open_device(NULL);
	for (size_t v = 0; v < n && check->input; v++) {
		free(check->input[v]);
		free(check->got[v]);
	}
	free(check->input);
	free(check->got);
	free((void *)check->batch.offset);
	free((void *)check->batch.ids);
	skip_reference_free(&check->reference);
	check->input = calloc(n + 1, sizeof(*check->input));
	check->got = calloc(n + 1, sizeof(*check->got));
	for (int b = 0; b < n_seqs; b++) offset[b + 1] = offset[b] + length[b];
	int32_t *ids = calloc(2 * (size_t)offset[n_seqs] + 1, sizeof(*ids)), *types = ids + offset[n_seqs];
	for (int t = 0; t < offset[n_seqs]; t++) {
		ids[t] = (int32_t)skip_rng_below(&check->rng, (uint64_t)check->vocab);
		types[t] = (int32_t)skip_rng_below(&check->rng, (uint64_t)check->types);
	}
	check->batch = (struct skip_batch){offset[n_seqs], n_seqs, ids, types, offset};
	struct skip_ref_input *inputs = calloc(n + 1, sizeof(*inputs));
	size_t n_inputs;
	kernel_check_make_inputs(check, inputs, &n_inputs);
	check->reference = (struct skip_ref_result){0};
	CHECK_OK(skip_reference_run(check->graph, &check->batch, inputs, n_inputs, key, &check->reference, &err));
	const struct skip_profile *p = profile ? skip_profiles_find(check->device.profiles, profile) : skip_device_profile(check->device.device);
	cr_assert(p != NULL, "no profile '%s'", profile);
	check->profile = p->id;
	check->key = key;
	kernel_check_execute(check, p, key);
	free(inputs);
}

/* |got - reference| <= bound of every element of `value`; says which element is worst. */
static inline void kernel_check_bound(const struct kernel_check *check, int value, const double *bound)
{
	const struct skip_value *v = &check->graph->values[value];
	const double *reference = check->reference.data[value];
	size_t n = kernel_check_count(check, value), worst = 0;
	double most = -1;
	cr_assert(check->got[value] != NULL, "value '%s' was never written", v->name);
	for (size_t i = 0; i < n; i++) {
		double ratio = fabs(check->got[value][i] - reference[i]) / (bound[i] + 1e-300);
		if (check->got[value][i] == reference[i]) ratio = 0;
		if (!(ratio <= most)) {
			most = ratio;
			worst = i;
			if (isnan(ratio)) break;
		}
	}
	cr_assert(n == 0 || most <= 1, "'%s'[%zu][%zu] of [%zu][%d] is %.9g, should be %.9g within %.3g (profile %s, seed %llu)", v->name,
		  worst / (size_t)v->cols, worst % (size_t)v->cols, n / (size_t)v->cols, v->cols, check->got[value][worst], reference[worst], bound[worst],
		  check->profile, (unsigned long long)check->seed);
}

/* The same with the bound eps * max(1, largest |reference|): for values whose elements are of one size. */
static inline void kernel_check_relative(const struct kernel_check *check, int value, double eps)
{
	size_t n = kernel_check_count(check, value);
	double *bound = malloc((n + 1) * sizeof(*bound)), largest = 1;
	for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(check->reference.data[value][i]));
	for (size_t i = 0; i < n; i++) bound[i] = eps * largest;
	kernel_check_bound(check, value, bound);
	free(bound);
}

static inline void kernel_check_end(struct kernel_check *check)
{
	for (size_t v = 0; v < check->graph->n_values && check->input; v++) {
		free(check->input[v]);
		free(check->got[v]);
	}
	free(check->input);
	free(check->got);
	free((void *)check->batch.offset);
	free((void *)check->batch.ids);
	skip_reference_free(&check->reference);
	skip_graph_destroy(check->graph);
	if (check->device.device) close_device(&check->device);
}

#endif
