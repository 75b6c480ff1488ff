/* Formulas of estimates: see formulas.h. */
#include "device/estimate/formulas.h"
#include <math.h>

struct skip_product_cost skip_product_cost(const struct skip_product_form *form)
{
	struct skip_product_cost cost = {.lanes = form->p_m * form->p_n * form->p_k, .ii = 1};
	const double add = form->integer ? 1 : form->add_latency;
	if (!form->integer && form->in_flight < add) cost.ii = ceil(add / fmax(form->in_flight, 1));
	const double fill = form->pipeline_depth + ceil(log2(fmax(form->p_k, 1))) * add;
	const double drain = add * form->p_m * form->p_n / fmax(form->write_lanes, 1);
	cost.cycles = cost.ii * ceil(form->m / form->p_m) * ceil(form->n / form->p_n) * ceil(form->k / form->p_k) + fill + drain;
	cost.share = form->m * form->n * form->k / cost.lanes / cost.cycles;
	cost.bytes_w = ceil(form->m / form->t_m) * form->n * form->k * form->w_bytes;
	cost.bytes_x = ceil(form->n / form->t_n) * form->m * form->k * form->x_bytes;
	cost.bytes_y = form->m * form->n * form->y_bytes;
	return cost;
}

double skip_stage_seconds(double compute, double memory, bool double_buffered)
{
	return double_buffered ? fmax(compute, memory) : compute + memory;
}

double skip_roofline(double lanes, double mhz, double operations, double bytes, double gbps)
{
	return fmin(2e6 * lanes * mhz, operations / bytes * gbps * 1e9);
}

double skip_balance_rows(double lanes, double mhz, double weight_bytes, double gbps)
{
	return lanes * mhz * 1e6 * weight_bytes / (gbps * 1e9);
}

#define LEAST_WORDS 64

double skip_memory_blocks(enum skip_block block, int width, int64_t depth, int banks, int reads, bool twofold)
{
	static const struct {
		int width, depth; /* width 0 ends the list */
	} shapes[4][7] = {
	    [SKIP_BLOCK_BRAM18] = {{36, 512}, {18, 1024}, {9, 2048}, {4, 4096}, {2, 8192}, {1, 16384}},
	    [SKIP_BLOCK_BRAM36] = {{72, 512}, {36, 1024}, {18, 2048}, {9, 4096}, {4, 8192}, {2, 16384}},
	    [SKIP_BLOCK_M20K] = {{40, 512}, {20, 1024}, {10, 2048}},
	    [SKIP_BLOCK_URAM] = {{72, 4096}},
	};
	double best = INFINITY, words = ceil((double)depth / banks);
	if (words < LEAST_WORDS) return 0;
	for (int s = 0; shapes[block][s].width; s++) {
		best = fmin(best, ceil((double)width / shapes[block][s].width) * ceil(words / shapes[block][s].depth));
	}
	return (reads > 1 ? reads : 1) * (twofold ? 2 : 1) * banks * best;
}

double skip_derated_clock(double default_mhz, double largest_share, int crossings)
{
	return default_mhz * (1 - 0.7 * fmax(0, fmin(1, largest_share) - 0.55)) * pow(0.85, crossings);
}
