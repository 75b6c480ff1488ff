/* A network as it is emitted for an FPGA board, for the verbs that emit it and that look for its bitstream. */
#ifndef SKIP_CLI_BOARD_H
#define SKIP_CLI_BOARD_H

#include "cli/source.h"
#include "device/emit/kernelset.h"
#include "device/estimate/estimate.h"

struct skip_cli_board_options {
	const char *board; /* --board */
	bool fit;          /* --fit */
	int64_t classes;   /* --classes */
};

struct skip_cli_board {
	const struct skip_profile *profile; /* borrowed */
	struct skip_board board;            /* of a real one */
	struct skip_profile forms;          /* with the form that is emitted */
	struct skip_graph *classed, *graph; /* `graph` is what is emitted */
	struct skip_plan *plan;
	struct skip_estimate estimate;      /* of a real one */
	struct skip_kernel_set set;
};

void skip_cli_board_options(struct skip_cli_args *args, struct skip_cli_board_options *options);
/*
 * Form, plan and kernel set. `emulated` allows the profile of a device that pretends to be a board, which has no budget to fit. Errors: SKIP_ERR_USAGE, no such
 * board; SKIP_ERR_TARGET, the network does not fit, with what would. The caller closes *out, also after a failure.
 */
enum skip_status skip_cli_open_board(const struct skip_cli_model *model, const struct skip_profiles *profiles, const struct skip_cli_board_options *options, bool emulated,
				     struct skip_cli_board *out, struct skip_err *err);
void skip_cli_close_board(struct skip_cli_board *board);

#endif
