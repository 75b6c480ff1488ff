/*
 * Devices: what exists, which one is meant, and opening it. The OpenCL side is opencl/, the choice of a profile profile/match.c.
 */
#include "device/device.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "device/opencl/cl.h"
#include "device/profile/board.h"
#include "device/tune.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct skip_device {
	struct skip_cl *cl;
	struct skip_profile profile;       /* as matched and tuned, without the forms that failed here */
	struct skip_tuning found;          /* of the device's file */
	const struct skip_tuning *tuning;  /* in use */
	bool settled[SKIP_PRECISION_COUNT]; /* forms that have given their known answer */
	struct skip_device_info info;
	char *library, *source; /* of bitstreams, NULL without */
};

/* All devices with the profile each matches; *found is freed with skip_free. `embedded_board` as in skip_device_open_for. */
static enum skip_status find_devices(const struct skip_profiles *profiles, const char *embedded_board, int threads, struct skip_cl_found **found, size_t *n,
				     struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_found *list = NULL;
	size_t count = 0;
	SKIP_TRY(skip_cl_enumerate(threads, &list, &count, err));
	for (size_t i = 0; i < count; i++) {
		const struct skip_profile *profile = NULL;
		struct skip_device_facts *facts = &list[i].info.facts;
		snprintf(facts->embedded_board, sizeof(facts->embedded_board), "%s", embedded_board);
		SKIP_TRY(skip_profiles_match(profiles, facts, &profile, err));
		list[i].info.profile_id = profile->id;
	}
	*found = list;
	*n = count;
	list = NULL;
cleanup:
	skip_free(list);
	return status;
}

enum skip_status skip_device_list(const struct skip_profiles *profiles, struct skip_device_info **out, size_t *n, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_found *found = NULL;
	struct skip_device_info *info = NULL;
	size_t count = 0;
	SKIP_TRY(find_devices(profiles, "", 0, &found, &count, err));
	info = skip_alloc_zeroed(count, sizeof(*info));
	if (!info) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a list of %zu devices", count);
		goto cleanup;
	}
	for (size_t i = 0; i < count; i++) info[i] = found[i].info;
	*out = info;
	*n = count;
cleanup:
	skip_free(found);
	return status;
}

/* How much a device is wanted when nobody says which. */
static int rank_of(const struct skip_profiles *profiles, const struct skip_device_info *info)
{
	const struct skip_profile *profile = skip_profiles_find(profiles, info->profile_id);
	if (profile->kind == SKIP_PROFILE_CHECKER) return 0;
	if (strcmp(profile->id, "generic") == 0) return 1;
	return profile->kind == SKIP_PROFILE_GPU ? 3 : 2;
}

static bool contains(const char *text, const char *part)
{
	size_t n = strlen(part);
	for (; *text; text++) {
		size_t i = 0;
		while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
		if (i == n) return true;
	}
	return false;
}

static bool is_auto(const char *which)
{
	return !which || !which[0] || strcmp(which, "auto") == 0;
}

/* Reads "P:D". */
static bool parse_index(const char *which, int *platform, int *device)
{
	int length = 0;
	return sscanf(which, "%d:%d%n", platform, device, &length) == 2 && which[length] == '\0';
}

/* Whether a device may go by this profile. What only pretends never stands for a board. */
static bool may_be(const struct skip_profiles *profiles, const struct skip_profile *forced, const struct skip_device_info *info)
{
	const bool pretends = skip_profiles_find(profiles, info->profile_id)->kind == SKIP_PROFILE_CHECKER;
	return skip_profile_holds(forced, &info->facts) && !(pretends && skip_profile_is_board(forced));
}

/* The device meant by `which`, the best of those that fit; NULL when none does. `forced`: the profile when `which` names one, else NULL. */
static const struct skip_cl_found *choose(const struct skip_profiles *profiles, const struct skip_cl_found *found, size_t n,
					  const char *which, const struct skip_profile *forced)
{
	const struct skip_cl_found *best = NULL;
	int platform = 0, device = 0;
	bool by_index = !is_auto(which) && parse_index(which, &platform, &device);
	for (size_t i = 0; i < n; i++) {
		const struct skip_device_info *info = &found[i].info;
		bool fits = true;
		if (by_index) {
			fits = info->platform_index == platform && info->device_index == device;
		} else if (forced) {
			fits = may_be(profiles, forced, info);
		} else if (!is_auto(which)) {
			fits = contains(info->facts.platform, which) || contains(info->facts.name, which);
		}
		if (fits && (!best || rank_of(profiles, info) > rank_of(profiles, &best->info))) best = &found[i];
	}
	return best;
}

