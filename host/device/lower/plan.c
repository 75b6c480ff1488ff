/* Owning a plan. It is made by lower.c and read from a manifest by emit/manifest.c. */
#include "device/plan.h"
#include "base/alloc.h"

void skip_plan_destroy(struct skip_plan *plan)
{
	if (!plan) return;
	for (size_t i = 0; i < plan->n_programs; i++) skip_free(plan->programs[i].text);
	skip_free(plan->programs);
	skip_free(plan->kernels);
	skip_free(plan->buffers);
	skip_free(plan->launches);
	skip_free(plan->value_buffer);
	skip_free(plan);
}
