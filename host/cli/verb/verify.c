/* skip verify: hashes, emitted text made again and compared, known answers on the device. */
#include "base/file.h"
#include "cli/stage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct checks {
	json_t *list;
	bool failed, print;
};

static void add(struct checks *checks, const char *name, bool ok, const char *detail)
{
	json_array_append_new(checks->list, json_pack("{s:s, s:b, s:s}", "name", name, "ok", (int)ok, "detail", detail));
	if (!ok) checks->failed = true;
	if (checks->print) printf("%-28s %-6s %s\n", name, ok ? "ok" : "FAILED", detail);
}

/* Text of one program of the package against what the emitter says today. */
static void check_program(struct checks *checks, const char *package, const char *profile, const struct skip_plan_program *program)
{
	char path[1024], name[256];
	struct skip_err err;
	struct skip_buf text;
	skip_err_init(&err);
	skip_buf_init(&text);
	snprintf(path, sizeof(path), "%s/programs/%s/%s.cl", package, profile, program->name);
	snprintf(name, sizeof(name), "emit %s/%s.cl", profile, program->name);
	if (skip_file_read(path, &text, &err) != SKIP_OK)
		add(checks, name, false, err.message);
	else
		add(checks, name, !strcmp(skip_buf_text(&text), program->text), strcmp(skip_buf_text(&text), program->text) ? "differs from the text emitted now" : "same text");
	skip_buf_deinit(&text);
}

/* What runs without a text of ours is said, not passed over. */
static void note_calls(struct checks *checks, const struct skip_plan *plan)
{
	char name[256], detail[128];
	int calls = 0;
	for (size_t i = 0; i < plan->n_launches; i++) calls += plan->launches[i].call != SKIP_CALL_NONE;
	if (!calls) return;
	snprintf(name, sizeof(name), "calls %s", plan->profile);
	snprintf(detail, sizeof(detail), "%d of %zu launches are a library's and have no text to compare", calls, plan->n_launches);
	add(checks, name, true, detail);
}

static enum skip_status check_programs(struct checks *checks, const struct skip_cli_model *model, const struct skip_cli_device *device, struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session = NULL;
	int value;
	SKIP_TRY(skip_open_inference(device->device, model->graph, "logits", false, &session, &value, err));
	for (size_t i = 0; i < skip_profiles_count(device->profiles); i++) {
		const struct skip_profile *profile = skip_profiles_at(device->profiles, i);
		char folder[700];
		struct skip_plan *plan = NULL;
		snprintf(folder, sizeof(folder), "%s/programs/%s", model->path, profile->id);
		if (!skip_file_is_folder(folder)) continue;
		SKIP_TRY(skip_lower(skip_session_graph(session), profile, &value, 1, &plan, err));
		for (size_t p = 0; p < plan->n_programs; p++) check_program(checks, model->path, profile->id, &plan->programs[p]);
		note_calls(checks, plan);
		skip_plan_destroy(plan);
	}
cleanup:
	skip_session_destroy(session);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct checks checks = { .list = json_array() };
	char detail[128];
	double worst, allowed;
	skip_cli_common_options(&args, &common, true);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!skip_package_is(args.word[0])) SKIP_TRY(skip_err_at(err, SKIP_ERR_INPUT, args.word[0], 0, -1, "expected a package (a folder with manifest.json)"));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_only_dtype(&common, skip_cli_precision(model.graph), "a package is verified in the type it was saved in", err));
	checks.print = !common.json;
	add(&checks, "hashes", true, model.package->hash);
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(check_programs(&checks, &model, &device, err));
	SKIP_TRY(skip_cli_known_error(device.device, model.package, &worst, &allowed, err));
	snprintf(detail, sizeof(detail), "largest difference from the float64 answers %.2e, allowed %.2e", worst, allowed);
	add(&checks, "known answers", worst <= allowed, detail);
	if (common.json) SKIP_TRY(skip_cli_print_json(json_pack("{s:O}", "checks", checks.list), err));
	if (checks.failed) SKIP_TRY(skip_err_at(err, SKIP_ERR_VERIFY, model.path, 0, -1, "a check failed"));
cleanup:
	json_decref(checks.list);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_verify = {
	.name = "verify",
	.arguments = "PKG",
	.summary = "Check a package: hashes, emitted text, known answers on the device",
	.help = "  --device D, --threads N, --seed N, --json, --quiet\n\nexit code 6 when a check fails\n\nexample:\n  skip verify tickets.skip\n",
	.order = 35,
	.run = run,
};
