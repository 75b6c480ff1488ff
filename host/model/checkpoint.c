/*
 * The tensors of a checkpoint folder: finds them in one safetensors file or in shards, checks shape and numbers, hands out views.
 *
 * Neighbours: base/safetensors reads the container; arch/ knows the names. Never copies weights.
 */
#include "base/alloc.h"
#include "model/model.h"
#include <string.h>

#define WHOLE_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"
/* Tensors that share storage are written out; safetensors stores each by itself. */
#define CONVERT                                                                                                                                           \
	"python3 -c \"import torch, safetensors.torch as s; s.save_file({k: v.clone().contiguous() for k, v in torch.load('pytorch_model.bin', " \
	"weights_only=True).items()}, 'model.safetensors')\""

struct shard {
	char *name; /* as the index writes it; NULL for the whole file */
	struct skip_st_file *file;
};

struct skip_checkpoint {
	struct shard *shards;
	size_t count, capacity;
	char *path;  /* of the file that lists the tensors, for messages */
	json_t *map; /* tensor name -> shard name; NULL for the whole file */
};

static enum skip_status join_path(const char *folder, const char *name, char path[4096], struct skip_err *err)
{
	if (skip_path_join(path, 4096, folder, name)) return SKIP_OK;
	return skip_err_at(err, SKIP_ERR_IO, folder, 0, -1, "the path is too long");
}

static struct skip_st_file *find_shard(const struct skip_checkpoint *checkpoint, const char *name)
{
	for (size_t i = 0; i < checkpoint->count; i++)
		if (strcmp(checkpoint->shards[i].name, name) == 0) return checkpoint->shards[i].file;
	return NULL;
}

static enum skip_status add_shard(struct skip_checkpoint *checkpoint, const char *folder, const char *name, bool whole,
                                  struct skip_err *err)
{
	char path[4096];
	enum skip_status status = join_path(folder, name, path, err);
	if (status != SKIP_OK) return status;
	void *shards = checkpoint->shards;
	bool grown = skip_grow(&shards, &checkpoint->capacity, checkpoint->count + 1, sizeof(*checkpoint->shards));
	checkpoint->shards = shards;
	char *copy = grown && !whole ? skip_strdup(name) : NULL;
	if (!grown || (!whole && !copy)) return skip_err_at(err, SKIP_ERR_NOMEM, path, 0, -1, "no memory to open the file");
	struct skip_st_file *file = NULL;
	status = skip_st_open(path, &file, err);
	if (status == SKIP_OK) checkpoint->shards[checkpoint->count++] = (struct shard){copy, file};
	else
		skip_free(copy);
	return status;
}

/* Opens every shard the index names and finds every tensor where the index says. */
static enum skip_status open_shards(struct skip_checkpoint *checkpoint, const char *folder, struct skip_err *err)
{
	enum skip_status status;
	json_t *root = NULL, *map;
	const char *tensor;
	json_t *value;
	SKIP_TRY(skip_json_load(checkpoint->path, &root, err));
	SKIP_TRY(skip_json_object(root, "weight_map", &map, err));
	checkpoint->map = json_incref(map);
	json_object_foreach(map, tensor, value)
	{
		const char *shard = json_string_value(value);
		/* A shard lies in the folder itself: an index cannot reach other places. */
		if (!shard || !shard[0] || strchr(shard, '/')) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "weight_map: the file of tensor '%.100s' is not a file name", tensor);
			goto cleanup;
		}
		if (!find_shard(checkpoint, shard)) SKIP_TRY(add_shard(checkpoint, folder, shard, false, err));
		if (!skip_st_find(find_shard(checkpoint, shard), tensor)) {
			status = skip_err_set(err, SKIP_ERR_INPUT, "weight_map: tensor '%.100s' is not in %.100s", tensor, shard);
			goto cleanup;
		}
	}
cleanup:
	json_decref(root);
	if (status != SKIP_OK) skip_err_add_file(err, checkpoint->path);
	return status;
}

enum skip_status skip_checkpoint_open(const char *folder, struct skip_checkpoint **out, struct skip_err *err)
{
	enum skip_status status;
	char whole[4096], index[4096], other[4096];
	struct skip_checkpoint *checkpoint = NULL;
	SKIP_TRY(join_path(folder, WHOLE_FILE, whole, err));
	SKIP_TRY(join_path(folder, INDEX_FILE, index, err));
	SKIP_TRY(join_path(folder, "pytorch_model.bin", other, err));
	bool sharded = !skip_file_exists(whole);
	if (sharded && !skip_file_exists(index)) {
		status =
		    skip_err_at(err, SKIP_ERR_IO, whole, 0, -1, "no such file, and no " INDEX_FILE " beside it%s",
		                skip_file_exists(other) ? "; pytorch_model.bin becomes one with, in that folder, " CONVERT : "");
		goto cleanup;
	}
	checkpoint = skip_alloc_zeroed(1, sizeof(*checkpoint));
	if (!checkpoint || !(checkpoint->path = skip_strdup(sharded ? index : whole))) {
		status = skip_err_at(err, SKIP_ERR_NOMEM, folder, 0, -1, "no memory to open the checkpoint");
		goto cleanup;
	}
	if (sharded) SKIP_TRY(open_shards(checkpoint, folder, err));
	else
		SKIP_TRY(add_shard(checkpoint, folder, WHOLE_FILE, true, err));
	*out = checkpoint;
	checkpoint = NULL;
cleanup:
	skip_checkpoint_close(checkpoint);
	return status;
}

