/*
 * Matching: which profile speaks for a device.
 *
 * An entry of `match` holds when all its conditions do. Globs are those of fnmatch(3), case counts. Among the profiles with an entry that
 * holds, the one whose entry has most conditions wins (each element of a list is one), then the longest literal text; what still ties is
 * an error of the files. A profile without `match` is only a parent, except `generic`, which holds for everything with no condition; one with
 * `by_name` is never chosen here.
 */
#include "device/profile/internal.h"
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum condition { GLOB, EQUAL, DRIVER_MIN, DRIVER_MAX, CPU_FEATURES, EXTENSIONS };

static const struct field {
	const char *key;
	enum condition condition;
	size_t offset; /* of the text in struct skip_device_facts */
} fields[] = {
    {"platform", GLOB, offsetof(struct skip_device_facts, platform)},
    {"device", GLOB, offsetof(struct skip_device_facts, name)},
    {"vendor", GLOB, offsetof(struct skip_device_facts, vendor)},
    {"version", GLOB, offsetof(struct skip_device_facts, version)},
    {"embedded_board", EQUAL, offsetof(struct skip_device_facts, embedded_board)},
    {"type", EQUAL, offsetof(struct skip_device_facts, type)},
    {"driver_min", DRIVER_MIN, offsetof(struct skip_device_facts, driver)},
    {"driver_max", DRIVER_MAX, offsetof(struct skip_device_facts, driver)},
    {"cpu_features", CPU_FEATURES, 0},
    {"extensions", EXTENSIONS, offsetof(struct skip_device_facts, extensions)},
};

static const struct field *find_field(const char *key)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].key, key) == 0) return &fields[i];
	}
	return NULL;
}

static bool is_list(const struct field *field)
{
	return field->condition == CPU_FEATURES || field->condition == EXTENSIONS;
}

/* Compares dotted numbers ("3.1+debian" is 3.1), missing ones being 0. */
static int compare_versions(const char *a, const char *b)
{
	a += strcspn(a, "0123456789");
	b += strcspn(b, "0123456789");
	while (*a || *b) {
		char *end_a, *end_b;
		unsigned long x = strtoul(a, &end_a, 10), y = strtoul(b, &end_b, 10);
		if (x != y) return x < y ? -1 : 1;
		a = end_a[0] == '.' && end_a[1] >= '0' && end_a[1] <= '9' ? end_a + 1 : "";
		b = end_b[0] == '.' && end_b[1] >= '0' && end_b[1] <= '9' ? end_b + 1 : "";
	}
	return 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = strstr(list, word); at; at = strstr(at + n, word)) {
		if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ')) return true;
	}
	return false;
}

static bool holds(const struct field *field, const char *wanted, const struct skip_device_facts *facts)
{
	const char *text = (const char *)facts + field->offset;
	switch (field->condition) {
	case GLOB:
		return fnmatch(wanted, text, 0) == 0;
	case EQUAL:
		return strcmp(wanted, text) == 0;
	case DRIVER_MIN:
		return compare_versions(text, wanted) >= 0;
	case DRIVER_MAX:
		return compare_versions(text, wanted) <= 0;
	case CPU_FEATURES:
		return facts->local_cpu && skip_cpu_has(wanted);
	case EXTENSIONS:
		return has_word(text, wanted);
	}
	return false;
}

static size_t literal_length(const char *glob)
{
	size_t n = 0;
	for (; *glob; glob++) n += !strchr("*?[]", *glob);
	return n;
}

struct rank {
	size_t conditions, literal;
};

static bool entry_holds(const json_t *entry, const struct skip_device_facts *facts, struct rank *rank)
{
	const char *key;
	json_t *value;
	rank->conditions = rank->literal = 0;
	json_object_foreach((json_t *)(uintptr_t)entry, key, value)
	{
		const struct field *field = find_field(key);
		size_t n = is_list(field) ? json_array_size(value) : 1;
		for (size_t i = 0; i < n; i++) {
			const char *wanted = json_string_value(is_list(field) ? json_array_get(value, i) : value);
			if (!holds(field, wanted, facts)) return false;
			rank->conditions++;
			rank->literal += literal_length(wanted);
		}
	}
	return true;
}

