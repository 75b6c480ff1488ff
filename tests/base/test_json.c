#include "base/json.h"
#include "base/rng.h"
#include "toy_bert.h"
#include <locale.h>

static json_t *parse(const char *text)
{
	struct skip_err err;
	json_t *value;
	CHECK_OK(skip_json_parse(text, strlen(text), &value, &err));
	return value;
}

static void wants_written(const char *text, const char *wanted)
{
	struct skip_err err;
	struct skip_buf out;
	json_t *value = parse(text);
	skip_buf_init(&out);
	CHECK_OK(skip_json_write(value, &out, &err));
	cr_expect(eq(str, (char *)skip_buf_text(&out), (char *)wanted));
	json_decref(value);
	skip_buf_deinit(&out);
}

Test(json, writes_one_canonical_text)
{
	wants_written("{}", "{}\n");
	wants_written("[ ]", "[]\n");
	wants_written(
	    "{\"b\":1,\"a\":{\"z\":null,\"y\":[true,false,\"t\"]}}",
	    "{\n  \"a\": {\n    \"y\": [\n      true,\n      false,\n      \"t\"\n    ],\n    \"z\": null\n  },\n  \"b\": 1\n}\n");
	wants_written("[1,2.5,-3]", "[1, 2.5, -3]\n");
	wants_written("[[1],[]]", "[\n  [1],\n  []\n]\n");
	wants_written("[\"a\\\"\\\\\\n\\t\\u0001\\u00e9\\/\"]", "[\n  \"a\\\"\\\\\\n\\t\\u0001\xc3\xa9/\"\n]\n");
}

Test(json, reals_are_short_and_stay_reals)
{
	wants_written("[1.0, -0.0, 0.1, 1e300, 1e-12, 123456789.0, 0.30000000000000004, 1e22, 5e-324]",
	              "[1.0, -0.0, 0.1, 1e+300, 1e-12, 123456789.0, 0.30000000000000004, 1e+22, 5e-324]\n");
}

Test(json, every_real_reads_back_the_same)
{
	struct skip_err err;
	struct skip_rng rng;
	skip_rng_init(&rng, 1, "json");
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = skip_rng_next(&rng);
		double number, back;
		memcpy(&number, &bits, sizeof(number));
		if (!isfinite(number)) continue;
		struct skip_buf out;
		json_t *object = json_pack("{s:f}", "x", number), *read;
		skip_buf_init(&out);
		CHECK_OK(skip_json_write(object, &out, &err));
		CHECK_OK(skip_json_parse(skip_buf_text(&out), out.length, &read, &err));
		cr_assert(0 != json_is_real(json_object_get(read, "x")));
		CHECK_OK(skip_json_real(read, "x", &back, &err));
		cr_assert(memcmp(&number, &back, sizeof(number)) == 0, "%.17g", number);
		json_decref(object);
		json_decref(read);
		skip_buf_deinit(&out);
	}
}

Test(json, the_decimal_point_is_a_point_in_every_locale)
{
	char folder[1200], one_and_a_half[8];
	snprintf(folder, sizeof(folder), "%s/locale", getenv("SKIP_TEST_BINARY"));
	cr_assert(setenv("LOCPATH", folder, 1) == 0);
	cr_assert(setlocale(LC_NUMERIC, "de_DE.UTF-8") != NULL, "%s has no locale", folder);
	snprintf(one_and_a_half, sizeof(one_and_a_half), "%.1f", 1.5);
	cr_assert(strcmp(one_and_a_half, "1,5") == 0, "the locale writes %s", one_and_a_half);
	wants_written("[1.5]", "[1.5]\n");
}

