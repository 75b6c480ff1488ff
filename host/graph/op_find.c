/* Look-up in the table of ops that CMake makes from graph/op/. */
#include "graph/op.h"

#include <string.h>

const struct skip_op *skip_op_find(const char *name)
{
	for (size_t i = 0; skip_ops[i]; i++)
		if (strcmp(skip_ops[i]->name, name) == 0) return skip_ops[i];
	return NULL;
}
