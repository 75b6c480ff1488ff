/*
 * Weight layouts, streamed: a layout is written block by block through a small stage, from tensors that may be views of a mapped file, in
 * any floating type, or concatenations. What was read of a file leaves memory on the way. So packing a model costs no memory beside the
 * packed model itself.
 */
#include "device/run/run.h"
#include "base/quant.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* Rows k per step of a panel: a block of 128 x 32 floats stays in the first cache while it is transposed. */
#define PANEL_STEP 128
#define WORDS_NR_MAX 64 /* columns of a panel of words */
/* Bytes of a file read before their pages are let go. */
#define DROP_STEP ((int64_t)256 * 1024)

struct stream {
	const struct skip_pack *pack;
	size_t first, used;
};

static enum skip_status flush(struct stream *stream, struct skip_err *err)
{
	const struct skip_pack *pack = stream->pack;
	if (stream->used == 0) return SKIP_OK;
	enum skip_status status = pack->write(pack->context, stream->first, pack->stage, stream->used, err);
	stream->first += stream->used;
	stream->used = 0;
	return status;
}

/* Room for the next `count` elements, which the caller fills. */
static enum skip_status take(struct stream *stream, size_t count, float **out, struct skip_err *err)
{
	assert(count <= stream->pack->stage_count);
	if (count > stream->pack->stage_count - stream->used) {
		enum skip_status status = flush(stream, err);
		if (status != SKIP_OK) return status;
	}
	*out = stream->pack->stage + stream->used;
	stream->used += count;
	return SKIP_OK;
}

static int64_t row_length(const struct skip_tensor *tensor)
{
	int64_t n = 1;
	for (int i = 1; i < tensor->rank; i++) n *= tensor->dim[i];
	return n;
}

/* Elements `first` .. `first + n - 1` of row `row` (axis 0) as floats. */
static void read_row(const struct skip_tensor *tensor, int64_t row, int64_t first, int64_t n, float *out)
{
	while (tensor->n_parts > 0) {
		int p = 0;
		while (row >= tensor->part[p]->dim[0]) row -= tensor->part[p++]->dim[0];
		tensor = tensor->part[p];
	}
	size_t at = (size_t)(row * row_length(tensor) + first) * skip_dtype_size(tensor->dtype);
	skip_dtype_to_f32(tensor->dtype, (const char *)tensor->data + at, (size_t)n, out);
}

/* Lets the pages go that rows `first` .. `last`-1 were read from, where they belong to a file. */
static void drop_rows(const struct skip_tensor *tensor, int64_t first, int64_t last)
{
	for (int p = 0; p < tensor->n_parts; p++) {
		int64_t rows = tensor->part[p]->dim[0];
		if (first < rows && last > 0) drop_rows(tensor->part[p], first > 0 ? first : 0, last < rows ? last : rows);
		first -= rows;
		last -= rows;
	}
	if (!tensor->map || !tensor->data) return;
	size_t row = (size_t)row_length(tensor) * skip_dtype_size(tensor->dtype);
	skip_mapfile_drop(tensor->map, (const char *)tensor->data + (size_t)first * row, (size_t)(last - first) * row);
}

static enum skip_status pack_rows(struct stream *stream, const struct skip_tensor *tensor, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	int64_t rows = tensor->rank > 0 ? tensor->dim[0] : 1, length = row_length(tensor);
	int64_t step = (int64_t)stream->pack->stage_count / 4;
	float *out = NULL;
	for (int64_t r = 0; r < rows; r++) {
		for (int64_t first = 0; first < length; first += step) {
			int64_t n = length - first < step ? length - first : step;
			SKIP_TRY(take(stream, (size_t)n, &out, err));
			read_row(tensor, r, first, n, out);
		}
	}
cleanup:
	return status;
}

static enum skip_status pack_padding(struct stream *stream, int64_t count, int nr, struct skip_err *err)
{
	int64_t padding = (nr - count % nr) % nr;
	float *out = NULL;
	enum skip_status status = take(stream, (size_t)padding, &out, err);
	if (status == SKIP_OK) memset(out, 0, (size_t)padding * sizeof(*out));
	return status;
}

/* Rows k .. k+n_k-1 of the panel that starts at output column `first`; W is [N][K]. */
static void panel_block(const struct skip_tensor *tensor, int64_t first, int nr, int64_t k, int64_t n_k, float *out)
{
	float row[PANEL_STEP];
	for (int j = 0; j < nr; j++) {
		if (first + j < tensor->dim[0]) {
			read_row(tensor, first + j, k, n_k, row);
		} else {
			memset(row, 0, sizeof(row));
		}
		for (int64_t i = 0; i < n_k; i++) out[i * nr + j] = row[i];
	}
}

