/* The RTL side of ffn (rtl.c): the constants of kernels/ffn/rtl.sv, and what that hardware costs. */
#ifndef SKIP_KERNELS_FFN_RTL_H
#define SKIP_KERNELS_FFN_RTL_H

#include "device/family.h"

extern const struct skip_rtl skip_ffn_rtl;
/* vectors.c */
enum skip_status skip_ffn_vectors(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile, struct skip_buf *out,
				  struct skip_err *err);

#endif
