/* What searches share: look-up by name, the margin, isotonic repair. */
#include "method/search/search.h"
#include <math.h>
#include <string.h>

#define ONE_SIDED 1.645 /* standard errors at 5 % */
#define DECIDE_AFTER 64	  /* rows */
#define DECIDE_ERRORS 3.0 /* standard errors */

const struct skip_search *skip_search_find(const char *name)
{
	for (const struct skip_search *const *entry = skip_searches; *entry; entry++) {
		if (strcmp((*entry)->name, name) == 0) return *entry;
	}
	return NULL;
}

double skip_margin_drop(enum skip_margin_mode mode, const struct skip_paired *paired)
{
	return mode == SKIP_MARGIN_ADAPTIVE ? paired->estimate : paired->drop;
}

bool skip_margin_holds(enum skip_margin_mode mode, double margin, const struct skip_paired *paired)
{
	if (mode == SKIP_MARGIN_STRICT) return paired->drop + ONE_SIDED * paired->drop_se <= margin;
	return skip_margin_drop(mode, paired) <= margin;
}

bool skip_margin_is_lost(double margin, const struct skip_paired *paired, size_t rows)
{
	return rows >= DECIDE_AFTER && paired->estimate - DECIDE_ERRORS * paired->estimate_se > margin;
}

void skip_isotonic(double *y, size_t n)
{
	/* y[first..i] is one block of equal values as long as the block before it is larger */
	for (size_t i = 1; i < n; i++) {
		size_t first = i;
		double sum = y[i];
		while (first > 0 && y[first - 1] > sum / (double)(i - first + 1)) {
			double before = y[first - 1];
			size_t start = first - 1;
			while (start > 0 && y[start - 1] == before) start--;
			sum += before * (double)(first - start);
			first = start;
		}
		for (size_t j = first; j <= i; j++) y[j] = sum / (double)(i - first + 1);
	}
}
