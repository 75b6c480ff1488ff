/* skip eval: metrics of a classifier on labelled data, alone or paired with another one. */
#include "base/alloc.h"
#include "base/clock.h"
#include "cli/calibrate.h"
#include "cli/record.h"

#include <stdio.h>

static void print_classes(const struct skip_cli_model *model, const struct skip_metrics *m, const size_t *confusion)
{
	int classes = model->labels.count;
	printf("%-10s%.4f +- %.4f  (%zu of %zu)\n%-10s%.4f\n%-10s%.4f\n%-10s%.4f\n", "accuracy", m->accuracy, m->accuracy_se, m->correct, m->n, "f1", m->f1, "mcc",
	       m->mcc, "loss", m->loss);
	printf("\n%-20s %8s %10s %8s\n", "label", "gold", "predicted", "correct");
	for (int c = 0; c < classes; c++) {
		size_t gold = 0, predicted = 0;
		for (int k = 0; k < classes; k++) {
			gold += confusion[c * classes + k];
			predicted += confusion[k * classes + c];
		}
		printf("%-20s %8zu %10zu %8zu\n", model->labels.name[c], gold, predicted, confusion[c * classes + c]);
	}
}

static void print_text(const struct skip_cli_model *model, const struct skip_metrics *m, const size_t *confusion, double seconds,
		       const struct skip_predict_time *time)
{
	switch (m->problem) {
	case SKIP_SINGLE_LABEL:
		print_classes(model, m, confusion);
		break;
	case SKIP_MULTI_LABEL:
		printf("%-10s%.4f +- %.4f  (every label right in %zu of %zu)\n%-10s%.4f\n%-10s%.4f\n", "accuracy", m->accuracy, m->accuracy_se, m->correct, m->n,
		       "f1", m->f1, "loss", m->loss);
		break;
	case SKIP_REGRESSION:
		printf("%-10s%.4f +- %.4f  (%zu rows)\n%-10s%.4f\n%-10s%.4f\n", "r2", m->accuracy, m->accuracy_se, m->n, "pearson", m->pearson, "loss", m->loss);
		break;
	}
	printf("\n%.1f sequences/s end to end, %.3f s on the device\n", (double)m->n / seconds, time->device_seconds);
}

static void print_paired(const char *against, const struct skip_paired *p)
{
	printf("drop against %s: %.2f +- %.2f points (n10 %zu, n01 %zu, exact p %.3g); %.2f expected by its probabilities, %.2f +- %.2f by both\n", against, p->drop,
	       p->drop_se, p->n10, p->n01, p->p_exact, p->expected, p->estimate, p->estimate_se);
}

static enum skip_status other_logits(const char *path, const struct skip_cli_common *common, struct skip_device *device, const struct skip_cli_model *model, const struct skip_cli_input *input,
				     const char *data_path, float **out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_model other = { 0 };
	struct skip_dataset data = { 0 };
	SKIP_TRY(skip_cli_open_model(path, &other, err));
	SKIP_TRY(skip_cli_need_classes(&other, err));
	if (other.labels.count != model->labels.count)
		SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "%s has %d classes, %s has %d", path, other.labels.count, model->path, model->labels.count));
	SKIP_TRY(skip_cli_read(data_path, &other, input, true, false, &model->labels, NULL, &data, err));
	SKIP_TRY(skip_cli_use_bitstreams(common, &other, device, err));
	SKIP_TRY(skip_cli_logits(device, other.graph, &data, out, NULL, err));
cleanup:
	skip_dataset_deinit(&data);
	skip_cli_close_model(&other);
	return status;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_dataset data = { 0 };
	struct skip_predict_time time = { 0 };
	struct skip_metrics metrics;
	struct skip_paired paired;
	struct skip_session *session = NULL;
	const char *path = NULL, *against = NULL;
	float *logits = NULL, *reference = NULL;
	size_t *confusion = NULL;
	json_t *out = NULL;
	int value;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_string(&args, "--calibrate", &common.calibrate);
	skip_cli_string(&args, "--data", &path);
	skip_cli_string(&args, "--against", &against);
	skip_cli_string(&args, "--bitstreams", &common.bitstreams);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!path) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--data DATA is missing"));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_apply_dtype(&common, &model, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	SKIP_TRY(skip_cli_check_bitstreams(&common, &model, err));
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_calibrate(&common, &model, &input, device.device, err));
	SKIP_TRY(skip_cli_open_session(&common, &model, device.device, true, &session, &value, err));
	size_t classes = (size_t)model.labels.count;
	/* The clock runs over reading, tokenizing and computing: what a user's batch job pays. */
	double start = skip_clock_seconds();
	SKIP_TRY(skip_cli_read(path, &model, &input, true, false, &model.labels, NULL, &data, err));
	logits = skip_alloc_array(data.n_rows, classes * sizeof(*logits));
	confusion = skip_alloc_zeroed(classes * classes, sizeof(*confusion));
	if (!logits || !confusion) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu rows", data.n_rows));
	SKIP_TRY(skip_predict(session, value, &data, 0, logits, &time, err));
	double seconds = skip_clock_seconds() - start;
	SKIP_TRY(skip_measure(logits, &data, (int)classes, &metrics, confusion, err));
	out = skip_record_metrics("dev", &metrics);
	if (data.problem == SKIP_SINGLE_LABEL) json_object_set_new(out, "confusion", skip_record_confusion(confusion, (int)classes));
	json_object_set_new(out, "seconds", json_real(seconds));
	json_object_set_new(out, "device_seconds", json_real(time.device_seconds));
	json_object_set_new(out, "sequences_per_second", json_real((double)data.n_rows / seconds));
	json_object_set_new(out, "tokens_per_second", json_real((double)time.tokens / seconds));
	if (against) {
		SKIP_TRY(other_logits(against, &common, device.device, &model, &input, path, &reference, err));
		skip_compare(reference, logits, &data, (int)classes, &paired);
		json_object_set_new(out, "paired", skip_record_paired(&paired));
	}
	if (common.json) {
		SKIP_TRY(skip_cli_print_json(json_incref(out), err));
	} else {
		print_text(&model, &metrics, confusion, seconds, &time);
		if (against) print_paired(against, &paired);
	}
cleanup:
	json_decref(out);
	skip_free(confusion);
	skip_free(logits);
	skip_free(reference);
	skip_session_destroy(session);
	skip_dataset_deinit(&data);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_eval = {
	.name = "eval",
	.arguments = "PKG --data DATA",
	.summary = "Accuracy, F1, MCC and confusion on labelled data",
	.help = "  --data DATA             labelled TSV or JSON Lines\n"
		"  --against PKG0          paired comparison: drop in points with its standard error\n"
		"  --max-length N, --input-format tsv|jsonl\n"
		"  --bitstreams DIR        library of built programs, for FPGA boards and their emulation (skip bitstream)\n"
		"  --device D, --threads N, --dtype T, --calibrate DATA, --json, --quiet\n\n"
		"examples:\n"
		"  skip eval tickets.skip --data test.tsv\n"
		"  skip eval tickets.skip --data test.tsv --against tickets.dense.skip --json\n",
	.order = 25,
	.run = run,
};
