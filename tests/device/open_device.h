/* Opens a device for a test; without one the program ends with 77, which CTest reports as skipped. */
#ifndef SKIP_TESTS_OPEN_DEVICE_H
#define SKIP_TESTS_OPEN_DEVICE_H

#include "check.h"
#include "device/device.h"
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
	skip_err_init(&err);
	enum skip_status status = skip_device_open(out.profiles, which, 0, &out.device, &err);
	if (status == SKIP_ERR_NO_DEVICE) {
		fprintf(stderr, "skipped: %s\n", err.message);
		exit(77);
	}
	cr_assert(status == SKIP_OK, "%s", err.message);
	return out;
}

static inline void close_device(struct test_device *device)
{
	skip_device_close(device->device);
	skip_profiles_destroy(device->profiles);
}

#endif
