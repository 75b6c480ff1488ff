/* skip devices: what OpenCL offers here and which profile each device matches. */
#include "base/alloc.h"
#include "cli/source.h"

#include <stdio.h>

static enum skip_status measure(const struct skip_profiles *profiles, const struct skip_device_info *info, double *gflops, double *gbs, struct skip_err *err)
{
	struct skip_device *device = NULL;
	char which[32];
	snprintf(which, sizeof(which), "%d:%d", info->platform_index, info->device_index);
	enum skip_status status = skip_device_open(profiles, which, 0, &device, err);
	if (status == SKIP_OK) status = skip_device_measure_peak(device, gflops, err);
	if (status == SKIP_OK) status = skip_device_measure_bandwidth(device, gbs, err);
	skip_device_close(device);
	return status;
}

static json_t *row_json(const struct skip_device_info *info, bool measured, double gflops, double gbs)
{
	char index[32];
	snprintf(index, sizeof(index), "%d:%d", info->platform_index, info->device_index);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:{s:b, s:b, s:b}}", "index", index, "platform", info->facts.platform, "name", info->facts.name,
				"driver", info->facts.driver, "profile", info->profile_id, "type", info->facts.type, "compute_units", info->compute_units,
				"probed", "fp16", (int)info->fp16, "fp64", (int)info->fp64, "int_dot", (int)info->int_dot);
	if (measured) {
		json_object_set_new(row, "peak_gflops", json_pack("{s:f}", "f32", gflops));
		json_object_set_new(row, "bandwidth_gbs", json_real(gbs));
	}
	return row;
}

static enum skip_status run(const struct skip_verb *verb, int argc, char **argv, struct skip_err *err)
{
	enum skip_status status;
	struct skip_cli_args args = { 0 };
	struct skip_cli_common common = { 0 };
	struct skip_profiles *profiles = NULL;
	struct skip_device_info *list = NULL;
	size_t n = 0;
	bool with_peak = false;
	json_t *rows = json_array();
	skip_cli_common_options(&args, &common, false);
	skip_cli_flag(&args, "--measure", &with_peak);
	SKIP_TRY(skip_cli_parse(verb, argc, argv, &args, 0, 0, err));
	if (args.help) goto cleanup;
	SKIP_TRY(skip_profiles_load(NULL, &profiles, err));
	SKIP_TRY(skip_device_list(profiles, &list, &n, err));
	if (!common.json && n) printf("%-6s %-34s %-34s %-24s %5s%s\n", "index", "platform", "device", "profile", "units", with_peak ? "  GFLOP/s f32   GB/s" : "");
	for (size_t i = 0; i < n; i++) {
		double gflops = 0, gbs = 0;
		if (with_peak) SKIP_TRY(measure(profiles, &list[i], &gflops, &gbs, err));
		json_array_append_new(rows, row_json(&list[i], with_peak, gflops, gbs));
		if (common.json) continue;
		printf("%d:%-4d %-34.34s %-34.34s %-24s %5d", list[i].platform_index, list[i].device_index, list[i].facts.platform, list[i].facts.name,
		       list[i].profile_id, list[i].compute_units);
		if (with_peak) printf("  %11.1f %6.1f", gflops, gbs);
		putchar('\n');
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
	.help = "  --measure   run a fused multiply-add and a reading kernel and print the float32 peak and the bandwidth of memory\n"
		"  --json      one JSON object\n\n"
		"examples:\n"
		"  skip devices\n"
		"  skip devices --measure --json\n",
	.order = 90,
	.run = run,
};
