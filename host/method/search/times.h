/*
 * What each option takes on the device at hand: measured through emitted kernels of its shape (docs/method.md 5.4), or read from a file, so
 * that a search is repeated exactly.
 */
#ifndef SKIP_METHOD_SEARCH_TIMES_H
#define SKIP_METHOD_SEARCH_TIMES_H

#include "method/search/options.h"
#include <jansson.h>

/*
 * Fills the times of `options` for rows of `data` in packed batches of `batch` sequences. Options that share a network are measured in it
 * layer by layer: as many networks are built as the least number of peers asks for, usually one, timed against the dense one round by round. Times of a sub-layer are those of its own
 * launches, so that an option without units takes 0; options between measured ones are interpolated (attention by heads, heads x qk and
 * heads x v, ffn by neurons). `scores` decide which units stand for a width, which times do not depend on.
 */
enum skip_status skip_times_measure(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				    const struct skip_scores *scores, const struct skip_dataset *data, int batch,
				    struct skip_options *options, struct skip_err *err);

struct skip_on_board;
/* {source, device, driver, profile, batch, dense_ms, fixed_ms, sublayers[]: layer, kind, options[]: heads, qk, v | ffn, ms}; source "measured", or with a
 * board, which then is the profile, "estimated", and dtype and length beside it in the place of device and driver. */
json_t *skip_times_to_json(struct skip_device *device, const struct skip_on_board *on_board, const struct skip_options *options, int batch);
/* SKIP_ERR_INPUT when the table is not of these options, or not of this board (NULL: estimated for one). */
enum skip_status skip_times_from_json(const json_t *json, const struct skip_on_board *on_board, int batch, struct skip_options *options, struct skip_err *err);

/* The share a search for the speed-up or latency of `prune` arrived at, kept in the table beside those of the table it started from, so
 * that the same target is not searched for again. */
void skip_times_add_aim(json_t *table, const struct skip_prune_options *prune, double share, bool met);
bool skip_times_find_aim(const json_t *table, const struct skip_prune_options *prune, double *share, bool *met);

/* Owner of each node of an inference session's graph: the sub-layer (index of `options`) whose width its work depends on, or SKIP_NONE.
 * `graph` is what the session was opened from, `units` its own. The caller frees *out. */
enum skip_status skip_times_owners(const struct skip_graph *session, const struct skip_graph *graph, const struct skip_units *units,
				   const struct skip_options *options, int **out, struct skip_err *err);

#endif
