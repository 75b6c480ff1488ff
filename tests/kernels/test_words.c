/*
 * Values kept in words between nodes: a product, attention and norm that hand rounded rows on give the bits they give when every value between them is
 * asked for as floats and rounded behind. What the nodes themselves compute is the business of their own tests.
 */
#include "kernel_check.h"

struct chain {
	char profile[24];
	enum skip_precision precision;
	int heads, width, ffn, prefix;
	bool words; /* q, k, v are never floats */
	int length[4], n_seqs;
	float clip; /* of int8; 0: scales of rows */
	bool ctx;   /* with a clip: attention's result is never floats */
};

enum { MODEL = 61 };

static int product(struct kernel_check *check, const char *name, int x, int residual, int k, int n, enum skip_act act, const struct chain *c)
{
	char w[16], b[16];
	snprintf(w, sizeof(w), "%s.w", name);
	snprintf(b, sizeof(b), "%s.b", name);
	const int in[2] = {x, residual}, param[2] = {kernel_check_param(check, w, n, k, 0, 1 / sqrt(k)), kernel_check_param(check, b, n, 0, 0, 1)};
	const union skip_attrs attrs = {.linear = {.act = act, .precision = c->precision, .clip = c->clip}};
	return kernel_check_node(check, "linear", in, residual == SKIP_NONE ? 1 : 2, param, 2, attrs, (const char *[]){name}, 1);
}

static int norm(struct kernel_check *check, const char *name, int x)
{
	char g[16], b[16];
	snprintf(g, sizeof(g), "%s.g", name);
	snprintf(b, sizeof(b), "%s.b", name);
	const int param[2] = {kernel_check_param(check, g, MODEL, 0, 1, 0.1), kernel_check_param(check, b, MODEL, 0, 0, 0.1)};
	const union skip_attrs attrs = {.layernorm = {.eps = 1e-5f}};
	return kernel_check_node(check, "layernorm", &x, 1, param, 2, attrs, (const char *[]){name}, 1);
}

/* One layer; its last value. */
static int build(struct kernel_check *check, const struct chain *c)
{
	const int inner = c->heads * c->width, x = kernel_check_input(check, "x", SKIP_ROWS_T, 0, MODEL);
	const int qkv = product(check, "qkv", norm(check, "n0", x), SKIP_NONE, MODEL, 3 * inner, SKIP_ACT_NONE, c);
	union skip_attrs attrs = {.attention = {.heads = c->heads, .qk = c->width, .v = c->width, .precision = SKIP_PRECISION_BF16}};
	attrs.attention.scale = (float)(1 / sqrt(c->width));
	attrs.attention.k_col = inner;
	attrs.attention.v_col = 2 * inner;
	int param[2];
	for (int i = 0; i < 2 && c->prefix; i++) param[i] = kernel_check_param(check, i ? "pv" : "pk", c->prefix, inner, 0, 1);
	check->graph->prefix = c->prefix;
	check->graph->max_positions = 130;
	const int ctx = kernel_check_node(check, "attention", (int[]){qkv, qkv, qkv}, 3, param, c->prefix ? 2 : 0, attrs, (const char *[]){"ctx"}, 1);
	const int n1 = norm(check, "n1", product(check, "o", ctx, x, inner, MODEL, SKIP_ACT_NONE, c));
	const int u = product(check, "u", n1, SKIP_NONE, MODEL, c->ffn, SKIP_ACT_GELU, c);
	return product(check, "y", u, n1, c->ffn, MODEL, SKIP_ACT_NONE, c);
}

static void check_chain(const struct chain *c)
{
	struct kernel_check check;
	kernel_check_begin(&check, 7);
	const int y = build(&check, c), qkv = skip_graph_find_value(check.graph, "qkv");
	check.wanted = &y;
	check.n_wanted = 1;
	kernel_check_run(&check, c->profile, c->length, c->n_seqs, 0);
	cr_assert(c->words == !check.got[qkv], "q, k, v are %s", check.got[qkv] ? "floats" : "words");
	if (c->clip > 0) {
		const int ctx = skip_graph_find_value(check.graph, "ctx"), u = skip_graph_find_value(check.graph, "u");
		cr_assert(c->ctx == !check.got[ctx], "attention's result is %s", check.got[ctx] ? "floats" : "words");
		cr_assert(check.got[u] == NULL, "the ffn's first product is floats");
	}
	const size_t bytes = kernel_check_count(&check, y) * sizeof(float);
	float *in_words = malloc(bytes);
	memcpy(in_words, check.got[y], bytes);
	int all[16];
	check.n_wanted = check.graph->n_values;
	cr_assert(check.n_wanted <= 16);
	for (int v = 0; v < (int)check.n_wanted; v++) all[v] = v;
	check.wanted = all;
	kernel_check_execute(&check, skip_profiles_find(check.device.profiles, c->profile), 0);
	cr_assert(check.got[qkv] != NULL);
	cr_assert(memcmp(in_words, check.got[y], bytes) == 0, "words give other bits than floats");
	free(in_words);
	kernel_check_end(&check);
}

