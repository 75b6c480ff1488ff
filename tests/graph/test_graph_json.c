/* JSON form of graphs: exact round trip, and documents that lie. */
#include "base/alloc.h"
#include "base/json.h"
#include "toy_graph.h"

static char *text_of(const struct skip_graph *graph)
{
	struct skip_err err;
	struct skip_buf buf;
	json_t *json = NULL;
	skip_buf_init(&buf);
	CHECK_OK(skip_graph_to_json(graph, &json, &err));
	CHECK_OK(skip_json_write(json, &buf, &err));
	json_decref(json);
	char *text = strdup(skip_buf_text(&buf));
	skip_buf_deinit(&buf);
	return text;
}

static enum skip_status read_text(const char *text, size_t size, const struct skip_graph *from, struct skip_graph **out,
                                  struct skip_err *err)
{
	json_t *json = NULL;
	enum skip_status status = skip_json_parse(text, size, &json, err);
	if (status != SKIP_OK) return status;
	status = skip_graph_from_json(json, from->tensors, from->n_tensors, out, err);
	json_decref(json);
	return status;
}

static void same_node(const struct skip_node *a, const struct skip_node *b)
{
	cr_assert(a->op == b->op && a->layer == b->layer && a->n_in == b->n_in && a->n_param == b->n_param && a->n_out == b->n_out);
	cr_assert(memcmp(a->in, b->in, (size_t)a->n_in * sizeof(int)) == 0 && memcmp(a->out, b->out, (size_t)a->n_out * sizeof(int)) == 0);
	cr_assert(memcmp(a->param, b->param, (size_t)a->n_param * sizeof(int)) == 0);
	for (size_t i = 0; i < a->op->n_attrs; i++)
		cr_assert(memcmp((const char *)&a->attrs + a->op->attrs[i].offset, (const char *)&b->attrs + a->op->attrs[i].offset, 4) ==
		              0,
		          "%s", a->op->attrs[i].name);
}

static void round_trip(struct skip_graph *graph)
{
	struct skip_err err;
	struct skip_graph *back = NULL;
	char *text = text_of(graph);
	CHECK_OK(read_text(text, strlen(text), graph, &back, &err));
	cr_assert(back->n_values == graph->n_values && back->n_nodes == graph->n_nodes && back->n_tensors == graph->n_tensors);
	for (size_t i = 0; i < graph->n_values; i++) {
		const struct skip_value *a = &graph->values[i], *b = &back->values[i];
		cr_assert(strcmp(a->name, b->name) == 0 && a->rows == b->rows && a->fixed_rows == b->fixed_rows && a->cols == b->cols &&
		          a->producer == b->producer);
	}
	for (size_t i = 0; i < graph->n_nodes; i++) same_node(&graph->nodes[i], &back->nodes[i]);
	for (size_t i = 0; i < graph->n_tensors; i++) cr_assert(graph->tensors[i] == back->tensors[i]);
	cr_assert(strcmp(graph->architecture, back->architecture) == 0 && graph->model_width == back->model_width &&
	          graph->layers == back->layers);
	cr_assert(graph->heads == back->heads && graph->head_width == back->head_width && graph->ffn_width == back->ffn_width);
	cr_assert(graph->prefix == back->prefix && graph->classes == back->classes && graph->max_positions == back->max_positions);
	cr_assert(graph->dense_encoder_params == back->dense_encoder_params && graph->dense_macs_per_token == back->dense_macs_per_token);
	char *again = text_of(back);
	cr_assert(strcmp(text, again) == 0);
	free(again);
	free(text);
	skip_graph_destroy(back);
}

Test(graph_json, round_trip_is_exact)
{
	for (int form = 0; form < 4; form++) {
		struct toy_options options = toy_defaults();
		options.prefix = form & 1 ? 20 : 0;
		options.pooler = form & 2;
		options.qk = 3;
		options.types = form & 1 ? 0 : 2;
		options.act = form & 1 ? SKIP_ACT_RELU : SKIP_ACT_GELU_TANH;
		struct skip_graph *graph = toy_graph(&options);
		graph->dense_macs_per_token = 1.0 / 3 + 1e9;
		graph->dense_encoder_params = (int64_t)1 << 40;
		for (size_t i = 0; i < graph->n_nodes; i++) /* a float that no short decimal names */
			if (strcmp(graph->nodes[i].op->name, "attention") == 0) graph->nodes[i].attrs.attention.scale = nextafterf(0.1f, 1);
		round_trip(graph);
		skip_graph_destroy(graph);
	}
}

Test(graph_json, round_trip_of_a_backward_graph)
{
	struct toy_options options = toy_defaults();
	struct skip_err err;
	struct skip_backward back;
	options.prefix = 3;
	struct skip_graph *graph = toy_graph(&options);
	CHECK_OK(skip_pass_backward(graph, skip_graph_find_value(graph, "logits"), NULL, 0, &back, &err));
	round_trip(back.graph); /* absent outputs, fixed rows, a second graph input */
	skip_backward_deinit(&back);
	skip_graph_destroy(graph);
}

