/* Lowering: the memory plan, shared kernels and weights, refusals, the manifest form, failing allocations. What kernels compute is tests/kernels. */
#include "base/alloc.h"
#include "base/json.h"
#include "device/family.h"
#include "lower_graph.h"

static const char *const profile_ids[] = {"generic", "pocl-generic", "pocl-x86-avx2", "pocl-x86-avx512"};
#define N_PROFILES (sizeof(profile_ids) / sizeof(profile_ids[0]))

/* First and last node that touch a buffer. */
static void life_of(const struct skip_plan *plan, int buffer, int *first, int *last)
{
	*first = 1;
	*last = 0;
	for (size_t l = 0; l < plan->n_launches; l++) {
		for (int a = 0; a < plan->launches[l].n_args; a++) {
			const struct skip_plan_arg *arg = &plan->launches[l].arg[a];
			if (arg->kind != SKIP_ARG_BUFFER || arg->buffer != buffer) continue;
			if (*first > *last) *first = plan->launches[l].node;
			*last = plan->launches[l].node;
		}
	}
}

Test(memory, slots_are_reused_only_by_buffers_that_never_live_together)
{
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 7, 61, 12, 7, 30, 61, 7}, 9);
	int wanted[] = {skip_graph_find_value(graph, "l2"), skip_graph_find_value(graph, "l7")};
	for (size_t p = 0; p < N_PROFILES; p++) {
		struct skip_plan *plan = lower_for(profiles, profile_ids[p], graph, wanted, 2);
		cr_assert(plan->n_pools == 2, "%s: a chain needs two slots, has %d", profile_ids[p], plan->n_pools);
		for (size_t i = 0; i < plan->n_buffers; i++) {
			const struct skip_plan_buffer *a = &plan->buffers[i];
			int first, last;
			bool own = a->role == SKIP_BUFFER_WEIGHT || a->role == SKIP_BUFFER_BATCH || a->value == 0 || a->value == wanted[0] || a->value == wanted[1];
			cr_expect(own == (a->pool == SKIP_NONE), "%s: buffer %s has slot %d", profile_ids[p], a->name, a->pool);
			life_of(plan, (int)i, &first, &last);
			for (size_t j = 0; j < i; j++) {
				int other_first, other_last;
				if (a->pool == SKIP_NONE || plan->buffers[j].pool != a->pool) continue;
				life_of(plan, (int)j, &other_first, &other_last);
				cr_expect(first > other_last || other_first > last, "%s: %s and %s share slot %d", profile_ids[p], a->name, plan->buffers[j].name,
					  a->pool);
				cr_expect(a->rows.size == plan->buffers[j].rows.size, "%s: slot %d grows with two sizes", profile_ids[p], a->pool);
			}
		}
		skip_plan_destroy(plan);
	}
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(memory, row_tiles_find_slack_behind_every_value)
{
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 3}, 3);
	for (size_t p = 0; p < N_PROFILES; p++) {
		const struct skip_profile *profile = skip_profiles_find(profiles, profile_ids[p]);
		struct skip_plan *plan = lower_for(profiles, profile_ids[p], graph, NULL, 0);
		for (size_t i = 0; i < plan->n_buffers; i++) {
			const struct skip_plan_buffer *b = &plan->buffers[i];
			if (b->role != SKIP_BUFFER_VALUE) continue;
			bool generic = !strcmp(profile->variants[0], "generic");
			int64_t tile = generic ? 0 : profile->mr[0] * b->cols + profile->vec;
			cr_expect(b->slack >= tile && (!generic || b->slack == 0), "%s: %s has %lld elements of slack, needs %lld", profile_ids[p], b->name,
				  (long long)b->slack, (long long)tile);
		}
		skip_plan_destroy(plan);
	}
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(sharing, equal_layers_share_kernels_and_a_tensor_is_packed_once)
{
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){8, 8, 8, 8, 8}, 5), *narrow = linear_chain((const int[]){8, 8, 8, 8, 7}, 5);
	struct skip_plan *a = lower_for(profiles, "generic", graph, NULL, 0), *b = lower_for(profiles, "generic", narrow, NULL, 0);
	cr_expect(a->n_kernels == 1 && b->n_kernels == 2, "%zu and %zu kernels", a->n_kernels, b->n_kernels);
	cr_expect(a->n_programs == 1 && b->n_programs == 1, "%zu and %zu programs for one family", a->n_programs, b->n_programs);
	cr_expect(strcmp(a->kernels[0].name, b->kernels[0].name) == 0, "a kernel's name depends on its own spec only");
	cr_expect(strcmp(b->kernels[0].name, b->kernels[1].name) != 0, "two widths, one name");
	size_t weights = 0;
	for (size_t i = 0; i < a->n_buffers; i++) weights += a->buffers[i].role == SKIP_BUFFER_WEIGHT;
	cr_expect(weights == 8, "%zu weight buffers for 4 products", weights);
	skip_plan_destroy(a);
	skip_plan_destroy(b);
	skip_graph_destroy(graph);
	skip_graph_destroy(narrow);
	skip_profiles_destroy(profiles);
}

