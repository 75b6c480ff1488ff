/* skip fit: the whole job. Tune, attribute, prune, measure, report, package. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/cut.h"
#include "graph/rules.h"

#include <stdio.h>
#include <string.h>

struct fit {
	struct skip_cli_common common;
	struct skip_cli_input input;
	struct skip_cli_tune tune;
	struct skip_cli_skill skill;
	struct skip_cli_prune prune;
	const char *train_path, *dev_path, *test_path, *out;
	char dense_path[600], checkpoint[640];
	struct skip_cli_model model;
	struct skip_cli_device device;
	struct skip_dataset train, dev, test, calibration;
	struct skip_labels labels;
	int limit;
	double margin, last;
	struct skip_graph *dense; /* tuned */
	struct skip_cli_cut cut;
	struct skip_cli_outcome outcome;
	json_t *stages, *tune_settings, *tune_record, *document;
	enum skip_precision precision; /* of the result */
};

static void end_stage(struct fit *fit, const char *name)
{
	double now = skip_clock_seconds();
	json_array_append_new(fit->stages, json_pack("{s:s, s:f}", "name", name, "seconds", now - fit->last));
	fit->last = now;
}

/* NAME.skip -> NAME.dense.skip, anything else -> NAME.dense.skip too. */
static void name_outputs(struct fit *fit)
{
	size_t length = strlen(fit->out);
	while (length > 1 && fit->out[length - 1] == '/') length--;
	if (length > 5 && !strncmp(fit->out + length - 5, ".skip", 5)) length -= 5;
	snprintf(fit->dense_path, sizeof(fit->dense_path), "%.*s.dense.skip", (int)length, fit->out);
	snprintf(fit->checkpoint, sizeof(fit->checkpoint), "%s.tune-checkpoint", fit->dense_path);
	fit->tune.options.checkpoint_path = fit->checkpoint;
}

static enum skip_status read_inputs(struct fit *fit, const char *model_path, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(skip_cli_open_model(model_path, &fit->model, err));
	SKIP_TRY(skip_cli_limit(&fit->model, &fit->input, &fit->limit, err));
	const struct skip_labels *known;
	SKIP_TRY(skip_cli_tune_known(&fit->tune, &fit->model, &known, err));
	SKIP_TRY(skip_cli_read(fit->train_path, &fit->model, &fit->input, true, false, known, known ? NULL : &fit->labels, &fit->train, err));
	if (known) SKIP_TRY(skip_labels_copy(known, &fit->labels, err));
	SKIP_TRY(skip_cli_read(fit->dev_path, &fit->model, &fit->input, true, false, &fit->labels, NULL, &fit->dev, err));
	if (fit->test_path) SKIP_TRY(skip_cli_read(fit->test_path, &fit->model, &fit->input, true, false, &fit->labels, NULL, &fit->test, err));
	SKIP_TRY(skip_cli_read_calibration(&fit->common, &fit->model, &fit->input, fit->precision, &fit->calibration, err));
	if (fit->common.calibrate) fit->prune.calibration = &fit->calibration;
	SKIP_TRY(skip_cli_open_device(&fit->common, &fit->device, err));
	SKIP_TRY(skip_cli_prune_board(&fit->prune, fit->device.profiles, fit->precision, err));
	SKIP_TRY(skip_cli_train_dtype(&fit->common, fit->device.device, &fit->tune.options.precision, err));
	fit->prune.options.precision = fit->prune.options.retune.precision = fit->skill.options.precision = fit->tune.options.precision;
cleanup:
	return status;
}

/* What tuning leaves as it is has the numbers of `checkpoint` in `tuned`: the layers, with --full the embedding tables. */
static bool same_frozen(const struct skip_graph *checkpoint, const struct skip_graph *tuned, bool full)
{
	for (size_t i = 0; i < checkpoint->n_nodes; i++) {
		const struct skip_node *node = &checkpoint->nodes[i];
		const bool frozen = full ? !strcmp(node->op->name, "embed") : node->layer >= 0;
		for (int p = 0; frozen && p < node->n_param; p++) {
			if (node->param[p] == SKIP_NONE) continue;
			const struct skip_tensor *ours = checkpoint->tensors[node->param[p]];
			int at = skip_graph_find_tensor(tuned, ours->name);
			if (at == SKIP_NONE) return false;
			const struct skip_tensor *theirs = tuned->tensors[at];
			size_t bytes = (size_t)skip_tensor_count(ours) * skip_dtype_size(ours->dtype);
			if (theirs->dtype != ours->dtype || skip_tensor_count(theirs) != skip_tensor_count(ours) || memcmp(theirs->data, ours->data, bytes))
				return false;
		}
	}
	return true;
}

