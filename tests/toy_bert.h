/*
 * Toy BERT folders with random weights, for tests of everything that starts from a checkpoint.
 *
 *     char folder[512];
 *     toy_folder(folder);
 *     struct toy_bert toy = TOY_BERT;        -- D 12, H 3, L 2, F 7, ...; change fields as needed
 *     toy_bert_write(folder, &toy);
 *     ...
 *     toy_folder_remove(folder);
 */
#ifndef SKIP_TESTS_TOY_BERT_H
#define SKIP_TESTS_TOY_BERT_H

#include "base/alloc.h"
#include "base/rng.h"
#include "toy_folder.h"

struct toy_bert {
	int width, heads, layers, ffn; /* D, H, L, F */
	int vocab, positions, types;
	int classes;        /* > 0: BertForSequenceClassification with names "class0", ... */
	int pooling;        /* -1: no 1_Pooling; 0: mean; 1: CLS */
	bool pooler;        /* pooler.dense (always written with classes) */
	bool vocab_file;    /* vocab.txt and tokenizer_config.json */
	bool legacy_names;  /* LayerNorm.gamma, LayerNorm.beta */
	int shards;         /* 0: model.safetensors; else that many files and an index */
	const char *prefix; /* of tensor names: "", "bert." */
	const char *config; /* further members of config.json, each with a comma in front, or ""; a repeated key is the caller's mistake */
	const char *hidden_act, *model_type, *position_type;
	float scale; /* standard deviation of the weights */
	uint64_t seed;
};

#define TOY_BERT                                                                                                                           \
	{                                                                                                                                  \
		.width = 12, .heads = 3, .layers = 2, .ffn = 7, .vocab = 61, .positions = 16, .types = 2, .pooling = -1, .pooler = true,   \
		.prefix = "", .config = "", .hidden_act = "gelu", .model_type = "bert", .position_type = "absolute", .scale = 0.3f,        \
		.seed = 1                                                                                                                  \
	}

struct toy_tensors {
	struct skip_st_entry *entry;
	size_t count, capacity;
	struct skip_rng rng;
};

/* Appends a tensor of normal numbers around `mean`; cols 0 gives rank 1. */
static inline void toy_tensor(struct toy_tensors *tensors, const char *prefix, const char *name, int rows, int cols, float mean,
                              float scale)
{
	cr_assert(skip_grow((void **)&tensors->entry, &tensors->capacity, tensors->count + 1, sizeof(*tensors->entry)));
	struct skip_st_entry *entry = &tensors->entry[tensors->count++];
	size_t n = (size_t)rows * (size_t)(cols ? cols : 1);
	float *data = skip_alloc_array(n, sizeof(float));
	cr_assert(data != NULL);
	for (size_t i = 0; i < n; i++) data[i] = mean + scale * (float)skip_rng_normal(&tensors->rng);
	*entry = (struct skip_st_entry){.dtype = SKIP_F32, .rank = cols ? 2 : 1, .dim = {rows, cols}, .data = data, .bytes = 4 * n};
	snprintf(entry->name, sizeof(entry->name), "%s%s", prefix, name);
}

static inline void toy_linear(struct toy_tensors *tensors, const struct toy_bert *toy, const char *name, int out, int in)
{
	char full[SKIP_TENSOR_NAME];
	snprintf(full, sizeof(full), "%s.weight", name);
	toy_tensor(tensors, toy->prefix, full, out, in, 0, toy->scale);
	snprintf(full, sizeof(full), "%s.bias", name);
	toy_tensor(tensors, toy->prefix, full, out, 0, 0, toy->scale);
}

static inline void toy_layernorm(struct toy_tensors *tensors, const struct toy_bert *toy, const char *name)
{
	char full[SKIP_TENSOR_NAME];
	snprintf(full, sizeof(full), "%s.%s", name, toy->legacy_names ? "gamma" : "weight");
	toy_tensor(tensors, toy->prefix, full, toy->width, 0, 1, toy->scale / 3);
	snprintf(full, sizeof(full), "%s.%s", name, toy->legacy_names ? "beta" : "bias");
	toy_tensor(tensors, toy->prefix, full, toy->width, 0, 0, toy->scale / 3);
}

