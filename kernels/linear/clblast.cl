/*
 * What hangs on a product that a library has computed: y[m][n] = act(y[m][n] + bias[n]) + residual[m][n], one work-item per element; dimension 0 walks
 * columns, dimension 1 rows. N: columns; ACT: skip_none skip_gelu skip_gelu_tanh skip_relu skip_tanh; BIAS, RESIDUAL 0 or 1: is the argument there.
 */
#ifndef SKIP_LINEAR_N
#error "SKIP_LINEAR_N: columns of the product"
#endif
#ifndef SKIP_LINEAR_ACT
#error "SKIP_LINEAR_ACT: function of the activation, without its width"
#endif
#ifndef SKIP_LINEAR_BIAS
#error "SKIP_LINEAR_BIAS: 0 or 1"
#endif
#ifndef SKIP_LINEAR_RESIDUAL
#error "SKIP_LINEAR_RESIDUAL: 0 or 1"
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_LINEAR_GROUP))) void SKIP_LINEAR_NAME(
#if SKIP_LINEAR_BIAS
	__global const float *restrict bias, /* [N] */
#endif
#if SKIP_LINEAR_RESIDUAL
	__global const float *restrict residual, /* [M][N] */
#endif
	__global float *restrict y) /* [M][N] */
{
	SKIP_REQUIRE(sizes, SKIP_LINEAR_N > 0);
	const uint n = (uint)get_global_id(0);
	const size_t at = get_global_id(1) * SKIP_LINEAR_N + n;
	if (n >= SKIP_LINEAR_N) return;
	float out = y[at];
#if SKIP_LINEAR_BIAS
	out += bias[n];
#endif
	out = SKIP_PASTE(SKIP_LINEAR_ACT, _f1)(out);
#if SKIP_LINEAR_RESIDUAL
	out += residual[at];
#endif
	y[at] = out;
}