static bool made_by_this_command(const struct fit *fit, const struct skip_package *package)
{
	const json_t *settings = json_object_get(json_object_get(json_object_get(package->manifest, "history"), "settings"), "tune");
	bool same = settings && json_equal((json_t *)settings, json_object_get(fit->tune_settings, "tune"));
	same = same && package->max_length == fit->limit && package->labels.count == fit->labels.count;
	for (int i = 0; same && i < fit->labels.count; i++) same = !strcmp(package->labels.name[i], fit->labels.name[i]);
	return same && same_frozen(fit->model.graph, package->graph, fit->tune.options.full);
}

/* With --resume a dense package made from the same model, data and settings stands for the finished tuning stage. */
static enum skip_status reuse_dense(struct fit *fit, bool *reused, struct skip_err *err)
{
	struct skip_package *package = NULL;
	*reused = false;
	if (!fit->common.resume || !skip_package_is(fit->dense_path)) return SKIP_OK;
	enum skip_status status = skip_package_open(fit->dense_path, &package, err);
	if (status != SKIP_OK) return status;
	if (!made_by_this_command(fit, package)) {
		skip_package_close(package);
		return skip_err_set(err, SKIP_ERR_USAGE, "--resume: %s was made from another model, other data or settings; remove it or leave out --resume",
				    fit->dense_path);
	}
	status = skip_graph_copy(package->graph, &fit->dense, err);
	if (package->metrics) fit->tune_record = json_incref(json_object_get(package->metrics, "tune"));
	skip_package_close(package);
	*reused = status == SKIP_OK;
	return status;
}

static enum skip_status tune_stage(struct fit *fit, const struct skip_progress *progress, struct skip_err *err)
{
	enum skip_status status;
	struct skip_tune_result result = { 0 };
	struct skip_metrics metrics;
	json_t *document = NULL;
	bool reused;
	SKIP_TRY(reuse_dense(fit, &reused, err));
	if (reused) {
		skip_cli_note(&fit->common, "resume", "tuning was finished: %s", fit->dense_path);
		goto cleanup;
	}
	skip_cli_note_resume(&fit->common, fit->checkpoint);
	SKIP_TRY(skip_cli_run_tune(fit->device.device, &fit->model, &fit->tune, fit->labels.count, &fit->train, progress, &result, err));
	SKIP_TRY(skip_cli_evaluate(fit->device.device, result.graph, &fit->dev, NULL, &metrics, err));
	fit->tune_record = skip_cli_tune_record(&result);
	document = skip_cli_metrics_head(fit->device.device);
	json_object_set(document, "tune", fit->tune_record);
	json_object_set_new(document, "dense", skip_record_metrics("dev", &metrics));
	struct skip_cli_save save = { .graph = result.graph, .source = &fit->model, .labels = &fit->labels, .max_length = fit->limit,
				      .settings = fit->tune_settings, .metrics = document };
	SKIP_TRY(skip_cli_save(fit->dense_path, &fit->device, &save, err));
	remove(fit->checkpoint);
	fit->dense = result.graph;
	result.graph = NULL;
cleanup:
	json_decref(document);
	skip_tune_result_deinit(&result);
	if (status == SKIP_OK) end_stage(fit, "tune");
	return status;
}

