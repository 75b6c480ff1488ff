/*
 * Inside of struct skip_tokenizer: shared by tokenizer.c (encoding), tokenizer_open.c and open_*.c (reading files). Nobody else includes this.
 *
 * A kind of tokenizer is one file open_<kind>.c that ends in a struct skip_tokenizer_kind, named in the table of tokenizer_open.c.
 */
#ifndef SKIP_TEXT_TOKENIZER_IMPL_H
#define SKIP_TEXT_TOKENIZER_IMPL_H

#include "base/json.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

struct opening;

struct skip_tokenizer_kind {
	const char *name;         /* "wordpiece": in manifests */
	const char *model;        /* "type" of "model" in tokenizer.json */
	const char *const *files; /* without tokenizer.json: one of these tells the kind; NULL-terminated */
	enum skip_status (*read)(struct opening *o, struct skip_err *err);
	/* Appends the ids of text without added tokens, normalised; stops once out->length >= enough; `at_start`: the text as it came begins here. */
	bool (*encode)(const struct skip_tokenizer *tokenizer, const char *text, size_t size, bool at_start, size_t enough, struct skip_encoding *out);
	const struct skip_vocab *(*vocab)(const struct skip_tokenizer *tokenizer);
	void (*deinit)(struct skip_tokenizer *tokenizer);
};

#define SKIP_TOKENIZER_MAX_FILES 6
#define SKIP_TEMPLATE_MAX 4

/* Special tokens before A, between A and B, behind the last; `pair` says which template. */
struct skip_template_part {
	int32_t id[SKIP_TEMPLATE_MAX], type[SKIP_TEMPLATE_MAX];
	size_t count;
};
struct skip_template {
	struct skip_template_part before, between, behind;
	int32_t type_a, type_b;
};

struct skip_tokenizer {
	const struct skip_tokenizer_kind *kind;
	struct skip_wordpiece wordpiece; /* of these three the kind's own is used */
	struct skip_bpe bpe;
	struct skip_unigram unigram;
	struct skip_normalizer normalizer;
	struct skip_added raw, normal; /* added tokens: found in the text as it came, found in normalised text */
	size_t vocab_size;             /* largest id + 1, added tokens included */
	struct skip_template single, pair;
	const char *files[SKIP_TOKENIZER_MAX_FILES + 1]; /* those that exist; NULL-terminated */
};

/* A folder being read. */
struct opening {
	const char *folder;
	char path[4096]; /* of the file in hand, for messages */
	json_t *json;    /* tokenizer.json or NULL */
	json_t *config;  /* tokenizer_config.json or NULL */
	json_t *special; /* special_tokens_map.json where it counts, or NULL: without tokenizer.json and "added_tokens_decoder" */
	json_t *model;   /* config.json where it counts, or NULL: without tokenizer.json and "tokenizer_class" */
	struct skip_tokenizer *tokenizer;
	size_t n_files;
};

/* For open_*.c. o->path becomes the file; */
enum skip_status skip_opening_path(struct opening *o, const char *name, struct skip_err *err);
/* whether the folder has it; */
bool skip_opening_has(struct opening *o, const char *name);
/* and a package must carry it. */
void skip_opening_carry(struct opening *o, const char *name);
/* SKIP_ERR_UNSUPPORTED unless `part` of `object` has this "type". */
enum skip_status skip_opening_want_type(const json_t *object, const char *part, const char *wanted, struct skip_err *err);
/* Without tokenizer.json: whether transformers would open the folder with this class ("MPNetTokenizer", or its ...Fast): by "tokenizer_class" of
 * tokenizer_config.json, else of config.json, else by config.json's model_type. */
bool skip_opening_is_class(struct opening *o, const char *class, const char *model_type);
/* Reads "added_tokens" of tokenizer.json; the vocabulary and the normaliser must be there. */
enum skip_status skip_opening_added(struct opening *o, struct skip_err *err);
/* How an added token is found. */
struct skip_behaviour {
	bool lstrip, rstrip; /* takes white space before or behind it along */
	bool normalized;     /* looked for in normalised text */
	bool single_word;
};
/* A special token without tokenizer.json: what a folder calls `key`, and what it is where no file says it. */
struct skip_special {
	const char *key, *name; /* name NULL: there is none */
	struct skip_behaviour how;
};
/* Replaces name and behaviour by what the folder says, and adds the tokens of "added_tokens_decoder" and these. A name the vocabulary lacks is left out, or
 * with `append` gets the next id. */
enum skip_status skip_opening_config_added(struct opening *o, struct skip_special *special, size_t n, bool append, struct skip_err *err);
/* The id of a special token, of the vocabulary or added. SKIP_ERR_INPUT names it. */
enum skip_status skip_opening_id(struct opening *o, const char *name, int32_t *out, struct skip_err *err);
/* Reads "post_processor" of tokenizer.json into both templates. */
enum skip_status skip_opening_templates(struct opening *o, struct skip_err *err);
/* before A behind, and before A between B behind; type of B and of what stands behind it is `type_b`. Ids of -1 are left out. */
void skip_opening_plain_templates(struct skip_tokenizer *tokenizer, int32_t before, int32_t between, int32_t between2, int32_t behind, int32_t type_b);
/* Reads "normalizer" of tokenizer.json into steps. */
enum skip_status skip_opening_normalizer(struct opening *o, struct skip_err *err);

extern const struct skip_tokenizer_kind skip_tokenizer_wordpiece, skip_tokenizer_bpe, skip_tokenizer_unigram;

#endif
