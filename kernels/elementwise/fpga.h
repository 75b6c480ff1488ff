/* The FPGA side of elementwise (fpga.c): the variant "fpga" of its lowering, and its engine for estimates. */
#ifndef SKIP_KERNELS_ELEMENTWISE_FPGA_H
#define SKIP_KERNELS_ELEMENTWISE_FPGA_H

#include "device/family.h"

enum skip_status skip_elementwise_lower_fpga(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err);
enum skip_status skip_elementwise_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				    struct skip_workload work, struct skip_engine *out, struct skip_err *err);

#endif
