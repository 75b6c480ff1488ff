/*
 * One row per work-item. Four partial sums over d mod 4, added pairwise.
 *
 * r = 1/sqrt(var + EPS), xh = (x - mean) r. MAIN: y = gamma xh + beta. BWD, a = dy gamma: dx = r (a - mean(a) - xh mean(a xh)).
 * D: columns; EPS above 0.
 */
#ifndef SKIP_LAYERNORM_D
#error "SKIP_LAYERNORM_D: columns"
#endif
#ifndef SKIP_LAYERNORM_EPS
#error "SKIP_LAYERNORM_EPS: added to the variance"
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_LAYERNORM_GROUP))) void SKIP_LAYERNORM_NAME(
	__global const float *restrict x, /* [rows][D] */
#ifdef SKIP_LAYERNORM_KERNEL_BWD
	__global const float *restrict dy, /* [rows][D] */
#endif
	__global const float *restrict gamma, /* [D] */
#ifdef SKIP_LAYERNORM_KERNEL_MAIN
	__global const float *restrict beta, /* [D] */
#endif
	__global float *restrict y) /* [rows][D] */
{
	SKIP_REQUIRE(sizes, SKIP_LAYERNORM_D > 0);
	const uint start = (uint)get_global_id(0) * SKIP_LAYERNORM_D;
	float part[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
	for (uint d = 0; d < SKIP_LAYERNORM_D; d++) part[d & 3] += x[start + d];
	const float mean = ((part[0] + part[2]) + (part[1] + part[3])) / SKIP_LAYERNORM_D;
	for (uint i = 0; i < 4; i++) part[i] = 0.0f;
	for (uint d = 0; d < SKIP_LAYERNORM_D; d++) part[d & 3] = fma(x[start + d] - mean, x[start + d] - mean, part[d & 3]);
	const float r = 1.0f / sqrt(((part[0] + part[2]) + (part[1] + part[3])) / SKIP_LAYERNORM_D + SKIP_LAYERNORM_EPS);
#ifdef SKIP_LAYERNORM_KERNEL_MAIN
	for (uint d = 0; d < SKIP_LAYERNORM_D; d++) y[start + d] = fma(gamma[d], (x[start + d] - mean) * r, beta[d]);
#else
	float along[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
	for (uint i = 0; i < 4; i++) part[i] = 0.0f;
	for (uint d = 0; d < SKIP_LAYERNORM_D; d++) {
		const float a = dy[start + d] * gamma[d];
		part[d & 3] += a;
		along[d & 3] = fma(a, (x[start + d] - mean) * r, along[d & 3]);
	}
	const float mean_a = ((part[0] + part[2]) + (part[1] + part[3])) / SKIP_LAYERNORM_D;
	const float mean_axh = ((along[0] + along[2]) + (along[1] + along[3])) / SKIP_LAYERNORM_D;
	for (uint d = 0; d < SKIP_LAYERNORM_D; d++)
		y[start + d] = r * fma(-(x[start + d] - mean) * r, mean_axh, dy[start + d] * gamma[d] - mean_a);
#endif
}
