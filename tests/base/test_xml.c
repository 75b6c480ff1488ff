/* XML: paths and texts of a walk, what is refused, every allocation failing. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/xml.h"
#include "check.h"
#include <string.h>

static enum skip_status note_begin(void *context, const char *path, const char *const *attribute, struct skip_err *err)
{
	const char *name = skip_xml_attribute(attribute, "name");
	(void)err;
	skip_buf_printf(context, "<%s%s%s ", path, name ? "=" : "", name ? name : "");
	return SKIP_OK;
}

static enum skip_status note_end(void *context, const char *path, const char *text, struct skip_err *err)
{
	if (strcmp(text, "stop") == 0) return skip_err_set(err, SKIP_ERR_VERIFY, "stopped");
	skip_buf_printf(context, ">%s[%s] ", path, text);
	return SKIP_OK;
}

static enum skip_status walk(const char *text, size_t size, struct skip_buf *out, struct skip_err *err)
{
	const struct skip_xml_reader reader = {note_begin, note_end, out};
	return skip_xml_walk(text, size, &reader, err);
}

Test(xml, paths_attributes_and_texts)
{
	static const char text[] = "<?xml version=\"1.0\"?>\n<a>\n <b id='1' name='x&amp;y'> 7\n</b><b/>t<!-- no --></a>\0\0\0";
	struct skip_err err;
	struct skip_buf out;
	skip_buf_init(&out);
	CHECK_OK(walk(text, sizeof(text) - 1, &out, &err));
	cr_expect_str_eq(skip_buf_text(&out), "</a </a/b=x&y >/a/b[7] </a/b >/a/b[] >/a[t] ");
	skip_buf_deinit(&out);
}

struct bad_case {
	const char *text;
	enum skip_status status;
	int64_t line;
	const char *says;
};

static const struct bad_case bad[] = {
	{"", SKIP_ERR_INPUT, 1, "not XML"},
	{"<a>\n<b>\n</a>", SKIP_ERR_INPUT, 3, "mismatched tag"},
	{"<a>", SKIP_ERR_INPUT, 1, "not XML"},
	{"<a/>\n<b/>", SKIP_ERR_INPUT, 2, "junk after document element"},
	{"<a>&nothing;</a>", SKIP_ERR_INPUT, 1, "undefined entity"},
	{"<a>\xff</a>", SKIP_ERR_INPUT, 1, "not XML"},
	{"\n<!DOCTYPE a [<!ENTITY x 'xx'>]><a>&x;</a>", SKIP_ERR_INPUT, 2, "document type"},
	{"<a><b>stop</b></a>", SKIP_ERR_VERIFY, 0, "stopped"},
};

ParameterizedTestParameters(xml, refuses) { return check_rows(sizeof(bad) / sizeof(bad[0])); }
ParameterizedTest(size_t *row, xml, refuses)
{
	const struct bad_case *c = &bad[*row];
	struct skip_err err;
	struct skip_buf out;
	skip_buf_init(&out);
	CHECK_FAILS(walk(c->text, strlen(c->text), &out, &err), c->status);
	cr_expect(strstr(err.message, c->says) != NULL && err.line == c->line, "line %lld: %s", (long long)err.line, err.message);
	skip_buf_deinit(&out);
}

Test(xml, every_allocation_may_fail)
{
	static const char text[] = "<a name='b'><c name='d'>seven</c></a>";
	static const struct skip_xml_reader nobody = {NULL, NULL, NULL};
	struct skip_err err;
	enum skip_status status = SKIP_ERR_NOMEM;
	int n = 0;
	while (status != SKIP_OK && n < 1000) {
		skip_err_init(&err);
		skip_alloc_fail_at((size_t)++n);
		status = skip_xml_walk(text, strlen(text), &nobody, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %d: %s", n, err.message);
	}
	cr_expect(status == SKIP_OK && n > 3, "%d allocations", n);
}
