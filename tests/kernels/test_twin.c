/*
 * The C++ form of the FPGA text: compiled by g++ with SKIP_HLS, which is what an HLS compiler is given, it computes the bits that PoCL computes from the
 * OpenCL form, in float32 and int8. Streams are queues without end (hls/hls_stream.h) and stages run one after the other: each reads what was written for it, in
 * number and order. That they may run side by side, and their depths, are not spoken for.
 */
#include "fpga_nodes.h"
#include "device/emit/board.h"
#include <dlfcn.h>
#include <unistd.h>

#define MAX_ARGS 12
/* Pointers and ints travel in the same registers on the machines tests run on; a kernel takes the first of these. */
typedef void (*kernel_function)(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

static char folder[256];

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (folder[0]) cr_expect(system(command) == 0);
}

static void *compile(const char *text)
{
	char path[300], command[1400];
	snprintf(folder, sizeof(folder), "%s/twin-XXXXXX", getenv("SKIP_TEST_BINARY"));
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/kernels.cpp", folder);
	FILE *file = fopen(path, "w");
	struct skip_buf twin;
	skip_buf_init(&twin);
	skip_emit_twin(text, true, &twin);
	cr_assert(file && fputs(skip_buf_text(&twin), file) >= 0 && fclose(file) == 0);
	skip_buf_deinit(&twin);
	snprintf(command, sizeof(command), "g++ -std=c++17 -O1 -w -ffp-contract=off -shared -fPIC -I'%s/tests/kernels/hls' -o '%s/twin.so' '%s'", getenv("SKIP_TEST_SOURCE"), folder, path);
	cr_assert(system(command) == 0, "g++ refuses the text");
	snprintf(path, sizeof(path), "%s/twin.so", folder);
	void *library = dlopen(path, RTLD_NOW);
	cr_assert(library != NULL, "%s", dlerror());
	return library;
}

/* Runs the plan's launches with the twin's kernels on copies of the session's buffers. */
static void run_twin(const struct skip_session *session, void *library, void **memory)
{
	const struct skip_plan *plan = session->plan;
	for (size_t l = 0; l < plan->n_launches; l++) {
		const struct skip_plan_launch *launch = &plan->launches[l];
		intptr_t a[MAX_ARGS] = {0};
		kernel_function call;
		void *symbol = dlsym(library, plan->kernels[launch->kernel].name);
		cr_assert(symbol != NULL && launch->n_args <= MAX_ARGS, "%s", plan->kernels[launch->kernel].name);
		memcpy(&call, &symbol, sizeof(call));
		for (int i = 0; i < launch->n_args; i++) {
			const struct skip_plan_arg *arg = &launch->arg[i];
			a[i] = arg->kind == SKIP_ARG_BUFFER ? (intptr_t)memory[arg->buffer] : arg->kind == SKIP_ARG_SIZE ? session->sizes.of[arg->size] : arg->i;
		}
		call(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
	}
}

static void compare_with_twin(struct kernel_check *check, const struct fpga_nodes *nodes)
{
	struct skip_err err;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	CHECK_OK(skip_lower(check->graph, skip_profiles_find(check->device.profiles, "fpga-generic"), NULL, 0, &plan, &err));
	for (size_t i = 0; i < plan->n_buffers; i++) plan->buffers[i].pool = SKIP_NONE;
	plan->n_pools = 0;
	CHECK_OK(skip_session_create(check->device.device, check->graph, plan, false, &session, &err));
	CHECK_OK(skip_session_set_batch(session, &check->batch, &err));
	for (size_t v = 0; v < check->graph->n_values; v++) {
		if (!check->input[v] || plan->value_buffer[v] == SKIP_NONE) continue;
		size_t n = kernel_check_count(check, (int)v);
		float *data = malloc((n + 1) * sizeof(float));
		for (size_t i = 0; i < n; i++) data[i] = (float)check->input[v][i];
		CHECK_OK(skip_session_write(session, (int)v, data, &err));
		free(data);
	}
	void *library = compile(plan->programs[0].text), **memory = calloc(plan->n_buffers, sizeof(*memory));
	for (size_t i = 0; i < plan->n_buffers; i++) {
		struct skip_cl_buffer *buffer = skip_memory_buffer(session, (int)i);
		memory[i] = malloc(skip_cl_buffer_bytes(buffer));
		CHECK_OK(skip_cl_read(session->cl, buffer, 0, memory[i], skip_cl_buffer_bytes(buffer), &err));
	}
	run_twin(session, library, memory);
	for (int i = 0; i < nodes->n; i++) {
		const int y = nodes->value[i];
		const float *twin = memory[plan->value_buffer[y]];
		for (size_t e = 0; e < kernel_check_count(check, y); e++) {
			cr_assert(memcmp(&twin[e], &check->got[y][e], sizeof(float)) == 0, "node %d, element %zu: %a, PoCL has %a", i, e, twin[e], check->got[y][e]);
		}
	}
	for (size_t i = 0; i < plan->n_buffers; i++) free(memory[i]);
	free(memory);
	dlclose(library);
	skip_session_destroy(session);
	skip_plan_destroy(plan);
}

struct twin_case {
	int precision;
	bool rest;
};

ParameterizedTestParameters(twin, has_the_bits_of_the_opencl_form)
{
	static struct twin_case cases[] = {{SKIP_PRECISION_F32, false}, {SKIP_PRECISION_INT8, false}, {SKIP_PRECISION_F32, true}, {SKIP_PRECISION_BF16, true}};
	return cr_make_param_array(struct twin_case, cases, sizeof(cases) / sizeof(cases[0]));
}
ParameterizedTest(struct twin_case *c, twin, has_the_bits_of_the_opencl_form, .fini = remove_folder)
{
	struct kernel_check check;
	kernel_check_begin(&check, 33);
	struct fpga_nodes nodes = c->rest ? fpga_rest(&check, (enum skip_precision)c->precision) : fpga_products(&check, (enum skip_precision)c->precision);
	kernel_check_run(&check, "fpga-generic", (int[]){1, 17}, 2, 0);
	compare_with_twin(&check, &nodes);
	kernel_check_end(&check);
}
