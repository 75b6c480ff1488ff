/* The masked network in the dense one's shape: zeros in the weights instead of masks, so that it runs in the dense network's programs. Slots are masked. */
#ifndef SKIP_METHOD_SEARCH_ZERO_H
#define SKIP_METHOD_SEARCH_ZERO_H

#include "graph/units.h"

/*
 * A copy of `graph` (value and tensor indices stay) with float32 tensors of its own for every consumer (weight and bias) and for everything
 * tied to qk units, in which the consumer's columns of removed v and ffn units and all slices of removed qk units are zero; and with masks of the slots
 * where some go. Its logits are those of skip_pass_prune, which may be applied to it afterwards, once the masks are off (skip_unmask_slots).
 */
enum skip_status skip_zero_units(const struct skip_graph *graph, const struct skip_units *units, const struct skip_keep *keep,
				 struct skip_graph **out, struct skip_err *err);
/* Masks that let every slot pass, where there are none yet: a place for those to come. */
enum skip_status skip_place_masks(struct skip_graph *graph, const struct skip_units *units, struct skip_err *err);
void skip_unmask_slots(struct skip_graph *graph, const struct skip_units *units);
/* Zeroes what belongs to the units that keep[unit] drops in a slice's own float32 tensor. What goes with whole heads stays: nothing reads it. */
void skip_zero_slice(struct skip_graph *graph, const struct skip_unit_group *group, const struct skip_unit_slice *slice,
		     const unsigned char *keep);
/*
 * Gives every consumer of one layer alone that has no bias a zero one, because a fit has a mean to put somewhere. The tensors come behind
 * the others; `units` (of `graph`, or of what it is a copy of) stay true.
 */
enum skip_status skip_zero_biases(struct skip_graph *graph, const struct skip_units *units, struct skip_err *err);

#endif