void skip_checkpoint_close(struct skip_checkpoint *checkpoint)
{
	if (!checkpoint) return;
	for (size_t i = 0; i < checkpoint->count; i++) {
		skip_free(checkpoint->shards[i].name);
		skip_st_close(checkpoint->shards[i].file);
	}
	skip_free(checkpoint->shards);
	skip_free(checkpoint->path);
	json_decref(checkpoint->map);
	skip_free(checkpoint);
}

/* The entry of `name` behind the first prefix that has it, and its file; NULL when absent. */
static const struct skip_st_entry *find_entry(const struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *name,
                                              const struct skip_st_file **file)
{
	char full[2 * SKIP_TENSOR_NAME];
	for (; *prefixes; prefixes++) {
		const struct skip_st_entry *entry = NULL;
		int length = snprintf(full, sizeof(full), "%s%s", *prefixes, name);
		if (length < 0 || (size_t)length >= sizeof(full)) continue;
		if (checkpoint->map) {
			const char *shard = json_string_value(json_object_get(checkpoint->map, full));
			*file = shard ? find_shard(checkpoint, shard) : NULL;
		} else {
			*file = checkpoint->shards[0].file;
		}
		if (*file) entry = skip_st_find(*file, full);
		if (entry) return entry;
	}
	return NULL;
}

bool skip_checkpoint_has(const struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *name)
{
	const struct skip_st_file *file;
	return find_entry(checkpoint, prefixes, name, &file) != NULL;
}

/* "[3, any, 7]" */
static void shape_text(int rank, const int64_t *dim, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "[");
	for (int i = 0; i < rank && used < size; i++) {
		const char *comma = i ? ", " : "";
		if (dim[i] < 0) used += (size_t)snprintf(out + used, size - used, "%sany", comma);
		else
			used += (size_t)snprintf(out + used, size - used, "%s%lld", comma, (long long)dim[i]);
	}
	if (used < size) snprintf(out + used, size - used, "]");
}

static bool shape_fits(const struct skip_st_entry *entry, int rank, const int64_t *dim)
{
	bool fits = entry->rank == rank;
	for (int i = 0; fits && i < rank; i++) fits = dim[i] < 0 || dim[i] == entry->dim[i];
	return fits;
}

/*
 * Index of the first element that is NaN or infinite, or `n`. Such numbers have all exponent bits set, so the top 16 bits of each element
 * tell; they are looked at in blocks, which costs little more than reading the file.
 */
static size_t first_not_finite(enum skip_dtype dtype, const unsigned char *data, size_t n)
{
	size_t size = skip_dtype_size(dtype);
	uint16_t exponent = dtype == SKIP_F64 ? 0x7ff0 : dtype == SKIP_F16 ? 0x7c00 : 0x7f80;
	for (size_t start = 0; start < n; start += 1024) {
		size_t block = n - start < 1024 ? n - start : 1024;
		const unsigned char *top = data + start * size + size - 2;
		bool found = false;
		for (size_t i = 0; i < block; i++) {
			uint16_t bits;
			memcpy(&bits, top + i * size, sizeof(bits));
			found |= (bits & exponent) == exponent;
		}
		for (size_t i = 0; found && i < block; i++) {
			uint16_t bits;
			memcpy(&bits, top + i * size, sizeof(bits));
			if ((bits & exponent) == exponent) return start + i;
		}
	}
	return n;
}

enum skip_status skip_checkpoint_tensor(struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *name, const char *as,
                                        int rank, const int64_t *dim, struct skip_tensor **out, struct skip_err *err)
{
	const struct skip_st_file *file;
	const struct skip_st_entry *entry = find_entry(checkpoint, prefixes, name, &file);
	if (!entry) return skip_err_at(err, SKIP_ERR_INPUT, checkpoint->path, 0, -1, "tensor '%s' is missing", name);
	const char *path = skip_mapfile_path(file->map);
	if (!shape_fits(entry, rank, dim)) {
		char expected[128], found[128];
		shape_text(rank, dim, expected, sizeof(expected));
		shape_text(entry->rank, entry->dim, found, sizeof(found));
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset,
		                   "tensor '%s': config.json makes its shape %s, the file has %s", entry->name, expected, found);
	}
	if (entry->dtype != SKIP_F64 && entry->dtype != SKIP_F32 && entry->dtype != SKIP_F16 && entry->dtype != SKIP_BF16)
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset, "tensor '%s': expected F32, F16, BF16 or F64, found %s",
		                   entry->name, skip_dtype_name(entry->dtype));
	size_t size = skip_dtype_size(entry->dtype), n = entry->bytes / size;
	size_t bad = first_not_finite(entry->dtype, entry->data, n);
	if (bad < n) {
		float number;
		skip_dtype_to_f32(entry->dtype, (const unsigned char *)entry->data + bad * size, 1, &number);
		return skip_err_at(err, SKIP_ERR_INPUT, path, 0, entry->offset + (int64_t)(bad * size),
		                   "tensor '%s': element %zu is %f; expected a finite number", entry->name, bad, (double)number);
	}
	/* The check touched every page; most are not needed again before the weights are packed for a device. */
	skip_mapfile_drop(file->map, entry->data, entry->bytes);
	return skip_tensor_view(as, entry->dtype, entry->rank, entry->dim, entry->data, file->map, out, err);
}
