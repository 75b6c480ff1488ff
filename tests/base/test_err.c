#include "check.h"
#include <string.h>

Test(err, init_is_no_error)
{
	struct skip_err err;
	memset(&err, 0xff, sizeof(err));
	skip_err_init(&err);
	cr_assert(err.status == SKIP_OK && !err.message[0] && !err.file[0] && err.line == 0 && err.offset == -1 && err.cl_code == 0);
	skip_err_init(NULL);
}

Test(err, set_returns_the_status_and_clears_the_position)
{
	struct skip_err err;
	skip_err_at(&err, SKIP_ERR_INPUT, "a.tsv", 3, 9, "first");
	cr_assert(skip_err_set(&err, SKIP_ERR_USAGE, "found %d, expected %s", 7, "8") == SKIP_ERR_USAGE);
	cr_assert(eq(str, err.message, "found 7, expected 8"));
	cr_assert(err.status == SKIP_ERR_USAGE && !err.file[0] && err.line == 0 && err.offset == -1);
	cr_assert(skip_err_set(NULL, SKIP_ERR_IO, "nobody listens") == SKIP_ERR_IO);
}

Test(err, a_message_can_wrap_itself)
{
	struct skip_err err;
	skip_err_at(&err, SKIP_ERR_INPUT, "inner.json", 2, -1, "bad number");
	skip_err_at(&err, SKIP_ERR_INPUT, err.file, 4, -1, "tensor 'x': %s", err.message);
	cr_assert(eq(str, err.message, "tensor 'x': bad number"));
	cr_assert(eq(str, err.file, "inner.json"));
}

Test(err, long_texts_are_cut_and_terminated)
{
	struct skip_err err;
	char text[3000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	skip_err_at(&err, SKIP_ERR_INPUT, text, 0, -1, "%s", text);
	cr_assert(eq(sz, strlen(err.message), sizeof(err.message) - 1));
	cr_assert(eq(sz, strlen(err.file), sizeof(err.file) - 1));
	char small[7];
	skip_err_format(&err, small, sizeof(small));
	cr_assert(eq(str, small, "xxxxxx"));
	skip_err_format(&err, small, 0);
	cr_assert(eq(str, small, "xxxxxx"));
}

Test(err, format_shows_what_is_known)
{
	struct skip_err err;
	char text[256];
	skip_err_at(&err, SKIP_ERR_INPUT, "d.tsv", 12, -1, "no label");
	skip_err_format(&err, text, sizeof(text));
	cr_assert(eq(str, text, "d.tsv:12: no label"));
	skip_err_at(&err, SKIP_ERR_INPUT, "m.safetensors", 0, 0, "cut");
	skip_err_format(&err, text, sizeof(text));
	cr_assert(eq(str, text, "m.safetensors: offset 0: cut"));
	skip_err_at(&err, SKIP_ERR_IO, "gone", 0, -1, "cannot open");
	skip_err_format(&err, text, sizeof(text));
	cr_assert(eq(str, text, "gone: cannot open"));
	skip_err_set(&err, SKIP_ERR_INTERNAL, "alone");
	skip_err_format(&err, text, sizeof(text));
	cr_assert(eq(str, text, "alone"));
}

Test(err, add_file_keeps_the_first)
{
	struct skip_err err;
	skip_err_set(&err, SKIP_ERR_INPUT, "m");
	skip_err_add_file(&err, "a");
	skip_err_add_file(&err, "b");
	cr_assert(eq(str, err.file, "a"));
	skip_err_add_file(NULL, "c");
}

Test(err, exit_codes_are_the_documented_ones)
{
	static const struct {
		enum skip_status status;
		int code;
	} rows[] = {
	    {SKIP_OK, 0},         {SKIP_ERR_INTERNAL, 1},    {SKIP_ERR_NOMEM, 1},        {SKIP_ERR_USAGE, 2},  {SKIP_ERR_OUTPUT, 2},
	    {SKIP_ERR_INPUT, 3},  {SKIP_ERR_UNSUPPORTED, 3}, {SKIP_ERR_IO, 3},           {SKIP_ERR_DEVICE, 4}, {SKIP_ERR_NO_DEVICE, 4},
	    {SKIP_ERR_TARGET, 5}, {SKIP_ERR_VERIFY, 6},      {SKIP_ERR_INTERRUPTED, 130}};
	cr_assert(eq(sz, sizeof(rows) / sizeof(*rows), SKIP_STATUS_COUNT));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cr_expect(eq(int, skip_status_exit_code(rows[i].status), rows[i].code));
		cr_expect(skip_status_text(rows[i].status)[0] != '\0');
	}
	cr_assert(eq(str, (char *)skip_status_text(SKIP_ERR_INPUT), "bad input"));
	cr_assert(eq(str, (char *)skip_status_text((enum skip_status)99), "unknown status"));
	cr_assert(eq(int, skip_status_exit_code((enum skip_status)99), 1));
}
