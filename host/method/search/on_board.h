/*
 * An FPGA board in the place of the device at hand: the grid of widths of its engines, and times by estimate (docs/boards.md). Nothing runs on it.
 */
#ifndef SKIP_METHOD_SEARCH_ON_BOARD_H
#define SKIP_METHOD_SEARCH_ON_BOARD_H

#include "device/engine.h"
#include "device/profile/board.h"
#include "device/profile/profile.h"
#include "method/search/options.h"

struct skip_on_board {
	const struct skip_board *board; /* borrowed */
	enum skip_precision precision;  /* of products there */
	struct skip_workload work;      /* one sequence of the mean length */
	struct skip_profile forms;      /* the form that the dense network is fastest in */
	double clock_mhz, dense_ms;     /* of the dense network in that form */
};

/* SKIP_ERR_USAGE: a board that leaves part of the network to the host, or that the dense network does not fit. */
enum skip_status skip_on_board_init(const struct skip_board *board, enum skip_precision precision, const struct skip_graph *dense, double mean_length,
				    struct skip_on_board *out, struct skip_err *err);
/* The whole of `graph` (canonical) in the fastest form that fits the board, engines and clock its own; *fits false: none does. */
enum skip_status skip_on_board_ms(const struct skip_on_board *on, const struct skip_graph *graph, double *ms, bool *fits, struct skip_err *err);
/*
 * Fills the times of `options` as skip_times_measure does, every option by estimate. Form and clock are those of the dense network: what an option
 * saves by leaving room for more lanes, or costs by needing an engine of its own, is not in a table that sums over sub-layers. skip_on_board_ms sees it.
 */
enum skip_status skip_times_estimate(const struct skip_on_board *on, const struct skip_graph *graph, const struct skip_units *units,
				     const struct skip_scores *scores, struct skip_options *options, struct skip_err *err);

#endif