Test(json, refuses_what_is_not_json)
{
	static const struct {
		const char *text;
		int line;
		const char *message;
	} rows[] = {
	    {"", 1, "'[' or '{' expected"},         {"{\"a\": 1,\n \"a\": 2}", 2, "duplicate object key"},
	    {"{\"a\": }", 1, "unexpected token"},   {"{\n\n  \"a\": 1", 3, "'}' expected"},
	    {"[1] x", 1, "end of file expected"},   {"[\"\xff\"]", 1, "unable to decode byte 0xff"},
	    {"[1e999]", 1, "real number overflow"}, {"[\"\\u0000\"]", 1, "\\u0000"},
	    {"7", 1, "'[' or '{' expected"},        {"[99999999999999999999]", 1, "too big integer"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct skip_err err;
		json_t *value = NULL;
		CHECK_FAILS(skip_json_parse(rows[i].text, strlen(rows[i].text), &value, &err), SKIP_ERR_INPUT);
		cr_expect(err.line == rows[i].line, "%s: line %d", rows[i].text, (int)err.line);
		cr_expect(strstr(err.message, rows[i].message) != NULL, "%s: %s", rows[i].text, err.message);
		cr_assert(value == NULL);
	}
}

Test(json, load_names_file_and_line)
{
	struct skip_err err;
	json_t *value = NULL;
	char folder[512];
	toy_folder(folder);
	toy_write_text(folder, "good.json", "{\"x\": 7}");
	toy_write_text(folder, "bad.json", "{\n\"x\": 7,,\n}");
	CHECK_OK(skip_json_load(toy_path(folder, "good.json"), &value, &err));
	json_decref(value);
	CHECK_FAILS(skip_json_load(toy_path(folder, "bad.json"), &value, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.file, "/bad.json") != NULL && err.line == 2);
	CHECK_FAILS(skip_json_load(toy_path(folder, "absent.json"), &value, &err), SKIP_ERR_IO);
	cr_assert(strstr(err.file, "/absent.json") != NULL);
	toy_folder_remove(folder);
}

#define OBJECT "{\"i\": 7, \"neg\": -1, \"r\": 0.5, \"s\": \"text\", \"t\": true, \"n\": null, \"a\": [1], \"o\": {\"k\": 2}}"

Test(json, typed_reads)
{
	struct skip_err err;
	json_t *object = parse(OBJECT), *inner;
	int64_t integer = 0;
	double real = 0;
	bool truth = false;
	const char *text;
	CHECK_OK(skip_json_int(object, "i", 7, 7, &integer, &err));
	cr_assert(integer == 7);
	CHECK_OK(skip_json_int_or(object, "neg", 3, -1, 1, &integer, &err));
	cr_assert(integer == -1);
	CHECK_OK(skip_json_int_or(object, "absent", 3, 10, 20, &integer, &err));
	cr_assert(integer == 3);
	CHECK_OK(skip_json_int_or(object, "n", 4, 10, 20, &integer, &err));
	cr_assert(integer == 4);
	CHECK_OK(skip_json_real(object, "r", &real, &err));
	cr_assert(real == 0.5);
	CHECK_OK(skip_json_real(object, "i", &real, &err));
	cr_assert(real == 7);
	CHECK_OK(skip_json_real_or(object, "absent", 1e-12, &real, &err));
	cr_assert(real == 1e-12);
	CHECK_OK(skip_json_bool_or(object, "t", false, &truth, &err));
	cr_assert(truth);
	CHECK_OK(skip_json_bool_or(object, "n", true, &truth, &err));
	cr_assert(truth);
	CHECK_OK(skip_json_bool_or(object, "absent", false, &truth, &err));
	cr_assert(not(truth));
	CHECK_OK(skip_json_string(object, "s", &text, &err));
	cr_assert(eq(str, (char *)text, "text"));
	CHECK_OK(skip_json_array(object, "a", &inner, &err));
	cr_assert(json_array_size(inner) == 1);
	CHECK_OK(skip_json_object(object, "o", &inner, &err));
	cr_assert(json_object_size(inner) == 1);
	json_decref(object);
}

Test(json, typed_reads_say_what_was_expected_and_found)
{
	struct skip_err err;
	json_t *object = parse(OBJECT), *inner = NULL;
	int64_t integer = -5;
	double real = -5;
	bool truth = false;
	const char *text = NULL;
	CHECK_FAILS(skip_json_int(object, "absent", 0, 1, &integer, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"absent\" is missing; expected an integer"));
	CHECK_FAILS(skip_json_int(object, "i", 8, 9, &integer, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"i\": expected an integer from 8 to 9, found 7"));
	CHECK_FAILS(skip_json_int_or(object, "r", 1, 0, 9, &integer, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"r\": expected an integer, found a real number"));
	CHECK_FAILS(skip_json_real(object, "s", &real, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"s\": expected a number, found the string \"text\""));
	CHECK_FAILS(skip_json_real_or(object, "a", 1, &real, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"a\": expected a number, found an array"));
	CHECK_FAILS(skip_json_bool_or(object, "i", true, &truth, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"i\": expected true or false, found an integer"));
	CHECK_FAILS(skip_json_string(object, "n", &text, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"n\": expected a string, found null"));
	CHECK_FAILS(skip_json_array(object, "o", &inner, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"o\": expected an array, found an object"));
	CHECK_FAILS(skip_json_object(object, "t", &inner, &err), SKIP_ERR_INPUT);
	cr_assert(eq(str, err.message, "\"t\": expected an object, found true"));
	cr_assert(integer == -5 && real == -5 && !(truth) && text == NULL && inner == NULL);
	json_decref(object);
}

static void *counted_malloc(size_t size)
{
	return skip_alloc_array(1, size);
}

/* jansson allocates through our hook here, so its own failures are met as well. */
Test(json, survives_failing_allocations)
{
	struct skip_err err;
	char folder[512];
	size_t n = 1;
	json_set_alloc_funcs(counted_malloc, skip_free);
	toy_folder(folder);
	toy_write_text(folder, "x.json", OBJECT);
	for (; n < 1000; n++) {
		json_t *value = NULL;
		struct skip_buf out;
		skip_buf_init(&out);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_json_load(toy_path(folder, "x.json"), &value, &err);
		if (status == SKIP_OK) status = skip_json_write(value, &out, &err);
		skip_alloc_fail_at(0);
		json_decref(value);
		skip_buf_deinit(&out);
		if (status == SKIP_OK) break;
		/* inside a string jansson reports a failed allocation as a bad token */
		cr_assert(status == SKIP_ERR_NOMEM || status == SKIP_ERR_INPUT, "allocation %zu: %s", n, err.message);
	}
	cr_assert(n > 10 && n < 1000);
	toy_folder_remove(folder);
}

Test(json, integers_past_64_bits_can_be_read_as_reals)
{
	struct skip_err err;
	json_t *value;
	char folder[512];
	toy_folder(folder);
	toy_write_text(folder, "big.json", "{\"none\": 1000000000000000019884624838656, \"one\": 1}");
	CHECK_FAILS(skip_json_load(toy_path(folder, "big.json"), &value, &err), SKIP_ERR_INPUT);
	CHECK_OK(skip_json_load_reals(toy_path(folder, "big.json"), &value, &err));
	cr_assert(json_real_value(json_object_get(value, "none")) == 1e30);
	cr_assert(json_real_value(json_object_get(value, "one")) == 1);
	json_decref(value);
	toy_folder_remove(folder);
}
