/*
 * The report's drawings.
 */
#include "report/svg.h"

#include <math.h>
#include <stdio.h>

#define WIDTH 920.0
#define LEFT 56.0
#define RIGHT 16.0
#define TOP 14.0
#define BOTTOM 40.0

struct frame {
	double height, x0, x1, y0, y1; /* data ranges */
};

static double map_x(const struct frame *f, double x)
{
	return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double map_y(const struct frame *f, double y)
{
	return f->height - BOTTOM - (y - f->y0) / (f->y1 - f->y0) * (f->height - TOP - BOTTOM);
}

/* A round step that gives about `count` ticks over `range`. */
static double tick_step(double range, int count)
{
	double raw = range / count, power = pow(10, floor(log10(raw))), lead = raw / power;
	return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

/* As many digits after the point as tell neighbouring ticks apart, `least` at least. */
static int tick_digits(double step, int least)
{
	return (int)fmax(least, ceil(-log10(step) - 1e-9));
}

static void open_frame(struct skip_buf *out, const struct frame *f, const char *title, const char *x_label)
{
	skip_buf_printf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH, f->height, title);
	double step = tick_step(f->y1 - f->y0, 5);
	for (double y = ceil(f->y0 / step) * step; y <= f->y1 + step * 1e-6; y += step) {
		skip_buf_printf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", LEFT,
				WIDTH - RIGHT, map_y(f, y), map_y(f, y), LEFT - 8, map_y(f, y) + 4);
		skip_buf_printf(out, "%.*f", tick_digits(step, 2), y);
		skip_buf_puts(out, "</text>\n");
	}
	step = tick_step(f->x1 - f->x0, 9);
	for (double x = ceil(f->x0 / step) * step; x <= f->x1 + step * 1e-6; x += step) {
		skip_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", map_x(f, x), f->height - BOTTOM + 18);
		skip_buf_printf(out, "%.*f", tick_digits(step, 0), x);
		skip_buf_puts(out, "</text>\n");
	}
	skip_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", WIDTH - RIGHT, f->height - 4, x_label);
}

static void widen(double value, double *low, double *high)
{
	*low = fmin(*low, value);
	*high = fmax(*high, value);
}

void skip_svg_trace(struct skip_buf *out, const json_t *metrics)
{
	const json_t *trace = json_object_get(metrics, "trace");
	double dense = skip_report_number(metrics, "dev.dense.accuracy", skip_report_number(metrics, "dense.accuracy", 0));
	double low = dense, high = dense;
	size_t index;
	json_t *row;
	json_array_foreach(trace, index, row) widen(skip_report_number(row, "accuracy", dense), &low, &high);
	double room = fmax(0.01, 0.08 * (high - low));
	struct frame f = { .height = 320, .x0 = 0, .x1 = 100, .y0 = fmax(0, low - room), .y1 = fmin(1.0001, high + room) };
	open_frame(out, &f, "accuracy against removed share", "encoder parameters removed, %");
	skip_buf_printf(out, "<line class=\"ref\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT, WIDTH - RIGHT, map_y(&f, dense), map_y(&f, dense));
	json_array_foreach(trace, index, row) {
		if (!json_object_get(row, "accuracy")) continue; /* only its time was measured */
		double x = map_x(&f, skip_report_number(row, "removed_encoder_percent", 0)), y = map_y(&f, skip_report_number(row, "accuracy", 0));
		int accepted = json_is_true(json_object_get(row, "accepted"));
		skip_buf_printf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>probe %zu: %.1f %% removed, accuracy %.4f, %s</title></circle>\n",
				accepted ? "yes" : "no", x, y, index + 1, skip_report_number(row, "removed_encoder_percent", 0), skip_report_number(row, "accuracy", 0),
				accepted ? "within the margin" : "outside the margin");
		skip_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>\n", x, y - 9, index + 1);
	}
	skip_buf_puts(out, "</svg>\n");
}

struct kind {
	const char *label, *key;
	int per_head; /* the key counts what one head has */
};

static double width_of(const json_t *layer, const struct kind *kind)
{
	return (kind->per_head ? skip_report_number(layer, "heads", 0) : 1) * skip_report_number(layer, kind->key, 0);
}

/* Whether any layer has fewer of a kind than it had. */
static int any_gone(const json_t *layers, const json_t *dense, const struct kind *kind)
{
	size_t l;
	json_t *layer;
	json_array_foreach(layers, l, layer)
		if (width_of(layer, kind) < width_of(json_array_get(dense, l), kind)) return 1;
	return 0;
}

void skip_svg_layers(struct skip_buf *out, const json_t *metrics)
{
	static const struct kind kinds[] = { { "query and key dims", "qk", 1 }, { "value dims", "v", 1 }, { "ffn neurons", "ffn", 0 }, { "prefix slots", "prefix", 0 } };
	const json_t *layers = json_object_get(metrics, "layers"), *dense = json_object_get(metrics, "layers_dense");
	const size_t n = json_array_size(layers), n_kinds = any_gone(layers, dense, &kinds[3]) ? 4 : 3;
	const double label = 64, gap = 18, row_height = 22, bar = (WIDTH - label - (double)(n_kinds - 1) * gap) / (double)n_kinds;
	skip_buf_printf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"kept widths per layer\">\n", WIDTH, 26 + row_height * (double)n + 6);
	for (size_t k = 0; k < n_kinds; k++) skip_buf_printf(out, "<text x=\"%.1f\" y=\"14\">%s</text>\n", label + (double)k * (bar + gap), kinds[k].label);
	for (size_t l = 0; l < n; l++) {
		double y = 26 + row_height * (double)l;
		skip_buf_printf(out, "<text x=\"0\" y=\"%.1f\">layer %zu</text>\n", y + 12, l);
		for (size_t k = 0; k < n_kinds; k++) {
			double kept = width_of(json_array_get(layers, l), &kinds[k]), full = width_of(json_array_get(dense, l), &kinds[k]);
			double x = label + (double)k * (bar + gap), space = bar - 90;
			skip_buf_printf(out, "<rect class=\"ghost\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" rx=\"2\"/>", x, y, space);
			skip_buf_printf(out, "<rect class=\"keep\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" rx=\"2\"/>", x, y,
					full > 0 ? space * kept / full : 0);
			skip_buf_printf(out, "<text x=\"%.1f\" y=\"%.1f\">%.0f of %.0f</text>\n", x + space + 6, y + 12, kept, full);
		}
	}
	skip_buf_puts(out, "</svg>\n");
}

void skip_svg_history(struct skip_buf *out, const json_t *history)
{
	double low = 1, high = 0;
	size_t index, n = json_array_size(history);
	json_t *value;
	json_array_foreach(history, index, value) widen(json_number_value(value), &low, &high);
	double room = fmax(0.01, 0.08 * (high - low));
	struct frame f = { .height = 220, .x0 = 1, .x1 = (double)n, .y0 = fmax(0, low - room), .y1 = fmin(1.0001, high + room) };
	open_frame(out, &f, "accuracy per epoch", "epoch");
	skip_buf_puts(out, "<polyline fill=\"none\" style=\"stroke:var(--keep)\" stroke-width=\"2\" points=\"");
	json_array_foreach(history, index, value) skip_buf_printf(out, "%.1f,%.1f ", map_x(&f, (double)index + 1), map_y(&f, json_number_value(value)));
	skip_buf_puts(out, "\"/>\n</svg>\n");
}
