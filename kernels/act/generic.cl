/*
 * One element per work-item; dimension 0 walks columns, dimension 1 rows.
 *
 * Kernels: MAIN g = kind(u); BWD du = dg * kind'(u). COLS: columns; KIND: skip_gelu skip_gelu_tanh skip_relu skip_tanh.
 */
#ifndef SKIP_ACT_COLS
#error "SKIP_ACT_COLS: columns"
#endif
#ifndef SKIP_ACT_KIND
#error "SKIP_ACT_KIND: name of the activation"
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_ACT_GROUP))) void SKIP_ACT_NAME(
	__global const float *restrict u, /* [rows][COLS] */
#ifdef SKIP_ACT_KERNEL_BWD
	__global const float *restrict dg, /* [rows][COLS] */
#endif
	__global float *restrict y) /* [rows][COLS] */
{
	SKIP_REQUIRE(sizes, SKIP_ACT_COLS > 0);
	const uint col = (uint)get_global_id(0);
	if (col >= SKIP_ACT_COLS) return;
	const uint i = (uint)get_global_id(1) * SKIP_ACT_COLS + col;
#ifdef SKIP_ACT_KERNEL_BWD
	y[i] = dg[i] * SKIP_PASTE(SKIP_ACT_KIND, _grad_f1)(u[i]);
#else
	y[i] = SKIP_PASTE(SKIP_ACT_KIND, _f1)(u[i]);
#endif
}