/* All tensors of the checkpoint; free with toy_bert_free. */
static inline void toy_bert_tensors(const struct toy_bert *toy, struct toy_tensors *out)
{
	char name[SKIP_TENSOR_NAME];
	memset(out, 0, sizeof(*out));
	skip_rng_init(&out->rng, toy->seed, "toy");
	toy_tensor(out, toy->prefix, "embeddings.word_embeddings.weight", toy->vocab, toy->width, 0, toy->scale);
	toy_tensor(out, toy->prefix, "embeddings.position_embeddings.weight", toy->positions, toy->width, 0, toy->scale);
	toy_tensor(out, toy->prefix, "embeddings.token_type_embeddings.weight", toy->types, toy->width, 0, toy->scale);
	toy_layernorm(out, toy, "embeddings.LayerNorm");
	for (int l = 0; l < toy->layers; l++) {
		static const char *const square[] = {"attention.self.query", "attention.self.key", "attention.self.value",
		                                     "attention.output.dense"};
		for (int i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "encoder.layer.%d.%s", l, square[i]);
			toy_linear(out, toy, name, toy->width, toy->width);
		}
		snprintf(name, sizeof(name), "encoder.layer.%d.attention.output.LayerNorm", l);
		toy_layernorm(out, toy, name);
		snprintf(name, sizeof(name), "encoder.layer.%d.intermediate.dense", l);
		toy_linear(out, toy, name, toy->ffn, toy->width);
		snprintf(name, sizeof(name), "encoder.layer.%d.output.dense", l);
		toy_linear(out, toy, name, toy->width, toy->ffn);
		snprintf(name, sizeof(name), "encoder.layer.%d.output.LayerNorm", l);
		toy_layernorm(out, toy, name);
	}
	if (toy->pooler || toy->classes) toy_linear(out, toy, "pooler.dense", toy->width, toy->width);
	if (toy->classes) {
		toy_tensor(out, "", "classifier.weight", toy->classes, toy->width, 0, toy->scale);
		toy_tensor(out, "", "classifier.bias", toy->classes, 0, 0, toy->scale);
	}
}

static inline void toy_bert_free(struct toy_tensors *tensors)
{
	for (size_t i = 0; i < tensors->count; i++) skip_free((void *)(uintptr_t)tensors->entry[i].data);
	skip_free(tensors->entry);
}

static inline void toy_write_weights(const char *folder, const struct toy_bert *toy, const struct toy_tensors *tensors)
{
	if (!toy->shards) {
		toy_write_tensors(toy_path(folder, "model.safetensors"), tensors->entry, tensors->count);
		return;
	}
	struct skip_buf index;
	size_t per_shard = (tensors->count + (size_t)toy->shards - 1) / (size_t)toy->shards;
	skip_buf_init(&index);
	skip_buf_puts(&index, "{\"metadata\": {\"total_size\": 0}, \"weight_map\": {");
	for (int s = 0; s < toy->shards; s++) {
		char name[64];
		size_t first = (size_t)s * per_shard, last = first + per_shard < tensors->count ? first + per_shard : tensors->count;
		snprintf(name, sizeof(name), "model-%05d-of-%05d.safetensors", s + 1, toy->shards);
		toy_write_tensors(toy_path(folder, name), tensors->entry + first, last - first);
		for (size_t i = first; i < last; i++)
			skip_buf_printf(&index, "%s\n\"%s\": \"%s\"", i ? "," : "", tensors->entry[i].name, name);
	}
	skip_buf_puts(&index, "}}\n");
	toy_write_text(folder, "model.safetensors.index.json", skip_buf_text(&index));
	skip_buf_deinit(&index);
}

