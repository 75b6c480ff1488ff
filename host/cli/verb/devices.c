/* skip devices: what OpenCL offers here and which profile each device matches. */
#include "base/alloc.h"
#include "cli/source.h"
#include "graph/rules.h"

#include <stdio.h>

/* Of one device. */
struct findings {
	struct skip_device_probes probes;
	double gflops[SKIP_PRECISION_COUNT], gbs;
};

static enum skip_status examine(const struct skip_profiles *profiles, const struct skip_device_info *info, bool measure, struct findings *out,
				struct skip_err *err)
{
	enum skip_status status;
	struct skip_device *device = NULL;
	char which[32];
	snprintf(which, sizeof(which), "%d:%d", info->platform_index, info->device_index);
	SKIP_TRY(skip_device_open(profiles, which, 0, &device, err));
	SKIP_TRY(skip_device_probe(device, &out->probes, err));
	if (!measure) goto cleanup;
	for (int p = 0; p < SKIP_PRECISION_COUNT; p++) SKIP_TRY(skip_device_measure_peak(device, (enum skip_precision)p, &out->gflops[p], err));
	SKIP_TRY(skip_device_measure_bandwidth(device, &out->gbs, err));
cleanup:
	skip_device_close(device);
	return status;
}

static json_t *probed_json(const struct skip_device_probes *probes)
{
	json_t *probed = json_pack("{s:b, s:b, s:b}", "fp16", (int)probes->fp16, "fp64", (int)probes->fp64, "int_dot", (int)probes->int_dot);
	for (int p = SKIP_PRECISION_BF16; p < SKIP_PRECISION_COUNT; p++) {
		json_t *forms = json_array();
		for (int f = 0; f < probes->n_dot[p]; f++) json_array_append_new(forms, json_string(probes->dot[p][f]));
		json_object_set_new(probed, skip_precision_names[p], forms);
	}
	return probed;
}

static json_t *row_json(const struct skip_device_info *info, bool measured, const struct findings *found)
{
	char index[32];
	snprintf(index, sizeof(index), "%d:%d", info->platform_index, info->device_index);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "index", index, "platform", info->facts.platform, "name", info->facts.name,
				"driver", info->facts.driver, "profile", info->profile_id, "type", info->facts.type, "compute_units", info->compute_units,
				"probed", probed_json(&found->probes));
	if (measured) {
		json_t *peaks = json_object();
		for (int p = 0; p < SKIP_PRECISION_COUNT; p++)
			json_object_set_new(peaks, skip_precision_names[p], found->gflops[p] > 0 ? json_real(found->gflops[p]) : json_null());
		json_object_set_new(row, "peak_gflops", peaks);
		json_object_set_new(row, "bandwidth_gbs", json_real(found->gbs));
	}
	return row;
}

static void print_head(bool measured)
{
	printf("%-6s %-34s %-34s %-24s %5s", "index", "platform", "device", "profile", "units");
	for (int p = 0; measured && p < SKIP_PRECISION_COUNT; p++) printf(" %8s", skip_precision_names[p]);
	printf(measured ? " %6s\n" : "\n", "GB/s");
}

static void print_row(const struct skip_device_info *info, bool measured, const struct findings *found)
{
	printf("%d:%-4d %-34.34s %-34.34s %-24s %5d", info->platform_index, info->device_index, info->facts.platform, info->facts.name, info->profile_id,
	       info->compute_units);
	for (int p = 0; measured && p < SKIP_PRECISION_COUNT; p++) {
		if (found->gflops[p] > 0)
			printf(" %8.1f", found->gflops[p]);
		else
			printf(" %8s", "-");
	}
	if (measured) printf(" %6.1f", found->gbs);
	putchar('\n');
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_profiles *profiles = NULL;
	struct skip_device_info *list = NULL;
	size_t n = 0;
	bool measured = false;
	json_t *rows = json_array();
	skip_cli_common_options(&args, &common, false);
	skip_cli_flag(&args, "--measure", &measured);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 0, 0, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	SKIP_TRY(skip_device_list(profiles, &list, &n, err));
	if (!common.json && n) print_head(measured);
	for (size_t i = 0; i < n; i++) {
		struct findings found = { 0 };
		SKIP_TRY(examine(profiles, &list[i], measured, &found, err));
		json_array_append_new(rows, row_json(&list[i], measured, &found));
		if (!common.json) print_row(&list[i], measured, &found);
	}
	if (!n) SKIP_TRY(skip_err_set(err, SKIP_ERR_NO_DEVICE, "no OpenCL device found; install one (Debian: pocl-opencl-icd) or check the ICD files"));
	if (common.json) SKIP_TRY(skip_cli_print_json(json_pack("{s:O}", "devices", rows), err));
cleanup:
	json_decref(rows);
	skip_free(list);
	skip_profiles_destroy(profiles);
	return status;
}

const struct skip_verb skip_verb_devices = {
	.name = "devices",
	.arguments = "[--measure]",
	.summary = "List the OpenCL devices and the profile each one matches",
	.help = "  --measure   run loops of multiply-adds and a reading kernel and print the peak of each type in GFLOP/s and the bandwidth of memory\n"
		"  --json      one JSON object\n\n"
		"examples:\n"
		"  skip devices\n"
		"  skip devices --measure --json\n",
	.order = 90,
	.run = run,
};
