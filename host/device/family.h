/*
 * Kernel families. A family is a folder kernels/<family>/ with family.c (this contract), one body per variant (<variant>.cl) and is found by
 * CMake. family.c defines `const struct skip_family skip_family_<folder>` and knows its op, its constants, its launches; nothing else does.
 *
 * A body is OpenCL C 1.2 that reads constants `SKIP_<FAMILY>_<X>` (dimensions as literals) and its kernel name from the constants block emitted before
 * it; it opens with #ifndef/#error for each of them and static limits as negative array sizes. After the body the emitter writes #undef lines, so one
 * program holds many instances. Shared functions (kernels/common/<name>.cl: maths, rng) are emitted once per program, before the first user.
 */
#ifndef SKIP_DEVICE_FAMILY_H
#define SKIP_DEVICE_FAMILY_H

#include "base/buf.h"
#include "device/engine.h"
#include "device/plan.h"
#include "device/profile/profile.h"

struct skip_lowering; /* lower/: the state of lowering one graph */

/* One constant of the block. */
struct skip_constant {
	char name[48]; /* without the SKIP_ prefix: "LINEAR_K" */
	char text[96]; /* literal or name: "384", "0x1.6a09e6p-3f", "gelu" */
};
#define SKIP_SPEC_MAX_CONSTANTS 32

/* The descriptor of a kernel: same bytes, same kernel. Zero it before filling. */
struct skip_kernel_spec {
	const char *family, *variant; /* "linear", "cpu" */
	const char *body_kernel;      /* which of the kernels of the body; the body tests it as SKIP_<FAMILY>_KERNEL_<NAME> being defined: "MAIN", "GATHER" */
	struct skip_constant constant[SKIP_SPEC_MAX_CONSTANTS];
	int n_constants;
	uint16_t local[3];
	int stage_of; /* 1 + the kernel in whose text this one stands (skip_lowering_stage); 0: it has its own */
};

/* A family's body in SystemVerilog, kernels/<family>/rtl.sv, for boards built from RTL; kernels/<family>/testbench.cpp drives it. */
struct skip_rtl {
	const char *const *common; /* files of kernels/common it needs, .sv */
	/* The constants of one node's engine. They hold those of the variant `fpga`, whose arithmetic it has. SKIP_ERR_UNSUPPORTED: what the body has not. */
	enum skip_status (*spec)(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile, struct skip_kernel_spec *out,
				 struct skip_err *err);
	/* As skip_family.engine, of this body. */
	enum skip_status (*engine)(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				   struct skip_workload work, struct skip_engine *out, struct skip_err *err);
	/* Inputs for an engine of the node's shape and the answers of the float64 reference, as the testbench reads them. */
	enum skip_status (*vectors)(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile, struct skip_buf *out,
				    struct skip_err *err);
};

/* A kernel that is nothing but the innermost loop of a family's products, on operands that stay in the first cache: what a form can do at most. */
struct skip_peak_loop {
	struct skip_kernel_spec spec;		/* arguments: x, w, out; every work-item reads and writes the same */
	size_t x_words, w_words, out_words;	/* 32-bit words */
	uint32_t ones;				/* the word of ones that fills x and w */
	double macs;				/* multiply-adds of a work-item */
};

/*
 * Tuning. What measuring can choose of a family's kernels is a tile: a few numbers whose names and meaning are the family's. Lowering takes the tile tuned
 * for a node's shape, else the one its board file ships, else the family's first; either counts only when it is one of the family's own.
 */
#define SKIP_TILE_NUMBERS 4
struct skip_tile {
	int number[SKIP_TILE_NUMBERS];
	int reach_rows, reach_cols; /* rows, and elements, behind the last one of a value that a work-item may touch */
};
struct skip_tile_problem {
	char shape[SKIP_NAME];	/* nodes of one shape share a tile: "k384 n1536 T f32 cpu" */
	struct skip_node node;	/* the barest of them, on the values and tensors of the graph: what is tried and timed */
	/* A right answer lies within so many roundings to float of the reference: of the sum of magnitudes, or where sums are exact of the answer itself. */
	double roundings;
	bool exact;
};
struct skip_tiling {
	const char *const *names; /* of the numbers, NULL-terminated; a number that is 0 is left off where tiles are written */
	/* Names the node's shape; false where there is nothing to choose. */
	bool (*problem)(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
			struct skip_tile_problem *out);
	/* Tile `i` of those worth trying for a node that has a problem, what the profile says first; false: there are no more. */
	bool (*candidate)(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node, size_t i,
			  struct skip_tile *out);
};

