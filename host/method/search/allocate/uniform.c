/* The paper's: the same share of every sub-layer (select.c). */
#include "method/search/allocation.h"

const struct skip_allocation skip_allocation_uniform = {
    .name = "uniform",
    .summary = "the same share of every sub-layer",
    .kinds = SKIP_UNITS_FFN | SKIP_UNITS_V | SKIP_UNITS_QK,
};
