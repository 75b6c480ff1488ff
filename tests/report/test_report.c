/* The report page: well formed, escaped, complete, and it fetches nothing. */
#include "base/json.h"
#include "check.h"
#include "graph/graph.h"
#include "report/report.h"

#include <ctype.h>
#include <string.h>

static const char full[] =
    "{\"date\": \"2020-01-02T03:04:05Z\", \"command\": \"skip fit 'a<b>&\\\"c\\\"' -o x.skip\", \"criterion\": \"skip\", \"samples\": 7, \"margin\": 1.0,"
    "\"host\": {\"platform\": \"P <1>\", \"device\": \"D & D\", \"driver\": \"3.1\", \"profile\": \"generic\", \"compute_units\": 2},"
    "\"dense\": {\"split\": \"test\", \"n\": 61, \"correct\": 60, \"accuracy\": 0.9836, \"accuracy_se\": 0.01, \"f1\": 0.97, \"mcc\": 0.96, \"loss\": 0.1},"
    "\"pruned\": {\"split\": \"test\", \"n\": 61, \"correct\": 59, \"accuracy\": 0.9672, \"accuracy_se\": 0.01, \"f1\": 0.95, \"mcc\": 0.94, \"loss\": 0.2},"
    "\"drop\": 1.64, \"drop_se\": 1.1, \"speedup_measured\": 1.87, \"removed_encoder_percent\": 51.8,"
    "\"parameters\": {\"total\": 1000, \"encoder\": 500000, \"encoder_dense\": 1000000, \"removed_encoder_percent\": 50.0, \"removed_total_percent\": 20.0},"
    "\"latency\": {\"tokens\": 19, \"dense_ms\": 3.14, \"pruned_ms\": 1.61, \"dense_packed_ms\": 61, \"pruned_packed_ms\": 33},"
    "\"trace\": ["
    "{\"rate\": 0.5, \"removed_encoder_percent\": 50.0, \"accuracy\": 0.91, \"drop\": 0.5, \"drop_se\": 0.4, \"kl\": 0.01, \"macs_share\": 0.5, \"seconds\": 1.5, "
    "\"accepted\": true},"
    "{\"rate\": 0.75, \"removed_encoder_percent\": 75.0, \"accuracy\": 0.71, \"drop\": 20.5, \"drop_se\": 2.4, \"kl\": 0.61, \"macs_share\": 0.25, "
    "\"seconds\": 1.25, \"accepted\": false},"
    "{\"rate\": 0.6, \"removed_encoder_percent\": 0.0, \"kl\": 0.0432, \"macs_share\": 0.0, \"seconds\": 0.25, \"accepted\": true}],"
    "\"layers\": [{\"heads\": 3, \"qk\": 2, \"v\": 4, \"ffn\": 7, \"prefix\": 1}, {\"heads\": 3, \"qk\": 0, \"v\": 0, \"ffn\": 61, \"prefix\": 1}],"
    "\"layers_dense\": [{\"heads\": 3, \"qk\": 4, \"v\": 4, \"ffn\": 61, \"prefix\": 1}, {\"heads\": 3, \"qk\": 4, \"v\": 4, \"ffn\": 61, \"prefix\": 1}],"
    "\"tune\": {\"epochs\": 3, \"best_epoch\": 2, \"history\": [0.5, 0.875, 0.75]},"
    "\"stages\": [{\"name\": \"read\", \"seconds\": 0.5}, {\"name\": \"tune <x>\", \"seconds\": 61.25}]}";