struct skip_family {
	const char *name;
	const char *const *ops;      /* names of the ops it covers, NULL-terminated */
	const char *const *variants; /* bodies it has; "generic" is always among them */
	const char *const *common;   /* files of kernels/common it needs */
	/* Appends the launches of one node, using the functions below. `variant` is one of `variants`, chosen by the profile. */
	enum skip_status (*lower)(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err);
	/* The layout in which the node would read its input `input`: words, or SKIP_LAYOUT_ROWS for floats. *clip comes as 0: for words of int8 with one scale
	 * for all rows it is the magnitude that is 127. NULL: all inputs are floats. */
	enum skip_layout (*reads)(const struct skip_graph *graph, const struct skip_profile *profile, const char *variant, const struct skip_node *node,
				  int input, float *clip);
	/* Families with a variant "fpga": the hardware its body becomes in the form of `profile`, and what one node of `work` costs on it. `out` comes zeroed. */
	enum skip_status (*engine)(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile,
				   struct skip_workload work, struct skip_engine *out, struct skip_err *err);
	const struct skip_rtl *rtl; /* NULL: on boards built from RTL its nodes stay with the host */
	/* The loop of products in a short type, in the first form of the profile; NULL for families that have none. */
	enum skip_status (*peak)(const struct skip_profile *profile, enum skip_precision precision, struct skip_peak_loop *out, struct skip_err *err);
	const struct skip_tiling *tiling; /* NULL: nothing to choose */
};

extern const struct skip_family *const skip_families[]; /* NULL-terminated, made by CMake */
/* The family that covers an op, NULL when none does. */
const struct skip_family *skip_family_of(const char *op);
/* The first variant of the profile that the family has; NULL: none. */
const char *skip_family_variant(const struct skip_family *family, const struct skip_profile *profile);
/* Hash over the texts of a family's kernels, the shared ones too: what was found for other texts does not count. */
enum skip_status skip_family_version(const struct skip_family *family, char out[SKIP_SHA256_HEX], struct skip_err *err);
/* "mr12 nv2" of a tile; at most 48 characters with the end. */
void skip_tile_text(const struct skip_tiling *tiling, const struct skip_tile *tile, char out[48]);
/* Text of kernels/<folder>/<file>.cl, compiled in; NULL when absent. And of a file of any ending. */
const char *skip_kernel_text(const char *folder, const char *file);
const char *skip_kernel_file(const char *folder, const char *file);

/* For families: */
const struct skip_graph *skip_lowering_graph(const struct skip_lowering *lowering);
const struct skip_profile *skip_lowering_profile(const struct skip_lowering *lowering);
/* The tile of the node being lowered, which has a problem (struct skip_tiling). */
const struct skip_tile *skip_lowering_tile(struct skip_lowering *lowering);
void skip_spec_init(struct skip_kernel_spec *spec, const char *family, const char *variant, const char *body_kernel);
void skip_spec_int(struct skip_kernel_spec *spec, const char *name, int64_t value);
void skip_spec_float(struct skip_kernel_spec *spec, const char *name, float value); /* exact hexadecimal literal */
void skip_spec_word(struct skip_kernel_spec *spec, const char *name, const char *word);
/* Index of the kernel for this spec in the plan: the old one when the same spec was seen. Its name is made from family, kernel and a short hash of the
 * spec plus readable dims. */
enum skip_status skip_lowering_kernel(struct skip_lowering *lowering, const struct skip_kernel_spec *spec, int *kernel, struct skip_err *err);
/* Buffers: of a value (made on first use), of a batch table, of a tensor in a layout (shared when the same), scratch. */
enum skip_status skip_lowering_value(struct skip_lowering *lowering, int value, int *buffer, struct skip_err *err);
enum skip_status skip_lowering_batch(struct skip_lowering *lowering, enum skip_batch_data data, int *buffer, struct skip_err *err);
enum skip_status skip_lowering_weight(struct skip_lowering *lowering, int tensor, enum skip_layout layout, int nr, int transpose, int *buffer,
				      struct skip_err *err);
