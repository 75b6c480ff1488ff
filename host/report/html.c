/*
 * The report page: one HTML file, styles and drawings inside, no script, nothing fetched. Neighbour: svg.c draws, this file arranges.
 * It shows what the metrics document holds and computes no result of its own.
 */
#include "report/report.h"
#include "report/svg.h"

#include <stdio.h>
#include <string.h>

static const char style[] =
	":root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--page:#fbfcfd;--card:#fff;--dense:#8a95a5;--keep:#1f6feb;--good:#1a7f4b;--bad:#b3412e}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#323b47;--page:#12161c;--card:#1a2028;--dense:#6b7686;--keep:#5b9dff;--good:#4cc38a;--bad:#ef7e6b}}"
	"*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
	"main{max-width:980px;margin:0 auto;padding:32px 20px 60px}h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:34px 0 10px}"
	"p{margin:0 0 10px;color:var(--soft)}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}"
	".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:20px 0}"
	".card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px 16px}.card b{display:block;font-size:24px;line-height:1.25}"
	".card span{color:var(--soft);font-size:13px}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
	"th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--line)}th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500}"
	".scroll{overflow-x:auto}svg{max-width:100%;height:auto;display:block}svg text{fill:var(--soft);font:12px system-ui,sans-serif}"
	".axis{stroke:var(--line)}.dense{fill:var(--dense)}.keep{fill:var(--keep)}.yes{fill:var(--good)}.no{fill:var(--bad)}.ref{stroke:var(--dense);stroke-dasharray:4 4}"
	".ghost{fill:var(--line)}";

void skip_html_escape(struct skip_buf *out, const char *text)
{
	for (; text && *text; text++) {
		switch (*text) {
		case '<': skip_buf_puts(out, "&lt;"); break;
		case '>': skip_buf_puts(out, "&gt;"); break;
		case '&': skip_buf_puts(out, "&amp;"); break;
		case '"': skip_buf_puts(out, "&quot;"); break;
		default: skip_buf_append(out, text, 1);
		}
	}
}

/* A number at a path of keys such as "latency.dense_ms"; fallback where a key is missing. */
double skip_report_number(const json_t *document, const char *path, double fallback)
{
	char key[64];
	while (document && *path) {
		size_t length = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)length, path);
		document = json_object_get(document, key);
		path += length + (path[length] == '.');
	}
	return json_is_number(document) ? json_number_value(document) : fallback;
}

static const char *string_at(const json_t *document, const char *object, const char *key)
{
	const json_t *from = object ? json_object_get(document, object) : document;
	const char *text = json_string_value(json_object_get(from, key));
	return text ? text : "";
}

static void card(struct skip_buf *out, const char *label, const char *format, double value, const char *note)
{
	skip_buf_puts(out, "<div class=\"card\"><span>");
	skip_html_escape(out, label);
	skip_buf_puts(out, "</span><b>");
	skip_buf_printf(out, format, value);
	skip_buf_puts(out, "</b><span>");
	skip_html_escape(out, note);
	skip_buf_puts(out, "</span></div>\n");
}

static void cards(struct skip_buf *out, const json_t *m)
{
	char note[160];
	skip_buf_puts(out, "<div class=\"cards\">\n");
	snprintf(note, sizeof(note), "dense %.3f, drop %.2f ± %.2f points (%s)", skip_report_number(m, "dense.accuracy", 0), skip_report_number(m, "drop", 0),
		 skip_report_number(m, "drop_se", 0), string_at(m, "pruned", "split"));
	card(out, "accuracy after pruning", "%.3f", skip_report_number(m, "pruned.accuracy", 0), note);
	snprintf(note, sizeof(note), "%.2f M of %.2f M parameters stay", skip_report_number(m, "parameters.encoder", 0) / 1e6,
		 skip_report_number(m, "parameters.encoder_dense", 0) / 1e6);
	card(out, "encoder removed", "%.1f %%", skip_report_number(m, "removed_encoder_percent", 0), note);
	snprintf(note, sizeof(note), "%.0f ms against %.0f ms for the same packed text", skip_report_number(m, "latency.pruned_packed_ms", 0),
		 skip_report_number(m, "latency.dense_packed_ms", 0));
	card(out, "measured speed-up", "%.2f×", skip_report_number(m, "speedup_measured", 0), note);
	snprintf(note, sizeof(note), "dense %.2f ms; one sequence of %.0f tokens", skip_report_number(m, "latency.dense_ms", 0),
		 skip_report_number(m, "latency.tokens", 0));
	card(out, "latency alone", "%.2f ms", skip_report_number(m, "latency.pruned_ms", 0), note);
	if (json_is_true(json_object_get(json_object_get(m, "board"), "fits"))) {
		snprintf(note, sizeof(note), "%s, never run: %.2f ms against %.2f ms", string_at(m, "board", "id"), skip_report_number(m, "board.pruned_ms", 0),
			 skip_report_number(m, "board.dense_ms", 0));
		card(out, "estimated speed-up on a board", "%.2f×", skip_report_number(m, "board.speedup", 0), note);
	}
	skip_buf_puts(out, "</div>\n");
}

