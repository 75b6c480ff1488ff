/* Label names and class indices; see dataset.h and labels.h. */
#include "text/labels.h"

#include "base/alloc.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void skip_labels_deinit(struct skip_labels *labels)
{
	if (!labels) return;
	for (int i = 0; i < labels->count; i++) skip_free(labels->name[i]);
	skip_free(labels->name);
	memset(labels, 0, sizeof(*labels));
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

enum skip_status skip_labels_make(const char *const *names, int count, struct skip_labels *out, struct skip_err *err)
{
	struct skip_labels labels = {.name = skip_alloc_zeroed((size_t)count, sizeof(*labels.name)), .integers = count > 0};
	bool good = labels.name != NULL;
	for (int i = 0; good && i < count; i++) {
		labels.name[i] = skip_strdup(names[i]);
		good = labels.name[i] != NULL;
		labels.count += good;
		if (plain_number(names[i], count) != i) labels.integers = false;
	}
	if (!good) {
		skip_labels_deinit(&labels);
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for labels");
	}
	*out = labels;
	return SKIP_OK;
}

enum skip_status skip_labels_copy(const struct skip_labels *labels, struct skip_labels *out, struct skip_err *err)
{
	enum skip_status status = skip_labels_make((const char *const *)labels->name, labels->count, out, err);
	if (status == SKIP_OK) out->problem = labels->problem;
	return status;
}

int skip_labels_find(const struct skip_labels *labels, const char *name)
{
	bool numbers_are_names = labels->integers;
	for (int i = 0; i < labels->count; i++) {
		if (strcmp(labels->name[i], name) == 0) return i;
		if (plain_number(labels->name[i], INT_MAX) >= 0) numbers_are_names = true;
	}
	return numbers_are_names ? -1 : plain_number(name, labels->count);
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

/* Names differ, so `count` plain numbers below `count` are all of 0..count-1. */
static int compare_numbers(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return plain_number(*x, INT_MAX) - plain_number(*y, INT_MAX);
}

enum skip_status skip_labels_from_names(const struct skip_vocab *found, int32_t *label, size_t n, struct skip_labels *out,
                                        struct skip_err *err)
{
	int count = (int)found->count;
	const char **name = skip_alloc_zeroed((size_t)count, sizeof(*name));
	int32_t *index = skip_alloc_zeroed((size_t)count, sizeof(*index));
	bool numbers = true;
	enum skip_status status = SKIP_OK;
	if (!name || !index) {
		status = skip_err_set(err, SKIP_ERR_NOMEM, "no memory for labels");
		goto cleanup;
	}
	for (int i = 0; i < count; i++) {
		name[i] = skip_vocab_token(found, i);
		if (plain_number(name[i], count) < 0) numbers = false;
	}
	qsort(name, (size_t)count, sizeof(*name), numbers ? compare_numbers : compare_names);
	for (int i = 0; i < count; i++) index[skip_vocab_find(found, name[i], strlen(name[i]))] = i;
	SKIP_TRY(skip_labels_make(name, count, out, err));
	for (size_t i = 0; i < n; i++)
		if (label[i] >= 0) label[i] = index[label[i]];
cleanup:
	skip_free(name);
	skip_free(index);
	return status;
}
