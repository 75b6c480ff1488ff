/* Look-up of searches by name. */
#include "method/search/search.h"
#include <string.h>

const struct skip_search *skip_search_find(const char *name)
{
	for (const struct skip_search *const *entry = skip_searches; *entry; entry++) {
		if (strcmp((*entry)->name, name) == 0) return *entry;
	}
	return NULL;
}