static enum skip_status no_device(const struct skip_cl_found *found, size_t n, const char *which, struct skip_err *err)
{
	if (n == 0) return skip_err_set(err, SKIP_ERR_NO_DEVICE, "no OpenCL device found; a CPU becomes one by installing PoCL");
	struct skip_buf list;
	skip_buf_init(&list);
	for (size_t i = 0; i < n; i++) {
		const struct skip_device_info *info = &found[i].info;
		skip_buf_printf(&list, "%s%d:%d %s, %s (%s)", i ? "; " : "", info->platform_index, info->device_index, info->facts.platform,
				info->facts.name, info->profile_id);
	}
	skip_err_set(err, SKIP_ERR_NO_DEVICE, "no device fits \"%.100s\"; there are: %s", which, skip_buf_text(&list));
	skip_buf_deinit(&list);
	return SKIP_ERR_NO_DEVICE;
}

enum skip_status skip_device_open(const struct skip_profiles *profiles, const char *which, int threads, struct skip_device **out,
				  struct skip_err *err)
{
	return skip_device_open_for(profiles, which, "", threads, out, err);
}

enum skip_status skip_device_open_for(const struct skip_profiles *profiles, const char *which, const char *embedded_board, int threads,
				      struct skip_device **out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_found *found = NULL;
	size_t n = 0;
	struct skip_device *device = skip_alloc_zeroed(1, sizeof(*device));
	if (!device) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a device");
	if (is_auto(which)) which = getenv("SKIP_DEVICE");
	const struct skip_profile *forced = is_auto(which) ? NULL : skip_profiles_find(profiles, which);
	SKIP_TRY(find_devices(profiles, embedded_board, threads, &found, &n, err));
	const struct skip_cl_found *chosen = choose(profiles, found, n, which, forced);
	if (!chosen) {
		status = no_device(found, n, is_auto(which) ? "auto" : which, err);
		goto cleanup;
	}
	device->profile = *(forced ? forced : skip_profiles_find(profiles, chosen->info.profile_id));
	device->info = chosen->info;
	device->info.profile_id = device->profile.id;
	SKIP_TRY(skip_cl_open(chosen, &device->cl, err));
	SKIP_TRY(skip_tuning_load(device, &device->found, err));
	skip_device_set_tuning(device, &device->found);
	*out = device;
	device = NULL;
cleanup:
	skip_device_close(device);
	skip_free(found);
	return status;
}

void skip_device_close(struct skip_device *device)
{
	if (!device) return;
	skip_cl_close(device->cl);
	skip_free(device->library);
	skip_free(device->source);
	skip_tuning_deinit(&device->found);
	skip_free(device);
}

enum skip_status skip_device_compile_beside(struct skip_device *device, const char *compiler, struct skip_err *err)
{
	return skip_cl_compile_beside(device->cl, compiler, err);
}

enum skip_status skip_device_compile(struct skip_device *device, const char *text, const char *options, struct skip_buf *out, struct skip_err *err)
{
	return skip_cl_compile(device->cl, text, options, out, err);
}

enum skip_status skip_device_use_bitstreams(struct skip_device *device, const char *library, const char *source, struct skip_err *err)
{
	if (!skip_profile_has_engines(&device->profile)) {
		return skip_err_set(err, SKIP_ERR_USAGE, "--bitstreams: the kernels of profile '%s' are compiled when they are needed; libraries are of FPGA boards", device->profile.id);
	}
	skip_free(device->library);
	skip_free(device->source);
	device->library = skip_strdup(library);
	device->source = skip_strdup(source);
	return device->library && device->source ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a device");
}

bool skip_device_bitstreams(const struct skip_device *device, const char **library, const char **source)
{
	if (!device->library) return false;
	*library = device->library;
	*source = device->source;
	return true;
}

const struct skip_device_info *skip_device_get_info(const struct skip_device *device)
{
	return &device->info;
}

const struct skip_profile *skip_device_profile(const struct skip_device *device)
{
	return &device->profile;
}

const struct skip_tuning *skip_device_tuning(const struct skip_device *device)
{
	return device->tuning;
}

void skip_device_set_tuning(struct skip_device *device, const struct skip_tuning *tuning)
{
	static const struct skip_tuning none;
	device->tuning = tuning ? tuning : &none;
	device->profile.tuned = device->tuning->choice;
	device->profile.n_tuned = device->tuning->n_choices;
}

bool skip_device_form_settled(const struct skip_device *device, enum skip_precision precision)
{
	return device->settled[precision];
}

void skip_device_settle_form(struct skip_device *device, enum skip_precision precision)
{
	device->settled[precision] = true;
}

void skip_device_drop_form(struct skip_device *device, enum skip_precision precision)
{
	struct skip_profile *profile = &device->profile;
	int left = --profile->n_dot[precision];
	memmove(profile->dot[precision][0], profile->dot[precision][1], (size_t)left * sizeof(profile->dot[precision][0]));
}

struct skip_cl *skip_device_cl(struct skip_device *device)
{
	return device->cl;
}
