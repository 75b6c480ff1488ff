/* What families describe their engines with: see device/engine.h. */
#include "device/engine.h"
#include "device/estimate/formulas.h"
#include "device/profile/profile.h"
#include <assert.h>
#include <math.h>

#define WORD_BYTES 64
#define PIPELINE_DEPTH 100 /* cycles from a load to its product: a start value */

void skip_engine_add_memory(struct skip_engine *engine, int width, int64_t depth, int banks, int reads, bool twofold)
{
	assert(engine->n_memories < SKIP_ENGINE_MEMORIES && width > 0 && banks > 0);
	engine->memory[engine->n_memories++] = (struct skip_engine_memory){width, depth, banks, reads, twofold};
}

void skip_engine_add_port(struct skip_engine *engine, double bytes, bool weights)
{
	assert(engine->n_ports < SKIP_ENGINE_PORTS);
	engine->port[engine->n_ports++] = (struct skip_engine_port){bytes, weights};
}

struct skip_engine_form skip_engine_form(const struct skip_profile *profile, bool int8)
{
	const json_t *latency = json_object_get(json_object_get(profile->json, "numeric"), "fp32_accumulate_latency");
	return (struct skip_engine_form){
		.rows = profile->mr[0],
		.outputs = profile->nv,
		.depth = int8 ? WORD_BYTES : WORD_BYTES / 4,
		.add_latency = latency ? json_number_value(latency) : 1,
		.int8 = int8,
	};
}

double skip_engine_rows(const struct skip_graph *graph, int value, struct skip_workload work)
{
	const struct skip_value *v = &graph->values[value];
	return v->rows == SKIP_ROWS_T ? (double)work.batch * work.length : v->rows == SKIP_ROWS_B ? work.batch : v->fixed_rows;
}

static struct skip_product_form product_form(const struct skip_engine_form *form, double m, double n, double k)
{
	return (struct skip_product_form){
		.m = ceil(m / form->rows) * form->rows,
		.n = n,
		.k = k,
		.p_m = 1,
		.p_n = form->outputs,
		.p_k = form->depth,
		.t_m = form->rows,
		.t_n = n,
		.integer = form->int8,
		.in_flight = form->rows,
		.add_latency = form->add_latency,
		.pipeline_depth = PIPELINE_DEPTH,
		.write_lanes = form->outputs,
	};
}

double skip_engine_fill(const struct skip_engine_form *form)
{
	const struct skip_product_form none = product_form(form, 0, 0, 0);
	return skip_product_cost(&none).cycles;
}

double skip_engine_product(const struct skip_engine_form *form, double m, double n, double k)
{
	const struct skip_product_form product = product_form(form, m, n, k);
	return skip_product_cost(&product).cycles - skip_engine_fill(form);
}

int skip_engine_act_units(const struct skip_engine_form *form, double k)
{
	const double words = ceil(k / form->depth);
	int units = 1;
	while (units < form->outputs && form->outputs / units > words) units *= 2;
	return units;
}

double skip_engine_row_bytes(double rows, double cols)
{
	return rows * cols * 4;
}

double skip_engine_weight_bytes(const struct skip_engine_form *form, double n, double k)
{
	return form->int8 ? n * (ceil(k / 4) * 4 + 8) : n * k * 4;
}
