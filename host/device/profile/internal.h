/* What profile.c (loading), match.c (matching), board.c (boards) and tile.c (tiles) share. */
#ifndef SKIP_DEVICE_PROFILE_INTERNAL_H
#define SKIP_DEVICE_PROFILE_INTERNAL_H

#include "device/profile/board.h"

struct skip_profiles {
	struct skip_profile *profile; /* sorted by id */
	size_t count;
};

/* Checks the `match` list of a resolved document. Errors name the entry and the field. */
enum skip_status skip_match_check(const json_t *document, struct skip_err *err);

/* SKIP_ERR_INPUT for a member of `object` that is not in the NULL-terminated `known`; `where` ("forms.") goes before its name. */
enum skip_status skip_profile_check_fields(const json_t *object, const char *where, const char *const *known, struct skip_err *err);
/* Puts `where` and a dot before the key that a typed read named; gives `status` back. */
enum skip_status skip_profile_inside(enum skip_status status, const char *where, struct skip_err *err);
/* The tiles a board file ships, into out->shipped. Whether they are tiles of their families is known where nodes are lowered. */
enum skip_status skip_profile_read_tiles(const json_t *forms, struct skip_profile *out, struct skip_err *err);
/* The value at a JSON pointer without escapes, NULL when there is none. */
const json_t *skip_profile_at(const json_t *document, const char *pointer);

#endif
