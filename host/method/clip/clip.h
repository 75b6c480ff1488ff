/*
 * One scale for all rows of what products in int8 read, instead of one for every row: found on text before running, and kept in the graph
 * (skip_pass_clip; docs/method.md, "Short types").
 *
 * The float32 network runs over the calibration rows. For every value that products in int8 read, clips from the largest magnitude seen downwards are
 * tried, and the one is kept whose products, weights in int8 too, lie nearest to those in float32: outliers saturate where the rest gains more by it.
 */
#ifndef SKIP_METHOD_CLIP_H
#define SKIP_METHOD_CLIP_H

#include "base/progress.h"
#include "device/session.h"
#include "text/dataset.h"

/* How far products are off: root of the mean over the tensors of (squared error / squared size of the float32 products), all readers of a tensor together. */
struct skip_clip_report {
	size_t tensors;
	int64_t tokens;	     /* calibrated on */
	double error;	     /* with the clips chosen */
	double error_rows;   /* with a scale of its own for every row */
	double error_widest; /* with the largest magnitudes as clips */
};

/*
 * *out: `graph`, whose products are in int8, with clips. At most 96 sentences and about 1,024 tokens of `data` are run, the same for a seed; labels are not
 * read. SKIP_ERR_INPUT: nothing in int8, or no rows; SKIP_ERR_INTERRUPTED.
 */
enum skip_status skip_clip_find(struct skip_device *device, const struct skip_graph *graph, const struct skip_dataset *data, uint64_t seed,
				const struct skip_progress *progress, struct skip_graph **out, struct skip_clip_report *report, struct skip_err *err);

#endif