enum skip_status skip_lowering_scratch(struct skip_lowering *lowering, const char *name, struct skip_extent rows, int64_t cols, int *buffer,
				       struct skip_err *err);
/*
 * Values in words. Whether a later node, or for floats the caller, reads `value` in this layout; and the buffer for its words, which the node that makes
 * the value may write itself: `written` is false the first time it is asked for, and who asks then writes it. Readers ask skip_lowering_rounded, which
 * appends a launch that rounds the floats when nobody has.
 */
bool skip_lowering_is_read(const struct skip_lowering *lowering, int value, enum skip_layout layout);
/* Whether the caller asks for the value: it may write another over it and go on from there, so that words of it are made by who reads them, not beside it. */
bool skip_lowering_is_wanted(const struct skip_lowering *lowering, int value);
/* The layout of words that all who read `value` want and that takes no search for scales, bfloat16 or int8 with a clip; SKIP_LAYOUT_ROWS: there is none. */
enum skip_layout skip_lowering_only_words(const struct skip_lowering *lowering, int value);
float skip_lowering_clip(const struct skip_lowering *lowering, int value, enum skip_layout layout); /* of all who read these words; 0: rows have scales */
bool skip_lowering_has_words(const struct skip_lowering *lowering, int value, enum skip_layout layout); /* somebody writes them */
enum skip_status skip_lowering_words(struct skip_lowering *lowering, int value, enum skip_layout layout, int *buffer, bool *written,
				     struct skip_err *err);
enum skip_status skip_lowering_rounded(struct skip_lowering *lowering, int value, enum skip_layout layout, int *buffer, struct skip_err *err);
const char *skip_words_row_function(enum skip_layout layout); /* of kernels/common/words.cl: for a row, and for a vector without its width */
const char *skip_words_function(enum skip_layout layout);
/* For ops that change tensors in place: `value` is what the weight buffer holds from here on; and the buffers of a tensor made so far, in every
 * layout: the first with `after` SKIP_NONE, SKIP_NONE after the last. */
void skip_lowering_place(struct skip_lowering *lowering, int value, int buffer);
int skip_lowering_next_layout(const struct skip_lowering *lowering, int tensor, int after);
const struct skip_plan_buffer *skip_lowering_buffer(const struct skip_lowering *lowering, int buffer);
/* The launch being built: begin, add arguments in the order of the kernel, end. */
struct skip_plan_launch *skip_lowering_begin(struct skip_lowering *lowering, int kernel);
struct skip_plan_launch *skip_lowering_begin_call(struct skip_lowering *lowering, enum skip_call call); /* of a library, no kernel */
void skip_launch_buffer(struct skip_plan_launch *launch, int buffer);
void skip_launch_name(struct skip_plan_launch *launch, const char *name); /* of the argument added last, as the body calls it */
void skip_launch_size(struct skip_plan_launch *launch, enum skip_size size);
void skip_launch_int(struct skip_plan_launch *launch, int32_t value);
void skip_launch_float(struct skip_plan_launch *launch, float value); /* what no text should depend on */
void skip_launch_row0(struct skip_plan_launch *launch);
void skip_launch_tile(struct skip_plan_launch *launch);
void skip_launch_key(struct skip_plan_launch *launch);
void skip_launch_global(struct skip_plan_launch *launch, int dim, enum skip_size size, int mul, int add, int div);
void skip_launch_cover(struct skip_plan_launch *launch, enum skip_size rows, int kernel, int tile);
/* A kernel of its own in the text of `kernel`, called <name of it>_<stage>: an engine whose stages are kernels. */
enum skip_status skip_lowering_stage(struct skip_lowering *lowering, int kernel, const char *stage, int *out, struct skip_err *err);
void skip_launch_together(struct skip_plan_launch *launch); /* with the launch before, of the same node */
enum skip_status skip_lowering_end(struct skip_lowering *lowering, struct skip_plan_launch *launch, struct skip_err *err);
/* The run-time size symbol of a value's rows (T or B; ONE with the fixed count in *fixed). */
enum skip_size skip_value_size(const struct skip_graph *graph, int value, int *fixed);

#endif
