/*
 * The int8 engine in SystemVerilog, simulated by Verilator, against the OpenCL body of the same constants on PoCL: every number has the same bits, with ports
 * that are always ready and with ports that pause. The emitted test bench does the comparing; its vector file holds what PoCL was given and gave. Nothing here
 * speaks for a chip. The first shape runs with every test, the others with CTest's configuration rtl-ecp5.
 */
#include "../kernels/fpga_nodes.h"
#include "device/emit/board.h"
#include <unistd.h>

#define BOARD "ecp5_85"

struct engine_case {
	int d, f, n, act, bias1, bias2, residual; /* the residual is x where d == n */
	int rows, outputs, lanes;		  /* T, P, C */
	int tokens;
};

static char folder[256];

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (folder[0]) cr_expect(system(command) == 0);
}

static void write_file(const char *name, const char *text)
{
	char path[400];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

/* The folder of skip emit, with another vector file. */
static void write_folder(const struct kernel_check *check, const struct skip_profile *forms, const char *vectors)
{
	struct skip_err err;
	struct skip_board board;
	struct skip_estimate e = {0};
	struct skip_emitted emitted = {0};
	snprintf(folder, sizeof(folder), "%s/rtl-XXXXXX", getenv("SKIP_TEST_BINARY"));
	cr_assert(mkdtemp(folder) != NULL);
	CHECK_OK(skip_board_read(forms, &board, &err));
	CHECK_OK(skip_estimate_run(check->graph, &board, forms, (struct skip_workload){1, 16}, 0, &e, &err));
	CHECK_OK(skip_emit_board(check->graph, NULL, &e, &emitted, &err));
	for (int i = 0; i < emitted.n_files; i++) write_file(emitted.file[i].name, skip_buf_text(&emitted.file[i].text));
	write_file("pocl.txt", vectors);
	skip_emitted_deinit(&emitted);
	skip_estimate_deinit(&e);
}

/* What the arguments of the plan's one launch hold on the device, `rows` of those that have rows. */
static void write_vectors(const struct kernel_check *check, const struct skip_profile *forms, int value, struct skip_buf *out)
{
	struct skip_err err;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	CHECK_OK(skip_lower(check->graph, forms, &value, 1, &plan, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) plan->buffers[i].pool = SKIP_NONE;
	plan->n_pools = 0;
	CHECK_OK(skip_session_create(check->device.device, check->graph, plan, false, &session, &err));
	CHECK_OK(skip_session_set_batch(session, &check->batch, &err));
	for (size_t v = 0; v < check->graph->n_values; v++) {
		if (!check->input[v]) continue;
		size_t n = kernel_check_count(check, (int)v);
		float *data = malloc((n + 1) * sizeof(float));
		for (size_t i = 0; i < n; i++) data[i] = (float)check->input[v][i];
		CHECK_OK(skip_session_write(session, (int)v, data, &err));
		free(data);
	}
	CHECK_OK(skip_session_enqueue(session, 0, check->graph->n_nodes, 0, &err));
	CHECK_OK(skip_session_finish(session, &err));
	cr_assert(plan->n_launches == 1);
	skip_buf_printf(out, "rows %d\ntolerance 0\n", check->batch.n_tokens);
	for (int a = 0; a < plan->launches[0].n_args; a++) {
		const struct skip_plan_arg *arg = &plan->launches[0].arg[a];
		if (arg->kind != SKIP_ARG_BUFFER) continue;
		const struct skip_plan_buffer *buffer = &plan->buffers[arg->buffer];
		struct skip_cl_buffer *memory = skip_memory_buffer(session, arg->buffer);
		size_t n = buffer->role == SKIP_BUFFER_VALUE ? (size_t)check->batch.n_tokens * (size_t)buffer->cols : (size_t)(skip_extent_rows(&buffer->rows, &session->sizes) * buffer->cols);
		uint32_t *words = malloc((n + 1) * sizeof(*words));
		CHECK_OK(skip_cl_read(session->cl, memory, 0, words, n * sizeof(*words), &err));
		skip_buf_printf(out, "%s %zu\n", arg->name, n);
		for (size_t i = 0; i < n; i++) skip_buf_printf(out, "%08x\n", words[i]);
		free(words);
	}
	skip_session_destroy(session);
	skip_plan_destroy(plan);
}

static void check_engine(const struct engine_case *c)
{
	struct kernel_check check;
	struct skip_buf vectors;
	char command[400];
	kernel_check_begin(&check, 17);
	int in[2] = {kernel_check_input(&check, "x", SKIP_ROWS_T, 0, c->d)}, param[4] = {0, 0, SKIP_NONE, SKIP_NONE};
	if (c->residual) in[1] = c->d == c->n ? in[0] : kernel_check_input(&check, "r", SKIP_ROWS_T, 0, c->n);
	param[0] = fpga_matrix(&check, "w1", c->f, c->d);
	param[1] = fpga_matrix(&check, "w2", c->n, c->f);
	if (c->bias1) param[2] = kernel_check_param(&check, "b1", c->f, 0, 0, 1);
	if (c->bias2) param[3] = kernel_check_param(&check, "b2", c->n, 0, 0, 1);
	const union skip_attrs attrs = {.ffn = {.act = (enum skip_act)c->act, .precision = SKIP_PRECISION_INT8}};
	int y = kernel_check_node(&check, "ffn", in, 1 + c->residual, param, 4, attrs, (const char *[]){"y"}, 1);
	check.scale = 2;
	kernel_check_run(&check, "fpga-generic", (int[]){c->tokens}, 1, 0);
	struct skip_profile forms = *skip_profiles_find(check.device.profiles, BOARD);
	forms.mr[0] = c->rows;
	forms.nv = c->outputs;
	forms.vec = c->lanes;
	skip_buf_init(&vectors);
	write_vectors(&check, &forms, y, &vectors);
	write_folder(&check, &forms, skip_buf_text(&vectors));
	skip_buf_deinit(&vectors);
	snprintf(command, sizeof(command), "sh '%s'/build_" BOARD ".sh emulate", folder);
	cr_expect(system(command) == 0, "the known answers of the folder");
	for (int pauses = 0; pauses < 2; pauses++) {
		snprintf(command, sizeof(command), "cd '%s' && ./simulated/Vengine pocl.txt %s", folder, pauses ? "pauses" : "");
		cr_expect(system(command) == 0, "PoCL's numbers, %s", pauses ? "with pauses" : "without pauses");
	}
	kernel_check_end(&check);
}

static const struct engine_case cases[] = {
	{37, 61, 37, SKIP_ACT_GELU, 1, 1, 1, 8, 4, 4, 11},
	{1, 1, 1, SKIP_ACT_RELU, 0, 0, 0, 8, 1, 4, 1},
	{7, 61, 5, SKIP_ACT_NONE, 0, 1, 1, 8, 2, 8, 17},
	{64, 128, 64, SKIP_ACT_GELU, 1, 0, 1, 32, 8, 4, 33},
	{61, 17, 61, SKIP_ACT_GELU, 0, 1, 0, 16, 8, 16, 16},
};

Test(engine, first_shape, .fini = remove_folder) { check_engine(&cases[0]); }

ParameterizedTestParameters(engine_shapes, all)
{
	return cr_make_param_array(struct engine_case, (void *)cases, sizeof(cases) / sizeof(cases[0]));
}
ParameterizedTest(struct engine_case *c, engine_shapes, all, .fini = remove_folder) { check_engine(c); }
