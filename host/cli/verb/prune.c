/* skip prune: search and cut, from a tuned package to a smaller one. */
#include "cli/cut.h"

#include <stdio.h>
#include <string.h>

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_prune prune = { 0 };
	struct skip_cli_skill skill;
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_dataset data = { 0 }, dev = { 0 }, retune = { 0 }, calibration = { 0 };
	struct skip_cli_cut cut = { 0 };
	struct skip_graph *untied = NULL;
	const char *data_path = NULL, *dev_path = NULL, *out = NULL;
	json_t *settings = NULL, *document = NULL, *record = NULL;
	struct skip_cli_outcome outcome;
	enum skip_precision precision;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_skill_options(&args, &skill);
	skip_cli_prune_options(&args, &prune);
	skip_cli_string(&args, "--scores", &prune.scores);
	skip_cli_string(&args, "--train-dtype", &common.train_dtype);
	skip_cli_string(&args, "--calibrate", &common.calibrate);
	skip_cli_string(&args, "--data", &data_path);
	skip_cli_string(&args, "--dev", &dev_path);
	skip_cli_string(&args, "-o", &out);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!data_path || !dev_path || !out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--data, --dev and -o are needed; usage: skip prune %s", verb->arguments));
	if (prune.scores && skip_cli_seen(&args, "--criterion")) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--scores and --criterion contradict each other"));
	if (prune.scores && skill.warm_start) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--scores and --warm-start contradict each other"));
	SKIP_TRY(skip_cli_skill_finish(&skill, &common, err));
	SKIP_TRY(skip_cli_prune_finish(&prune, &args, &common, err));
	SKIP_TRY(skip_cli_check_package_place(out, err));
	SKIP_TRY(skip_cli_dtype(&common, &precision, err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_set_precision(&model, SKIP_PRECISION_F32, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	SKIP_TRY(skip_cli_untie(model.graph, &prune, &untied, err));
	if (untied) {
		skip_graph_destroy(model.chosen);
		model.graph = model.chosen = untied;
	}
	SKIP_TRY(skip_cli_read(data_path, &model, &input, true, false, &model.labels, NULL, &data, err));
	SKIP_TRY(skip_cli_read(dev_path, &model, &input, true, false, &model.labels, NULL, &dev, err));
	if (prune.retune_data) {
		SKIP_TRY(skip_cli_read(prune.retune_data, &model, &input, false, false, &model.labels, NULL, &retune, err));
		prune.options.retune_rows = &retune;
	}
	SKIP_TRY(skip_cli_read_calibration(&common, &model, &input, precision, &calibration, err));
	if (common.calibrate) prune.calibration = &calibration;
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_prune_board(&prune, device.profiles, precision, err));
	SKIP_TRY(skip_cli_train_dtype(&common, device.device, &prune.options.precision, err));
	prune.options.retune.precision = skill.options.precision = prune.options.precision;
	struct skip_progress progress = skip_cli_progress(&common);
	SKIP_TRY(skip_cli_run_cut(device.device, model.graph, &data, &dev, &dev, &prune, &skill, precision, &progress, &cut, err));
	SKIP_TRY(skip_cli_cut_evaluate(device.device, model.graph, &cut, "dev", &dev, &outcome, err));
	double margin = skip_cli_prune_margin(&prune);
	record = skip_cli_cut_record(&cut, model.graph, &outcome, margin, err);
	if (!record) SKIP_TRY(err ? err->status : SKIP_ERR_NOMEM);
	document = skip_cli_metrics_head(device.device);
	json_object_update(document, record);
	settings = json_pack("{s:o}", "prune", skip_cli_prune_settings(&prune, &skill, &cut.scores, &cut.result));
	if (model.package && model.package->metrics && json_object_get(model.package->metrics, "tune"))
		json_object_set(document, "tune", json_object_get(model.package->metrics, "tune"));
	struct skip_cli_save save = { .graph = cut.graph, .source = &model, .labels = &model.labels, .max_length = model.max_length, .settings = settings,
				      .metrics = document, .report = true, .scores = &cut.scores, .units = &cut.units };
	SKIP_TRY(skip_cli_save(out, &device, &save, err));
	SKIP_TRY(skip_cli_write_table(&prune, &cut.result, err));
	skip_cli_progress_end();
	if (common.json)
		SKIP_TRY(skip_cli_print_json(json_incref(record), err));
	else
		skip_cli_cut_print(&cut, model.graph, &outcome, margin);
	SKIP_TRY(skip_cli_cut_verdict(&cut, &prune, err));
cleanup:
	skip_cli_prune_deinit(&prune);
	json_decref(record);
	json_decref(settings);
	json_decref(document);
	skip_cli_cut_deinit(&cut);
	skip_dataset_deinit(&data);
	skip_dataset_deinit(&dev);
	skip_dataset_deinit(&retune);
	skip_dataset_deinit(&calibration);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_prune = {
	.name = "prune",
	.arguments = "PKG --data DATA --dev DATA -o PKG2",
	.summary = "Find the units the task needs and cut the rest away",
	.help = "  --margin PSI | --rate R | --flops R | --speedup X | --latency-ms T\n"
		"                          points of accuracy to lose on dev (default 1), share of the encoder's parameters\n"
		"                          or multiply-adds to remove, measured speed-up or time of one row to reach\n"
		"  --search binary|adaptive|surrogate (default), --margin-mode fixed|adaptive|strict (all but binary)\n"
		"  --allocate uniform|kl|fisher|obs    one share for all, or what each part loses against its time (default kl); --classes K: at most K shapes of each\n"
		"  --rounds R, --restarts N, --time-table FILE, --board ID    steps with new scores; random weights to try; times, read or written; an FPGA board's, estimated\n"
		"  --units LIST            of ffn,head,v,qk,layer,prefix (default: uniform ffn,v,qk, the others all but prefix)\n"
		"  --compensate none|bias|ls    refit what consumes the removed units (default ls), to --compensate-tokens N of the data (32768)\n"
		"  --retune EPOCHS         tune prompt and head again, distilled from the dense model\n"
		"  --train-dtype auto|f32|bf16    products of its steps, of scores, trials and refits; auto: bf16 where the device has instructions for it\n"
		"  --untie                 layers that share weights get their own first (ALBERT); else a unit leaves them all\n"
		"  --retune-weights, --retune-lr R, --retune-data DATA    the kept weights too (2e-4); on other rows, labelled or not\n"
		"  --scores FILE           from skip attribute; else that verb's options: --criterion NAME, --samples N, ...\n"
		"  --max-length N, --input-format F, --seed N, --device D, --threads N, --json, --quiet\n"
		"  --dtype f32|bf16|int8   type of the result's products, timed and answered in f32 by the search; --calibrate DATA: int8 with one scale per tensor\n\n"
		"examples:\n"
		"  skip prune dense.skip --data train.tsv --dev dev.tsv -o small.skip\n"
		"  skip prune dense.skip --data train.tsv --dev dev.tsv --rate 0.518 --compensate ls -o half.skip\n"
		"  skip prune dense.skip --data train.tsv --dev dev.tsv --rate 0.8 --retune 3 --retune-weights -o fifth.skip\n",
	.order = 50,
	.run = run,
};
