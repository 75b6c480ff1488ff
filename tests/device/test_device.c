/* Finding and opening devices, and the measured peak. */
#include "base/alloc.h"
#include "open_device.h"
#include <string.h>

Test(device, the_list_is_what_can_be_opened)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	struct skip_device_info *info = NULL;
	size_t n = 0;
	CHECK_OK(skip_device_list(open.profiles, &info, &n, &err));
	cr_assert(n >= 1);
	for (size_t i = 0; i < n; i++) {
		char which[32];
		struct skip_device *device = NULL;
		cr_expect(skip_profiles_find(open.profiles, info[i].profile_id) != NULL);
		cr_expect(info[i].compute_units >= 1 && info[i].facts.platform[0] && info[i].facts.name[0] && info[i].facts.driver[0]);
		snprintf(which, sizeof(which), "%d:%d", info[i].platform_index, info[i].device_index);
		CHECK_OK(skip_device_open(open.profiles, which, 0, &device, &err));
		cr_expect(strcmp(skip_device_get_info(device)->facts.name, info[i].facts.name) == 0);
		cr_expect(strcmp(skip_device_profile(device)->id, info[i].profile_id) == 0);
		skip_device_close(device);
	}
	skip_free(info);
	close_device(&open);
}

Test(device, opens_by_name_profile_and_environment)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	const struct skip_device_info *first = skip_device_get_info(open.device);
	char part[8];
	struct skip_device *device = NULL;
	snprintf(part, sizeof(part), "%s", first->facts.name);
	part[0] = (char)(part[0] >= 'a' ? part[0] - 32 : part[0]);
	const char *names[] = {"auto", "", part, first->facts.platform, first->profile_id, "generic"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_OK(skip_device_open(open.profiles, names[i], 0, &device, &err));
		const char *expected = i == 5 ? "generic" : first->profile_id;
		cr_expect(strcmp(skip_device_get_info(device)->profile_id, expected) == 0, "\"%s\"", names[i]);
		cr_expect(strcmp(skip_device_profile(device)->id, expected) == 0, "\"%s\"", names[i]);
		skip_device_close(device);
	}
	setenv("SKIP_DEVICE", "generic", 1);
	CHECK_OK(skip_device_open(open.profiles, NULL, 0, &device, &err));
	cr_expect(strcmp(skip_device_profile(device)->id, "generic") == 0);
	skip_device_close(device);
	setenv("SKIP_DEVICE", "no-such-thing", 1);
	CHECK_FAILS(skip_device_open(open.profiles, "auto", 0, &device, &err), SKIP_ERR_NO_DEVICE);
	CHECK_OK(skip_device_open(open.profiles, first->profile_id, 0, &device, &err));
	skip_device_close(device);
	close_device(&open);
}

/* A board's profile asks what the program at hand was built for; what pretends to be a board is none even then. */
Test(device, boards_are_found_by_what_a_program_was_built_for)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	char folder[] = "/tmp/skip-boards-XXXXXX", command[512];
	cr_assert(mkdtemp(folder) != NULL);
	snprintf(command, sizeof(command),
		 "cp \"$SKIP_TEST_SOURCE\"/boards/*.json %s && sed 's/\"id\": \"p520n\"/\"id\": \"card\"/; s/\"accel\"/\"cpu\"/; s/p520_hpc_sg280l/card_shell/' %s/p520n.json >%s/card.json", folder, folder,
		 folder);
	cr_assert(system(command) == 0);
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	CHECK_FAILS(skip_device_open(profiles, "card", 0, &device, &err), SKIP_ERR_NO_DEVICE);
	CHECK_FAILS(skip_device_open_for(profiles, "card", "another_shell", 0, &device, &err), SKIP_ERR_NO_DEVICE);
	CHECK_OK(skip_device_open_for(profiles, "card", "card_shell", 0, &device, &err));
	cr_expect(strcmp(skip_device_profile(device)->id, "card") == 0);
	skip_device_close(device);
	skip_profiles_destroy(profiles);
	snprintf(command, sizeof(command),
		 "rm %s/pocl*.json; printf '{\"schema\": 1, \"id\": \"pretends\", \"title\": \"x\", \"kind\": \"checker\", \"extends\": \"fpga-generic\", \"match\": [{\"platform\": \"*\", "
		 "\"device\": \"*\", \"vendor\": \"*\", \"version\": \"*\", \"type\": \"cpu\"}]}' >%s/pretends.json", folder, folder);
	cr_assert(system(command) == 0);
	CHECK_OK(skip_profiles_load(folder, &profiles, &err));
	CHECK_FAILS(skip_device_open_for(profiles, "card", "card_shell", 0, &device, &err), SKIP_ERR_NO_DEVICE);
	skip_profiles_destroy(profiles);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_assert(system(command) == 0);
}

