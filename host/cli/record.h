/* JSON objects of results, as docs/cli.md names their keys. All give a new reference, NULL when out of memory. */
#ifndef SKIP_CLI_RECORD_H
#define SKIP_CLI_RECORD_H

#include "cli/source.h"
#include "method/search/search.h"

json_t *skip_record_metrics(const char *split, const struct skip_metrics *metrics);
json_t *skip_record_confusion(const size_t *confusion, int classes);
json_t *skip_record_paired(const struct skip_paired *paired);
json_t *skip_record_labels(const struct skip_labels *labels);
/* layers[]: heads, qk, v, ffn, prefix */
json_t *skip_record_layers(const struct skip_graph *graph, struct skip_err *err);
/* Of layers[]: the different shapes they keep. {attention[]: heads, qk, v, layers[]; ffn[]: ffn, layers[]}, in the order of their first layers; `asked` as well
 * where it limited them (> 0). */
json_t *skip_record_shapes(const json_t *layers, int asked);
json_t *skip_record_parameters(const struct skip_graph *graph);
json_t *skip_record_trace(const struct skip_probe_point *trace, size_t n);
json_t *skip_record_groups(const struct skip_units *units, const struct skip_scores *scores);
/* platform, device, driver, profile */
json_t *skip_record_host(struct skip_device *device);
double skip_record_removed_percent(const struct skip_graph *graph);

#endif
