#include "cli/layers.h"
#include "base/alloc.h"
#include "base/json.h"

#include <stdio.h>

struct view {
	double share, gflops, gbs, waste; /* share and waste in percent */
	const char *bound;
};

static struct view view_of(const struct skip_launch_profile *p, const struct skip_layers_settings *set, double total)
{
	double compute = 2 * p->macs / set->peak_gflops[p->precision], memory = p->bytes / set->bandwidth_gbs;
	return (struct view){ .share = 100 * p->seconds / total,
			      .gflops = 2e-9 * p->macs / p->seconds,
			      .gbs = 1e-9 * p->bytes / p->seconds,
			      .waste = p->rows > 0 ? 100 * (p->computed - p->rows) / p->rows : 0,
			      .bound = compute >= memory ? "compute" : "memory" };
}

static void print_row(int layer, const char *kernel, double seconds, const struct view *view)
{
	if (layer >= 0)
		printf("%5d ", layer);
	else
		printf("%5s ", "");
	printf("%-40.40s %9.4f %6.2f %% %9.1f %8.1f  %-7s %5.1f %%\n", kernel, seconds * 1e3, view->share, view->gflops, view->gbs, view->bound, view->waste);
}

enum skip_status skip_cli_layers(const char *name, struct skip_session *session, int value, const struct skip_batch *batch,
				 const struct skip_layers_settings *set, json_t *list, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_graph *graph = skip_session_graph(session);
	const struct skip_plan *plan = skip_session_plan(session);
	struct skip_launch_profile sum = { 0 };
	struct skip_launch_profile *profile = skip_alloc_array(plan->n_launches, sizeof(*profile));
	if (!profile) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu launches", plan->n_launches));
	SKIP_TRY(skip_session_profile(session, batch, value, set->seconds, profile, err));
	for (size_t i = 0; i < plan->n_launches; i++) {
		sum.seconds += profile[i].seconds;
		sum.macs += profile[i].macs;
		sum.bytes += profile[i].bytes;
	}
	if (set->print)
		printf("\n%s, batch %d, %d tokens; memory read at %.1f GB/s\n%5s %-40s %9s %8s %9s %8s  %-7s %7s\n", name, batch->n_seqs, batch->n_tokens,
		       set->bandwidth_gbs, "layer", "kernel", "ms", "share", "GFLOP/s", "GB/s", "bound", "waste");
	for (size_t i = 0; i < plan->n_launches; i++) {
		const struct skip_launch_profile *p = &profile[i];
		const struct view view = view_of(p, set, sum.seconds);
		const char *kernel = p->kernel == SKIP_NONE ? skip_call_names[plan->launches[i].call] : plan->kernels[p->kernel].name;
		int layer = graph->nodes[plan->launches[i].node].layer;
		json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:s, s:f}", "model", name, "batch", batch->n_seqs, "tokens",
						      batch->n_tokens, "layer", layer, "kernel", kernel, "median_ms", p->seconds * 1e3, "share", view.share,
						      "gflops", view.gflops, "gbs", view.gbs, "bound", view.bound, "waste", view.waste));
		if (set->print) print_row(layer, kernel, p->seconds, &view);
	}
	if (set->print)
		printf("%5s %-40s %9.4f %6.2f %% %9.1f %8.1f\n", "", "total", sum.seconds * 1e3, 100.0, 2e-9 * sum.macs / sum.seconds, 1e-9 * sum.bytes / sum.seconds);
cleanup:
	skip_free(profile);
	return status;
}