static void metrics_table(struct skip_buf *out, const json_t *m)
{
	static const char *const rows[][2] = { { "accuracy", "accuracy" }, { "F1", "f1" }, { "Matthews correlation", "mcc" }, { "loss", "loss" } };
	char path[64];
	skip_buf_puts(out, "<div class=\"scroll\"><table><tr><th>figure</th><th>dense</th><th>pruned</th></tr>\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		skip_buf_printf(out, "<tr><td>%s</td>", rows[i][0]);
		snprintf(path, sizeof(path), "dense.%s", rows[i][1]);
		skip_buf_printf(out, "<td>%.4f</td>", skip_report_number(m, path, 0));
		snprintf(path, sizeof(path), "pruned.%s", rows[i][1]);
		skip_buf_printf(out, "<td>%.4f</td></tr>\n", skip_report_number(m, path, 0));
	}
	skip_buf_printf(out, "<tr><td>rows</td><td>%.0f</td><td>%.0f</td></tr></table></div>\n", skip_report_number(m, "dense.n", 0), skip_report_number(m, "pruned.n", 0));
}

/* A figure of a probe; blank where it was not taken. */
static void probe_cell(struct skip_buf *out, const char *format, double value)
{
	skip_buf_puts(out, "<td>");
	if (value != 0) skip_buf_printf(out, format, value);
	skip_buf_puts(out, "</td>");
}

static void trace_table(struct skip_buf *out, const json_t *trace)
{
	size_t index;
	json_t *row;
	skip_buf_puts(out, "<div class=\"scroll\"><table><tr><th>probe</th><th>share asked</th><th>removed</th><th>accuracy on dev</th><th>drop</th><th>expected</th><th>both</th><th>KL to dense</th>"
			   "<th>speed-up</th><th>MACs left</th><th>seconds</th><th>kept</th></tr>\n");
	json_array_foreach(trace, index, row) {
		const double round = skip_report_number(row, "round", 0);
		skip_buf_printf(out, "<tr><td>%zu", index + 1);
		if (round > 0) skip_buf_printf(out, " (round %.0f)", round);
		skip_buf_printf(out, "</td><td>%.3f</td>", skip_report_number(row, "rate", 0));
		probe_cell(out, "%.1f %%", skip_report_number(row, "removed_encoder_percent", 0));
		if (json_object_get(row, "accuracy"))
			skip_buf_printf(out, "<td>%.4f</td><td>%.2f&nbsp;±&nbsp;%.2f</td><td>%.2f</td><td>%.2f</td>", skip_report_number(row, "accuracy", 0),
					skip_report_number(row, "drop", 0), skip_report_number(row, "drop_se", 0), skip_report_number(row, "expected", 0),
					skip_report_number(row, "estimate", 0));
		else
			skip_buf_puts(out, "<td></td><td></td><td></td><td></td>");
		probe_cell(out, "%.4f", skip_report_number(row, "kl", 0));
		probe_cell(out, "%.2f×", skip_report_number(row, "speedup", 0));
		probe_cell(out, "%.0f %%", 100 * skip_report_number(row, "macs_share", 0));
		skip_buf_printf(out, "<td>%.1f</td><td>%s</td></tr>\n", skip_report_number(row, "seconds", 0), json_is_true(json_object_get(row, "accepted")) ? "yes" : "no");
	}
	skip_buf_puts(out, "</table></div>\n");
}