Test(device, what_does_not_exist_is_named_with_what_does)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	struct skip_device *device = NULL;
	/* The last is a profile, but of another device. */
	const char *names[] = {"99:0", "0:99", "no-such-device", "0:0x", "oclgrind"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(skip_device_get_info(open.device)->profile_id, names[i]) == 0) continue;
		CHECK_FAILS(skip_device_open(open.profiles, names[i], 0, &device, &err), SKIP_ERR_NO_DEVICE);
		cr_expect(strstr(err.message, names[i]) && strstr(err.message, skip_device_get_info(open.device)->facts.name), "%s",
			  err.message);
		cr_expect(device == NULL);
	}
	close_device(&open);
}

Test(device, without_platforms_there_is_no_device)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	struct skip_device_info *info = NULL;
	size_t n = 7;
	setenv("OCL_ICD_VENDORS", "/nowhere/at/all", 1);
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	CHECK_OK(skip_device_list(profiles, &info, &n, &err));
	cr_expect(n == 0);
	skip_free(info);
	CHECK_FAILS(skip_device_open(profiles, NULL, 0, &device, &err), SKIP_ERR_NO_DEVICE);
	cr_expect(strstr(err.message, "no OpenCL device found") != NULL, "%s", err.message);
	skip_profiles_destroy(profiles);
}

Test(device, threads_limit_the_compute_units_of_pocl)
{
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device *device = NULL;
	CHECK_OK(skip_profiles_load(NULL, &profiles, &err));
	skip_err_init(&err);
	enum skip_status status = skip_device_open(profiles, "Portable Computing Language", 1, &device, &err);
	if (status == SKIP_ERR_NO_DEVICE) exit(77);
	cr_assert(status == SKIP_OK, "%s", err.message);
	cr_expect(skip_device_get_info(device)->compute_units == 1, "%d", skip_device_get_info(device)->compute_units);
	skip_device_close(device);
	skip_profiles_destroy(profiles);
}

Test(device, peaks_are_speeds)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	for (int p = 0; p < SKIP_PRECISION_COUNT; p++) {
		double gflops = 0;
		CHECK_OK(skip_device_measure_peak(open.device, (enum skip_precision)p, &gflops, &err));
		cr_expect(gflops > 0.5 && gflops < 1e6, "type %d: %g", p, gflops);
	}
	close_device(&open);
}

Test(device, probes_find_the_forms_that_answer)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	struct skip_device_probes probes;
	CHECK_OK(skip_device_probe(open.device, &probes, &err));
	cr_expect(probes.n_dot[SKIP_PRECISION_F32] == 0);
	for (int p = SKIP_PRECISION_BF16; p < SKIP_PRECISION_COUNT; p++) {
		double gflops = 0;
		const struct skip_profile *profile = skip_device_profile(open.device);
		CHECK_OK(skip_device_measure_peak(open.device, (enum skip_precision)p, &gflops, &err));
		/* What products use is the first of those that answered; the last of a profile is made to answer everywhere. */
		cr_assert(probes.n_dot[p] >= 1, "type %d", p);
		cr_expect(strcmp(probes.dot[p][0], profile->dot[p][0]) == 0, "%s, but %s is used", probes.dot[p][0], profile->dot[p][0]);
	}
	close_device(&open);
}

Test(device, bandwidth_is_a_speed)
{
	struct skip_err err;
	struct test_device open = open_device(NULL);
	double gbs = 0;
	CHECK_OK(skip_device_measure_bandwidth(open.device, &gbs, &err));
	cr_expect(gbs > 0.1 && gbs < 1e5, "%g", gbs);
	close_device(&open);
}

Test(device, survives_every_failed_allocation)
{
	struct skip_err err;
	size_t before = skip_alloc_fail_at(0);
	struct test_device open = open_device(NULL);
	close_device(&open);
	size_t total = skip_alloc_fail_at(0) - before;
	cr_assert(total > 5, "%zu allocations", total);
	for (size_t n = 1; n <= total; n++) {
		struct skip_profiles *profiles = NULL;
		struct skip_device *device = NULL;
		skip_err_init(&err);
		skip_alloc_fail_at(n);
		enum skip_status status = skip_profiles_load(NULL, &profiles, &err);
		if (status == SKIP_OK) status = skip_device_open(profiles, NULL, 0, &device, &err);
		skip_alloc_fail_at(0);
		cr_expect(status == SKIP_ERR_NOMEM, "allocation %zu: '%s' %s", n, skip_status_text(status), err.message);
		skip_device_close(device);
		skip_profiles_destroy(profiles);
	}
}
