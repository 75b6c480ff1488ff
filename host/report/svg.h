/* Drawings of the report, inline SVG that follows the page's colours. Shared helpers of the room stand here too. */
#ifndef SKIP_REPORT_SVG_H
#define SKIP_REPORT_SVG_H

#include "base/buf.h"
#include <jansson.h>

/* Accuracy (vertical) against removed share (horizontal) for every probe of `metrics`, with the dense accuracy as reference line. */
void skip_svg_trace(struct skip_buf *out, const json_t *metrics);
/* Kept width over dense width per layer: heads x v, heads x qk, ffn. */
void skip_svg_layers(struct skip_buf *out, const json_t *metrics);
/* Accuracy per epoch. */
void skip_svg_history(struct skip_buf *out, const json_t *history);

double skip_report_number(const json_t *document, const char *path, double fallback);
void skip_html_escape(struct skip_buf *out, const char *text);

#endif
