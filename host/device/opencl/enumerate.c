/* Platforms and devices, and what each says about itself. */
#include "base/alloc.h"
#include "device/opencl/internal.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded; /* under load_lock: the ICD loader has started the platforms */

/* What PoCL is told before it starts; see cl.h. */
static void prepare_environment(int threads)
{
	pthread_mutex_lock(&load_lock);
	if (threads > 0 && !loaded) {
		char text[16];
		snprintf(text, sizeof(text), "%d", threads);
		setenv("POCL_MAX_PTHREAD_COUNT", text, 0);
		setenv("POCL_CPU_MAX_CU_COUNT", text, 0);
	}
	if (!loaded) setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0);
	loaded = true;
	pthread_mutex_unlock(&load_lock);
}

/* Copies a string property without surrounding blanks; "" when the device does not answer or the text does not fit. */
static void device_text(cl_device_id device, cl_device_info what, char *out, size_t size)
{
	out[0] = '\0';
	if (clGetDeviceInfo(device, what, size, out, NULL) != CL_SUCCESS) out[0] = '\0';
	out[size - 1] = '\0';
	size_t blank = strspn(out, " ");
	memmove(out, out + blank, strlen(out + blank) + 1);
	for (size_t n = strlen(out); n > 0 && out[n - 1] == ' '; n--) out[n - 1] = '\0';
}

static void describe(cl_platform_id platform, cl_device_id device, struct skip_cl_found *out)
{
	struct skip_device_facts *facts = &out->info.facts;
	out->platform = platform;
	out->device = device;
	if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof(facts->platform), facts->platform, NULL) != CL_SUCCESS)
		facts->platform[0] = '\0';
	if (clGetPlatformInfo(platform, CL_PLATFORM_VERSION, sizeof(out->platform_version), out->platform_version, NULL) != CL_SUCCESS) {
		out->platform_version[0] = '\0';
	}
	device_text(device, CL_DEVICE_NAME, facts->name, sizeof(facts->name));
	device_text(device, CL_DEVICE_VENDOR, facts->vendor, sizeof(facts->vendor));
	device_text(device, CL_DRIVER_VERSION, facts->driver, sizeof(facts->driver));
	device_text(device, CL_DEVICE_VERSION, facts->version, sizeof(facts->version));
	device_text(device, CL_DEVICE_EXTENSIONS, facts->extensions, sizeof(facts->extensions));
	cl_device_type type = 0;
	if (clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) != CL_SUCCESS) type = 0;
	const char *word = type & CL_DEVICE_TYPE_GPU ? "gpu" : type & CL_DEVICE_TYPE_CPU ? "cpu" : "accel";
	snprintf(facts->type, sizeof(facts->type), "%s", word);
	/* A simulator claims several types at once; a real processor claims only its own. */
	facts->local_cpu = (type & ~(cl_device_type)CL_DEVICE_TYPE_DEFAULT) == CL_DEVICE_TYPE_CPU;
	cl_uint units = 0;
	if (clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL) != CL_SUCCESS) units = 0;
	out->info.compute_units = units > 0 ? (int)units : 1;
}

/* Appends the devices of one platform. */
static enum skip_status list_platform(cl_platform_id platform, int index, struct skip_cl_found **list, size_t *capacity, size_t *n,
				      struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	cl_device_id *devices = NULL;
	cl_uint n_devices = 0;
	cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n_devices);
	if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && n_devices == 0)) return SKIP_OK;
	if (code != CL_SUCCESS) return skip_cl_fail(err, code, "clGetDeviceIDs", NULL);
	devices = skip_alloc_array(n_devices, sizeof(*devices));
	if (!devices || !skip_grow((void **)list, capacity, *n + n_devices, sizeof(**list))) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of %u devices", n_devices);
		goto cleanup;
	}
	code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, n_devices, devices, NULL);
	if (code != CL_SUCCESS) {
		status = skip_cl_fail(err, code, "clGetDeviceIDs", NULL);
		goto cleanup;
	}
	for (cl_uint i = 0; i < n_devices; i++) {
		struct skip_cl_found *found = &(*list)[*n];
		memset(found, 0, sizeof(*found));
		found->info.platform_index = index;
		found->info.device_index = (int)i;
		describe(platform, devices[i], found);
		(*n)++;
	}
cleanup:
	skip_free(devices);
	return status;
}

enum skip_status skip_cl_enumerate(int threads, struct skip_cl_found **out, size_t *n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	cl_platform_id *platforms = NULL;
	cl_uint n_platforms = 0;
	struct skip_cl_found *list = NULL;
	size_t capacity = 0, count = 0;
	prepare_environment(threads);
	/* Without any platform the loader answers with an error of its own (-1001). */
	if (clGetPlatformIDs(0, NULL, &n_platforms) != CL_SUCCESS) n_platforms = 0;
	if (n_platforms > 0) {
		platforms = skip_alloc_array(n_platforms, sizeof(*platforms));
		if (!platforms) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of %u platforms", n_platforms);
		cl_int code = clGetPlatformIDs(n_platforms, platforms, NULL);
		if (code != CL_SUCCESS) {
			status = skip_cl_fail(err, code, "clGetPlatformIDs", NULL);
			goto cleanup;
		}
	}
	for (cl_uint i = 0; i < n_platforms; i++) SKIP_TRY(list_platform(platforms[i], (int)i, &list, &capacity, &count, err));
	*out = list;
	*n = count;
	list = NULL;
cleanup:
	skip_free(list);
	skip_free(platforms);
	return status;
}
