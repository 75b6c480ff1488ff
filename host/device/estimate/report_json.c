/*
 * Reports of aoc: area.json (its own estimate) and quartus.json (after the fitter), or report_data.js, a script that sets a variable to each of them. Of 19.1
 * to 22.4 the columns have an empty first name; before, they have none, and counts of a kernel are called otherwise.
 */
#include "device/estimate/report.h"
#include "base/json.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The object that follows `name` in a script; NULL where there is none. */
static const char *value_of(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at ? at + strlen(name) : NULL;
}

static enum skip_status count(const json_t *value, const char *what, double *out, struct skip_err *err)
{
	if (json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= 1e12) {
		*out = json_number_value(value);
		return SKIP_OK;
	}
	if (json_is_string(value) && skip_tool_report_number(json_string_value(value), out)) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "\"%.40s\": expected a count, found %s", what, json_is_string(value) ? json_string_value(value) : "none");
}

/* ---- area.json ---- */

static int resource_of(const char *column)
{
	static const struct {
		const char *name;
		enum skip_resource resource;
	} columns[] = {{"ALUTs", SKIP_RESOURCE_LOGIC}, {"FFs", SKIP_RESOURCE_FF}, {"RAMs", SKIP_RESOURCE_BRAM}, {"DSPs", SKIP_RESOURCE_DSP}};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (strcasecmp(column, columns[i].name) == 0) return (int)columns[i].resource;
	}
	return -1;
}

/* Counts in the order of the named columns. */
static enum skip_status take_row(const json_t *columns, const json_t *row, struct skip_tool_report_part *out, struct skip_err *err)
{
	size_t at = 0;
	for (size_t c = 0; c < json_array_size(columns); c++) {
		const char *name = json_string_value(json_array_get(columns, c));
		if (!name) return skip_err_set(err, SKIP_ERR_INPUT, "\"columns\": expected names");
		if (!name[0]) continue; /* of the rows' names */
		const int resource = resource_of(name);
		const json_t *value = json_array_get(row, at++);
		if (resource < 0) continue;
		enum skip_status status = count(value, name, &out->used[resource], err);
		if (status != SKIP_OK) return status;
		out->known[resource] = true;
	}
	if (out->known[SKIP_RESOURCE_LOGIC] && out->known[SKIP_RESOURCE_DSP]) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_INPUT, "\"columns\" do not name ALUTs and DSPs");
}

/* "Kernel ffn_main_d384" of some versions is the kernel ffn_main_d384. */
static const char *bare_name(const char *name)
{
	static const char prefix[] = "Kernel ";
	return strncmp(name, prefix, sizeof(prefix) - 1) == 0 ? name + sizeof(prefix) - 1 : name;
}

static enum skip_status take_kernels(const json_t *columns, const json_t *list, struct skip_tool_report *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i), *row = json_object_get(entry, "total_kernel_resources");
		const char *name = json_string_value(json_object_get(entry, "name"));
		struct skip_tool_report_part *part;
		if (!row) row = json_object_get(entry, "data");
		if (!name || !json_is_array(row)) continue; /* a heading */
		name = bare_name(name);
		SKIP_TRY(skip_tool_report_add(out, name, strlen(name), &part, err));
		SKIP_TRY(take_row(columns, row, part, err));
	}
cleanup:
	return status;
}

static enum skip_status read_area(const json_t *area, struct skip_tool_report *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *columns, *total;
	out->kind = "area.json";
	out->tier = SKIP_TIER_REPORT;
	out->logic = "alut";
	out->block = "m20k";
	snprintf(out->tool, sizeof(out->tool), "aoc");
	SKIP_TRY(skip_json_array(area, "columns", &columns, err));
	SKIP_TRY(skip_json_array(area, "total", &total, err));
	SKIP_TRY(take_row(columns, total, &out->total, err));
	out->has_total = true;
	out->whole_chip = true;
	SKIP_TRY(take_kernels(columns, json_object_get(area, "functions"), out, err));
	SKIP_TRY(take_kernels(columns, json_object_get(area, "children"), out, err));
cleanup:
	return status;
}

/* ---- loopsJSON ---- */

/* "1", "~4", ">=2"; no number where a loop has none. */
static bool interval_of(const json_t *value, double *out)
{
	if (json_is_number(value)) *out = json_number_value(value);
	const char *text = json_string_value(value);
	return json_is_number(value) || (text && skip_tool_report_number(text + strspn(text, "~>= "), out));
}