/* The same for W given as [K][N]: rows of the panel are pieces of rows of W. */
static void panel_block_transposed(const struct skip_tensor *tensor, int64_t first, int nr, int64_t k, int64_t n_k, float *out)
{
	int64_t left = tensor->dim[1] - first, n = left < nr ? left : nr;
	for (int64_t i = 0; i < n_k; i++) {
		read_row(tensor, k + i, first, n, out + i * nr);
		for (int64_t j = n; j < nr; j++) out[i * nr + j] = 0.0f;
	}
}

static void read_block(const struct skip_pack *pack, const struct skip_tensor *tensor, int64_t first, int64_t k, int64_t n_k, float *out)
{
	if (pack->transpose) {
		panel_block_transposed(tensor, first, pack->nr, k, n_k, out);
	} else {
		panel_block(tensor, first, pack->nr, k, n_k, out);
	}
}

static enum skip_status float_panel(struct stream *stream, const struct skip_tensor *tensor, int64_t first, int64_t depth, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_pack *pack = stream->pack;
	float *out = NULL;
	for (int64_t k = 0; k < depth; k += PANEL_STEP) {
		int64_t n_k = depth - k < PANEL_STEP ? depth - k : PANEL_STEP;
		SKIP_TRY(take(stream, (size_t)(n_k * pack->nr), &out, err));
		read_block(pack, tensor, first, k, n_k, out);
	}
cleanup:
	return status;
}

/* The scales of the columns of a panel. */
static void panel_scales(const struct skip_pack *pack, const struct skip_tensor *tensor, int64_t first, int64_t depth,
			 struct skip_int8_scale *scale)
{
	float block[PANEL_STEP * WORDS_NR_MAX], largest[WORDS_NR_MAX] = {0};
	for (int64_t k = 0; k < depth; k += PANEL_STEP) {
		int64_t n_k = depth - k < PANEL_STEP ? depth - k : PANEL_STEP;
		read_block(pack, tensor, first, k, n_k, block);
		for (int64_t i = 0; i < n_k; i++)
			for (int j = 0; j < pack->nr; j++) largest[j] = fmaxf(largest[j], fabsf(block[i * pack->nr + j]));
	}
	for (int j = 0; j < pack->nr; j++) scale[j] = skip_int8_scale(largest[j]);
}

/* `n` numbers, `stride` apart, as one word; adds the integers to *sum. */
static uint32_t word_of(enum skip_layout layout, const float *x, int64_t stride, int64_t n, struct skip_int8_scale scale, int32_t *sum)
{
	uint32_t word = 0;
	const int per_word = skip_layout_per_word(layout), bits = 32 / per_word;
	for (int64_t i = 0; i < n && i < per_word; i++) {
		uint32_t number;
		if (layout == SKIP_LAYOUT_BF16X2) {
			number = skip_bf16_round(x[i * stride]);
		} else {
			int8_t q = skip_int8_round(x[i * stride], scale);
			number = (uint32_t)(int32_t)q & (UINT32_MAX >> (32 - bits));
			*sum += q;
		}
		word |= number << (i * bits);
	}
	return word;
}

static enum skip_status word_panel(struct stream *stream, const struct skip_tensor *tensor, int64_t first, int64_t depth, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_pack *pack = stream->pack;
	const int nr = pack->nr, per_word = skip_layout_per_word(pack->layout);
	struct skip_int8_scale scale[WORDS_NR_MAX] = {{0, 0}};
	int32_t sum[WORDS_NR_MAX] = {0};
	float block[PANEL_STEP * WORDS_NR_MAX], *out = NULL;
	if (skip_layout_side(pack->layout)) panel_scales(pack, tensor, first, depth, scale);
	for (int64_t k = 0; k < depth; k += PANEL_STEP) {
		int64_t n_k = depth - k < PANEL_STEP ? depth - k : PANEL_STEP, n_words = (n_k + per_word - 1) / per_word;
		read_block(pack, tensor, first, k, n_k, block);
		SKIP_TRY(take(stream, (size_t)(n_words * nr), &out, err));
		for (int64_t i = 0; i < n_words * nr; i++) {
			int64_t at = i / nr * per_word, column = i % nr;
			uint32_t word = word_of(pack->layout, block + at * nr + column, nr, n_k - at, scale[column], &sum[column]);
			memcpy(&out[i], &word, sizeof(word));
		}
	}
	if (!skip_layout_side(pack->layout)) goto cleanup;
	SKIP_TRY(take(stream, (size_t)nr * 2, &out, err));
	for (int j = 0; j < nr; j++) {
		int32_t start = pack->layout == SKIP_LAYOUT_S8X4 ? -128 * sum[j] : 0;
		out[j] = scale[j].scale;
		memcpy(&out[nr + j], &start, sizeof(start));
	}
cleanup:
	return status;
}

