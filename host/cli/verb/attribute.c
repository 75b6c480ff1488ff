/* skip attribute: scores per unit. */
#include "cli/stage.h"
#include "graph/rules.h"

#include <math.h>
#include <stdio.h>

static void print_text(const json_t *groups, const struct skip_scores *scores)
{
	size_t index;
	json_t *group;
	printf("%s, %d samples, %.2f s\n%5s %-5s %6s %12s %12s %12s\n", scores->criterion, scores->samples, scores->seconds, "layer", "kind", "units", "min", "mean",
	       "max");
	json_array_foreach(groups, index, group)
		printf("%5lld %-5s %6lld %12.4g %12.4g %12.4g\n", json_integer_value(json_object_get(group, "layer")), json_string_value(json_object_get(group, "kind")),
		       json_integer_value(json_object_get(group, "units")), json_real_value(json_object_get(group, "min")),
		       json_real_value(json_object_get(group, "mean")), json_real_value(json_object_get(group, "max")));
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_cli_input input = { 0 };
	struct skip_cli_skill skill;
	struct skip_cli_model model = { 0 };
	struct skip_cli_device device = { 0 };
	struct skip_dataset data = { 0 };
	struct skip_units units = { 0 };
	struct skip_scores scores = { 0 };
	const char *path = NULL, *out = NULL;
	json_t *groups = NULL;
	skip_cli_common_options(&args, &common, true);
	skip_cli_input_options(&args, &input);
	skip_cli_skill_options(&args, &skill);
	skip_cli_string(&args, "--train-dtype", &common.train_dtype);
	skip_cli_string(&args, "--data", &path);
	skip_cli_string(&args, "-o", &out);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 1, 1, err));
	if (args.help) goto cleanup;
	if (!path || !out) SKIP_TRY(skip_err_set(err, SKIP_ERR_USAGE, "--data and -o are needed; usage: skip attribute %s", verb->arguments));
	SKIP_TRY(skip_cli_skill_finish(&skill, &common, err));
	SKIP_TRY(skip_cli_check_file_place(out, err));
	SKIP_TRY(skip_cli_only_dtype(&common, SKIP_PRECISION_F32, "scores are numbers of the network in f32; --train-dtype is the type of the passes", err));
	SKIP_TRY(skip_cli_open_model(args.word[0], &model, err));
	SKIP_TRY(skip_cli_set_precision(&model, SKIP_PRECISION_F32, err));
	SKIP_TRY(skip_cli_need_classes(&model, err));
	SKIP_TRY(skip_cli_read(path, &model, &input, skill.options.labels == SKIP_LABELS_GOLD && skip_criterion_reads_labels(skip_criterion_find(skill.options.criterion)), false, &model.labels, NULL, &data, err));
	SKIP_TRY(skip_cli_open_device(&common, &device, err));
	SKIP_TRY(skip_cli_train_dtype(&common, device.device, &skill.options.precision, err));
	SKIP_TRY(skip_units_find(model.graph, &units, err));
	struct skip_progress progress = skip_cli_progress(&common);
	SKIP_TRY(skip_cli_score(device.device, model.graph, &units, &data, &skill, &progress, &scores, err));
	SKIP_TRY(skip_scores_save(&scores, &units, out, err));
	skip_cli_progress_end();
	groups = skip_record_groups(&units, &scores);
	if (common.json)
		SKIP_TRY(skip_cli_print_json(json_pack("{s:s, s:i, s:s, s:o, s:{s:I, s:I}, s:f, s:O}", "criterion", scores.criterion, "samples", scores.samples, "train_dtype",
						       skip_precision_names[skill.options.precision], "agreement", isnan(scores.agreement) ? json_null() : json_real(scores.agreement), "passes", "forward",
						       (json_int_t)scores.forward, "backward", (json_int_t)scores.backward, "seconds", scores.seconds, "groups",
						       groups), err));
	else
		print_text(groups, &scores);
cleanup:
	json_decref(groups);
	skip_scores_deinit(&scores);
	skip_units_deinit(&units);
	skip_dataset_deinit(&data);
	skip_cli_close_device(&device);
	skip_cli_close_model(&model);
	return status;
}

const struct skip_verb skip_verb_attribute = {
	.name = "attribute",
	.arguments = "PKG --data DATA -o SCORES.safetensors",
	.summary = "Score every unit by what it carries of the task's answer",
	.help = "  --criterion NAME        skip, taylor, fisher, taylor+fisher, ig, shapley, actvar, obs, kfac (default),\n"
		"                          magnitude, random\n"
		"  --samples N             default: of the criterion\n"
		"  --target prob|logprob|logit|kl\n"
		"  --labels gold|pred|none\n"
		"  --reduce max|sum|mean|absmax    over the tokens of a sample (criterion skip)\n"
		"  --choose random|entropy|margin|kcenter|mix    which samples: by what the network says of all rows\n"
		"  --stable RHO            fewer samples, where two halves agree with this rank correlation in every group\n"
		"  --warm-start LIST       score files or packages of other tasks, with commas: ranks are drawn towards theirs,\n"
		"                          which count as --prior N samples (default 20)\n"
		"  --steps N, --path group|global    of ig: masks on the way, one group at a time or all together\n"
		"  --permutations N        of shapley, each walked from both ends\n"
		"  --train-dtype auto|f32|bf16    products of the passes; auto: bf16 where the device has instructions for it\n"
		"  --max-length N, --input-format F, --seed N, --device D, --threads N, --json, --quiet\n\n"
		"examples:\n"
		"  skip attribute dense.skip --data train.tsv -o scores.safetensors\n"
		"  skip attribute dense.skip --data train.tsv --criterion fisher --samples 512 -o fisher.safetensors\n",
	.order = 45,
	.run = run,
};
