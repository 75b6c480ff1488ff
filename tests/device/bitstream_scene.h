/* A kernel set of a small network, its built file, its entry in a library and what is wanted of it: all as they should be, for tests to spoil. */
#ifndef SKIP_TESTS_BITSTREAM_SCENE_H
#define SKIP_TESTS_BITSTREAM_SCENE_H

#include "../graph/toy_graph.h"
#include "base/alloc.h"
#include "base/file.h"
#include "bitstream_files.h"
#include "device/bitstream/library.h"
#include "device/session.h"
#include "graph/pass.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME "Some Platform, 1.2"

static inline const struct skip_profiles *profiles(void)
{
	static struct skip_profiles *all;
	struct skip_err err;
	if (!all) CHECK_OK(skip_profiles_load(NULL, &all, &err));
	return all;
}

static inline const struct skip_profile *profile_of(const char *id)
{
	const struct skip_profile *profile = skip_profiles_find(profiles(), id);
	cr_assert(profile != NULL, "no profile %s", id);
	return profile;
}

/* A small network as it is saved, */
static inline struct skip_graph *saved_network(enum skip_precision precision)
{
	struct skip_err err;
	struct toy_options options = toy_defaults();
	struct skip_graph *typed = NULL, *graph;
	options.dtype = SKIP_F32;
	options.width = 32;
	options.heads = 2;
	options.qk = options.v = 16;
	options.ffn = 48;
	graph = toy_graph(&options);
	CHECK_OK(skip_pass_precision(graph, precision, &typed, &err));
	skip_graph_destroy(graph);
	return typed;
}

/* and as it is emitted. */
static inline struct skip_graph *network(enum skip_precision precision, int *value)
{
	struct skip_err err;
	static const char *const combine[] = {"ffn", NULL};
	struct skip_graph *made = NULL, *graph = saved_network(precision);
	CHECK_OK(skip_pass_inference(graph, "logits", combine, &made, value, &err));
	skip_graph_destroy(graph);
	return made;
}

static inline struct skip_kernel_set set_for(const struct skip_profile *forms, enum skip_precision precision)
{
	struct skip_err err;
	int value;
	struct skip_kernel_set set;
	struct skip_plan *plan = NULL;
	struct skip_graph *graph = network(precision, &value);
	CHECK_OK(skip_lower(graph, forms, &value, 1, &plan, &err));
	CHECK_OK(skip_kernel_set_make(graph, plan, forms, &set, &err));
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	return set;
}

/* The same set with a manifest of its own, to be changed. */
static inline struct skip_kernel_set copy_set(const struct skip_kernel_set *set)
{
	struct skip_err err;
	struct skip_kernel_set copy;
	json_t *manifest = json_deep_copy(set->manifest);
	json_object_set_new(manifest, "name", json_string(set->name));
	CHECK_OK(skip_kernel_set_read(manifest, &copy, &err));
	json_decref(manifest);
	return copy;
}

/* What checks needs nothing of OpenCL: a program that only checks is linked without it, and would be with it if any code here could ask a device. */
static inline void no_platform_is_loaded(void)
{
	struct skip_buf maps;
	struct skip_err err;
	skip_buf_init(&maps);
	CHECK_OK(skip_file_read("/proc/self/maps", &maps, &err));
	cr_expect(strstr(skip_buf_text(&maps), "libc.so") != NULL, "the list is one of libraries");
	cr_expect(strstr(skip_buf_text(&maps), "libOpenCL") == NULL && strstr(skip_buf_text(&maps), "libpocl") == NULL);
	skip_buf_deinit(&maps);
}

/* ---- scenes ---- */

struct scene {
	const char *board; /* profile of the set */
	struct skip_kernel_set set, wanted;
	struct file_says says;
	struct skip_buf bytes;
	struct skip_library_entry entry;
	struct skip_bitstream_want want;
};

static inline void make_bytes(struct scene *s)
{
	skip_buf_clear(&s->bytes);
	if (strcmp(s->board, "u280") == 0)
		make_xclbin(&s->set, &s->says, &s->bytes);
	else if (strcmp(s->board, "p520n") == 0)
		make_aocx(&s->set, &s->says, &s->bytes);
	else
		skip_buf_puts(&s->bytes, "what a runtime calls a binary");
}

static inline void sign(struct scene *s)
{
	s->entry.bytes = (int64_t)s->bytes.length;
	skip_sha256_hex(s->bytes.data, s->bytes.length, s->entry.sha256);
}

static inline void begin(struct scene *s, const char *board)
{
	const bool amd = strcmp(board, "u280") == 0;
	memset(s, 0, sizeof(*s));
	s->board = board;
	s->set = set_for(profile_of(board), SKIP_PRECISION_F32);
	s->wanted = copy_set(&s->set);
	s->entry.set = copy_set(&s->set);
	s->says = (struct file_says){.board = amd ? "xilinx_u280_gen3x16_xdma_1_202211_1" : "p520_hpc_sg280l", .version = amd ? "2022.2" : "20.4.0 Build 72", .hash = s->set.hash, .mode = 1};
	skip_buf_init(&s->bytes);
	make_bytes(s);
	sign(s);
	memcpy(s->entry.hash, s->set.hash, sizeof(s->entry.hash));
	snprintf(s->entry.folder, sizeof(s->entry.folder), "lib/%.2s/%s", s->set.hash, s->set.hash);
	snprintf(s->entry.file, sizeof(s->entry.file), "%s.%s", s->set.name, skip_bitstream_suffix(&s->set));
	snprintf(s->entry.built_by, sizeof(s->entry.built_by), RUNTIME);
	s->want = (struct skip_bitstream_want){.set = &s->wanted, .profile = profile_of(board), .runtime = RUNTIME, .library = "lib", .source = "net.skip"};
}

static inline void end(struct scene *s)
{
	skip_kernel_set_deinit(&s->set);
	skip_kernel_set_deinit(&s->wanted);
	skip_kernel_set_deinit(&s->entry.set);
	skip_buf_deinit(&s->bytes);
}

#endif