Test(families, every_op_has_exactly_one)
{
	for (size_t o = 0; skip_ops[o]; o++) {
		int n = 0;
		for (size_t f = 0; skip_families[f]; f++) {
			for (const char *const *op = skip_families[f]->ops; *op; op++) n += !strcmp(*op, skip_ops[o]->name);
		}
		cr_expect(n == 1, "op '%s' has %d families", skip_ops[o]->name, n);
	}
}

Test(refusals, an_op_without_family_and_a_value_that_is_not_there)
{
	struct skip_err err;
	struct skip_plan *plan = NULL;
	struct skip_profiles *profiles = load_profiles();
	const struct skip_profile *generic = skip_profiles_find(profiles, "generic");
	struct skip_graph *graph = linear_chain((const int[]){8, 8}, 2);
	struct skip_op strange = *graph->nodes[0].op;
	const int wanted = 2;
	CHECK_FAILS(skip_lower(graph, generic, &wanted, 1, &plan, &err), SKIP_ERR_USAGE);
	cr_expect(strstr(err.message, "value 2") && strstr(err.message, "has 2"), "%s", err.message);
	struct skip_profile none = *generic;
	strcpy(none.variants[0], "abacus");
	strcpy(none.id, "desk");
	CHECK_FAILS(skip_lower(graph, &none, NULL, 0, &plan, &err), SKIP_ERR_UNSUPPORTED);
	cr_expect(strstr(err.message, "'linear'") && strstr(err.message, "'desk'"), "%s", err.message);
	strange.name = "fold";
	graph->nodes[0].op = &strange;
	CHECK_FAILS(skip_lower(graph, generic, NULL, 0, &plan, &err), SKIP_ERR_UNSUPPORTED);
	cr_expect(strstr(err.message, "'fold'") && strstr(err.message, "node 0"), "%s", err.message);
	cr_expect(plan == NULL, "out is written on failure");
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

Test(failures, the_nth_allocation_fails)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	const struct skip_profile *profile = skip_profiles_find(profiles, "pocl-x86-avx2");
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 3, 9}, 4);
	enum skip_status status = SKIP_ERR_NOMEM;
	size_t n = 0;
	while (status != SKIP_OK) {
		struct skip_plan *plan = NULL;
		n++;
		cr_assert(n < 2000, "lowering never succeeds");
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		status = skip_lower(graph, profile, NULL, 0, &plan, &err);
		skip_alloc_fail_at(0);
		if (status == SKIP_OK) {
			skip_plan_destroy(plan);
		} else {
			cr_assert(status == SKIP_ERR_NOMEM && err.message[0] && !plan, "allocation %zu: %s, '%s'", n, skip_status_text(status), err.message);
		}
	}
	cr_expect(n > 10, "only %zu allocations", n);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

static char *json_text(const struct skip_plan *plan)
{
	struct skip_err err;
	struct skip_buf buf;
	json_t *json = NULL;
	skip_buf_init(&buf);
	CHECK_OK(skip_plan_to_json(plan, &json, &err));
	CHECK_OK(skip_json_write(json, &buf, &err));
	char *text = skip_strdup(skip_buf_text(&buf));
	json_decref(json);
	skip_buf_deinit(&buf);
	return text;
}

