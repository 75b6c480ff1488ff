/*
 * What the files of linear share: a product with its buffers, how it is cut, and in a short type the form it is taken in.
 *
 *   family.c   what fits which node, buffers, generic and cpu, tuning     dot.c   short types
 *   gpu.c      work-groups                                                fpga.c  boards
 *   clblast.c  products that the library takes
 */
#ifndef SKIP_KERNELS_LINEAR_PRODUCT_H
#define SKIP_KERNELS_LINEAR_PRODUCT_H

#include "device/family.h"

#define SKIP_LINEAR_SUMS_MAX 24	       /* vectors a row tile may keep in registers: more spill, at half the speed */
#define SKIP_LINEAR_CACHE (256 * 1024) /* rows of x in words that meet every panel before the next rows come: a part of the second-level cache */

/* What multiplies: plain arithmetic, instructions on vectors, on tiles of AMX. The numbers are those of dot.cl. */
enum skip_linear_assembly { SKIP_LINEAR_PLAIN, SKIP_LINEAR_VECTORS, SKIP_LINEAR_AMX };

/* How products in a short type are taken (dot.cl). */
struct skip_linear_form {
	const char *name;
	enum skip_precision precision;
	enum skip_layout layout;
	enum skip_linear_assembly assembly;
	bool generic;
};
/* The first form of the profile. */
enum skip_status skip_linear_find_form(const struct skip_profile *profile, enum skip_precision precision, const struct skip_linear_form **out,
				       struct skip_err *err);

struct skip_linear_product {
	int x, w, bias, residual, y; /* buffers; bias and residual may be SKIP_NONE */
	int rows_value;              /* the value whose rows are walked */
	int n, k;
	int transpose;
	enum skip_layout words; /* y is written in; SKIP_LAYOUT_ROWS: as floats */
	float clip, y_clip;	/* of int8 with one scale: the x, and the y in words, that is 127; else 0 */
	const char *act;
};

/* How a product is cut: heights of its row tiles, descending, vectors in a row of them, and `block`: most tiles that a work-item of a short type takes, on
 * GPUs the rows it takes. */
struct skip_linear_cut {
	int mr[SKIP_LAUNCH_MAX_COVER], n_mr, nv, block;
};

/* The numbers of a tile: highest row tile, vectors in a row of it, tiles of a work-item in a short type, rows of a work-item on GPUs. */
enum { SKIP_LINEAR_TILE_MR, SKIP_LINEAR_TILE_NV, SKIP_LINEAR_TILE_BLOCK, SKIP_LINEAR_TILE_TM };

/* Whether the sums of a row tile fit the registers of the form; NULL: float32. */
bool skip_linear_fits(const struct skip_linear_form *form, int mr, int nv);
/* The heights of the profile from `highest` down, and itself; those that do not fit registers are left out. And as the profile says. */
struct skip_linear_cut skip_linear_make_cut(const struct skip_profile *profile, const struct skip_linear_form *form, int highest, int nv, int block);
struct skip_linear_cut skip_linear_own_cut(const struct skip_profile *profile, const struct skip_linear_form *form);
/* The height that wastes the fewest of `rows`; the larger of equals. */
int skip_linear_best_height(const struct skip_linear_cut *cut, int rows);

/* Buffers of the node. form: NULL for float32. nr 0: weights and bias as they stand; else padded to whole panels of nr columns. */
enum skip_status skip_linear_bind(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form, int nr,
				  struct skip_linear_product *out, struct skip_err *err);
/* Groups of constants, and the arguments every body begins with. */
void skip_linear_sizes(struct skip_kernel_spec *spec, const struct skip_linear_product *p);
void skip_linear_tile(struct skip_kernel_spec *spec, int mr, int nv, int vec, int block);
void skip_linear_epilogue(struct skip_kernel_spec *spec, const struct skip_linear_product *p);
void skip_linear_form_constants(struct skip_kernel_spec *spec, const struct skip_linear_form *form);
void skip_linear_buffers(struct skip_plan_launch *launch, const struct skip_linear_product *p);

/* gpu.c. tile NULL: as the profile says. And candidate `i` of tiles. */
enum skip_status skip_linear_lower_gpu(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_tile *tile, struct skip_err *err);
bool skip_linear_gpu_tile(const struct skip_profile *profile, size_t i, struct skip_tile *out);

/* clblast.c */
enum skip_status skip_linear_lower_clblast(struct skip_lowering *lowering, const struct skip_node *node, struct skip_err *err);

/* dot.c */
enum skip_status skip_linear_lower_dot(struct skip_lowering *lowering, const struct skip_node *node, const struct skip_linear_form *form,
				       const struct skip_linear_cut *cut, struct skip_err *err);
enum skip_status skip_linear_peak(const struct skip_profile *profile, enum skip_precision precision, struct skip_peak_loop *out, struct skip_err *err);

#endif
