/* skip tune: prompt and head for one task on a frozen encoder, or all weights. */
#include "base/alloc.h"
#include "cli/stage.h"
#include "graph/rules.h"

#include <stdio.h>

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_tune tune;
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_dataset train = { 0 }, dev = { 0 };
	struct skip_labels labels = { 0 };
	struct skip_tune_result result = { 0 };
	struct skip_metrics metrics;
	const char *train_path = NULL, *dev_path = NULL, *out = NULL;
	char checkpoint[600];
	json_t *settings = NULL, *document = NULL;
	int limit;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_tune_options(&args, &tune);
	skip_cli_string(&args, "--train", &train_path);
	skip_cli_string(&args, "--dev", &dev_path);
	skip_cli_string(&args, "-o", &out);
	skip_cli_flag(&args, "--resume", &common.resume);
	skip_cli_string(&args, "--train-dtype", &common.train_dtype);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!train_path || !dev_path || !out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--train, --dev and -o are needed; usage: skip tune %s", verb->arguments));
	SKIP_TRY(skip_cli_tune_finish(&tune, &args, &common, err));
	SKIP_TRY(skip_cli_check_package_place(out, err));
	SKIP_TRY(skip_cli_only_dtype(&common, SKIP_PRECISION_F32, "what is tuned is kept in f32; --train-dtype is the type of the steps", err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_limit(&model, &input, &limit, err));
	SKIP_TRY(skip_cli_set_precision(&model, SKIP_PRECISION_F32, err));
	const struct skip_labels *known;
	SKIP_TRY(skip_cli_tune_known(&tune, &model, &known, err));
	SKIP_TRY(skip_cli_read(train_path, &model, &input, true, false, known, known ? NULL : &labels, &train, err));
	if (known) SKIP_TRY(skip_labels_copy(known, &labels, err));
	SKIP_TRY(skip_cli_read(dev_path, &model, &input, true, false, &labels, NULL, &dev, err));
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_train_dtype(&common, device.device, &tune.options.precision, err));
	snprintf(checkpoint, sizeof(checkpoint), "%s.tune-checkpoint", out);
	tune.options.checkpoint_path = checkpoint;
	struct skip_progress progress = skip_cli_progress(&common);
	skip_cli_note_resume(&common, checkpoint);
	SKIP_TRY(skip_cli_run_tune(device.device, &model, &tune, labels.count, &train, &progress, &result, err));
	SKIP_TRY(skip_cli_evaluate(device.device, result.graph, &dev, NULL, &metrics, err));
	settings = json_pack("{s:o}", "tune", skip_cli_tune_settings(&tune, &model, &train));
	document = skip_cli_metrics_head(device.device);
	json_object_set_new(document, "tune", skip_cli_tune_record(&result));
	json_object_set_new(document, "dense", skip_record_metrics("dev", &metrics));
	struct skip_cli_save save = { .graph = result.graph, .source = &model, .labels = &labels, .max_length = limit, .settings = settings, .metrics = document };
	SKIP_TRY(skip_cli_save(out, &device, &save, err));
	remove(checkpoint);
	skip_cli_progress_end();
	if (common.json) {
		json_t *record = skip_cli_tune_record(&result);
		json_object_set_new(record, "dev", skip_record_metrics("dev", &metrics));
		SKIP_TRY(skip_cli_print_json(record, err));
	} else {
		printf("dev accuracy %.4f, best epoch %d of %d, %.2f steps/s in %s, %.1f s -> %s\n", metrics.accuracy, result.best_epoch, result.epochs,
		       result.steps_per_second, skip_precision_names[result.precision], result.train_seconds, out);
	}
cleanup:
	json_decref(settings);
	json_decref(document);
	skip_tune_result_deinit(&result);
	skip_labels_deinit(&labels);
	skip_dataset_deinit(&train);
	skip_dataset_deinit(&dev);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_tune = {
	.name = "tune",
	.arguments = "MODEL --train DATA --dev DATA -o PKG",
	.summary = "Tune a prompt and a head for a task on the frozen encoder, or every weight",
	.help = "  --prefix P              prefix rows per layer (default 20; 0: head only)\n"
		"  --epochs N, --batch B   default 20 and 32; 0 with --start keep: the classifier as it stands\n"
		"  --lr R, --lr-head R     default 7e-3 and 1e-3\n"
		"  --pool mean|cls|last    default: what the model folder says\n"
		"  --init normal|tokens    start of the prefix\n"
		"  --start probe|random|keep    start of the head (default: a linear probe); keep: go on from what MODEL has\n"
		"  --full                  train the weights of the layers too; then --prefix is 0 unless given\n"
		"  --lr-weights R          of --full, default 5e-5\n"
		"  --head-dropout R, --prefix-dropout R    default 0.1 and 0\n"
		"  --patience N            stop after N epochs without a better score (0: never)\n"
		"  --train-dtype auto|f32|bf16    products of the steps; auto: bf16 where the device has instructions for it\n"
		"  --resume                go on from the last finished epoch\n"
		"  --max-length N, --input-format F, --seed N, --device D, --threads N, --json, --quiet\n\n"
		"examples:\n"
		"  skip tune models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv -o dense.skip\n"
		"  skip tune models/all-minilm-l6-v2 --train train.tsv --dev dev.tsv --prefix 0 -o head.skip\n"
		"  skip tune models/all-minilm-l6-v2 --full --epochs 5 --train train.tsv --dev dev.tsv -o full.skip\n",
	.order = 40,
	.resumes = true,
	.run = run,
};
