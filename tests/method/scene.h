/*
 * A small network on a real device with a separable task, for tests of the method.
 *
 * Most of a row's tokens are its marker, the class number, among noise tokens: whoever finds the marker knows the class.
 */
#ifndef SKIP_TESTS_METHOD_SCENE_H
#define SKIP_TESTS_METHOD_SCENE_H

#include "base/alloc.h"
#include "device/open_device.h"
#include "graph/toy_graph.h"
#include "text/dataset.h"

#define SCENE_CLASSES 3

struct scene {
	struct test_device device;
	struct toy_options options;
	struct skip_graph *graph; /* canonical, F32, prefix and head trained */
	struct skip_dataset train, dev;
};

/* n rows of 2..8 tokens. */
static inline void scene_data(struct skip_dataset *data, int n, int vocab, uint64_t seed)
{
	struct skip_rng rng;
	skip_rng_init(&rng, seed, "task");
	*data = (struct skip_dataset){.n_rows = (size_t)n, .labelled = true};
	data->ids = skip_alloc_zeroed((size_t)n * 8, sizeof(int32_t));
	data->types = skip_alloc_zeroed((size_t)n * 8, sizeof(int32_t));
	data->label = skip_alloc_zeroed((size_t)n, sizeof(int32_t));
	data->offset = skip_alloc_zeroed((size_t)n + 1, sizeof(int64_t));
	for (int i = 0; i < n; i++) {
		int length = 2 + (int)skip_rng_below(&rng, 7), marker = (int)skip_rng_below(&rng, (uint64_t)length);
		int32_t *ids = data->ids + data->offset[i];
		data->label[i] = (int32_t)skip_rng_below(&rng, SCENE_CLASSES);
		for (int t = 0; t < length; t++)
			ids[t] = t == marker || skip_rng_uniform(&rng) < 0.95
				     ? data->label[i]
				     : SCENE_CLASSES + (int32_t)skip_rng_below(&rng, (uint64_t)(vocab - SCENE_CLASSES));
		data->offset[i + 1] = data->offset[i] + length;
	}
}

static inline void scene_init_form(struct scene *s, int n_train, int n_dev, int prefix, enum toy_form form)
{
	s->device = open_device("generic"); /* the bodies that build fastest; others are tested elsewhere */
	s->options = toy_defaults();
	s->options.layers = 2;
	s->options.width = 24;
	s->options.heads = 3;
	s->options.qk = form == TOY_MODERNBERT ? 8 : 7;
	s->options.v = 5;
	s->options.ffn = 31;
	s->options.prefix = prefix;
	s->options.classes = SCENE_CLASSES;
	s->options.vocab = 23;
	s->options.types = 1;
	s->options.positions = 16;
	s->options.dtype = SKIP_F32;
	toy_set_form(&s->options, form);
	s->graph = toy_graph(&s->options);
	scene_data(&s->train, n_train, s->options.vocab, 1);
	scene_data(&s->dev, n_dev, s->options.vocab, 2);
}

static inline void scene_init(struct scene *s, int n_train, int n_dev, int prefix)
{
	scene_init_form(s, n_train, n_dev, prefix, TOY_BERT);
}

static inline void scene_deinit(struct scene *s)
{
	skip_dataset_deinit(&s->train);
	skip_dataset_deinit(&s->dev);
	skip_graph_destroy(s->graph);
	close_device(&s->device);
}

/* The rows as one packed batch; valid while the packer is. */
static inline struct skip_batch scene_batch(const struct skip_dataset *data, struct skip_packer *packer)
{
	struct skip_err err;
	int *rows = malloc(data->n_rows * sizeof(*rows));
	for (size_t i = 0; i < data->n_rows; i++) rows[i] = (int)i;
	CHECK_OK(skip_packer_pack(packer, data, rows, data->n_rows, &err));
	free(rows);
	return packer->batch;
}

/* A value of the float64 reference over all rows in order, to free. */
static inline double *scene_reference(const struct skip_graph *graph, const struct skip_dataset *data, const char *value, size_t *count)
{
	struct skip_packer packer;
	skip_packer_init(&packer);
	struct skip_batch batch = scene_batch(data, &packer);
	double *out = toy_run(graph, &batch, value, count);
	skip_packer_deinit(&packer);
	return out;
}

/* Numbers of a tensor, to free. */
static inline float *scene_tensor(const struct skip_graph *graph, int index)
{
	float *out = malloc(((size_t)skip_tensor_count(graph->tensors[index]) + 1) * sizeof(*out));
	skip_tensor_to_f32(graph->tensors[index], out);
	return out;
}

/* Whether all trained tensors of two graphs of one form hold the same bits. */
static inline bool scene_same_trained(const struct skip_graph *a, const struct skip_graph *b)
{
	bool same = true;
	int compared = 0;
	for (size_t i = 0; i < a->n_tensors; i++) {
		if (!a->tensors[i]->trained) continue;
		int j = skip_graph_find_tensor(b, a->tensors[i]->name);
		cr_assert(j != SKIP_NONE, "no tensor %s", a->tensors[i]->name);
		float *x = scene_tensor(a, (int)i), *y = scene_tensor(b, j);
		same = same && memcmp(x, y, (size_t)skip_tensor_count(a->tensors[i]) * sizeof(*x)) == 0;
		free(x);
		free(y);
		compared++;
	}
	cr_assert_gt(compared, 1);
	return same;
}

#endif
