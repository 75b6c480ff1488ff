/* make_golden NAME FOLDER: writes the checkpoint NAME of tests/golden/models for the end-to-end scripts, without a tokenizer. */
#include "golden_model.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: SKIP_TEST_SOURCE=... make_golden NAME FOLDER\n");
		return 2;
	}
	if (mkdir(argv[2], 0777) != 0 || access(golden_path(argv[1], "weights.tsv"), R_OK) != 0) {
		perror(argv[2]);
		return 1;
	}
	golden_write(argv[1], argv[2]);
	return 0;
}
