/* What profile.c (loading) and match.c (matching) share. */
#ifndef SKIP_DEVICE_PROFILE_INTERNAL_H
#define SKIP_DEVICE_PROFILE_INTERNAL_H

#include "device/profile/profile.h"

struct skip_profiles {
	struct skip_profile *profile; /* sorted by id */
	size_t count;
};

/* Checks the `match` list of a resolved document. Errors name the entry and the field. */
enum skip_status skip_match_check(const json_t *document, struct skip_err *err);

#endif
