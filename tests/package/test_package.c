/* The task package: what is written comes back, equal input gives equal bytes, and nothing that was changed is accepted. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "model/model.h"
#include "package/internal.h"
#include "toy_bert.h"
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[512];
static struct skip_model model;
static struct skip_tokenizer *tokenizer;
static struct skip_labels labels;
static json_t *metrics, *history;
static struct skip_plan_program programs[] = {{.name = "linear", .text = "/* linear */\n", .hash = "aa"},
                                              {.name = "rest", .text = "/* rest */\n", .hash = "bb"}};
static struct skip_plan plan = {
    .profile = "generic", .options = "-cl-std=CL1.2", .query_block = 4, .key_align = 4, .programs = programs, .n_programs = 2};

/* folder/name; good until the fifth call from here. */
static const char *path_of(const char *name)
{
	static char path[5][1024];
	static int next;
	next = (next + 1) % 5;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void make_model(void)
{
	struct skip_err err;
	struct toy_bert toy = TOY_BERT;
	toy.classes = 3;
	toy.vocab_file = true;
	toy_folder(folder);
	toy_bert_write(path_of("model"), &toy);
	CHECK_OK(skip_model_open(path_of("model"), &model, &err));
	CHECK_OK(skip_tokenizer_open(path_of("model"), &tokenizer, &err));
	CHECK_OK(skip_labels_make((const char *const *)model.label, model.n_labels, &labels, &err));
	metrics = json_pack("{s:f, s:[i, i]}", "accuracy", 0.875, "seeds", 0, 1);
	history = json_pack("{s:s, s:f}", "criterion", "fisher", "rate", 0.1);
}

static void drop_model(void)
{
	json_decref(metrics);
	json_decref(history);
	skip_labels_deinit(&labels);
	skip_tokenizer_close(tokenizer);
	skip_model_deinit(&model);
	toy_folder_remove(folder);
}

TestSuite(package, .init = make_model, .fini = drop_model);

static struct skip_package_write contents(void)
{
	static const struct skip_plan *plans[] = {&plan};
	static char source[1024];
	snprintf(source, sizeof(source), "%s/model", folder);
	return (struct skip_package_write){
	    .graph = model.graph,
	    .labels = &labels,
	    .tokenizer_folder = source,
	    .tokenizer = tokenizer,
	    .max_length = 16,
	    .plans = plans,
	    .n_plans = 1,
	    .metrics = metrics,
	    .report_html = "<html></html>\n",
	    .history = history,
	};
}

static void save(const char *name)
{
	struct skip_err err;
	struct skip_package_write write = contents();
	CHECK_OK(skip_package_save(path_of(name), &write, &err));
}

static void read_text(const char *name, struct skip_buf *out)
{
	struct skip_err err;
	skip_buf_init(out);
	CHECK_OK(skip_file_read(path_of(name), out, &err));
}

static void same_file(const char *a, const char *b)
{
	struct skip_buf x, y;
	read_text(a, &x);
	read_text(b, &y);
	cr_assert(x.length == y.length && memcmp(x.data, y.data, x.length) == 0, "%s and %s differ", a, b);
	skip_buf_deinit(&x);
	skip_buf_deinit(&y);
}

static const char *const all_files[] = {
    "manifest.json",
    "weights.safetensors",
    "metrics.json",
    "report.html",
    "tokenizer/vocab.txt",
    "tokenizer/tokenizer_config.json",
    "programs/generic/linear.cl",
    "programs/generic/rest.cl",
    "programs/generic/plan.json",
};
#define N_FILES (sizeof(all_files) / sizeof(all_files[0]))

static void same_package(const char *a, const char *b)
{
	for (size_t i = 0; i < N_FILES; i++) {
		char x[256], y[256];
		snprintf(x, sizeof(x), "%s/%s", a, all_files[i]);
		snprintf(y, sizeof(y), "%s/%s", b, all_files[i]);
		same_file(x, y);
	}
}

/* The package is refused with this status, naming this file of it, with this in the message. */
static void refused(enum skip_status status, const char *file, const char *message)
{
	struct skip_err err;
	struct skip_package *package = NULL;
	char wanted[1024];
	snprintf(wanted, sizeof(wanted), "%s/p.skip/%s", folder, file);
	CHECK_FAILS(skip_package_open(path_of("p.skip"), &package, &err), status);
	cr_assert(package == NULL);
	cr_assert(eq(str, err.file, wanted), "%s", err.message);
	cr_assert(strstr(err.message, message) != NULL, "found: %s; wanted: %s", err.message, message);
}

/* Writes the manifest after an edit, sealed again. */
static void write_manifest(json_t *manifest, bool seal_again)
{
	struct skip_err err;
	struct skip_buf text;
	char seal[SKIP_SHA256_HEX];
	if (seal_again) {
		CHECK_OK(skip_package_seal(manifest, seal, &err));
		json_object_set_new(manifest, "seal", json_string(seal));
	}
	skip_buf_init(&text);
	CHECK_OK(skip_json_write(manifest, &text, &err));
	toy_write_text(folder, "p.skip/manifest.json", skip_buf_text(&text));
	skip_buf_deinit(&text);
}

static json_t *read_manifest(void)
{
	struct skip_err err;
	json_t *manifest;
	CHECK_OK(skip_json_load(path_of("p.skip/manifest.json"), &manifest, &err));
	return manifest;
}

Test(package, round_trip)
{
	struct skip_err err;
	struct skip_package *package;
	json_t *before, *after;
	save("p.skip");
	CHECK_OK(skip_package_open(path_of("p.skip"), &package, &err));
	CHECK_OK(skip_graph_to_json(model.graph, &before, &err));
	CHECK_OK(skip_graph_to_json(package->graph, &after, &err));
	cr_assert(json_equal(before, after));
	cr_assert(model.graph->n_tensors > 20 && package->graph->n_tensors == model.graph->n_tensors);
	for (size_t i = 0; i < model.graph->n_tensors; i++) {
		const struct skip_tensor *a = model.graph->tensors[i], *b = package->graph->tensors[i];
		cr_assert(a->dtype == b->dtype && skip_tensor_count(a) == skip_tensor_count(b));
		cr_assert(memcmp(a->data, b->data, (size_t)skip_tensor_count(a) * skip_dtype_size(a->dtype)) == 0, "%s", a->name);
		cr_assert(b->map != NULL && b->owned == NULL, "%s is not mapped", b->name);
	}
	cr_assert(package->labels.count == 3 && !package->labels.integers);
	cr_assert(eq(str, package->labels.name[2], "class2"));
	cr_assert(package->max_length == 16);
	cr_assert(json_equal(package->metrics, metrics));
	cr_assert(json_equal(json_object_get(package->manifest, "history"), history));
	cr_assert(eq(str, (char *)json_string_value(json_object_get(json_object_get(package->manifest, "plans"), "generic")),
	             "programs/generic/plan.json"));
	struct skip_encoding a = {0}, b = {0};
	CHECK_OK(skip_tokenizer_encode(tokenizer, "the good movie, isn't", 21, NULL, 0, 16, &a, &err));
	CHECK_OK(skip_tokenizer_encode(package->tokenizer, "the good movie, isn't", 21, NULL, 0, 16, &b, &err));
	cr_assert(a.length > 5 && a.length == b.length && memcmp(a.ids, b.ids, a.length * sizeof(*a.ids)) == 0);
	skip_encoding_deinit(&a);
	skip_encoding_deinit(&b);
	json_decref(before);
	json_decref(after);
	skip_package_close(package);
	skip_package_close(NULL);
}

Test(package, manifest_names_every_file)
{
	struct skip_err err;
	char hash[SKIP_SHA256_HEX], whole[SKIP_SHA256_HEX];
	struct skip_package *package;
	save("p.skip");
	json_t *manifest = read_manifest(), *files = json_object_get(manifest, "files"), *records = json_object_get(manifest, "records");
	cr_assert(json_integer_value(json_object_get(manifest, "format")) == SKIP_PACKAGE_FORMAT);
	cr_assert(eq(str, (char *)json_string_value(json_object_get(manifest, "kind")), "task-package"));
	cr_assert(json_object_size(files) == N_FILES - 3 && json_object_size(records) == 2);
	for (size_t i = 1; i < N_FILES; i++) {
		char path[256];
		snprintf(path, sizeof(path), "p.skip/%s", all_files[i]);
		bool record = i == 2 || i == 3;
		CHECK_OK(skip_sha256_file(path_of(path), hash, &err));
		cr_assert(eq(str, (char *)json_string_value(json_object_get(record ? records : files, all_files[i])), hash));
	}
	CHECK_OK(skip_package_open(path_of("p.skip"), &package, &err));
	CHECK_OK(skip_package_hash_json(files, whole, &err));
	cr_assert(eq(str, package->hash, whole));
	skip_package_close(package);
	json_decref(manifest);
}

Test(package, equal_input_gives_equal_bytes)
{
	struct skip_err err;
	struct skip_package *package;
	char tokens[1024];
	save("p.skip");
	save("q.skip");
	same_package("p.skip", "q.skip");
	CHECK_OK(skip_package_open(path_of("p.skip"), &package, &err));
	struct skip_package_write write = contents();
	snprintf(tokens, sizeof(tokens), "%s/p.skip/tokenizer", folder);
	write.graph = package->graph;
	write.labels = &package->labels;
	write.tokenizer = package->tokenizer;
	write.tokenizer_folder = tokens;
	write.metrics = package->metrics;
	CHECK_OK(skip_package_save(path_of("r.skip"), &write, &err));
	same_package("p.skip", "r.skip");
	CHECK_OK(skip_package_save(path_of("p.skip"), &write, &err)); /* over the package whose weights are mapped */
	same_package("p.skip", "q.skip");
	skip_package_close(package);
}

Test(package, the_hash_covers_files_and_not_records)
{
	struct skip_err err;
	struct skip_package *a, *b, *c;
	save("p.skip");
	struct skip_package_write write = contents();
	write.metrics = NULL;
	write.report_html = NULL;
	CHECK_OK(skip_package_save(path_of("q.skip"), &write, &err));
	write.n_plans = 0;
	CHECK_OK(skip_package_save(path_of("r.skip"), &write, &err));
	CHECK_OK(skip_package_open(path_of("p.skip"), &a, &err));
	CHECK_OK(skip_package_open(path_of("q.skip"), &b, &err));
	CHECK_OK(skip_package_open(path_of("r.skip"), &c, &err));
	cr_assert(eq(str, a->hash, b->hash));
	cr_assert(ne(str, a->hash, c->hash));
	cr_assert(b->metrics == NULL && !skip_file_exists(path_of("q.skip/report.html")));
	skip_package_close(a);
	skip_package_close(b);
	skip_package_close(c);
}

Test(package, replaces_packages_only)
{
	struct skip_err err;
	struct skip_package_write write = contents();
	toy_write_text(folder, "other/notes.txt", "mine");
	CHECK_FAILS(skip_package_save(path_of("other"), &write, &err), SKIP_ERR_USAGE);
	cr_assert(skip_file_exists(path_of("other/notes.txt")) && !skip_package_is(path_of("other")));
	save("p.skip");
	write.report_html = NULL;
	CHECK_OK(skip_package_save(path_of("p.skip"), &write, &err));
	cr_assert(not(skip_file_exists(path_of("p.skip/report.html"))));
	cr_assert(skip_package_is(path_of("p.skip")));
	cr_assert(not(skip_package_is(path_of("model"))));
	cr_assert(not(skip_package_is(path_of("none"))));
}

Test(package, refuses_parts_that_do_not_fit)
{
	struct skip_err err;
	struct skip_labels two = {.name = labels.name, .count = 2};
	struct skip_package_write write = contents();
	write.labels = &two;
	CHECK_FAILS(skip_package_save(path_of("p.skip"), &write, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "2 labels for 3 classes") != NULL, "%s", err.message);
	write = contents();
	write.max_length = 17;
	CHECK_FAILS(skip_package_save(path_of("p.skip"), &write, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "maximum length of 17 tokens; the graph has 16 positions") != NULL, "%s", err.message);
	toy_write_text(folder, "large/vocab.txt", "");
	FILE *vocab = fopen(path_of("large/vocab.txt"), "w");
	fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", vocab);
	for (int i = 0; i < 57; i++) fprintf(vocab, "t%d\n", i);
	cr_assert(fclose(vocab) == 0);
	write = contents();
	struct skip_tokenizer *large;
	CHECK_OK(skip_tokenizer_open(path_of("large"), &large, &err));
	write.tokenizer = large;
	CHECK_FAILS(skip_package_save(path_of("p.skip"), &write, &err), SKIP_ERR_INPUT);
	cr_assert(strstr(err.message, "a tokenizer of 62 tokens for 61 embedded ones") != NULL, "%s", err.message);
	skip_tokenizer_close(large);
	cr_assert(not(skip_file_exists(path_of("p.skip"))));
	struct skip_plan crooked = plan;
	const struct skip_plan *plans[] = {&crooked};
	strcpy(crooked.profile, "../up");
	write = contents();
	write.plans = plans;
	CHECK_FAILS(skip_package_save(path_of("p.skip"), &write, &err), SKIP_ERR_INTERNAL);
	cr_assert(not(skip_file_exists(path_of("p.skip"))));
}

/* One bit in the first, a middle and the last byte of every file. */
Test(package, a_changed_bit_is_found)
{
	save("p.skip");
	for (size_t i = 1; i < N_FILES; i++) {
		char name[256];
		snprintf(name, sizeof(name), "p.skip/%s", all_files[i]);
		struct skip_buf text;
		read_text(name, &text);
		size_t places[] = {0, text.length / 2, text.length - 1};
		for (size_t k = 0; k < 3; k++) {
			text.data[places[k]] ^= 4;
			toy_write_file(folder, name, text.data, text.length);
			refused(SKIP_ERR_VERIFY, all_files[i], "the manifest says");
			text.data[places[k]] ^= 4;
		}
		toy_write_file(folder, name, text.data, text.length - 1);
		refused(SKIP_ERR_VERIFY, all_files[i], "the manifest says");
		cr_assert(remove(path_of(name)) == 0);
		refused(SKIP_ERR_VERIFY, all_files[i], "it is not there");
		toy_write_file(folder, name, text.data, text.length);
		skip_buf_deinit(&text);
	}
}

Test(package, a_changed_manifest_is_found)
{
	struct skip_buf text;
	struct skip_err err;
	save("p.skip");
	read_text("p.skip/manifest.json", &text);
	size_t refusals = 0;
	for (size_t i = 0; i < text.length; i += 13) {
		struct skip_package *package = NULL;
		if (text.data[i] == ' ' || text.data[i] == '\n') continue; /* white space means nothing */
		text.data[i] ^= 1;
		toy_write_file(folder, "p.skip/manifest.json", text.data, text.length);
		skip_err_init(&err);
		enum skip_status status = skip_package_open(path_of("p.skip"), &package, &err);
		if (status == SKIP_OK) { /* the last digit of a real may change and leave the number as it is */
			json_t *changed = json_loadb(text.data, text.length, 0, NULL);
			cr_assert(json_equal(changed, package->manifest), "byte %zu: another value", i);
			json_decref(changed);
			skip_package_close(package);
			text.data[i] ^= 1;
			cr_assert(text.data[i] >= '0' && text.data[i] <= '9', "byte %zu is no digit", i);
			continue;
		}
		cr_assert(status == SKIP_ERR_VERIFY || status == SKIP_ERR_INPUT, "byte %zu: %s", i, skip_status_text(status));
		refusals++;
		text.data[i] ^= 1;
	}
	cr_assert(refusals > 100);
	for (size_t size = 0; size + 2 < text.length; size += 61) {
		struct skip_package *package = NULL;
		toy_write_file(folder, "p.skip/manifest.json", text.data, size);
		CHECK_FAILS(skip_package_open(path_of("p.skip"), &package, &err), SKIP_ERR_INPUT);
	}
	skip_buf_deinit(&text);
	json_t *manifest;
	save("p.skip");
	manifest = read_manifest();
	json_array_set_new(json_object_get(manifest, "labels"), 0, json_string("renamed"));
	write_manifest(manifest, false);
	refused(SKIP_ERR_VERIFY, "manifest.json", "does not match its seal");
	json_decref(manifest);
}

struct edit {
	enum skip_status status;
	const char *key, *value; /* JSON */
	const char *message;
};

Test(package, refuses_manifests)
{
	static const char hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const struct edit edits[] = {
	    {SKIP_ERR_INPUT, "format", "2", "format 2 is newer than 1"},
	    {SKIP_ERR_INPUT, "format", "0", "\"format\""},
	    {SKIP_ERR_INPUT, "format", "\"1\"", "\"format\""},
	    {SKIP_ERR_INPUT, "kind", "\"kernels\"", "kind is \"kernels\"; expected \"task-package\""},
	    {SKIP_ERR_INPUT, "kind", NULL, "\"kind\""},
	    {SKIP_ERR_INPUT, "graph", "{}", "\"info\""},
	    {SKIP_ERR_INPUT, "graph", NULL, "\"graph\""},
	    {SKIP_ERR_INPUT, "labels", "[\"a\", \"b\"]", "2 labels for 3 classes"},
	    {SKIP_ERR_INPUT, "labels", "[\"a\", 1, \"b\"]", "label 1 is no string"},
	    {SKIP_ERR_INPUT, "labels", "{}", "\"labels\""},
	    {SKIP_ERR_INPUT, "max_length", "1", "\"max_length\""},
	    {SKIP_ERR_INPUT, "max_length", "17", "maximum length of 17"},
	    {SKIP_ERR_INPUT, "files", NULL, "\"files\""},
	    {SKIP_ERR_INPUT, "files", "{}", "does not name weights.safetensors"},
	    {SKIP_ERR_INPUT, "records", "[]", "\"records\""},
	    {SKIP_ERR_INPUT, "records", "{\"x.txt\": \"\"}", "\"records\" names \"x.txt\""},
	};
	save("p.skip");
	json_t *whole = read_manifest();
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		json_t *manifest = json_copy(whole);
		if (edits[i].value) json_object_set_new(manifest, edits[i].key, json_loads(edits[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(manifest, edits[i].key);
		write_manifest(manifest, true);
		refused(edits[i].status, "manifest.json", edits[i].message);
		json_decref(manifest);
	}
	static const char *const names[] = {"../up", "/etc/passwd", "a//b", "./a", "a/..", "", "a/", "manifest.json"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *manifest = json_deep_copy(whole);
		json_object_set_new(json_object_get(manifest, "files"), names[i], json_string(hash));
		write_manifest(manifest, true);
		refused(SKIP_ERR_INPUT, "manifest.json", "is no relative path with a sha256");
		json_decref(manifest);
	}
	json_decref(whole);
}

Test(package, refuses_links_and_strangers)
{
	save("p.skip");
	toy_write_text(folder, "p.skip/extra.txt", "x");
	refused(SKIP_ERR_VERIFY, "extra.txt", "does not name this file");
	cr_assert(remove(path_of("p.skip/extra.txt")) == 0);
	toy_write_text(folder, "p.skip/programs/generic/more.cl", "x");
	refused(SKIP_ERR_VERIFY, "programs/generic/more.cl", "does not name this file");
	cr_assert(remove(path_of("p.skip/programs/generic/more.cl")) == 0);
	cr_assert(mkfifo(path_of("p.skip/pipe"), 0600) == 0);
	refused(SKIP_ERR_VERIFY, "pipe", "does not name this file");
	cr_assert(remove(path_of("p.skip/pipe")) == 0);
	cr_assert(symlink("weights.safetensors", path_of("p.skip/link")) == 0);
	refused(SKIP_ERR_VERIFY, "link", "is a link");
	cr_assert(remove(path_of("p.skip/link")) == 0);

	static const char *const inside[] = {"weights.safetensors", "tokenizer/vocab.txt", "tokenizer", "manifest.json"};
	for (size_t i = 0; i < 4; i++) { /* the same bytes behind a link */
		char name[256];
		snprintf(name, sizeof(name), "p.skip/%s", inside[i]);
		cr_assert(rename(path_of(name), path_of("aside")) == 0);
		cr_assert(symlink(path_of("aside"), path_of(name)) == 0);
		refused(SKIP_ERR_VERIFY, inside[i], "is a link");
		cr_assert(remove(path_of(name)) == 0);
		cr_assert(rename(path_of("aside"), path_of(name)) == 0);
	}
	struct skip_err err;
	struct skip_package *package;
	CHECK_OK(skip_package_open(path_of("p.skip"), &package, &err));
	skip_package_close(package);
	toy_write_text(folder, "p.skip/1/2/3/4/5/6/7/8/9/deep", "x");
	refused(SKIP_ERR_VERIFY, "1/2/3/4/5/6/7/8/9", "more than 8 folders deep");
	CHECK_FAILS(skip_package_open(path_of("none"), &package, &err), SKIP_ERR_IO);
}

Test(package, survives_lack_of_memory)
{
	struct skip_err err;
	size_t failures = 0;
	save("q.skip");
	for (size_t n = 1; failures + 1 == n; n++) {
		struct skip_package_write write = contents();
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_package_save(path_of("p.skip"), &write, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		failures += status != SKIP_OK;
	}
	same_package("p.skip", "q.skip");
	size_t saving = failures;
	for (size_t n = 1; failures - saving + 1 == n; n++) {
		struct skip_package *package = NULL;
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_package_open(path_of("p.skip"), &package, &err);
		skip_alloc_fail_at(0);
		cr_assert(status == SKIP_OK || status == SKIP_ERR_NOMEM, "allocation %zu: %s", n, err.message);
		failures += status != SKIP_OK;
		skip_package_close(package);
	}
	cr_assert(saving > 30 && failures > saving + 100, "only %zu and %zu", saving, failures - saving);
}
