/* The FPGA side of ffn (fpga.c): the variant "fpga" of its lowering, and its engine for estimates. */
#ifndef SKIP_KERNELS_FFN_FPGA_H
#define SKIP_KERNELS_FFN_FPGA_H

#include "device/family.h"

/* What the constants of the body are made of. */
struct skip_ffn_shape {
	int d, f, n, rows, outputs; /* D, F, N, T, P of fpga.cl */
	bool int8, bias1, bias2, residual;
	enum skip_act act;
};
struct skip_ffn_shape skip_ffn_shape_of(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile);
void skip_ffn_spec(const struct skip_ffn_shape *shape, struct skip_kernel_spec *spec);
/* Tokens of the residual that wait while a tile goes through both products, the depth of their channel: T ceil(N / P). */
int skip_ffn_residual_tokens(const struct skip_ffn_shape *shape);
/* Fewer are a deadlock: load_x writes word i of x, then token i of the residual, and none of the residual is read before the last word of a tile is there:
 * min(T ceil(N / P), T ceil(D / 16) - 1). */
int skip_ffn_least_residual_tokens(const struct skip_ffn_shape *shape);


enum skip_status skip_ffn_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err);
enum skip_status skip_ffn_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				    struct skip_workload work, struct skip_engine *out, struct skip_err *err);

#endif
