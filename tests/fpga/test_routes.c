/*
 * One text, several routes, equal bits: PoCL, Intel's CPU runtime, Intel's FPGA emulation platform with each engine as one kernel, and the same with engines as kernels joined by
 * channels; and Mesa's rusticl on llvmpipe in sizes it can run. And the depth of the channel that a value takes round an engine: as deep as the formula says it works, one token less hangs, and the watch on
 * such kernels says which did not end. Everything here is emulated; nothing speaks for a board. Run by with-emulator.
 */
#include "../kernels/fpga_nodes.h"
#include "ffn/fpga.h"
#include <unistd.h>

#define POCL "Portable Computing Language"
#define EMULATOR "FPGA Emulation"
#define INTEL_CPU "Intel(R) OpenCL"
#define RUSTICL "rusticl"

struct route_case {
	int precision;
	bool rest;
	int length[3], n_seqs;
};

static const struct route_case cases[] = {
	{SKIP_PRECISION_F32, false, {1, 17}, 2}, {SKIP_PRECISION_INT8, false, {1, 17}, 2},
	{SKIP_PRECISION_F32, true, {1, 7, 20}, 3}, {SKIP_PRECISION_BF16, true, {1, 17}, 2},
};

/* The same inputs on another device in another form; every result has the bits it had. */
static void same_in_form(struct kernel_check *check, const struct fpga_nodes *nodes, const char *device, const char *profile, int rows, int outputs)
{
	float **first = check->got;
	close_device(&check->device);
	check->device = open_device(device);
	check->profile = profile;
	check->got = calloc(check->graph->n_values + 1, sizeof(*check->got));
	struct skip_profile forms = *skip_profiles_find(check->device.profiles, profile);
	if (rows) forms.mr[0] = rows;
	if (outputs) forms.nv = outputs;
	kernel_check_execute(check, &forms, 0);
	for (int i = 0; i < nodes->n; i++) {
		const int y = nodes->value[i];
		const size_t n = kernel_check_count(check, y);
		for (size_t e = 0; e < n; e++) {
			cr_assert(memcmp(&first[y][e], &check->got[y][e], sizeof(float)) == 0, "%s, %s, node %d, element %zu: %a on %s, %a here", device, profile, i, e,
				  first[y][e], POCL, check->got[y][e]);
		}
	}
	for (size_t v = 0; v < check->graph->n_values; v++) free(check->got[v]);
	free(check->got);
	check->got = first;
}

static void same_on(struct kernel_check *check, const struct fpga_nodes *nodes, const char *device, const char *profile)
{
	same_in_form(check, nodes, device, profile, 0, 0);
}

ParameterizedTestParameters(routes, equal_bits)
{
	return cr_make_param_array(struct route_case, (void *)cases, sizeof(cases) / sizeof(cases[0]));
}
ParameterizedTest(struct route_case *c, routes, equal_bits)
{
	struct kernel_check check;
	kernel_check_begin(&check, 33);
	struct fpga_nodes nodes = c->rest ? fpga_rest(&check, (enum skip_precision)c->precision) : fpga_products(&check, (enum skip_precision)c->precision);
	check.device = open_device(POCL);
	kernel_check_run(&check, "fpga-generic", c->length, c->n_seqs, 0);
	same_on(&check, &nodes, INTEL_CPU, "fpga-generic");
	same_on(&check, &nodes, EMULATOR, "intel_fpga_emulator");
	same_on(&check, &nodes, EMULATOR, "intel_fpga_emulator_channels");
	kernel_check_end(&check);
}

/*
 * rusticl 22.3 stops a work-item silently after 65,535 iterations of all its loops, unrolled ones too, so products are small there, and their tiles, which
 * change no bit: the largest, ffn in float32, takes about 24,000.
 */
ParameterizedTestParameters(routes, small_on_rusticl)
{
	static int precisions[] = {SKIP_PRECISION_F32, SKIP_PRECISION_INT8};
	return cr_make_param_array(int, precisions, 2);
}
ParameterizedTest(int *precision, routes, small_on_rusticl)
{
	struct kernel_check check;
	struct fpga_nodes nodes = {.n = 0};
	kernel_check_begin(&check, 5);
	int x = kernel_check_input(&check, "x", SKIP_ROWS_T, 0, 21), w = fpga_matrix(&check, "w", 7, 21), b = kernel_check_param(&check, "b", 7, 0, 0, 1);
	int w1 = fpga_matrix(&check, "w1", 17, 21), w2 = fpga_matrix(&check, "w2", 21, 17), b1 = kernel_check_param(&check, "b1", 17, 0, 0, 1),
	    b2 = kernel_check_param(&check, "b2", 21, 0, 0, 1);
	const enum skip_precision type = (enum skip_precision)*precision;
	const union skip_attrs linear = {.linear = {.act = SKIP_ACT_TANH, .precision = type}}, ffn = {.ffn = {.act = SKIP_ACT_GELU, .precision = type}};
	fpga_add(&check, &nodes, "linear", &x, 1, (int[]){w, b}, 2, linear, 0);
	fpga_add(&check, &nodes, "ffn", (int[]){x, x}, 2, (int[]){w1, w2, b1, b2}, 4, ffn, 0);
	check.device = open_device(POCL);
	kernel_check_run(&check, "fpga-generic", (int[]){1, 4}, 2, 0);
	same_in_form(&check, &nodes, RUSTICL, "fpga-generic", 4, 2);
	kernel_check_end(&check);
}

