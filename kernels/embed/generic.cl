/*
 * x[t] = word[ids[t]] + position[POSITION_BASE + positions[t]] + type[types[t]]; one element per work-item, dimension 0 walks columns,
 * dimension 1 rows.
 *
 * D: columns; POSITION_BASE: first position id; POSITIONS, TYPES 0 or 1: are their arguments there.
 */
#ifndef SKIP_EMBED_D
#error "SKIP_EMBED_D: columns"
#endif
#ifndef SKIP_EMBED_POSITION_BASE
#error "SKIP_EMBED_POSITION_BASE: first position id"
#endif
#ifndef SKIP_EMBED_POSITIONS
#error "SKIP_EMBED_POSITIONS: 0 or 1"
#endif
#ifndef SKIP_EMBED_TYPES
#error "SKIP_EMBED_TYPES: 0 or 1"
#endif

__kernel __attribute__((reqd_work_group_size(SKIP_EMBED_GROUP))) void SKIP_EMBED_NAME(
	__global const int *restrict ids, /* [T] */
#if SKIP_EMBED_POSITIONS
	__global const int *restrict positions, /* [T] */
#endif
#if SKIP_EMBED_TYPES
	__global const int *restrict types, /* [T] */
#endif
	__global const float *restrict word, /* [V][D] */
#if SKIP_EMBED_POSITIONS
	__global const float *restrict position, /* [N][D] */
#endif
#if SKIP_EMBED_TYPES
	__global const float *restrict type, /* [M][D] */
#endif
	__global float *restrict x) /* [T][D] */
{
	SKIP_REQUIRE(sizes, SKIP_EMBED_D > 0 && SKIP_EMBED_POSITION_BASE >= 0);
	const uint d = (uint)get_global_id(0), t = (uint)get_global_id(1);
	if (d >= SKIP_EMBED_D) return;
	float sum = word[(uint)ids[t] * SKIP_EMBED_D + d];
#if SKIP_EMBED_POSITIONS
	sum += position[(uint)(SKIP_EMBED_POSITION_BASE + positions[t]) * SKIP_EMBED_D + d];
#endif
#if SKIP_EMBED_TYPES
	sum += type[(uint)types[t] * SKIP_EMBED_D + d];
#endif
	x[t * SKIP_EMBED_D + d] = sum;
}
