#include "base/median.h"
#include "check.h"

Test(median, is_the_middle_of_the_sorted)
{
	static const struct {
		size_t n;
		double sample[6], median;
	} rows[] = {
	    {1, {3}, 3}, {2, {4, 1}, 2.5}, {3, {9, -1, 2}, 2}, {4, {8, 1, 6, 2}, 4}, {5, {5, 5, 1e9, 5, 0}, 5}, {6, {1, 1, 1, 2, 2, 2}, 1.5},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double sample[6];
		for (size_t k = 0; k < rows[i].n; k++) sample[k] = rows[i].sample[k];
		cr_expect(eq(dbl, skip_median(sample, rows[i].n), rows[i].median), "row %zu", i);
		for (size_t k = 1; k < rows[i].n; k++) cr_expect(sample[k - 1] <= sample[k], "row %zu", i);
	}
}
