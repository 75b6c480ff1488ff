/* One product of the calibration: what it is in float32, and how far int8 with a given clip is from it. */
#ifndef SKIP_METHOD_CLIP_PRODUCT_H
#define SKIP_METHOD_CLIP_PRODUCT_H

#include "graph/graph.h"

#define SKIP_CLIP_TRIED 12

struct skip_clip_product {
	const float *x; /* [rows][k], borrowed */
	int rows, k, n;
	float *w;	  /* [n][k], int8 by rows, as the numbers it stands for */
	float *y, *short_y; /* [rows][n]: x W^T in float32; that of rounded x and w */
	float *short_x;	  /* [rows][k] */
	double size;	  /* sum of squares of y */
};
/* The product of linear `node` on x, which it borrows. Takes a zeroed one. */
enum skip_status skip_clip_product_init(struct skip_clip_product *product, const struct skip_graph *graph, const struct skip_node *node, const float *x, int rows,
					struct skip_err *err);
void skip_clip_product_deinit(struct skip_clip_product *product);
/* Sum of squared differences from y where x is rounded with this clip; 0: a scale for each row. */
double skip_clip_product_error(struct skip_clip_product *product, float clip);

#endif