ParameterizedTestParameters(words, small_chains)
{
	static struct chain all[] = {
		{"pocl-x86-avx512", SKIP_PRECISION_BF16, 2, 6, 37, 0, false, {1, 7}, 2, 0, false},
		{"pocl-x86-avx512", SKIP_PRECISION_INT8, 2, 6, 37, 2, false, {1, 7}, 2, 0, false},
		{"pocl-generic", SKIP_PRECISION_BF16, 1, 7, 20, 1, false, {5}, 1, 0, false},
		{"pocl-generic", SKIP_PRECISION_INT8, 1, 7, 20, 0, false, {5}, 1, 0, false},
		/* Heads of whole words and others, last panels of whole vectors and others, clips that saturate and that do not. */
		{"pocl-x86-avx512", SKIP_PRECISION_INT8, 2, 6, 37, 2, false, {1, 7}, 2, 1, false},
		{"pocl-x86-avx512", SKIP_PRECISION_INT8, 2, 8, 64, 2, false, {1, 7}, 2, 0.5f, true},
		{"pocl-generic", SKIP_PRECISION_INT8, 1, 4, 20, 0, false, {5}, 1, 2, true},
		{"pocl-generic", SKIP_PRECISION_INT8, 1, 7, 30, 0, false, {5}, 1, 9, false},
	};
	return cr_make_param_array(struct chain, all, sizeof(all) / sizeof(all[0]));
}
ParameterizedTest(struct chain *chain, words, small_chains) { check_chain(chain); }

/* Pairs of bfloat16 in assembly: heads and prefix of whole words, and those that are not. */
ParameterizedTestParameters(words, assembly)
{
	static struct chain all[] = {
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_BF16, 2, 32, 61, 0, true, {1, 61, 17}, 3, 0, false},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 2, 32, 61, 20, true, {1, 61, 17}, 3, 0, false},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_BF16, 3, 6, 80, 2, true, {128}, 1, 0, false},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_BF16, 2, 8, 7, 1, false, {7, 30}, 2, 0, false},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 2, 7, 7, 0, false, {7, 30}, 2, 0, false},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 2, 32, 61, 20, true, {1, 61, 17}, 3, 1, true},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 3, 20, 80, 2, true, {128}, 1, 2, true},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 2, 64, 7, 0, true, {7, 30}, 2, 0.3f, true},
		{"pocl-x86-avx512-bf16", SKIP_PRECISION_INT8, 2, 6, 100, 0, true, {7, 30}, 2, 4, false},
		{"pocl-x86-amx", SKIP_PRECISION_BF16, 2, 32, 61, 0, true, {1, 61, 17}, 3, 0, false},
		{"pocl-x86-amx", SKIP_PRECISION_BF16, 3, 6, 80, 2, true, {128}, 1, 0, false},
		{"pocl-x86-amx", SKIP_PRECISION_BF16, 2, 8, 7, 1, false, {7, 30}, 2, 0, false},
		{"pocl-x86-amx", SKIP_PRECISION_INT8, 2, 7, 7, 0, false, {7, 30}, 2, 0, false},
		{"pocl-x86-amx", SKIP_PRECISION_INT8, 2, 32, 61, 20, true, {1, 61, 17}, 3, 1, true},
		{"pocl-x86-amx", SKIP_PRECISION_INT8, 3, 20, 80, 2, true, {128}, 1, 2, true},
	};
	return cr_make_param_array(struct chain, all, sizeof(all) / sizeof(all[0]));
}
ParameterizedTest(struct chain *chain, words, assembly)
{
	if (!skip_cpu_has("avx512vnni") || !skip_cpu_has("avx512_bf16")) cr_skip_test("this processor has no %s", chain->profile);
	if (!strcmp(chain->profile, "pocl-x86-amx") && !(skip_cpu_has("amx_bf16") && skip_cpu_has("amx_int8"))) cr_skip_test("this processor has no %s", chain->profile);
	check_chain(chain);
}

/* Two int8 in a word of 32 bits. */
ParameterizedTestParameters(words, assembly_of_pairs)
{
	static struct chain all[] = {
		{"pocl-x86-avx2", SKIP_PRECISION_INT8, 2, 32, 61, 20, false, {1, 61, 17}, 3, 1, true},
		{"pocl-x86-avx2", SKIP_PRECISION_INT8, 2, 7, 24, 0, false, {7, 30}, 2, 2, false},
	};
	return cr_make_param_array(struct chain, all, sizeof(all) / sizeof(all[0]));
}
ParameterizedTest(struct chain *chain, words, assembly_of_pairs)
{
	if (!skip_cpu_has("avx2")) cr_skip_test("this processor has no %s", chain->profile);
	check_chain(chain);
}
