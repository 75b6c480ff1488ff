/*
 * Devices for tests. A program that includes this ends with 77, which CTest reports as skipped, when there is no device at all: each test is a process
 * of its own, so that only the parent can say so.
 */
#ifndef SKIP_TESTS_OPEN_DEVICE_H
#define SKIP_TESTS_OPEN_DEVICE_H

#include "base/alloc.h"
#include "check.h"
#include "device/device.h"
#include <criterion/hooks.h>
#include <stdio.h>

struct test_device {
	struct skip_profiles *profiles;
	struct skip_device *device;
};

static inline struct test_device open_device(const char *which)
{
	struct test_device out = {NULL, NULL};
	struct skip_err err;
	CHECK_OK(skip_profiles_load(NULL, &out.profiles, &err));
	CHECK_OK(skip_device_open(out.profiles, which, 0, &out.device, &err));
	return out;
}

static inline void close_device(struct test_device *device)
{
	skip_device_close(device->device);
	skip_profiles_destroy(device->profiles);
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	(void)tests;
	struct skip_err err;
	struct skip_profiles *profiles = NULL;
	struct skip_device_info *info = NULL;
	size_t n = 0;
	skip_err_init(&err);
	if (skip_profiles_load(NULL, &profiles, &err) == SKIP_OK && skip_device_list(profiles, &info, &n, &err) == SKIP_OK && n == 0) {
		fprintf(stderr, "skipped: no OpenCL device\n");
		exit(77);
	}
	skip_free(info);
	skip_profiles_destroy(profiles);
}

#endif
