/* Products in float32 by CLBlast: a call that the plan names, then one kernel for what hangs on the product (clblast.cl). */
#include "graph/rules.h"
#include "linear/product.h"

enum { GROUP = 32 };

static enum skip_status lower_rest(struct skip_lowering *lowering, const struct skip_linear_product *p, struct skip_err *err)
{
	enum skip_status status;
	struct skip_kernel_spec spec;
	int kernel, fixed;
	skip_spec_init(&spec, "linear", "clblast", "MAIN");
	skip_spec_int(&spec, "LINEAR_N", p->n);
	skip_linear_epilogue(&spec, p);
	spec.local[0] = GROUP;
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	if (p->bias != SKIP_NONE) skip_launch_buffer(launch, p->bias);
	if (p->residual != SKIP_NONE) skip_launch_buffer(launch, p->residual);
	skip_launch_buffer(launch, p->y);
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p->rows_value, &fixed);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, p->n, 0, 1);
	skip_launch_global(launch, 1, rows, rows == SKIP_SIZE_ONE ? fixed : 1, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

enum skip_status skip_linear_lower_clblast(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err)
{
	enum skip_status status;
	struct skip_linear_product p;
	int fixed;
	SKIP_TRY(skip_linear_bind(lowering, node, NULL, 0, &p, err));
	const enum skip_size rows = skip_value_size(skip_lowering_graph(lowering), p.rows_value, &fixed);
	struct skip_plan_launch *launch = skip_lowering_begin_call(lowering, SKIP_CALL_GEMM);
	skip_launch_buffer(launch, p.x);
	skip_launch_buffer(launch, p.w);
	skip_launch_buffer(launch, p.y);
	if (rows == SKIP_SIZE_ONE)
		skip_launch_int(launch, fixed);
	else
		skip_launch_size(launch, rows);
	skip_launch_int(launch, p.n);
	skip_launch_int(launch, p.k);
	skip_launch_int(launch, p.transpose);
	launch->macs_per_row = (double)p.n * p.k;
	SKIP_TRY(skip_lowering_end(lowering, launch, err));
	if (p.bias != SKIP_NONE || p.residual != SKIP_NONE || node->attrs.linear.act != SKIP_ACT_NONE) status = lower_rest(lowering, &p, err);
cleanup:
	return status;
}