struct lie {
	const char *from, *to; /* first occurrence of `from` after `after` is replaced */
	const char *after;
	const char *message;
};

static const struct lie lies[] = {
    {"\"op\": \"add\"", "\"op\": \"subtract\"", "", "unknown op 'subtract'"},
    {"\"op\": \"add\"", "\"op\": 5", "", "\"op\": expected a string"},
    {"\"op\": \"add\"", "\"op\": \"pool\"", "", "op pool has 1 attributes, found are 0"},
    {"\"kind\": \"gelu\"", "\"kind\": \"swish\"", "", "kind has no choice 'swish'"},
    {"\"kind\": \"gelu\"", "\"kind\": 1", "", "\"kind\": expected a string"},
    {"\"kind\": \"gelu\"", "\"kin\": \"gelu\"", "", "\"kind\" is missing"},
    {"\"dtype\": \"f32\"", "\"dtype\": \"int4\"", "", "dtype has no choice 'int4'"},
    {"\"clip\": 0.0", "\"clip\": 1.5", "", "clip is 1.5 in f32"},
    {"\"clip\": 0.0", "\"clip\": null", "", "\"clip\": expected a number"},
    {"\"mode\": \"cls\"", "\"mode\": \"none\"", "", "mode has no choice 'none'"},
    {"\"scale\": 0.5", "\"scale\": 1e300", "", "scale is 1e+300, not a float"},
    {"\"scale\": 0.5", "\"scale\": \"0.5\"", "", "\"scale\": expected a number"},
    {"\"heads\": 3", "\"heads\": 99999999999", "nodes", "\"heads\": expected an integer"},
    {"\"heads\": 3", "\"heads\": 4", "nodes", "q takes columns 0 to 16"},
    {"\"heads\": 3", "\"heads\": 3, \"extra\": 1", "nodes", "op attention has 12 attributes, found are 13"},
    {"\"causal\": 0", "\"causal\": 2", "", "causal 2, window 0: possible are 0 or 1"},
    {"\"at\": \"first\"", "\"at\": \"second\"", "", "at has no choice 'second'"},
    {"\"layer\": 0", "\"layer\": -1", "", "\"layer\": expected an integer from 0"},
    {"\"layer\": 0", "\"layer\": 70000", "", "layer is out of range"},
    {"\"cols\": 12", "\"cols\": 13", "", "columns, the op gives"},
    {"\"cols\": 12", "\"cols\": 0", "", "values[0]: \"cols\": expected an integer from 1"},
    {"\"rows\": \"T\"", "\"rows\": \"S\"", "", "\"rows\": expected an integer"},
    {"\"rows\": \"T\"", "\"rows\": \"B\"", "", "has rows B"},
    {"\"rows\": \"T\"", "\"rows\": 0", "", "\"rows\": expected an integer from 1"},
    {"\"name\": \"hidden\"", "\"name\": \"pooled\"", "", "two values are called 'pooled'"},
    {"\"name\": \"hidden\"", "\"name\": \"\"", "", "must have 1 to 63 characters"},
    {"\"name\": \"hidden\"", "\"name\": null", "", "\"name\": expected a string"},
    {"\"head.bias\"", "\"head.missing\"", "", "'head.missing', is not among the weights"},
    {"\"head.bias\"", "\"head.weight\"", "", "two tensors are called 'head.weight'"},
    {"\"head.bias\"", "7", "", "'(not a string)', is not among the weights"},
    {"\"info\": {", "\"info\": 3, \"was\": {", "", "\"info\": expected an object"},
    {"\"nodes\": [", "\"nodes\": [7, ", "", "nodes[0]: \"op\" is missing"},
    {"\"nodes\": [", "\"nodes\": {}, \"was\": [", "", "\"nodes\": expected an array"},
    {"\"values\": [", "\"values\": [[], ", "", "values[0]: \"name\" is missing"},
    {"\"architecture\": \"toy\"", "\"architecture\": \"0123456789012345678901234567890123456789012345678901234567890123\"", "",
     "more than 63"},
    {"\"layers\": 2", "\"layers\": -2", "", "\"layers\": expected an integer from 0"},
};

Test(graph_json, refuses_lies)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options);
	char *text = text_of(graph);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct skip_graph *out = NULL;
		struct skip_err err;
		const char *start = strstr(text, lies[i].after), *at = start ? strstr(start, lies[i].from) : NULL;
		cr_assert(at != NULL, "case %zu finds no '%s'", i, lies[i].from);
		size_t head = (size_t)(at - text), size = strlen(text) + strlen(lies[i].to) + 1;
		char *lie = malloc(size);
		snprintf(lie, size, "%.*s%s%s", (int)head, text, lies[i].to, at + strlen(lies[i].from));
		CHECK_FAILS(read_text(lie, strlen(lie), graph, &out, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, lies[i].message) != NULL, "case %zu: '%s', wanted '%s'", i, err.message, lies[i].message);
		cr_assert(out == NULL);
		free(lie);
	}
	free(text);
	skip_graph_destroy(graph);
}