static void stages_table(struct skip_buf *out, const json_t *stages)
{
	size_t index;
	json_t *row;
	skip_buf_puts(out, "<h2>Time spent</h2>\n<div class=\"scroll\"><table><tr><th>stage</th><th>seconds</th></tr>\n");
	json_array_foreach(stages, index, row) {
		skip_buf_puts(out, "<tr><td>");
		skip_html_escape(out, json_string_value(json_object_get(row, "name")));
		skip_buf_printf(out, "</td><td>%.1f</td></tr>\n", skip_report_number(row, "seconds", 0));
	}
	skip_buf_puts(out, "</table></div>\n");
}

static void origin(struct skip_buf *out, const json_t *m)
{
	static const char *const host_keys[] = { "platform", "device", "driver", "profile" };
	skip_buf_puts(out, "<h2>Where this comes from</h2>\n<p><code>");
	skip_html_escape(out, string_at(m, NULL, "command"));
	skip_buf_puts(out, "</code></p>\n<p>");
	skip_html_escape(out, string_at(m, NULL, "date"));
	for (size_t i = 0; i < sizeof(host_keys) / sizeof(host_keys[0]); i++) {
		skip_buf_puts(out, " · ");
		skip_html_escape(out, string_at(m, "host", host_keys[i]));
	}
	skip_buf_puts(out, "</p>\n");
}

static void page_title(struct skip_buf *out, const struct skip_graph *graph, const char *title)
{
	skip_buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
	skip_html_escape(out, title);
	skip_buf_printf(out, "</title><style>%s</style></head><body><main>\n<h1>", style);
	skip_html_escape(out, title);
	skip_buf_puts(out, "</h1>\n<p>");
	skip_html_escape(out, graph->architecture);
	skip_buf_printf(out, " encoder, %d layers, width %d, %d classes, prefix %d. Every figure on this page was measured in the run named at its end.</p>\n",
			graph->layers, graph->model_width, graph->classes, graph->prefix);
}

enum skip_status skip_report_html(const struct skip_graph *graph, const json_t *metrics, const char *title, struct skip_buf *out,
				  struct skip_err *err)
{
	const json_t *trace = json_object_get(metrics, "trace"), *layers = json_object_get(metrics, "layers"), *stages = json_object_get(metrics, "stages");
	page_title(out, graph, title);
	if (json_object_get(metrics, "pruned")) {
		cards(out, metrics);
		metrics_table(out, metrics);
	} else {
		skip_buf_printf(out, "<p>Tuned, not pruned. Accuracy on %s: %.4f.</p>\n", string_at(metrics, "dense", "split"),
				skip_report_number(metrics, "dense.accuracy", 0));
	}
	if (json_array_size(trace)) {
		skip_buf_puts(out, "<h2>Accuracy against removed share, every probe</h2>\n<p>Decisions were taken on dev. The dashed line is the dense model. Drops are in points: by labels, expected by the dense model's "
				   "probabilities, and by both. Rows without an accuracy are trials: they ask whether the divergence (KL) stays small, or measure a speed.</p>\n");
		skip_svg_trace(out, metrics);
		trace_table(out, trace);
	}
	const char *shared = json_string_value(json_object_get(metrics, "shared_layers"));
	if (json_array_size(layers)) {
		skip_buf_puts(out, "<h2>What each layer kept</h2>\n<p>Grey is the dense width, colour is what stays.</p>\n");
		if (shared)
			skip_buf_printf(out, "<p>The layers of the checkpoint share weights: %s</p>\n",
					strcmp(shared, "tied") == 0 ? "a unit that left did so in every layer that uses it."
								    : "they were untied, so that each lost units of its own.");
		const json_t *shapes = json_object_get(metrics, "shapes"), *asked = json_object_get(shapes, "asked");
		if (asked)
			skip_buf_printf(out, "<p>The layers share shapes, of which %lld of attention and of ffn were asked for: %zu and %zu are left.</p>\n",
					(long long)json_integer_value(asked), json_array_size(json_object_get(shapes, "attention")),
					json_array_size(json_object_get(shapes, "ffn")));
		skip_svg_layers(out, metrics);
	}
	if (json_array_size(json_object_get(json_object_get(metrics, "tune"), "history")) > 1) {
		skip_buf_puts(out, "<h2>Tuning</h2>\n<p>Accuracy on the held-out tenth of the training data after each epoch.</p>\n");
		skip_svg_history(out, json_object_get(json_object_get(metrics, "tune"), "history"));
	}
	if (json_array_size(stages)) stages_table(out, stages);
	origin(out, metrics);
	skip_buf_puts(out, "</main></body></html>\n");
	if (!skip_buf_ok(out)) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the report");
	return SKIP_OK;
}
