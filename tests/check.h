/* What all suites share: Criterion, error printing, relative comparison, folders of the run. */
#ifndef SKIP_TESTS_CHECK_H
#define SKIP_TESTS_CHECK_H

#include "base/err.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>

/* Runs `call` (which must use `&err`) and shows the message when it fails. */
#define CHECK_OK(call)                                                                                                         \
	do {                                                                                                                   \
		skip_err_init(&err);                                                                                           \
		enum skip_status check_status = (call);                                                                        \
		char check_text[2048];                                                                                         \
		skip_err_format(&err, check_text, sizeof(check_text));                                                         \
		cr_assert(check_status == SKIP_OK, "%s: %s", #call, check_text);                                               \
	} while (0)

/* Runs `call` and wants this status; the error object keeps the message for further checks. */
#define CHECK_FAILS(call, wanted)                                                                                              \
	do {                                                                                                                   \
		skip_err_init(&err);                                                                                           \
		enum skip_status check_status = (call);                                                                        \
		cr_assert(check_status == (wanted), "%s: got '%s' (%s), wanted '%s'", #call, skip_status_text(check_status), err.message, \
			  skip_status_text(wanted));                                                                           \
		cr_assert(err.message[0] != '\0', "%s: no message", #call);                                                    \
	} while (0)

/* Parameters 0 .. n-1 of a test that looks its row up in a table: each test is a process of its own, to which pointers inside of rows mean nothing. */
static inline struct criterion_test_params check_rows(size_t n)
{
	size_t *row = cr_malloc(n * sizeof(*row));
	for (size_t i = 0; i < n; i++) row[i] = i;
	return cr_make_param_array(size_t, row, n);
}

/* Largest |a - b| and its index. */
static inline double check_max_diff(const double *a, const double *b, size_t n, size_t *where)
{
	double worst = 0;
	for (size_t i = 0; i < n; i++) {
		double d = fabs(a[i] - b[i]);
		if (!(d <= worst)) {
			worst = d;
			if (where) *where = i;
		}
	}
	return worst;
}

#endif
