/* The profile view of skip bench --layers: what every kernel launch of a batch costs, and what it waits for. */
#ifndef SKIP_CLI_LAYERS_H
#define SKIP_CLI_LAYERS_H

#include "device/session.h"

struct skip_layers_settings {
	double seconds;				   /* runs go on for so long */
	double peak_gflops[SKIP_PRECISION_COUNT]; /* measured, for the types the model uses */
	double bandwidth_gbs;
	bool print; /* the table to stdout */
};

/* Profiles `batch` and appends an object per launch to `list` (docs/cli.md). name: the model's path. */
enum skip_status skip_cli_layers(const char *name, struct skip_session *session, int value, const struct skip_batch *batch,
				 const struct skip_layers_settings *set, json_t *list, struct skip_err *err);

#endif