/* The page of a metrics document (JSON text); the caller deinits. */
static void page_of(const char *metrics, const char *title, struct skip_buf *out)
{
	struct skip_err err;
	struct skip_graph *graph = NULL;
	json_t *document = NULL;
	CHECK_OK(skip_graph_create(&graph, &err));
	snprintf(graph->architecture, sizeof(graph->architecture), "bert");
	graph->layers = 2;
	graph->model_width = 12;
	graph->classes = 3;
	graph->prefix = 4;
	CHECK_OK(skip_json_parse(metrics, strlen(metrics), &document, &err));
	skip_buf_init(out);
	CHECK_OK(skip_report_html(graph, document, title, out, &err));
	json_decref(document);
	skip_graph_destroy(graph);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static bool is_void(const char *name)
{
	return !strcmp(name, "meta") || !strcmp(name, "br") || !strcmp(name, "link") || !strcmp(name, "img");
}

/* Every tag is closed by its own name in the right order, attributes are quoted, and text holds no bare < or &. */
static void check_well_formed(const char *html)
{
	char stack[32][16];
	int depth = 0;
	bool in_style = false;
	cr_assert(strncmp(html, "<!doctype html>", 15) == 0);
	for (const char *p = html + 15; *p; p++) {
		if (*p == '&' && !in_style) {
			size_t n = strcspn(p, "; <");
			cr_assert(p[n] == ';' && n < 8, "a bare & at '%.30s'", p);
		}
		if (*p != '<') continue;
		const char *end = strchr(p, '>');
		cr_assert(end != NULL, "an unclosed tag at '%.30s'", p);
		bool closing = p[1] == '/', alone = end[-1] == '/';
		char name[16] = "";
		size_t n = 0;
		for (const char *c = p + 1 + closing; n < sizeof(name) - 1 && (isalnum((unsigned char)*c) || *c == '-'); c++) name[n++] = *c;
		cr_assert(n > 0, "no tag at '%.30s'", p);
		int quotes = 0;
		for (const char *c = p; c < end; c++) {
			quotes += *c == '"';
			if (*c == '=' && quotes % 2 == 0) cr_assert(c[1] == '"', "an attribute without quotes in '%.40s'", p);
		}
		cr_assert(quotes % 2 == 0, "odd quotes in '%.40s'", p);
		if (closing) {
			cr_assert(depth > 0 && !strcmp(stack[depth - 1], name), "</%s> closes <%s>", name, depth ? stack[depth - 1] : "");
			depth--;
		} else if (!alone && !is_void(name)) {
			cr_assert(depth < 32);
			strcpy(stack[depth++], name);
		}
		in_style = !closing && !strcmp(name, "style");
		p = end;
	}
	cr_assert(depth == 0, "<%s> is not closed", depth ? stack[depth - 1] : "");
}

/* Nothing on the page makes a browser ask for anything. */
static void check_alone(const char *html)
{
	static const char *const words[] = { "http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<img", "<object" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) cr_assert_eq(has(html, words[i]), false, "the page holds '%s'", words[i]);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
	return n;
}

Test(report, is_well_formed_and_alone)
{
	struct skip_buf page;
	page_of(full, "x.skip", &page);
	check_well_formed(skip_buf_text(&page));
	check_alone(skip_buf_text(&page));
	skip_buf_deinit(&page);
}

Test(report, escapes_what_it_is_given)
{
	struct skip_buf page;
	page_of(full, "<b>\"t\" & 'u'</b>", &page);
	const char *html = skip_buf_text(&page);
	check_well_formed(html);
	cr_assert_eq(has(html, "<b>\"t\""), false);
	cr_assert(has(html, "&lt;b&gt;&quot;t&quot; &amp; "));
	cr_assert(has(html, "a&lt;b&gt;&amp;&quot;c&quot;"), "the command is escaped");
	cr_assert(has(html, "P &lt;1&gt;") && has(html, "D &amp; D"), "the host is escaped");
	cr_assert(has(html, "tune &lt;x&gt;"), "names of stages are escaped");
	skip_buf_deinit(&page);
}

Test(report, shows_every_figure)
{
	static const char *const figures[] = { "0.967", "0.984", "1.64 ± 1.10", "(test)", "51.8 %", "0.50 M of 1.00 M", "1.87×", "1.61 ms", "3.14 ms", "0.9836", "0.9672",
					       "0.9700", "0.9500", "19 tokens", "bert encoder, 2 layers, width 12, 3 classes, prefix 4" };
	struct skip_buf page;
	page_of(full, "x.skip", &page);
	const char *html = skip_buf_text(&page);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) cr_assert(has(html, figures[i]), "the page lacks '%s'", figures[i]);
	cr_assert_eq(count(html, "<circle "), 2, "one dot per probe");
	cr_assert_eq(count(html, "class=\"yes\""), 1);
	cr_assert_eq(count(html, "class=\"no\""), 1);
	cr_assert_eq(count(html, "<rect class=\"keep\""), 6, "three bars per layer");
	cr_assert_eq(count(html, "<polyline "), 1, "tuning has its line");
	cr_assert(has(html, "7 of 61") && has(html, "6 of 12"), "kept widths");
	skip_buf_deinit(&page);
}

/* Documents with little in them: a tuned model, nothing at all, empty lists, one probe, one epoch, wrong types. No number is not a number. */
ParameterizedTestParameters(report, stands_without)
{
	static char rows[][200] = {
		"{}",
		"{\"dense\": {\"split\": \"dev\", \"accuracy\": 0.5}, \"tune\": {\"history\": [0.5]}}",
		"{\"pruned\": {}, \"trace\": [], \"layers\": [], \"stages\": [], \"tune\": {\"history\": []}}",
		"{\"pruned\": {}, \"trace\": [{}], \"layers\": [{}], \"layers_dense\": []}",
		"{\"pruned\": {}, \"trace\": [{\"accuracy\": 1.0, \"removed_encoder_percent\": 0}], \"dense\": {\"accuracy\": 1.0}}",
		"{\"pruned\": {}, \"trace\": [{\"accuracy\": 0.0}], \"tune\": {\"history\": [0, 0, 0, 0]}}",
		"{\"pruned\": {}, \"trace\": [{\"accuracy\": 1.0}], \"tune\": {\"history\": [1, 1]}}",
		"{\"pruned\": 3, \"trace\": {}, \"layers\": \"x\", \"stages\": 1, \"host\": [], \"date\": 7, \"command\": null, \"tune\": 1}",
	};
	return cr_make_param_array(char[200], rows, sizeof(rows) / sizeof(rows[0]));
}

ParameterizedTest(char (*metrics)[200], report, stands_without)
{
	struct skip_buf page;
	page_of(*metrics, "", &page);
	const char *html = skip_buf_text(&page);
	check_well_formed(html);
	check_alone(html);
	cr_assert(has(html, "</html>"));
	const char *body = strstr(html, "<body>");
	cr_assert_eq(has(body, "nan") || has(body, "inf"), false, "%s: a number that is none", *metrics);
	skip_buf_deinit(&page);
}

/* A trial has no accuracy and took nothing away: blanks, not zeros. */
Test(report, leaves_blank_what_was_not_measured)
{
	struct skip_buf page;
	page_of(full, "x.skip", &page);
	const char *text = skip_buf_text(&page), *trial = strstr(text, "<td>0.600</td>");
	cr_assert(trial && !strncmp(trial, "<td>0.600</td><td></td><td></td><td></td><td></td><td></td><td>0.0432</td><td></td><td></td><td>0.2</td>", 99), "%.120s", trial);
	cr_assert(not(has(text, "<td>0.0 %</td>")));
	skip_buf_deinit(&page);
}

Test(report, gives_the_same_page_twice)
{
	struct skip_buf a, b;
	page_of(full, "x.skip", &a);
	page_of(full, "x.skip", &b);
	cr_assert_str_eq(skip_buf_text(&a), skip_buf_text(&b));
	skip_buf_deinit(&a);
	skip_buf_deinit(&b);
}
