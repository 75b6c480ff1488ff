/*
 * The plan: everything an executor needs to run a graph on one device profile, and nothing else. lower/ makes it, emit/ turns it into text and
 * manifest, run/ executes it. Host code holds no dimensions: they stand in the plan as data and in the kernel text as literals.
 *
 * Run-time sizes (enum skip_size) are all that is free:
 *   T  tokens of the batch            B  sequences
 *   R  rows of gathered keys: sum over b of round_up(P + n_b, key_align)   (P of the graph; layers without a prefix use the same layout)
 *   Q  query blocks: sum over b of ceil(n_b / query_block)
 *   W  work-groups that run side by side
 */
#ifndef SKIP_DEVICE_PLAN_H
#define SKIP_DEVICE_PLAN_H

#include "base/buf.h"
#include "base/sha256.h"
#include "device/profile/profile.h"
#include <stdbool.h>

enum skip_size { SKIP_SIZE_ONE, SKIP_SIZE_T, SKIP_SIZE_B, SKIP_SIZE_R, SKIP_SIZE_Q, SKIP_SIZE_W, SKIP_SIZE_COUNT };

/* ceil((mul * size + add) / div); every field >= 0, div >= 1. ONE has size 1. */
struct skip_extent {
	enum skip_size size;
	int mul, add, div;
};

enum skip_buffer_role {
	SKIP_BUFFER_WEIGHT,  /* filled once from `source` in `layout`; refilled when a trained tensor changes */
	SKIP_BUFFER_VALUE,   /* a graph value; `value` says which */
	SKIP_BUFFER_SCRATCH, /* what is no graph value: a value in words, a prefix with its dropout ... */
	SKIP_BUFFER_BATCH    /* written per batch by run/: what `batch` says */
};

/* What run/ computes from a struct skip_batch. All int32. */
enum skip_batch_data {
	SKIP_BATCH_IDS,        /* [T] */
	SKIP_BATCH_TYPES,      /* [T] */
	SKIP_BATCH_POSITIONS,  /* [T] index of the row within its sequence, from 0 */
	SKIP_BATCH_SEQ,        /* [T] sequence of the row */
	SKIP_BATCH_OFFSET,     /* [B+1] first row of each sequence */
	SKIP_BATCH_KEY_OFFSET, /* [B+1] first row of each sequence in gathered layouts, multiples of key_align */
	SKIP_BATCH_QBLOCK,     /* [Q][4] sequence, first row (of T), rows, first gathered row */
	SKIP_BATCH_DATA_COUNT
};

/* Layouts of weight buffers (run/pack.c). in [K], out [N], W given as [N][K], or as [K][N] when `transpose`. */
enum skip_layout {
	SKIP_LAYOUT_ROWS,   /* as the tensor, converted to float */
	SKIP_LAYOUT_PANELS, /* [ceil(N/nr)][K][nr], zero columns after N; 64-byte aligned */
	SKIP_LAYOUT_PADDED, /* a vector padded with zeros to a multiple of nr */
	/*
	 * Panels of 32-bit words that hold E numbers of one column, lowest first: [ceil(N/nr)][ceil(K/E)][nr], zeros after K and N. The integer
	 * ones are followed in each panel by [nr] float scales of the columns (base/quant.h) and [nr] int32 starts of their sums.
	 */
	SKIP_LAYOUT_BF16X2, /* bfloat16 */
	SKIP_LAYOUT_S8X4,   /* int8, to be multiplied by x + 128; starts are -128 sum_k w */
	SKIP_LAYOUT_S16X2,  /* int8 in 16 bits; starts are zero */
	SKIP_LAYOUT_COUNT
};
/* Numbers in a word of the layout; 0 for layouts of floats. And words beside the weights, per column. */
int skip_layout_per_word(enum skip_layout layout);
int skip_layout_side(enum skip_layout layout);
/* Words of a row of a value of `cols` numbers in a layout of words (kernels/common/words.cl). */
int skip_layout_row(enum skip_layout layout, int cols);
bool skip_layout_is_panels(enum skip_layout layout);

struct skip_plan_buffer {
	char name[SKIP_NAME];
	enum skip_buffer_role role;
	/* elements (4 bytes each) = extent * cols + slack */
	struct skip_extent rows;
	int64_t cols, slack;
	int value;                   /* VALUE */
	enum skip_batch_data batch;  /* BATCH */
	int tensor;                  /* WEIGHT: index of the graph's tensor */
	enum skip_layout layout;
	int nr, transpose;
	int pool;                    /* memory pool slot given by the memory plan; buffers of one slot never live together. -1: own */
};