Test(routes, small_rest_on_rusticl)
{
	struct kernel_check check;
	kernel_check_begin(&check, 5);
	struct fpga_nodes nodes = fpga_rest(&check, SKIP_PRECISION_F32);
	check.device = open_device(POCL);
	kernel_check_run(&check, "fpga-generic", (int[]){1, 4}, 2, 0);
	same_in_form(&check, &nodes, RUSTICL, "fpga-generic", 4, 2);
	kernel_check_end(&check);
}

/* ---- channels ---- */

struct depth_case {
	int d, n; /* the residual has the columns of the result */
	int over; /* tokens more than the formula */
};

/* Where the row of x is the shorter way round (48 words against 80 tokens of the residual), and where the residual is (208 against 48). */
static const struct depth_case depths[] = {{37, 37, 0}, {200, 24, 0}};

/* Lowers one ffn in channels, sets the depth of the residual's channel in its text and runs one tile of rows. */
static enum skip_status run_with_depth(const struct depth_case *c, struct skip_err *out)
{
	struct skip_err err;
	enum skip_status status;
	struct kernel_check check;
	struct skip_plan *plan = NULL;
	struct skip_session *session = NULL;
	const int32_t offset[] = {0, 16}, zeros[16] = {0};
	const struct skip_batch batch = {16, 1, zeros, zeros, offset};
	char old[64], new[64];
	kernel_check_begin(&check, 3);
	int in[] = {kernel_check_input(&check, "x", SKIP_ROWS_T, 0, c->d), kernel_check_input(&check, "r", SKIP_ROWS_T, 0, c->n)};
	int param[] = {fpga_matrix(&check, "w1", 20, c->d), fpga_matrix(&check, "w2", c->n, 20)};
	kernel_check_node(&check, "ffn", in, 2, param, 2, (union skip_attrs){.ffn = {.act = SKIP_ACT_RELU}}, (const char *[]){"y"}, 1);
	check.device = open_device(EMULATOR);
	const struct skip_profile *profile = skip_profiles_find(check.device.profiles, "intel_fpga_emulator_channels");
	const struct skip_ffn_shape shape = {.d = c->d, .f = 20, .n = c->n, .rows = profile->mr[0], .outputs = profile->nv, .residual = true};
	CHECK_OK(skip_lower(check.graph, profile, NULL, 0, &plan, &err));
	snprintf(old, sizeof(old), "#define SKIP_FFN_DEPTH_RESIDUAL %d\n", skip_ffn_residual_tokens(&shape));
	snprintf(new, sizeof(new), "#define SKIP_FFN_DEPTH_RESIDUAL %d\n", skip_ffn_least_residual_tokens(&shape) + c->over);
	char *at = strstr(plan->programs[0].text, old);
	cr_assert(at != NULL && strlen(new) <= strlen(old), "no constant to change");
	memmove(at + strlen(new), at + strlen(old), strlen(at + strlen(old)) + 1);
	memcpy(at, new, strlen(new));
	CHECK_OK(skip_session_create(check.device.device, check.graph, plan, false, &session, &err));
	CHECK_OK(skip_session_set_batch(session, &batch, &err));
	skip_err_init(out);
	status = skip_session_enqueue(session, 0, 1, 0, out);
	if (status == SKIP_OK) {
		skip_session_destroy(session);
		skip_plan_destroy(plan);
		kernel_check_end(&check);
	}
	return status;
}

ParameterizedTestParameters(channels, a_depth_of_the_formula_is_enough)
{
	return cr_make_param_array(struct depth_case, (void *)depths, sizeof(depths) / sizeof(depths[0]));
}
ParameterizedTest(struct depth_case *c, channels, a_depth_of_the_formula_is_enough)
{
	struct skip_err err;
	setenv("SKIP_FLOW_TIMEOUT", "100", 1);
	enum skip_status status = run_with_depth(c, &err);
	cr_assert(status == SKIP_OK, "%s", err.message);
}

/* Kernels that hang cannot be stopped, so the process ends itself: 7 when all was as it should be. */
static void expect_deadlock(const struct depth_case *c)
{
	struct skip_err err;
	struct depth_case less = *c;
	less.over = -1;
	setenv("SKIP_FLOW_TIMEOUT", "15", 1);
	enum skip_status status = run_with_depth(&less, &err);
	bool named = strstr(err.message, "_load_x") && strstr(err.message, "_first") && strstr(err.message, "_second") && strstr(err.message, "_store");
	bool ended = strstr(err.message, "_load_2") == NULL; /* its weights fit the channel: one of those that did end */
	if (status != SKIP_ERR_DEVICE || !named || !ended) fprintf(stderr, "status %d: %s\n", (int)status, err.message);
	_exit(status == SKIP_ERR_DEVICE && named && ended ? 7 : 1);
}

Test(channels, one_token_less_hangs_where_x_is_short, .exit_code = 7) { expect_deadlock(&depths[0]); }
Test(channels, one_token_less_hangs_where_the_residual_is_short, .exit_code = 7) { expect_deadlock(&depths[1]); }