static int compare_ranks(struct rank a, struct rank b)
{
	if (a.conditions != b.conditions) return a.conditions < b.conditions ? -1 : 1;
	return a.literal < b.literal ? -1 : a.literal > b.literal;
}

/* The best entry that holds. */
static bool profile_rank(const struct skip_profile *profile, const struct skip_device_facts *facts, struct rank *best)
{
	const json_t *match = json_object_get(profile->json, "match");
	best->conditions = best->literal = 0;
	if (!match) return strcmp(profile->id, "generic") == 0;
	bool any = false;
	for (size_t i = 0; i < json_array_size(match); i++) {
		struct rank rank;
		if (!entry_holds(json_array_get(match, i), facts, &rank)) continue;
		if (!any || compare_ranks(rank, *best) > 0) *best = rank;
		any = true;
	}
	return any;
}

bool skip_profile_holds(const struct skip_profile *profile, const struct skip_device_facts *facts)
{
	struct rank rank;
	return profile_rank(profile, facts, &rank);
}

enum skip_status skip_profiles_match(const struct skip_profiles *profiles, const struct skip_device_facts *facts,
                                     const struct skip_profile **out, struct skip_err *err)
{
	const struct skip_profile *best = NULL, *tied = NULL;
	struct rank best_rank = {0, 0};
	for (size_t i = 0; i < profiles->count; i++) {
		struct rank rank;
		if (profiles->profile[i].by_name || !profile_rank(&profiles->profile[i], facts, &rank)) continue;
		int order = best ? compare_ranks(rank, best_rank) : 1;
		if (order > 0) {
			best = &profiles->profile[i];
			best_rank = rank;
			tied = NULL;
		} else if (order == 0) {
			tied = &profiles->profile[i];
		}
	}
	if (!best)
		return skip_err_set(err, SKIP_ERR_INPUT, "no profile matches device \"%s\" and there is no profile \"generic\"",
		                    facts->name);
	if (tied) {
		return skip_err_set(err, SKIP_ERR_INPUT, "profiles \"%s\" and \"%s\" match device \"%s\" of \"%s\" equally well", best->id,
		                    tied->id, facts->name, facts->platform);
	}
	*out = best;
	return SKIP_OK;
}

static enum skip_status check_text(size_t entry, const struct field *field, const json_t *value, struct skip_err *err)
{
	const char *text = json_string_value(value);
	if (!text || !text[0]) return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu].%s\": expected a string", entry, field->key);
	if (field->condition == CPU_FEATURES && !skip_cpu_knows(text)) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu].%s\": unknown feature \"%.60s\"", entry, field->key, text);
	}
	if (strcmp(field->key, "type") == 0 && strcmp(text, "cpu") != 0 && strcmp(text, "gpu") != 0 && strcmp(text, "accel") != 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu].%s\": expected \"cpu\", \"gpu\" or \"accel\", found \"%.60s\"",
		                    entry, field->key, text);
	}
	return SKIP_OK;
}

enum skip_status skip_match_check(const json_t *document, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const json_t *match = json_object_get(document, "match");
	if (!match) return SKIP_OK;
	if (!json_is_array(match) || json_array_size(match) == 0) {
		return skip_err_set(err, SKIP_ERR_INPUT, "\"match\": expected an array of at least one entry");
	}
	for (size_t i = 0; i < json_array_size(match); i++) {
		json_t *entry = json_array_get(match, i), *value;
		const char *key;
		if (!json_is_object(entry) || json_object_size(entry) == 0) {
			return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu]\": expected an object with at least one condition", i);
		}
		json_object_foreach(entry, key, value)
		{
			const struct field *field = find_field(key);
			if (!field) return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu].%.60s\": unknown condition", i, key);
			if (!is_list(field)) {
				SKIP_TRY(check_text(i, field, value, err));
				continue;
			}
			if (!json_is_array(value) || json_array_size(value) == 0) {
				return skip_err_set(err, SKIP_ERR_INPUT, "\"match[%zu].%s\": expected an array of at least one string", i,
				                    key);
			}
			for (size_t j = 0; j < json_array_size(value); j++) SKIP_TRY(check_text(i, field, json_array_get(value, j), err));
		}
	}
cleanup:
	return status;
}
