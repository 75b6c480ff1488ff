/* Learning the set of labels while rows are read. Inside of text/; the rest of the library sees struct skip_labels (dataset.h). */
#ifndef SKIP_TEXT_LABELS_H
#define SKIP_TEXT_LABELS_H

#include "text/dataset.h"
#include "text/vocab.h"

/*
 * Makes the labels from the names found (`found`: ids in order of appearance) and renumbers `label` [n] from ids of `found` to class
 * indices; -1 stays. When the names are exactly 0..C-1 the number is the index, else the index is the place in byte order.
 */
enum skip_status skip_labels_from_names(const struct skip_vocab *found, int32_t *label, size_t n, struct skip_labels *out,
                                        struct skip_err *err);

#endif
