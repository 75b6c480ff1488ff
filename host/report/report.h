/*
 * The self-contained HTML report: figures, accuracy against removed share for every probe, kept widths per layer as SVG. Reads only the graph and the
 * metrics document (docs/package.md), so it can be made again from a package.
 */
#ifndef SKIP_REPORT_REPORT_H
#define SKIP_REPORT_REPORT_H

#include "base/buf.h"
#include "graph/graph.h"

enum skip_status skip_report_html(const struct skip_graph *graph, const json_t *metrics, const char *title, struct skip_buf *out,
				  struct skip_err *err);

#endif
