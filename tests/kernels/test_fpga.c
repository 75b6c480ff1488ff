/*
 * The FPGA bodies of every family on an ordinary device, where they are one kernel of one work-item, against the float64 reference; and what they refuse.
 * Routes of the same text are compared in tests/fpga.
 */
#include "fpga_nodes.h"

struct run {
	int precision; /* of the products, or of attention where `rest` */
	bool rest;
	int length[3], n_seqs;
};

static const struct run runs[] = {
	{SKIP_PRECISION_F32, false, {1}, 1},        {SKIP_PRECISION_F32, false, {1, 7, 33}, 3}, {SKIP_PRECISION_INT8, false, {1, 7, 33}, 3},
	{SKIP_PRECISION_F32, true, {1, 7, 61}, 3}, {SKIP_PRECISION_BF16, true, {1, 17}, 2},
};

ParameterizedTestParameters(fpga, small_nodes)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(runs[0]));
}
ParameterizedTest(struct run *run, fpga, small_nodes)
{
	struct kernel_check check;
	kernel_check_begin(&check, 21);
	struct fpga_nodes nodes = run->rest ? fpga_rest(&check, (enum skip_precision)run->precision) : fpga_products(&check, (enum skip_precision)run->precision);
	kernel_check_run(&check, "fpga-generic", run->length, run->n_seqs, 0);
	for (int i = 0; i < nodes.n; i++) kernel_check_relative(&check, nodes.value[i], nodes.eps[i]);
	kernel_check_end(&check);
}

struct refusal {
	char op[24], says[40];
	union skip_attrs attrs;
};

Test(fpga, refuses_what_boards_do_not_do)
{
	const struct refusal cases[] = {
		{"linear", "not bf16", {.linear = {.precision = SKIP_PRECISION_BF16}}},
		{"dropout", "do not train", {.dropout = {.rate = 0.5f}}},
		{"act", "none of the variants", {.act = {SKIP_ACT_GELU}}},
	};
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	struct skip_profile profile = *skip_profiles_find(profiles, "fpga-generic");
	profile.n_variants = 1; /* without the generic bodies that close every list */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel_check check;
		struct skip_plan *plan = NULL;
		kernel_check_begin(&check, 1);
		int x = kernel_check_input(&check, "x", SKIP_ROWS_T, 0, 7), w = fpga_matrix(&check, "w", 7, 7);
		kernel_check_node(&check, cases[i].op, &x, 1, &w, !strcmp(cases[i].op, "linear"), cases[i].attrs, (const char *[]){"y"}, 1);
		CHECK_FAILS(skip_lower(check.graph, &profile, NULL, 0, &plan, &err), SKIP_ERR_UNSUPPORTED);
		cr_expect(strstr(err.message, cases[i].says) != NULL, "%s", err.message);
		kernel_check_end(&check);
	}
	skip_profiles_destroy(profiles);
}
