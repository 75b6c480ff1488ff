/* embed in all its bodies: with and without types and positions, positions from 0 and from 2. Two additions per element: bound 2^-22 of the absolute
 * terms. */
#include "kernel_check.h"

struct run {
	char profile[24];
	int length[3], n_seqs;
};

static const struct run runs[] = {
    {"generic", {1}, 1},	 {"generic", {1, 7, 61}, 3},	     {"pocl-generic", {1, 7, 61}, 3},
    {"pocl-x86-avx512", {1}, 1}, {"pocl-x86-avx512", {1, 7, 61}, 3},
};
static const int widths[] = {1, 15, 16, 61};
enum { N_WIDTHS = sizeof(widths) / sizeof(*widths), VOCAB = 23, POSITIONS = 64, TYPES = 3 };

ParameterizedTestParameters(embed, small_tables)
{
	return cr_make_param_array(struct run, (void *)runs, sizeof(runs) / sizeof(*runs));
}
ParameterizedTest(struct run *run, embed, small_tables)
{
	struct kernel_check check;
	int value[N_WIDTHS];
	kernel_check_begin(&check, 13);
	check.vocab = VOCAB;
	check.types = TYPES;
	check.graph->max_positions = POSITIONS - 2; /* where no table says it */
	for (int w = 0; w < N_WIDTHS; w++) {
		char name[4][32];
		union skip_attrs attrs = {.embed = {.position_base = w % 2 ? 2 : 0}};
		for (int k = 0; k < 4; k++) snprintf(name[k], sizeof(name[k]), "%c%d", "wpty"[k], w);
		int param[3] = {kernel_check_param(&check, name[0], VOCAB, widths[w], 0, 1),
				kernel_check_param(&check, name[1], POSITIONS, widths[w], 0, 1),
				kernel_check_param(&check, name[2], TYPES, widths[w], 0, 1)};
		if (w == 1) param[1] = SKIP_NONE;
		value[w] = kernel_check_node(&check, "embed", NULL, 0, param, w == 2 ? 2 : 3, attrs, (const char *[]){name[3]}, 1);
	}
	kernel_check_run(&check, run->profile, run->length, run->n_seqs, 0);
	for (int w = 0; w < N_WIDTHS; w++) kernel_check_relative(&check, value[w], 0x1p-22);
	kernel_check_end(&check);
}
