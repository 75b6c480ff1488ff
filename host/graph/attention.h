/*
 * What attention and attention_bwd share: shape checks, the gathered keys and values of one (sequence, head), the softmax of one query row.
 */
#ifndef SKIP_GRAPH_ATTENTION_H
#define SKIP_GRAPH_ATTENTION_H

#include "graph/rules.h"

/* Checks attributes, column ranges of q, k, v (inputs 0..2), the prefix (params 0, 1), the tables by distance (2..4) and what is added to slots (5). */
enum skip_status skip_attention_check(const struct skip_graph *graph, const struct skip_node *node, struct skip_err *err);
/* First column of head 0, columns per head, of q, k or v (i = 0, 1, 2). */
int skip_attention_col(const struct skip_attrs_attention *attrs, int i);
int skip_attention_width(const struct skip_attrs_attention *attrs, int i);
/* Pairs of query and key that weigh in a sequence of n tokens, for counting multiply-adds. */
double skip_attention_keys(const struct skip_graph *graph, const struct skip_node *node, double n);
/* Number of prefix rows seen by the reference; 0 without. */
int skip_attention_prefix(const struct skip_ref_io *io);

/* One (sequence, head). Rows of key, value, weight: the P prefix rows, then the n_b tokens. */
struct skip_attention_head {
	int prefix, keys; /* P, P + n_b */
	int sequence, head;
	struct skip_span queries; /* rows of q */
	enum skip_rows rows;      /* of q */
	int first_token;          /* row of k and v of the first token */
	double *key, *value;      /* Kt [P+n][qk], Vt [P+n][v], prefix dropout applied */
	double *weight;           /* [P+n] of the last skip_attention_weights */
	double *block;            /* storage of the three */
};

/* Storage for the longest sequence of the batch; release with skip_attention_free. */
enum skip_status skip_attention_alloc(const struct skip_node *node, const struct skip_ref_io *io, struct skip_attention_head *head,
                                      struct skip_err *err);
void skip_attention_free(struct skip_attention_head *head);
void skip_attention_gather(const struct skip_node *node, const struct skip_ref_io *io, int sequence, int h,
                           struct skip_attention_head *head);
/* Place in the sequence of the query row `row` of q. */
int skip_attention_place(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head, int row);
/* Whether the query at `place` sees key j of Kt. */
bool skip_attention_sees(const struct skip_node *node, const struct skip_attention_head *head, int place, int j);
/* Element e of what a table (SKIP_ATTENTION_RK, RQ) adds to key j, or to the query, at that distance; 0 without the table and for prefix rows. */
double skip_attention_beside(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head,
                             enum skip_attention_param table, int place, int j, int e);
/* head->weight = exp(Z - largest) of the query row `row` of q, not rounded, 0 where it does not see the key; returns their sum: A is their quotient. */
double skip_attention_weights(const struct skip_node *node, const struct skip_ref_io *io, int row, struct skip_attention_head *head);
/* A number as the products of the op see it. */
double skip_attention_round(const struct skip_attrs_attention *attrs, double x);
/* Dropout factor of an element of the key (which = 0) or value (1) prefix, see op/attention.c. */
double skip_attention_factor(const struct skip_node *node, const struct skip_ref_io *io, const struct skip_attention_head *head, int which,
                             int slot, int e);

#endif