/* Special tokens at 0..4, then letters, digits, punctuation, "##" pieces, a few words, and numbered fillers up to `vocab` lines. */
static inline void toy_write_vocab(const char *folder, int vocab)
{
	static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
	static const char *const words[] = {"the", "a", "good", "bad", "movie", "is", "not", "very", "##ing", "##ed", "##s", "##er"};
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-";
	struct skip_buf text;
	int n = 0;
	skip_buf_init(&text);
	for (size_t i = 0; i < 5 && n < vocab; i++, n++) skip_buf_printf(&text, "%s\n", special[i]);
	for (size_t i = 1; i < 12 && n < vocab; i++, n++) skip_buf_printf(&text, "%s\n", words[i]); /* "a" comes as a word */
	for (size_t i = 1; plain[i] && n < vocab; i++, n++) skip_buf_printf(&text, "%c\n", plain[i]);
	for (int c = 'a'; c <= 'z' && n < vocab; c++) {
		if (c == 's') continue; /* "##s" comes as a word */
		skip_buf_printf(&text, "##%c\n", c);
		n++;
	}
	if (n < vocab) {
		skip_buf_printf(&text, "%s\n", words[0]);
		n++;
	}
	for (; n < vocab; n++) skip_buf_printf(&text, "filler%d\n", n);
	toy_write_text(folder, "vocab.txt", skip_buf_text(&text));
	toy_write_text(folder, "tokenizer_config.json",
	               "{\"do_lower_case\": true, \"tokenizer_class\": \"BertTokenizer\", \"model_max_length\": 512}\n");
	skip_buf_deinit(&text);
}

static inline void toy_write_config(const char *folder, const struct toy_bert *toy)
{
	struct skip_buf text;
	skip_buf_init(&text);
	skip_buf_printf(&text, "{\n  \"architectures\": [\"%s\"],\n", toy->classes ? "BertForSequenceClassification" : "BertModel");
	skip_buf_printf(&text, "  \"model_type\": \"%s\",\n  \"hidden_act\": \"%s\",\n", toy->model_type, toy->hidden_act);
	skip_buf_printf(&text, "  \"position_embedding_type\": \"%s\",\n  \"layer_norm_eps\": 1e-12,\n", toy->position_type);
	skip_buf_printf(&text, "  \"hidden_size\": %d,\n  \"num_attention_heads\": %d,\n  \"num_hidden_layers\": %d,\n", toy->width,
	                toy->heads, toy->layers);
	skip_buf_printf(&text, "  \"intermediate_size\": %d,\n  \"vocab_size\": %d,\n  \"max_position_embeddings\": %d,\n", toy->ffn,
	                toy->vocab, toy->positions);
	skip_buf_printf(&text, "  \"type_vocab_size\": %d", toy->types);
	if (toy->classes) {
		skip_buf_puts(&text, ",\n  \"id2label\": {");
		for (int c = 0; c < toy->classes; c++) skip_buf_printf(&text, "%s\"%d\": \"class%d\"", c ? ", " : "", c, c);
		skip_buf_puts(&text, "}");
	}
	skip_buf_printf(&text, "%s\n}\n", toy->config);
	toy_write_text(folder, "config.json", skip_buf_text(&text));
	skip_buf_deinit(&text);
}

/* Writes the whole folder. */
static inline void toy_bert_write(const char *folder, const struct toy_bert *toy)
{
	struct toy_tensors tensors;
	toy_write_config(folder, toy);
	toy_bert_tensors(toy, &tensors);
	toy_write_weights(folder, toy, &tensors);
	toy_bert_free(&tensors);
	if (toy->vocab_file) toy_write_vocab(folder, toy->vocab);
	if (toy->pooling < 0) return;
	struct skip_buf pooling;
	skip_buf_init(&pooling);
	skip_buf_printf(&pooling, "{\"word_embedding_dimension\": %d, \"pooling_mode_cls_token\": %s, \"pooling_mode_mean_tokens\": %s}\n",
	                toy->width, toy->pooling ? "true" : "false", toy->pooling ? "false" : "true");
	toy_write_text(folder, "1_Pooling/config.json", skip_buf_text(&pooling));
	skip_buf_deinit(&pooling);
}

#endif