enum skip_arg_kind { SKIP_ARG_BUFFER, SKIP_ARG_SIZE, SKIP_ARG_INT, SKIP_ARG_FLOAT, SKIP_ARG_ROW0, SKIP_ARG_TILE, SKIP_ARG_KEY, SKIP_ARG_COUNT };

#define SKIP_LAUNCH_MAX_ARGS 96
#define SKIP_LAUNCH_MAX_COVER 4

struct skip_plan_arg {
	enum skip_arg_kind kind;
	int buffer;          /* BUFFER */
	enum skip_size size; /* SIZE: passed as int; COUNT: the rows that are covered */
	int32_t i;           /* INT; COUNT: which tile's number, passed as int */
	int tile[SKIP_LAUNCH_MAX_COVER], n_tiles; /* COUNT: as of a launch with this cover */
	float f;             /* FLOAT */
	char name[12];       /* in the kernel, where a link file or a manifest has to name it; else "" */
	                     /* ROW0: first row of a cover piece, TILE: rows of its tiles; KEY: dropout key of this run (uint) */
};

/*
 * What a launch runs when it is no emitted kernel: a routine of a library, which has no text of ours. Its arguments are
 *   GEMM  x, w, y; rows (size or int), columns, depth, transpose (ints): y = x W, W stored [columns][depth], [depth][columns] when transpose
 */
enum skip_call { SKIP_CALL_NONE, SKIP_CALL_GEMM, SKIP_CALL_COUNT };
extern const char *const skip_call_names[]; /* "", "clblast.sgemm", NULL */
enum { SKIP_GEMM_X, SKIP_GEMM_W, SKIP_GEMM_Y, SKIP_GEMM_ROWS, SKIP_GEMM_COLS, SKIP_GEMM_DEPTH, SKIP_GEMM_TRANSPOSE, SKIP_GEMM_ARGS };

struct skip_plan_kernel {
	char name[SKIP_NAME]; /* unique in the plan; the __kernel's name */
	int program;
	uint16_t local[3]; /* reqd_work_group_size */
};

/*
 * One launch. Normally one kernel over `global` work-items, rounded up to whole work-groups (a kernel guards its own end). With a cover
 * (n_cover > 0) the rows `cover_rows` are cut into pieces of cover[i].tile rows,
 * largest tile first, the remainder by the variant that wastes least; each piece is one enqueue with its ROW0 and global[0] = tiles of the piece.
 */
struct skip_plan_launch {
	int node;   /* graph node it belongs to */
	int kernel; /* when n_cover == 0; SKIP_NONE for a call */
	enum skip_call call; /* not NONE: this instead of a kernel; then no global size, no cover */
	struct skip_extent global[3];
	struct skip_plan_arg arg[SKIP_LAUNCH_MAX_ARGS];
	int n_args;
	enum skip_size cover_rows;
	struct {
		int kernel, tile;
	} cover[SKIP_LAUNCH_MAX_COVER];
	int n_cover;
	/* A stage of the same engine as the launch before: the two are joined by channels and run side by side, each on a queue of its own. One piece. */
	bool together;
	enum skip_tile_origin tile; /* where the tile of its node came from: a statement too */
	double macs_per_row; /* of cover_rows or T; a statement of the manifest, nothing here reads it */
};

struct skip_plan_program {
	char name[SKIP_NAME]; /* file stem: "kernels" */
	char *text;           /* complete OpenCL C */
	char hash[SKIP_SHA256_HEX]; /* of the text without its provenance comment */
	struct skip_buf binary;     /* built beforehand, checked; empty: the device's runtime compiles the text */
};

struct skip_plan {
	char profile[SKIP_NAME];
	char options[256]; /* build options */
	int prefix, query_block, key_align;
	struct skip_plan_program *programs;
	size_t n_programs;
	struct skip_plan_kernel *kernels;
	size_t n_kernels;
	struct skip_plan_buffer *buffers;
	size_t n_buffers;
	struct skip_plan_launch *launches; /* in order */
	size_t n_launches;
	int *value_buffer; /* [graph->n_values] buffer of a value, SKIP_NONE for values that no launch touches */
	size_t n_values;
	int n_pools;
	bool whole; /* launches stand for several nodes: ranges of nodes cannot be enqueued */
};

void skip_plan_destroy(struct skip_plan *plan);
/* The plan's one program in its built form; takes what `bytes` holds. */
void skip_plan_take_binary(struct skip_plan *plan, struct skip_buf *bytes);
/* Manifest form of the plan (not the program texts; their names and hashes) and back. */
enum skip_status skip_plan_to_json(const struct skip_plan *plan, json_t **out, struct skip_err *err);
enum skip_status skip_plan_from_json(const json_t *json, struct skip_plan **out, struct skip_err *err);

#endif
