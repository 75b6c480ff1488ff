/*
 * Attributes of every op, one plain struct each. An op's file owns the table that describes its struct (struct skip_attr_desc in graph/op.h).
 */
#ifndef SKIP_GRAPH_ATTRS_H
#define SKIP_GRAPH_ATTRS_H

#include <stdint.h>

enum skip_act { SKIP_ACT_NONE, SKIP_ACT_GELU, SKIP_ACT_GELU_TANH, SKIP_ACT_RELU, SKIP_ACT_TANH };
enum skip_pool { SKIP_POOL_MEAN, SKIP_POOL_CLS, SKIP_POOL_LAST };
/* Which row of its sequence a row of a value with B rows is, for ops that look at places. */
enum skip_at { SKIP_AT_FIRST, SKIP_AT_LAST };
/* Type in which products are taken; sums are float32, int32 for INT8. */
enum skip_precision { SKIP_PRECISION_F32, SKIP_PRECISION_BF16, SKIP_PRECISION_INT8, SKIP_PRECISION_COUNT };
enum skip_reduce { SKIP_REDUCE_SUM, SKIP_REDUCE_MAX, SKIP_REDUCE_MEAN, SKIP_REDUCE_ABSMAX };

struct skip_attrs_embed {
	int position_base; /* first position id: 0 BERT, 2 RoBERTa */
};
struct skip_attrs_layernorm {
	float eps;
};
struct skip_attrs_linear {
	enum skip_act act; /* applied to X W^T + b, before the residual is added */
	int transpose;     /* 1: Y = X W, W [in][out]; used by gradients */
	/* What X and W are rounded to before they are multiplied: INT8 with one scale per row of X and one per output (base/quant.h) */
	enum skip_precision precision;
	/* INT8, above 0: one scale for all of X, in which this magnitude is 127; what lies beyond it saturates. 0: the scales of rows, found as it runs. */
	float clip;
};
struct skip_attrs_linear_dw {
	enum skip_precision precision; /* what dY and X are rounded to before dW is made: F32 or BF16; db is made of floats */
};
/* y = act(x W1^T + b1) W2^T + b2 + residual, the two products rounded as a linear of this precision would. */
struct skip_attrs_ffn {
	enum skip_act act;
	enum skip_precision precision;
};
struct skip_attrs_act {
	enum skip_act kind;
};
/* in: q, k, v values (may be one fused value); head h, dim e of q is column q_col + h*qk + e, of v is v_col + h*v + e. */
struct skip_attrs_attention {
	int heads, qk, v;          /* H_l, E_qk, E_v after pruning */
	int q_col, k_col, v_col;
	float scale;               /* 1/sqrt(E), E the ORIGINAL head width */
	float prefix_dropout;      /* 0 when not training; masks from skip_rng_hash, see op/attention.c */
	enum skip_precision precision; /* what q, k, v and the weights are rounded to: F32 or BF16 */
	/* How far a query sees, prefix rows apart: with causal 1 no token behind it, with a window w > 0 none more than w places away. */
	int causal, window;
	enum skip_at at; /* place of the queries when q has B rows */
};
/* Parameters of attention and attention_bwd, see op/attention.c. */
enum skip_attention_param {
	SKIP_ATTENTION_PK,
	SKIP_ATTENTION_PV,
	SKIP_ATTENTION_BIAS, /* the first of the tables by distance */
	SKIP_ATTENTION_RK,
	SKIP_ATTENTION_RQ, /* and the last */
	SKIP_ATTENTION_SLOTS,
	SKIP_ATTENTION_PARAMS
};
struct skip_attrs_rotary {
	int heads;       /* H of x: heads of cols / H columns, column e turns with column e + half of them */
	int inverse;     /* 1: turns back; used by gradients */
	enum skip_at at; /* place of the rows when x has B rows */
};
struct skip_attrs_pool {
	enum skip_pool mode;
};
struct skip_attrs_dropout {
	float rate;
	int stream; /* distinguishes dropouts of one step */
};
#define SKIP_ADAMW_BETA1 0.9f /* shares of the old moments the optimiser uses */
#define SKIP_ADAMW_BETA2 0.999f
#define SKIP_CLIP_EPS 1e-6 /* beside the norm when gradients are clipped */
struct skip_attrs_adamw {
	float lr, decay;   /* of this tensor */
	float clip;	   /* largest global gradient norm; 0: any */
	float beta1, beta2, eps;
};
struct skip_attrs_score {
	enum skip_reduce reduce;
};

union skip_attrs {
	struct skip_attrs_embed embed;
	struct skip_attrs_layernorm layernorm; /* also layernorm_bwd, layernorm_dw */
	struct skip_attrs_linear linear;
	struct skip_attrs_linear_dw linear_dw;
	struct skip_attrs_ffn ffn;
	struct skip_attrs_act act;             /* also act_bwd */
	struct skip_attrs_attention attention; /* also attention_bwd */
	struct skip_attrs_rotary rotary;
	struct skip_attrs_pool pool;           /* also pool_bwd */
	struct skip_attrs_dropout dropout;
	struct skip_attrs_score score;
	struct skip_attrs_adamw adamw;
};

#endif
