/* Tiles chosen for shapes of products and the like: look-up, and their form in board files and in the user's cache. */
#include "base/alloc.h"
#include "device/profile/internal.h"
#include <stdio.h>
#include <string.h>

const char *const skip_tile_origin_names[] = {[SKIP_TILE_NONE] = "none", [SKIP_TILE_DEFAULT] = "default", [SKIP_TILE_SHIPPED] = "shipped", [SKIP_TILE_TUNED] = "tuned", NULL};

const char *skip_profile_tile(const struct skip_profile *profile, enum skip_tile_origin origin, const char *family, const char *shape)
{
	const bool tuned = origin == SKIP_TILE_TUNED;
	const struct skip_tile_choice *choice = tuned ? profile->tuned : profile->shipped;
	for (size_t i = 0; i < (tuned ? profile->n_tuned : profile->n_shipped); i++) {
		if (!strcmp(choice[i].family, family) && !strcmp(choice[i].shape, shape)) return choice[i].tile;
	}
	return NULL;
}

static enum skip_status read_text(const json_t *json, const char *key, char *out, size_t size, struct skip_err *err)
{
	const char *text = NULL;
	enum skip_status status = skip_json_string(json, key, &text, err);
	if (status != SKIP_OK) return status;
	if (!text[0] || strlen(text) >= size) return skip_err_set(err, SKIP_ERR_INPUT, "\"%s\": expected 1 to %zu characters", key, size - 1);
	snprintf(out, size, "%s", text);
	return SKIP_OK;
}

enum skip_status skip_tile_choice_read(const json_t *json, struct skip_tile_choice *out, struct skip_err *err)
{
	enum skip_status status;
	SKIP_TRY(read_text(json, "family", out->family, sizeof(out->family), err));
	SKIP_TRY(read_text(json, "shape", out->shape, sizeof(out->shape), err));
	SKIP_TRY(read_text(json, "tile", out->tile, sizeof(out->tile), err));
cleanup:
	return status;
}

json_t *skip_tile_choice_json(const struct skip_tile_choice *choice)
{
	return json_pack("{s:s, s:s, s:s}", "family", choice->family, "shape", choice->shape, "tile", choice->tile);
}

enum skip_status skip_profile_read_tiles(const json_t *forms, struct skip_profile *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	static const char *const fields[] = {"family", "shape", "tile", NULL};
	const json_t *list = json_object_get(forms, "tiles");
	if (!list) return SKIP_OK;
	if (!json_is_array(list)) return skip_err_set(err, SKIP_ERR_INPUT, "\"forms.tiles\": expected a list");
	struct skip_tile_choice *choice = skip_alloc_zeroed(json_array_size(list), sizeof(*choice));
	if (!choice) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for the tiles of a profile");
	out->shipped = choice;
	for (size_t i = 0; i < json_array_size(list); i++) {
		char where[40];
		snprintf(where, sizeof(where), "forms.tiles[%zu]", i);
		SKIP_TRY(skip_profile_inside(skip_tile_choice_read(json_array_get(list, i), &choice[i], err), where, err));
		strcat(where, ".");
		SKIP_TRY(skip_profile_check_fields(json_array_get(list, i), where, fields, err));
		if (skip_profile_tile(out, SKIP_TILE_SHIPPED, choice[i].family, choice[i].shape))
			SKIP_TRY(skip_err_set(err, SKIP_ERR_INPUT, "\"%sshape\": \"%s\" has a tile already", where, choice[i].shape));
		out->n_shipped++;
	}
cleanup:
	return status;
}