Test(manifest, reads_back_what_was_written)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 3, 9}, 4);
	graph->prefix = 20;
	for (size_t p = 0; p < N_PROFILES; p++) {
		struct skip_plan *plan = lower_for(profiles, profile_ids[p], graph, NULL, 0), *back = NULL;
		char *text = json_text(plan);
		json_t *json = NULL;
		CHECK_OK(skip_json_parse(text, strlen(text), &json, &err));
		CHECK_OK(skip_plan_from_json(json, &back, &err));
		char *again = json_text(back);
		cr_expect(strcmp(text, again) == 0, "%s: another text comes back", profile_ids[p]);
		cr_expect(back->n_launches == plan->n_launches && !memcmp(back->launches, plan->launches, sizeof(*plan->launches)),
			  "%s: the first launch differs", profile_ids[p]);
		cr_expect(back->prefix == 20 && back->n_pools == plan->n_pools && back->n_values == plan->n_values, "numbers of the root differ");
		json_decref(json);
		skip_free(text);
		skip_free(again);
		skip_plan_destroy(plan);
		skip_plan_destroy(back);
	}
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

struct damage {
	const char *table; /* "" : the root */
	int index;
	const char *key, *json, *message; /* the member is replaced by this JSON; the message must contain this */
};

static const struct damage damages[] = {
	{"", 0, "profile", "3", "profile"},
	{"", 0, "query_block", "0", "query_block"},
	{"", 0, "pools", "-1", "pools"},
	{"", 0, "kernels", "{}", "kernels"},
	{"", 0, "value_buffer", "[99]", "value"},
	{"", 0, "value_buffer", "[0, \"x\"]", "value"},
	{"programs", 0, "hash", "null", "hash"},
	{"programs", 0, "name", "\"a name that is much longer than any name of a program in a plan may ever be\"", "name"},
	{"kernels", 0, "program", "7", "program"},
	{"kernels", 0, "local", "[1, 1]", "local"},
	{"kernels", 0, "local", "[1, 1, 70000]", "local"},
	{"buffers", 0, "role", "\"friend\"", "friend"},
	{"buffers", 0, "cols", "-5", "cols"},
	{"buffers", 0, "pool", "55", "pool"},
	{"buffers", 0, "rows", "{\"size\": \"T\", \"mul\": 1, \"add\": 0, \"div\": 0}", "div"},
	{"buffers", 0, "rows", "{\"size\": \"Z\", \"mul\": 1, \"add\": 0, \"div\": 1}", "Z"},
	{"launches", 0, "kernel", "4000", "kernel"},
	{"launches", 0, "node", "-1", "node"},
	{"launches", 0, "global", "[]", "0 dimensions"},
	{"launches", 0, "args", "[{\"kind\": \"buffer\", \"buffer\": 4000}]", "buffer"},
	{"launches", 0, "args", "[{\"kind\": \"wish\"}]", "wish"},
	{"launches", 0, "args", "[17]", "kind"},
	{"launches", 0, "cover", "[{\"kernel\": 0, \"tile\": 4}, {\"kernel\": 0, \"tile\": 4}]", "descend"},
	{"launches", 0, "cover", "[{\"kernel\": 0, \"tile\": 0}]", "tile"},
};

Test(manifest, refuses_what_is_damaged)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){7, 61, 3, 9}, 4);
	struct skip_plan *plan = lower_for(profiles, "pocl-x86-avx2", graph, NULL, 0);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];
		struct skip_plan *back = NULL;
		json_t *json = NULL;
		CHECK_OK(skip_plan_to_json(plan, &json, &err));
		json_t *object = d->table[0] ? json_array_get(json_object_get(json, d->table), (size_t)d->index) : json;
		json_t *value = json_loads(d->json, JSON_DECODE_ANY, NULL);
		cr_assert(value && json_object_get(object, d->key), "case %zu damages nothing", i);
		json_object_set_new(object, d->key, value);
		CHECK_FAILS(skip_plan_from_json(json, &back, &err), SKIP_ERR_INPUT);
		cr_expect(strstr(err.message, d->message) != NULL, "case %zu: '%s' does not say '%s'", i, err.message, d->message);
		cr_expect(back == NULL, "case %zu: out is written on failure", i);
		json_decref(json);
	}
	skip_plan_destroy(plan);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

