/*
 * score: per sequence and column, the products h * dh of its rows reduced to one number (docs/method.md 3.2).
 *
 * With B rows the other rows of a sequence were not computed because their gradient is zero; they count as zeros. cpu: one work-item per
 * sequence and block of columns, needs at least one vector of columns; narrower values take the generic body.
 */
#include "device/family.h"
#include "graph/op.h"
#include <string.h>

enum {
	BLOCK = 8, /* vectors of columns of one work-item of the cpu body */
	GROUP = 32
};

static enum skip_status lower(struct skip_lowering *lowering, const struct skip_node *node, const char *variant, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_value *h = &skip_lowering_graph(lowering)->values[node->in[0]];
	const int vec = skip_lowering_profile(lowering)->vec, block = BLOCK * vec;
	const bool cpu = !strcmp(variant, "cpu") && h->cols >= vec;
	const enum skip_reduce reduce = node->attrs.score.reduce;
	struct skip_kernel_spec spec;
	int kernel, buffer;
	skip_spec_init(&spec, "score", cpu ? "cpu" : "generic", "MAIN");
	skip_spec_int(&spec, "SCORE_COLS", h->cols);
	skip_spec_int(&spec, "SCORE_MAX", reduce == SKIP_REDUCE_MAX || reduce == SKIP_REDUCE_ABSMAX);
	skip_spec_int(&spec, "SCORE_ABS", reduce == SKIP_REDUCE_ABSMAX);
	skip_spec_int(&spec, "SCORE_MEAN", reduce == SKIP_REDUCE_MEAN);
	skip_spec_int(&spec, "SCORE_ROWS_B", h->rows == SKIP_ROWS_B);
	if (cpu) {
		skip_spec_int(&spec, "SCORE_BLOCK", block);
		skip_spec_int(&spec, "SCORE_VEC", vec);
	} else {
		spec.local[0] = GROUP;
	}
	SKIP_TRY(skip_lowering_kernel(lowering, &spec, &kernel, err));
	struct skip_plan_launch *launch = skip_lowering_begin(lowering, kernel);
	for (int i = 0; i < 2; i++) {
		SKIP_TRY(skip_lowering_value(lowering, node->in[i], &buffer, err));
		skip_launch_buffer(launch, buffer);
	}
	SKIP_TRY(skip_lowering_batch(lowering, SKIP_BATCH_OFFSET, &buffer, err));
	skip_launch_buffer(launch, buffer);
	SKIP_TRY(skip_lowering_value(lowering, node->out[0], &buffer, err));
	skip_launch_buffer(launch, buffer);
	skip_launch_global(launch, 0, SKIP_SIZE_ONE, cpu ? (h->cols + block - 1) / block : (h->cols + GROUP - 1) / GROUP * GROUP, 0, 1);
	skip_launch_global(launch, 1, SKIP_SIZE_B, 1, 0, 1);
	status = skip_lowering_end(lowering, launch, err);
cleanup:
	return status;
}

static const char *const ops[] = {"score", NULL};
static const char *const variants[] = {"cpu", "generic", NULL};

const struct skip_family skip_family_score = {.name = "score", .ops = ops, .variants = variants, .common = NULL, .lower = lower};
