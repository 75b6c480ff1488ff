/* Options of a world's network, and what a choice of them keeps. */
#ifndef SKIP_TESTS_METHOD_OPTIONS_OF_H
#define SKIP_TESTS_METHOD_OPTIONS_OF_H

#include "method/search/options.h"
#include "method/world.h"

#define EVERYTHING (SKIP_UNITS_FFN | SKIP_UNITS_HEAD | SKIP_UNITS_V | SKIP_UNITS_QK | SKIP_UNITS_LAYER)

static inline struct skip_options options_of(const struct world *w, unsigned kinds)
{
	struct skip_err err;
	struct skip_options options = {0};
	CHECK_OK(skip_options_init(w->scene.graph, &w->units, skip_device_profile(w->scene.device.device), kinds, false, 5, &options, &err));
	return options;
}

static inline struct skip_keep keep_of(const struct world *w, const struct skip_options *options, const int *choice)
{
	struct skip_err err;
	struct skip_keep keep = {0};
	CHECK_OK(skip_keep_create(&w->units, &keep, &err));
	for (size_t s = 0; s < options->n; s++)
		CHECK_OK(skip_widths_keep(&w->units, &w->scores, &options->sub[s], &options->sub[s].option[choice[s]], &keep, &err));
	return keep;
}

#endif