static void set_int8(struct skip_graph *graph, const char *made, float clip)
{
	const int value = skip_graph_find_value(graph, made);
	struct skip_attrs_linear *attrs = &graph->nodes[graph->values[value].producer].attrs.linear;
	attrs->precision = SKIP_PRECISION_INT8;
	attrs->clip = clip;
}

/* int8 with a scale for all rows: who makes a value writes its words, and no launch rounds it. */
Test(words, a_clip_saves_the_launches_that_round)
{
	struct skip_profiles *profiles = load_profiles();
	static const char *const ids[] = {"pocl-generic", "pocl-x86-avx2", "pocl-x86-avx512", "pocl-x86-avx512-vnni"};
	for (size_t p = 0; p < sizeof(ids) / sizeof(ids[0]); p++) {
		struct skip_graph *graph = linear_chain((const int[]){61, 33, 48, 7}, 4);
		const int wanted = skip_graph_find_value(graph, "l2");
		size_t launches[2];
		for (int clip = 0; clip < 2; clip++) {
			for (int i = 0; i < 3; i++) set_int8(graph, (const char *const[]){"l0", "l1", "l2"}[i], 2.5f * (float)clip);
			struct skip_plan *plan = lower_for(profiles, ids[p], graph, &wanted, 1);
			launches[clip] = plan->n_launches;
			const bool literal = strstr(plan->programs[0].text, "#define SKIP_LINEAR_CLIP 0x1.4p+1f") != NULL;
			cr_expect(literal == (clip == 1), "%s: the scale is a literal", ids[p]);
			skip_plan_destroy(plan);
		}
		cr_expect(launches[0] == 6 && launches[1] == 4, "%s: %zu and %zu launches", ids[p], launches[0], launches[1]);
		skip_graph_destroy(graph);
	}
	skip_profiles_destroy(profiles);
}

Test(words, one_value_has_one_clip)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){61, 33}, 2);
	struct skip_plan *plan = NULL;
	const char *out = "twin";
	struct skip_node twin = graph->nodes[0];
	CHECK_OK(skip_graph_add_node(graph, &twin, &out, NULL, &err));
	const int wanted[] = {skip_graph_find_value(graph, "l0"), skip_graph_find_value(graph, "twin")};
	static const float other[] = {0, 3};
	for (int i = 0; i < 2; i++) {
		set_int8(graph, "l0", 2);
		set_int8(graph, "twin", other[i]);
		CHECK_FAILS(skip_lower(graph, skip_profiles_find(profiles, "pocl-x86-avx512"), wanted, 2, &plan, &err), SKIP_ERR_INPUT);
		cr_expect(strstr(err.message, "'x'") != NULL, "%s", err.message);
		/* Where x is rounded as it is read there is nothing to share. */
		skip_plan_destroy(lower_for(profiles, "generic", graph, wanted, 2));
	}
	set_int8(graph, "twin", 2);
	skip_plan_destroy(lower_for(profiles, "pocl-x86-avx512", graph, wanted, 2));
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}

/* Boards find scales as they run. */
Test(words, boards_refuse_a_clip)
{
	struct skip_err err;
	struct skip_profiles *profiles = load_profiles();
	struct skip_graph *graph = linear_chain((const int[]){61, 33}, 2);
	struct skip_plan *plan = NULL;
	const int wanted = skip_graph_find_value(graph, "l0");
	set_int8(graph, "l0", 2);
	CHECK_FAILS(skip_lower(graph, skip_profiles_find(profiles, "fpga-generic"), &wanted, 1, &plan, &err), SKIP_ERR_UNSUPPORTED);
	skip_graph_destroy(graph);
	skip_profiles_destroy(profiles);
}