/* Rows are [pipelined, II, ...]. The intervals of loops that hold others are those of their serial parts and say nothing of the work: innermost ones count. */
static void take_loops(const json_t *loop, struct skip_tool_report_part *part, int depth)
{
	enum { DEEPEST = 64 };
	const json_t *inner = json_object_get(loop, "children"), *row = json_object_get(loop, "data");
	const char *name = json_string_value(json_object_get(loop, "name")), *pipelined = json_string_value(json_array_get(row, 0));
	double ii;
	for (size_t i = 0; i < json_array_size(inner) && depth < DEEPEST; i++) take_loops(json_array_get(inner, i), part, depth + 1);
	if (json_array_size(inner) > 0 || !pipelined || strcasecmp(pipelined, "yes") != 0) return;
	if (interval_of(json_array_get(row, 1), &ii)) skip_tool_report_loop(part, name ? name : "", ii);
}

/* Of the kernels that are in the report. A name may come with a word and the place of the source: "Kernel: k (kernels.cl:12)". */
static void read_loops(const json_t *root, struct skip_tool_report *out)
{
	const json_t *list = json_object_get(root, "children");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(entry, "name"));
		if (!name) continue;
		if (strncmp(name, "Kernel", 6) == 0) name += 6 + strspn(name + 6, ": ");
		for (size_t k = 0; k < out->n_kernels; k++) {
			const size_t length = strlen(out->kernel[k].name);
			if (strncmp(name, out->kernel[k].name, length) == 0 && (name[length] == '\0' || name[length] == ' ')) take_loops(entry, &out->kernel[k], 0);
		}
	}
}

/* ---- quartus.json ---- */

/* The kernel system, without what is fixed beside it. */
static const json_t *system_node(const json_t *nodes)
{
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);
		const char *type = json_string_value(json_object_get(node, "type")), *name = json_string_value(json_object_get(node, "name"));
		if ((type && strcmp(type, "system") == 0) || (name && strstr(name, "Kernel System"))) return node;
	}
	return json_array_get(nodes, json_array_size(nodes) - 1);
}

static enum skip_status read_fitted(const json_t *root, struct skip_tool_report *out, struct skip_err *err)
{
	static const struct {
		const char *key;
		enum skip_resource resource;
	} keys[] = {{"alm", SKIP_RESOURCE_LOGIC}, {"reg", SKIP_RESOURCE_FF}, {"dsp", SKIP_RESOURCE_DSP}, {"ram", SKIP_RESOURCE_BRAM}};
	enum skip_status status;
	json_t *summary, *nodes;
	out->kind = "quartus.json";
	out->tier = SKIP_TIER_ROUTED;
	out->logic = "alm";
	out->block = "m20k";
	snprintf(out->tool, sizeof(out->tool), "Quartus");
	SKIP_TRY(skip_json_object(root, "quartusFitResourceUsageSummary", &summary, err));
	SKIP_TRY(skip_json_array(summary, "nodes", &nodes, err));
	const json_t *node = system_node(nodes);
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		SKIP_TRY(count(json_object_get(node, keys[k].key), keys[k].key, &out->total.used[keys[k].resource], err));
		out->total.known[keys[k].resource] = true;
	}
	out->has_total = true;
	const json_t *clocks = json_object_get(json_object_get(root, "quartusFitClockSummary"), "nodes"), *clock = json_array_get(clocks, 0);
	const json_t *value = json_object_get(clock, "kernel clock") ? json_object_get(clock, "kernel clock") : json_object_get(clock, "clock");
	if (value) status = count(value, "clock", &out->clock_mhz, err);
cleanup:
	return status;
}

static enum skip_status read_object(const json_t *root, struct skip_tool_report *out, struct skip_err *err)
{
	if (json_object_get(root, "quartusFitResourceUsageSummary")) return read_fitted(root, out, err);
	if (json_object_get(root, "columns")) return read_area(root, out, err);
	return skip_err_set(err, SKIP_ERR_INPUT, "neither area.json (\"columns\") nor quartus.json (\"quartusFitResourceUsageSummary\")");
}

enum skip_status skip_tool_report_json(const char *text, size_t size, struct skip_tool_report *out, struct skip_err *err)
{
	enum skip_status status;
	json_t *root = NULL, *loops = NULL;
	const char *fitted = value_of(text, "quartusJSON="), *area = value_of(text, "areaJSON="), *loop = value_of(text, "loopsJSON=");
	const char *start = text + strspn(text, " \t\r\n");
	if (*start == '{') {
		SKIP_TRY(skip_json_parse(text, size, &root, err));
		status = read_object(root, out, err);
		goto cleanup;
	}
	/* Before the fitter has run its table says "TBD". */
	if (fitted && !strstr(fitted, "TBD"))
		start = fitted;
	else
		start = area ? area : fitted;
	SKIP_TRY(skip_json_parse_first(start, size - (size_t)(start - text), &root, err));
	SKIP_TRY(read_object(root, out, err));
	if (loop && out->n_kernels) {
		SKIP_TRY(skip_json_parse_first(loop, size - (size_t)(loop - text), &loops, err));
		read_loops(loops, out);
	}
cleanup:
	json_decref(loops);
	json_decref(root);
	return status;
}
