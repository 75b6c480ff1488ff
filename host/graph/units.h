/*
 * Units: what can be removed. Found by following the tie rules of the ops, never by names.
 *
 * A group is a class of value columns that live and die together, with every tensor slice tied to them; it is removable when no op fixes it
 * (the residual stream is fixed). One group per (layer, kind): ffn [F]; v [H*E_v]; qk [H*E_qk]. A head is E_v v-dims and E_qk qk-dims with one
 * head index; a sub-layer is a whole group. Works on unfused graphs (before pass/fuse).
 *
 * Layers that share a weight share the group too: a unit is removed in every layer that uses it (skip_pass_untie gives each layer weights of its own).
 *
 * A unit is one column, or where an op turns columns in pairs (rotary) the pair e, e + E_qk/2 of one head.
 *
 * The slots of a layer's prefix are units too: rows of its tensors, columns of no value. Their groups stand behind those of columns, which is all
 * that most walks look at.
 */
#ifndef SKIP_GRAPH_UNITS_H
#define SKIP_GRAPH_UNITS_H

#include "graph/graph.h"

enum skip_unit_kind { SKIP_UNIT_FFN, SKIP_UNIT_V, SKIP_UNIT_QK, SKIP_UNIT_PREFIX, SKIP_UNIT_KIND_COUNT };
const char *skip_unit_kind_name(enum skip_unit_kind kind); /* "ffn", "v", "qk", "prefix" */

struct skip_unit_slice {
	int tensor, axis; /* index along `axis` of the tensor == column */
	bool by_head;     /* index == head instead: it goes with the whole head */
};

/* Of one group; more than a few only where layers share weights. */
#define SKIP_UNIT_MAX_USES 32
#define SKIP_UNIT_MAX_VALUES (3 * SKIP_UNIT_MAX_USES)
#define SKIP_UNIT_MAX_SLICES (SKIP_UNIT_MAX_USES + 8)

/* One place where the units of a group act. */
struct skip_unit_use {
	int layer;
	int post;         /* value where the mask acts linearly: G, Ctx; Q for qk. Of slots: Ctx, whose producer masks them in its softmax */
	int also;         /* value that the mask must reach beside it: K where it meets more than Q; SKIP_NONE: none */
	int pre[2], n_pre;/* outputs of the producing linears: U; V; Q and K */
	int consumer;     /* node that reads `post` through a weight: W_2, W_O; SKIP_NONE for qk and slots */
};

struct skip_unit_group {
	enum skip_unit_kind kind;
	int layer;        /* of the first use, as post, pre and consumer */
	int width;        /* units */
	int columns;      /* of a unit: 1, or 2 for pairs. The group's values have width * columns */
	int heads, per_head; /* v and qk: width = heads * per_head; ffn: heads 1 */
	int post;
	int pre[2], n_pre;
	int consumer;
	struct skip_unit_use use[SKIP_UNIT_MAX_USES]; /* in order of the graph; one but where layers share weights */
	int n_uses;
	int values[SKIP_UNIT_MAX_VALUES], n_values;
	struct skip_unit_slice slices[SKIP_UNIT_MAX_SLICES];
	int n_slices;
};

struct skip_ties;

struct skip_units {
	struct skip_unit_group *group; /* [n_all] ordered by layer, then kind (qk, v, ffn as they occur in the graph); behind them the slots, by layer */
	size_t n_groups; /* of columns */
	size_t n_all;    /* with those of slots */
	size_t total;    /* units of all groups */
};

enum skip_status skip_units_find(const struct skip_graph *graph, struct skip_units *out, struct skip_err *err);
void skip_units_deinit(struct skip_units *units);
/* Group whose first use is (layer, kind), NULL when absent (a vanished sub-layer, or one that shares the group of an earlier layer). */
const struct skip_unit_group *skip_units_get(const struct skip_units *units, int layer, enum skip_unit_kind kind);
/* Group that acts in (layer, kind), whichever layer its first use is; NULL when the sub-layer vanished. */
const struct skip_unit_group *skip_units_in(const struct skip_units *units, int layer, enum skip_unit_kind kind);
/* Whether any group acts in more than one layer. */
bool skip_units_shared(const struct skip_units *units);
/* Parameters of one unit (docs/method.md 4), prefix not counted. */
int64_t skip_unit_params(const struct skip_graph *graph, const struct skip_unit_group *group);

/* Column k < group->columns of a unit in the group's values and slices. Ascending units of a head have ascending columns for every k. */
int skip_unit_column(const struct skip_unit_group *group, int unit, int k);

/* For ops' `ties`: */
void skip_ties_same(struct skip_ties *ties, int value_a, int value_b);           /* columns j are one unit */
void skip_ties_slice(struct skip_ties *ties, int value, int tensor, int axis);   /* index j of axis belongs to column j */
void skip_ties_head_slice(struct skip_ties *ties, int value, int tensor, int axis); /* index h of axis belongs to head h */
void skip_ties_row(struct skip_ties *ties, int value, int tensor); /* row j of the tensor belongs to slot j of the node that makes `value` */
void skip_ties_pairs(struct skip_ties *ties, int value);                         /* a head's columns e and e + half leave together */
void skip_ties_fixed(struct skip_ties *ties, int value);                         /* columns cannot go */
void skip_ties_kind(struct skip_ties *ties, int value, enum skip_unit_kind kind, int heads); /* names the class of `value` */
void skip_ties_post(struct skip_ties *ties, int value);                          /* mask site of the class */
void skip_ties_also(struct skip_ties *ties, int value);                          /* second mask site */
void skip_ties_pre(struct skip_ties *ties, int value);
void skip_ties_consumer(struct skip_ties *ties, int value, int node);

/* A choice: for each group a byte per unit, 1 keeps. */
struct skip_keep {
	unsigned char **keep; /* [n_all][width] */
	size_t n_all;
};
enum skip_status skip_keep_create(const struct skip_units *units, struct skip_keep *out, struct skip_err *err); /* all ones */
void skip_keep_deinit(struct skip_keep *keep);
/*
 * Makes attention choices dense: a head that lost all of its v (or all qk) dims goes whole; checks that within a layer every kept head keeps the
 * same number of v dims and of qk dims, else SKIP_ERR_INPUT naming layer and head.
 */
enum skip_status skip_keep_normalise(const struct skip_units *units, struct skip_keep *keep, struct skip_err *err);

#endif
