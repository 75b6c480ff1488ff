/*
 * The formulas behind an estimate, each on its own so that tests can hold it against published designs. Nothing here knows a board file or a
 * graph. Symbols as in docs/boards.md: M rows, N outputs, K depth; P_M P_N P_K lanes; T_M T_N tile rows and columns held on the chip.
 */
#ifndef SKIP_DEVICE_ESTIMATE_FORMULAS_H
#define SKIP_DEVICE_ESTIMATE_FORMULAS_H

#include "device/profile/board.h"
#include <stdint.h>

struct skip_product_form {
	double m, n, k;
	double p_m, p_n, p_k;
	double t_m, t_n;
	double x_bytes, w_bytes, y_bytes; /* of an element */
	bool integer;          /* sums take one cycle */
	double in_flight;      /* independent outputs that one adder serves in turn */
	double add_latency;    /* cycles of a float addition */
	double pipeline_depth; /* cycles from a load to its product */
	double write_lanes;    /* outputs written a cycle */
};

struct skip_product_cost {
	double lanes, ii, cycles, share; /* share: of the cycles an ideal array of these lanes would take */
	double bytes_x, bytes_w, bytes_y;
};

/*
 * lanes = P_M P_N P_K; cycles = II ceil(M/P_M) ceil(N/P_N) ceil(K/P_K) + fill + drain, fill = depth + ceil(log2 P_K) L_add, drain = L_acc P_M P_N /
 * write lanes; II is 1 for integers and where in_flight >= L_add, else ceil(L_add / in_flight). W is read once per row tile, X once per column
 * tile, Y written once.
 */
struct skip_product_cost skip_product_cost(const struct skip_product_form *form);

/* Seconds of a stage: compute and memory side by side when double buffered, else one after the other. */
double skip_stage_seconds(double compute, double memory, bool double_buffered);

/* Operations per second that lanes at `mhz` and memory of `gbps` allow a product of these sizes, whichever is less. */
double skip_roofline(double lanes, double mhz, double operations, double bytes, double gbps);

/* Rows that a tile of streamed weights must serve so that products and not memory are the limit: PE f b_w / BW. */
double skip_balance_rows(double lanes, double mhz, double weight_bytes, double gbps);

/*
 * Memory blocks of a buffer of `depth` words of `width` bits in `banks`: copies * (2 when twofold) * banks * the best shape's count; copies because a
 * block has two ports and one is kept for writing. 0 below 64 words, which become logic.
 */
double skip_memory_blocks(enum skip_block block, int width, int64_t depth, int banks, int reads, bool twofold);

/* f = f_default (1 - 0.7 max(0, u - 0.55)) 0.85^crossings, u the largest share of a resource in use (1 at most: more
 * does not fit). */
double skip_derated_clock(double default_mhz, double largest_share, int crossings);
/* What a routed clock may be: fitted on two designs, it missed two others on this side and that. */
#define SKIP_CLOCK_LOW 0.5
#define SKIP_CLOCK_HIGH 1.1

#endif