static enum skip_status cut_stage(struct fit *fit, const struct skip_progress *progress, struct skip_err *err)
{
	enum skip_status status;
	const struct skip_dataset *held = fit->test_path ? &fit->test : &fit->dev;
	struct skip_graph *untied = NULL;
	SKIP_TRY(skip_cli_untie(fit->dense, &fit->prune, &untied, err));
	if (untied) {
		skip_graph_destroy(fit->dense);
		fit->dense = untied;
	}
	SKIP_TRY(skip_cli_run_cut(fit->device.device, fit->dense, &fit->train, &fit->dev, held, &fit->prune, &fit->skill, fit->precision, progress, &fit->cut,
				  err));
	end_stage(fit, "prune");
	SKIP_TRY(skip_cli_cut_evaluate(fit->device.device, fit->dense, &fit->cut, fit->test_path ? "test" : "dev", held, &fit->outcome, err));
	end_stage(fit, "evaluate");
cleanup:
	return status;
}

static enum skip_status save_stage(struct fit *fit, struct skip_err *err)
{
	enum skip_status status;
	json_t *settings = NULL;
	json_t *record = skip_cli_cut_record(&fit->cut, fit->dense, &fit->outcome, fit->margin, err);
	if (!record) return err ? err->status : SKIP_ERR_NOMEM;
	fit->document = skip_cli_metrics_head(fit->device.device);
	json_object_update(fit->document, record);
	json_decref(record);
	json_object_set(fit->document, "tune", fit->tune_record);
	json_object_set_new(fit->document, "dev", json_pack("{s:o, s:o, s:f, s:f, s:f}", "dense", skip_record_metrics("dev", &fit->cut.result.dense), "pruned",
							     skip_record_metrics("dev", &fit->cut.result.pruned), "drop", fit->cut.result.paired.drop,
							     "drop_se", fit->cut.result.paired.drop_se, "estimate", fit->cut.result.paired.estimate));
	json_object_set(fit->document, "stages", fit->stages);
	json_object_set_new(fit->document, "dense_package", json_string(fit->dense_path));
	settings = json_pack("{s:O, s:o}", "tune", json_object_get(fit->tune_settings, "tune"), "prune", skip_cli_prune_settings(&fit->prune, &fit->skill, &fit->cut.scores, &fit->cut.result));
	struct skip_cli_save save = { .graph = fit->cut.graph, .source = &fit->model, .labels = &fit->labels, .max_length = fit->limit,
				      .settings = settings, .metrics = fit->document, .report = true, .scores = &fit->cut.scores, .units = &fit->cut.units };
	status = skip_cli_save(fit->out, &fit->device, &save, err);
	json_decref(settings);
	if (status == SKIP_OK) status = skip_cli_write_table(&fit->prune, &fit->cut.result, err);
	if (status == SKIP_OK) end_stage(fit, "save");
	return status;
}

static enum skip_status print_outcome(struct fit *fit, struct skip_err *err)
{
	skip_cli_progress_end();
	if (fit->common.json) return skip_cli_print_json(json_incref(fit->document), err);
	skip_cli_cut_print(&fit->cut, fit->dense, &fit->outcome, fit->margin);
	printf("%-9s%s  (report: %s/report.html, dense: %s)\n", "written", fit->out, fit->out, fit->dense_path);
	printf("%-9sskip run %s input.tsv\n", "next", fit->out);
	return SKIP_OK;
}

static void declare_options(struct fit *fit, struct skip_cli_args *args)
{
	skip_cli_common_options(args, &fit->common, true);
	skip_cli_input_options(args, &fit->input);
	skip_cli_string(args, "--calibrate", &fit->common.calibrate);
	skip_cli_tune_options(args, &fit->tune);
	skip_cli_skill_options(args, &fit->skill);
	skip_cli_prune_options(args, &fit->prune);
	skip_cli_string(args, "--train", &fit->train_path);
	skip_cli_string(args, "--dev", &fit->dev_path);
	skip_cli_string(args, "--test", &fit->test_path);
	skip_cli_string(args, "-o", &fit->out);
	skip_cli_flag(args, "--resume", &fit->common.resume);
	skip_cli_string(args, "--train-dtype", &fit->common.train_dtype);
}