/* Sets element `at` of list `key` of node `node`. */
static void set_index(json_t *json, int node, const char *key, size_t at, json_t *value)
{
	json_t *list = json_object_get(json_array_get(json_object_get(json, "nodes"), (size_t)node), key);
	int failed = at < json_array_size(list) ? json_array_set_new(list, at, value) : json_array_append_new(list, value);
	cr_assert(failed == 0);
}

Test(graph_json, refuses_wrong_indices_and_cycles)
{
	static const struct {
		int node;
		const char *key;
		size_t at;
		int value; /* -100: a string; -200: the number of values */
		const char *message;
	} cases[] = {{2, "in", 0, 1000, "nodes[2]: in: entry 0 is not null or an index below"},
	             {2, "in", 0, -200, "nodes[2]: in: entry 0 is not null"},
	             {2, "in", 0, -1, "nodes[2]: in: entry 0"},
	             {2, "in", 0, -100, "nodes[2]: in: entry 0"},
	             {2, "tensors", 0, 1000, "nodes[2]: tensors: entry 0"},
	             {2, "out", 0, 1000, "nodes[2]: out: entry 0"},
	             {2, "in", 1, 3, "nodes[3]: node 3 (linear, layer 0): output 'layer0.attention.k' is read before it is written"},
	             {2, "in", 0, 2, "nodes[2]: node 2 (linear, layer 0): output 'layer0.attention.q' is read before it is written"},
	             {3, "out", 0, 2, "output 'layer0.attention.q' is already written by node 2"},
	             {2, "out", 1, 4, "2 outputs, possible are 1 to 1"}};
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skip_err err;
		struct skip_graph *out = NULL;
		json_t *json = NULL;
		CHECK_OK(skip_graph_to_json(graph, &json, &err));
		set_index(json, cases[i].node, cases[i].key, cases[i].at,
		          cases[i].value == -100 ? json_string("0") : json_integer(cases[i].value));
		CHECK_FAILS(skip_graph_from_json(json, graph->tensors, graph->n_tensors, &out, &err), SKIP_ERR_INPUT);
		cr_assert(strstr(err.message, cases[i].message) != NULL, "case %zu: '%s', wanted '%s'", i, err.message, cases[i].message);
		cr_assert(out == NULL);
		json_decref(json);
	}
	skip_graph_destroy(graph);
}

Test(graph_json, refuses_too_many_entries)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options), *out = NULL;
	struct skip_err err;
	json_t *json = NULL;
	CHECK_OK(skip_graph_to_json(graph, &json, &err));
	for (size_t i = 1; i < 8; i++) set_index(json, 2, "in", i, json_integer(0));
	CHECK_FAILS(skip_graph_from_json(json, graph->tensors, graph->n_tensors, &out, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "nodes[2]: in has 8 entries, possible are 6") != NULL, "%s", err.message);
	json_decref(json);
	CHECK_FAILS(skip_graph_from_json(NULL, NULL, 0, &out, &err), SKIP_ERR_INPUT);
	skip_graph_destroy(graph);
}

Test(graph_json, refuses_a_tensor_of_another_shape)
{
	struct toy_options options = toy_defaults(), other = toy_defaults();
	other.ffn = 18;
	struct skip_graph *graph = toy_graph(&options), *wider = toy_graph(&other), *out = NULL;
	struct skip_err err;
	char *text = text_of(graph);
	CHECK_FAILS(read_text(text, strlen(text), wider, &out, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "(linear, layer 0)") && strstr(err.message, "layer0.ffn.hidden"), "%s", err.message);
	free(text);
	skip_graph_destroy(graph);
	skip_graph_destroy(wider);
}

/* Cut anywhere, the document is refused with a message and nothing is lost. */
Test(graph_json, refuses_every_truncation)
{
	struct toy_options options = toy_defaults();
	options.layers = 1;
	struct skip_graph *graph = toy_graph(&options);
	char *text = text_of(graph);
	size_t end = strlen(text);
	while (end > 0 && text[end - 1] != '}') end--;
	for (size_t size = 0; size < end; size += size < end - 40 ? 17 : 1) {
		struct skip_graph *out = NULL;
		struct skip_err err;
		CHECK_FAILS(read_text(text, size, graph, &out, &err), SKIP_ERR_INPUT);
		cr_assert(out == NULL);
	}
	free(text);
	skip_graph_destroy(graph);
}

Test(graph_json, every_allocation_may_fail)
{
	struct toy_options options = toy_defaults();
	struct skip_graph *graph = toy_graph(&options);
	struct skip_err err;
	json_t *json = NULL;
	enum skip_status status = SKIP_ERR_NOMEM;
	CHECK_OK(skip_graph_to_json(graph, &json, &err));
	for (size_t n = 1; status == SKIP_ERR_NOMEM; n++) {
		struct skip_graph *out = NULL;
		skip_alloc_fail_at(n);
		status = skip_graph_from_json(json, graph->tensors, graph->n_tensors, &out, &err);
		cr_assert(status == SKIP_OK ? out != NULL : out == NULL);
		skip_graph_destroy(out);
	}
	cr_assert(status == SKIP_OK);
	skip_alloc_fail_at(0);
	json_decref(json);
	skip_graph_destroy(graph);
}
