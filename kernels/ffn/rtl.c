/*
 * ffn as RTL: one array of P x C products for both matrices, floats on U multiply-adders abreast. rtl.sv is the body; it computes what fpga.cl computes in
 * int8, so its constants are those, and C and U.
 */
#include "ffn/rtl.h"
#include "ffn/fpga.h"
#include "graph/rules.h"
#include <math.h>
#include <stdio.h>


#define UNITS_MAX 4
#define STEPS_GELU 21 /* of the ring's program, with GELU and without */
#define STEPS 2
#define STEPS_SCALE 32 /* cycles of a row's scale */
#define RING 13        /* latency of a multiply-add */

static int units_of(const struct skip_profile *profile)
{
	return profile->nv < UNITS_MAX ? profile->nv : UNITS_MAX;
}

static enum skip_status check(const struct skip_ffn_shape *shape, struct skip_err *err)
{
	if (!shape->int8) return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "RTL engines take products in int8: --dtype int8");
	if (shape->act != SKIP_ACT_NONE && shape->act != SKIP_ACT_RELU && shape->act != SKIP_ACT_GELU) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the RTL engine of ffn has relu and gelu, not %s", skip_act_names[shape->act]);
	}
	if (shape->rows < 8 || (shape->rows & (shape->rows - 1)) || (shape->outputs & (shape->outputs - 1))) {
		return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the RTL engine of ffn takes tiles of 8, 16, 32 or 64 rows and 1, 2, 4, .. outputs a cycle, not %d and %d", shape->rows,
				    shape->outputs);
	}
	return SKIP_OK;
}

static enum skip_status spec(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile, struct skip_kernel_spec *out,
			     struct skip_err *err)
{
	const struct skip_ffn_shape shape = skip_ffn_shape_of(graph, node, profile);
	enum skip_status status = check(&shape, err);
	if (status != SKIP_OK) return status;
	skip_ffn_spec(&shape, out);
	skip_spec_int(out, "FFN_C", profile->vec);
	skip_spec_int(out, "FFN_U", units_of(profile));
	return SKIP_OK;
}

/* Cycles of one product on a tile: the slowest of products, weights (four int8 a cycle) and what follows the products. */
static double product_cycles(const struct skip_ffn_shape *shape, int lanes, int units, double n, double k, int steps, bool bias)
{
	const double panels = ceil(n / shape->outputs), sums = panels * ceil(k / lanes) * shape->rows;
	const double words = panels * shape->outputs * (ceil(k / 4) + 2 + bias), numbers = panels * shape->outputs / units * shape->rows * steps;
	return fmax(sums, fmax(words, numbers)) + RING * steps;
}

static enum skip_status engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *profile, struct skip_workload work,
			       struct skip_engine *out, struct skip_err *err)
{
	const struct skip_ffn_shape shape = skip_ffn_shape_of(graph, node, profile);
	const int lanes = profile->vec, units = units_of(profile), d = shape.d, f = shape.f, n = shape.n, t = shape.rows;
	const double rows = skip_engine_rows(graph, node->out[0], work), tiles = ceil(rows / t);
	enum skip_status status = check(&shape, err);
	if (status != SKIP_OK) return status;
	const int widest = f > n ? (f > d ? f : d) : (n > d ? n : d), deepest = f > d ? f : d;
	snprintf(out->name, sizeof(out->name), "ffn_rtl_d%d_f%d%s", d, f, shape.residual ? "_residual" : "");
	out->lanes[1] = shape.outputs * lanes;
	out->lanes[0] = units;
	out->stages = 1;
	skip_engine_add_memory(out, 32, (int64_t)t * widest, units, 1, false);
	skip_engine_add_memory(out, 8 * lanes, (int64_t)t * ((deepest + lanes - 1) / lanes), 1, 1, false);
	skip_engine_add_port(out, skip_engine_row_bytes(tiles * t, d), false);
	skip_engine_add_port(out, tiles * 4 * ((double)f * (ceil(d / 4.0) + 2 + shape.bias1) + (double)n * (ceil(f / 4.0) + 2 + shape.bias2)), true);
	if (shape.residual) skip_engine_add_port(out, skip_engine_row_bytes(tiles * t, n), false);
	skip_engine_add_port(out, skip_engine_row_bytes(tiles * t, n), false);
	out->macs = rows * f * (double)(d + n);
	const double first = product_cycles(&shape, lanes, units, f, d, shape.act == SKIP_ACT_GELU ? STEPS_GELU : STEPS, shape.bias1);
	const double second = product_cycles(&shape, lanes, units, n, f, STEPS, shape.bias2);
	const double rounding = t * (2.0 * STEPS_SCALE + (ceil((double)d / lanes) + ceil((double)f / lanes)) * lanes / units);
	out->cycles = tiles * (t * (double)(d + n) + rounding + first + second);
	out->overlaps = true;
	return SKIP_OK;
}

static const char *const common[] = {"rtl", NULL};
const struct skip_rtl skip_ffn_rtl = {.common = common, .spec = spec, .engine = engine, .vectors = skip_ffn_vectors};