static void deinit(struct fit *fit)
{
	skip_cli_prune_deinit(&fit->prune);
	skip_cli_cut_deinit(&fit->cut);
	skip_graph_destroy(fit->dense);
	json_decref(fit->stages);
	json_decref(fit->tune_settings);
	json_decref(fit->tune_record);
	json_decref(fit->document);
	skip_dataset_deinit(&fit->train);
	skip_dataset_deinit(&fit->dev);
	skip_dataset_deinit(&fit->test);
	skip_dataset_deinit(&fit->calibration);
	skip_labels_deinit(&fit->labels);
	skip_cli_close_device(&fit->device);
	skip_cli_close_model(&fit->model);
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct fit fit = { .stages = json_array() };
	declare_options(&fit, &args);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!fit.train_path || !fit.dev_path || !fit.out)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--train, --dev and -o are needed; usage: skip fit %s", verb->arguments));
	SKIP_TRY(skip_cli_dtype(&fit.common, &fit.precision, err));
	SKIP_TRY(skip_cli_tune_finish(&fit.tune, &args, &fit.common, err));
	SKIP_TRY(skip_cli_skill_finish(&fit.skill, &fit.common, err));
	SKIP_TRY(skip_cli_prune_finish(&fit.prune, &args, &fit.common, err));
	fit.margin = skip_cli_prune_margin(&fit.prune);
	name_outputs(&fit);
	if (fit.prune.retune_data) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--retune-data is an option of skip prune; fit re-tunes on --train"));
	SKIP_TRY(skip_cli_check_package_place(fit.out, err));
	SKIP_TRY(skip_cli_check_package_place(fit.dense_path, err));
	fit.last = skip_clock_seconds();
	struct skip_progress progress = skip_cli_progress(&fit.common);
	SKIP_TRY(read_inputs(&fit, args.word[0], err));
	const struct skip_device_info *info = skip_device_get_info(fit.device.device);
	skip_cli_note(&fit.common, "device", "%s, %s (profile %s)", info->facts.platform, info->facts.name, skip_device_profile(fit.device.device)->id);
	skip_cli_note(&fit.common, "train", "products of a step in %s", skip_precision_names[fit.tune.options.precision]);
	fit.tune_settings = json_pack("{s:o}", "tune", skip_cli_tune_settings(&fit.tune, &fit.model, &fit.train));
	end_stage(&fit, "read");
	SKIP_TRY(tune_stage(&fit, &progress, err));
	SKIP_TRY(cut_stage(&fit, &progress, err));
	SKIP_TRY(save_stage(&fit, err));
	SKIP_TRY(print_outcome(&fit, err));
	SKIP_TRY(skip_cli_cut_verdict(&fit.cut, &fit.prune, err));
cleanup:
	deinit(&fit);
	return status;
}

const struct skip_verb skip_verb_fit = {
	.name = "fit",
	.arguments = "MODEL --train DATA --dev DATA [--test DATA] -o NAME.skip",
	.summary = "The whole job: tune, attribute, prune, measure, report, package",
	.help = "  --margin PSI | --rate R | --flops R | --speedup X | --latency-ms T\n"
		"                          what to reach (default --margin 1: the smallest within 1 point)\n"
		"  --epochs N, --prefix P, --batch B, --lr R, --lr-head R, --patience N, --pool P, --init I, --start S, --full\n"
		"  --criterion C, --samples N, --target T, --labels L, --reduce R, --steps N, --path P, --permutations N,\n"
		"  --choose C, --stable RHO, --warm-start LIST, --prior N\n"
		"  --allocate A, --classes K, --rounds R, --restarts N, --time-table FILE, --board ID, --units LIST, --compensate none|bias|ls, --compensate-tokens N\n"
		"  --retune EPOCHS, --retune-weights, --search S, --untie\n"
		"  --resume                go on from the last finished epoch or stage\n"
		"  --max-length N, --input-format F, --seed N, --device D, --threads N, --json, --quiet\n"
		"  --train-dtype auto|f32|bf16    products of tuning's steps; auto: bf16 where the device has instructions for it\n"
		"  --dtype f32|bf16|int8   type of the result's products; searched in f32, reported in both\n"
		"  --calibrate DATA        one scale per tensor for int8, found on these rows, instead of one per token\n"
		"  (see skip tune, attribute and prune --help for each)\n\n"
		"The tuned dense model stays beside the result as NAME.dense.skip.\n\n"
		"examples:\n"
		"  skip fit models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv --test test.tsv -o tickets.skip\n"
		"  skip fit models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv --rate 0.518 -o half.skip\n",
	.order = 10,
	.resumes = true,
	.run = run,
};
