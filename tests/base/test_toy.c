/* The toy checkpoint other suites build on is itself a valid container. */
#include "toy_bert.h"

Test(toy, folder_holds_every_tensor_of_a_bert)
{
	struct skip_err err;
	struct skip_st_file *file;
	struct toy_bert toy = TOY_BERT;
	char folder[512];
	toy.classes = 3;
	toy.pooling = 1;
	toy.vocab_file = true;
	toy_folder(folder);
	toy_bert_write(folder, &toy);
	CHECK_OK(skip_st_open(toy_path(folder, "model.safetensors"), &file, &err));
	cr_assert(eq(sz, file->count, 3 + 2 + 2 * 16 + 2 + 2));
	const struct skip_st_entry *up = skip_st_find(file, "encoder.layer.1.intermediate.dense.weight");
	cr_assert(up && up->rank == 2 && up->dim[0] == 7 && up->dim[1] == 12);
	cr_assert(skip_file_exists(toy_path(folder, "vocab.txt")) && skip_file_exists(toy_path(folder, "1_Pooling/config.json")));
	skip_st_close(file);
	toy_folder_remove(folder);
	cr_assert(not(skip_file_exists(folder)));
}