static enum skip_status pack_panels(struct stream *stream, const struct skip_tensor *tensor, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_pack *pack = stream->pack;
	int64_t outputs = tensor->dim[pack->transpose ? 1 : 0], depth = tensor->dim[pack->transpose ? 0 : 1];
	int64_t dropped = 0, drop_every = DROP_STEP / (depth * (int64_t)skip_dtype_size(tensor->dtype) + 1);
	for (int64_t first = 0; first < outputs; first += pack->nr) {
		if (!pack->transpose && first - dropped > drop_every) {
			drop_rows(tensor, dropped, first);
			dropped = first;
		}
		if (skip_layout_per_word(pack->layout)) {
			SKIP_TRY(word_panel(stream, tensor, first, depth, err));
		} else {
			SKIP_TRY(float_panel(stream, tensor, first, depth, err));
		}
	}
cleanup:
	return status;
}

enum skip_status skip_pack(const struct skip_pack *pack, const struct skip_tensor *tensor, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct stream stream = {pack, 0, 0};
	switch (pack->layout) {
	case SKIP_LAYOUT_ROWS:
		SKIP_TRY(pack_rows(&stream, tensor, err));
		break;
	case SKIP_LAYOUT_PADDED:
		SKIP_TRY(pack_rows(&stream, tensor, err));
		SKIP_TRY(pack_padding(&stream, skip_tensor_count(tensor), pack->nr, err));
		break;
	default:
		SKIP_TRY(pack_panels(&stream, tensor, err));
		break;
	}
	SKIP_TRY(flush(&stream, err));
	drop_rows(tensor, 0, tensor->rank > 0 ? tensor->dim[0] : 1);
cleanup:
	return status;
}

enum skip_status skip_pack_count(const struct skip_tensor *tensor, enum skip_layout layout, int nr, int transpose, size_t *out,
				 struct skip_err *err)
{
	int64_t count = skip_tensor_count(tensor);
	if (tensor->dtype > SKIP_BF16) {
		return skip_err_set(err, SKIP_ERR_INTERNAL, "tensor %s of type %s cannot be a weight", tensor->name,
				    skip_dtype_name(tensor->dtype));
	}
	if (layout != SKIP_LAYOUT_ROWS && (nr < 1 || (size_t)nr > SKIP_PACK_STAGE / PANEL_STEP)) {
		return skip_err_set(err, SKIP_ERR_INTERNAL, "tensor %s: panels of %d columns", tensor->name, nr);
	}
	if (layout == SKIP_LAYOUT_PADDED) count = (count + nr - 1) / nr * nr;
	if (skip_layout_is_panels(layout)) {
		int per_word = skip_layout_per_word(layout);
		if (tensor->rank != 2)
			return skip_err_set(err, SKIP_ERR_INTERNAL, "tensor %s of rank %d has no panels", tensor->name, tensor->rank);
		int64_t outputs = tensor->dim[transpose ? 1 : 0];
		int64_t depth = tensor->dim[transpose ? 0 : 1];
		if (per_word && nr > WORDS_NR_MAX)
			return skip_err_set(err, SKIP_ERR_INTERNAL, "tensor %s: panels of %d columns, at most %d", tensor->name, nr, WORDS_NR_MAX);
		if (per_word) depth = (depth + per_word - 1) / per_word + skip_layout_side(layout);
		count = (outputs + nr - 1) / nr * nr * depth;
	}
	*out = (size_t)count;
	return SKIP_OK;
}

bool skip_tensor_contains(const struct skip_tensor *tensor, const struct skip_tensor *part)
{
	if (tensor == part) return true;
	for (int i = 0; i < tensor->n_parts; i++) {
		if (skip_tensor_contains(tensor->part[i], part)) return true;
	}
	return false;
}
