/* Owning a plan, and its layouts. It is made by lower.c and read from a manifest by emit/manifest.c. */
#include "device/plan.h"
#include "base/alloc.h"
#include <assert.h>

const char *const skip_call_names[] = {"", "clblast.sgemm", NULL};

int skip_layout_per_word(enum skip_layout layout)
{
	static const int numbers[SKIP_LAYOUT_COUNT] = {[SKIP_LAYOUT_BF16X2] = 2, [SKIP_LAYOUT_S8X4] = 4, [SKIP_LAYOUT_S16X2] = 2};
	return numbers[layout];
}

int skip_layout_side(enum skip_layout layout) { return layout == SKIP_LAYOUT_S8X4 || layout == SKIP_LAYOUT_S16X2 ? 2 : 0; }

int skip_layout_row(enum skip_layout layout, int cols)
{
	assert(skip_layout_per_word(layout) > 0);
	return (cols + 15) / 16 * 16 / skip_layout_per_word(layout) + (skip_layout_side(layout) > 0);
}

bool skip_layout_is_panels(enum skip_layout layout) { return layout == SKIP_LAYOUT_PANELS || skip_layout_per_word(layout) > 0; }

void skip_plan_take_binary(struct skip_plan *plan, struct skip_buf *bytes)
{
	assert(plan->n_programs == 1);
	skip_buf_deinit(&plan->programs[0].binary);
	plan->programs[0].binary = *bytes;
	skip_buf_init(bytes);
}

void skip_plan_destroy(struct skip_plan *plan)
{
	if (!plan) return;
	for (size_t i = 0; i < plan->n_programs; i++) {
		skip_free(plan->programs[i].text);
		skip_buf_deinit(&plan->programs[i].binary);
	}
	skip_free(plan->programs);
	skip_free(plan->kernels);
	skip_free(plan->buffers);
	skip_free(plan->launches);
	skip_free(plan->value_buffer);
	skip_free(plan);
}
