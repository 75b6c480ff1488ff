/* The FPGA side of linear (fpga.c): the variant "fpga" of its lowering, and its engine for estimates. */
#ifndef SKIP_KERNELS_LINEAR_FPGA_H
#define SKIP_KERNELS_LINEAR_FPGA_H

#include "device/family.h"

enum skip_status skip_linear_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err);
enum skip_status skip_linear_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				    struct skip_workload work, struct skip_engine *out, struct skip_err *err);

#endif
