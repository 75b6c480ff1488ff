/* Label names and class indices; see dataset.h and labels.h. */
#include "text/labels.h"

#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

void skip_labels_deinit(struct skip_labels *labels)
{
	if (!labels) return;
	for (int i = 0; i < labels->count; i++)
		skip_free(labels->name[i]);
	skip_free(labels->name);
	memset(labels, 0, sizeof(*labels));
}

enum skip_status skip_labels_copy(const struct skip_labels *labels, struct skip_labels *out, struct skip_err *err)
{
	struct skip_labels copy = { skip_alloc_zeroed((size_t)labels->count, sizeof(*copy.name)), 0, labels->integers };
	bool good = copy.name != NULL;
	for (int i = 0; good && i < labels->count; i++) {
		copy.name[i] = skip_strdup(labels->name[i]);
		good = copy.name[i] != NULL;
		copy.count += good;
	}
	if (!good) {
		skip_labels_deinit(&copy);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for labels");
	}
	*out = copy;
	return SKIP_OK;
}

/* The value of "0", "7", "61" (no sign, no leading zero) below `limit`, else -1. */
static int plain_number(const char *text, int limit)
{
	int value = 0;
	if (text[0] == '\0' || (text[0] == '0' && text[1])) return -1;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || value > 1000000) return -1;
		value = 10 * value + (*p - '0');
	}
	return value < limit ? value : -1;
}

int skip_labels_find(const struct skip_labels *labels, const char *name)
{
	bool numbers_are_names = labels->integers;
	for (int i = 0; i < labels->count; i++) {
		if (strcmp(labels->name[i], name) == 0) return i;
		if (plain_number(labels->name[i], INT32_MAX) >= 0) numbers_are_names = true;
	}
	return numbers_are_names ? -1 : plain_number(name, labels->count);
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

enum skip_status skip_labels_from_names(const struct skip_vocab *found, int32_t *label, size_t n, struct skip_labels *out, struct skip_err *err)
{
	int count = (int)found->count;
	struct skip_labels labels = { skip_alloc_zeroed((size_t)count, sizeof(*labels.name)), 0, true };
	const char **sorted = skip_alloc_zeroed((size_t)count, sizeof(*sorted));
	int32_t *index = skip_alloc_zeroed((size_t)count, sizeof(*index));
	enum skip_status status = SKIP_OK;
	if (!labels.name || !sorted || !index) goto no_memory;
	for (int i = 0; i < count; i++) {
		sorted[i] = skip_vocab_token(found, i);
		if (plain_number(sorted[i], count) < 0) labels.integers = false;
	}
	qsort(sorted, (size_t)count, sizeof(*sorted), compare_names);
	for (int i = 0; i < count; i++) { /* names differ, so `count` plain numbers below `count` are all of them */
		int place = labels.integers ? plain_number(sorted[i], count) : i;
		index[skip_vocab_find(found, sorted[i], strlen(sorted[i]))] = place;
		labels.name[place] = skip_strdup(sorted[i]);
		if (!labels.name[place]) {
			labels.count = count; /* so that all of them are freed */
			goto no_memory;
		}
	}
	labels.count = count;
	for (size_t i = 0; i < n; i++)
		if (label[i] >= 0) label[i] = index[label[i]];
	*out = labels;
	memset(&labels, 0, sizeof(labels));
	goto cleanup;
no_memory:
	status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for labels");
cleanup:
	skip_labels_deinit(&labels);
	skip_free(sorted);
	skip_free(index);
	return status;
}
