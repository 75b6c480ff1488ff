/*
 * Labelled data: readers (TSV with header, JSON Lines, plain lines), labels, tokenized rows, packed batches.
 *
 * TSV: a header of `sentence`, or `sentence1` and `sentence2`, and perhaps `label`, in any order; no quoting. JSON Lines: objects with `text`, perhaps
 * `text_pair` and `label` (a string or an integer); blank lines are passed over. Plain lines: every line is a row. Lines end with LF or CR LF; a byte
 * order mark at the start of the file is dropped. Several labels of a row, or numbers, stand in one field with | between, none is an empty field; in JSON
 * they are an array (of one: the string or number itself). SKIP_INPUT_AUTO: .tsv, .jsonl / .json, .txt by the suffix; for other names and standard input the
 * first line decides: a header as above is TSV, a brace at its start JSON Lines, anything else plain lines.
 */
#ifndef SKIP_TEXT_DATASET_H
#define SKIP_TEXT_DATASET_H

#include "base/batch.h"
#include "base/problem.h"
#include "base/rng.h"
#include "text/tokenizer.h"

enum skip_input_format { SKIP_INPUT_AUTO, SKIP_INPUT_TSV, SKIP_INPUT_JSONL, SKIP_INPUT_TEXT };

/* Label names in order of class index. Integer labels "0".."C-1" keep their number as index; names are indexed in order of first appearance in
 * sorted order (byte order). */
struct skip_labels {
	char **name;
	int count;
	bool integers;
	enum skip_problem problem; /* what a row may have: one of them, any of them, a number for each */
};
void skip_labels_deinit(struct skip_labels *labels);
enum skip_status skip_labels_copy(const struct skip_labels *labels, struct skip_labels *out, struct skip_err *err);
/* Copies `count` names in order of class index and finds out whether they are the numbers 0..count-1. */
enum skip_status skip_labels_make(const char *const *names, int count, struct skip_labels *out, struct skip_err *err);
/* Class index of a label as it stands in data, -1 when unknown. A number "0".."C-1" also finds a class of labels that have names and no numbers. */
int skip_labels_find(const struct skip_labels *labels, const char *name);

struct skip_dataset {
	size_t n_rows;
	int32_t *ids, *types; /* all rows end to end */
	int64_t *offset;      /* [n_rows+1] */
	int32_t *label;       /* [n_rows], -1 where absent; problems other than single label: 0 */
	float *target;        /* [n_rows][n_targets]: 1 for the labels a row has and 0 else, or its numbers; NULL for single label */
	int n_targets;
	enum skip_problem problem;
	char **text, **pair;  /* as read; pair[i] NULL for singles. NULL arrays unless asked for */
	bool labelled;        /* there are rows and all have a label */
};

struct skip_read_options {
	enum skip_input_format format;
	bool need_labels;        /* a file without labels is SKIP_ERR_INPUT */
	bool keep_text;
	int max_length;          /* tokens */
	const struct skip_labels *known; /* labels must be among these (dev, test, packages); NULL: learn them */
};

/* Reads `path` ("-": standard input). With `labels_out` non-NULL and options->known NULL the labels found are returned there; with both NULL
 * labels are not looked at. Errors with file and line:
 * no header, unknown column set, ragged rows, empty file where rows are needed (need_labels), NUL, bad UTF-8, unknown label, one class only when learning. */
enum skip_status skip_dataset_read(const char *path, const struct skip_tokenizer *tokenizer, const struct skip_read_options *options,
				   struct skip_labels *labels_out, struct skip_dataset *out, struct skip_err *err);
void skip_dataset_deinit(struct skip_dataset *dataset);
/* A subset that shares nothing. */
enum skip_status skip_dataset_take(const struct skip_dataset *dataset, const int *rows, size_t n, struct skip_dataset *out, struct skip_err *err);
/* At most n rows, evenly spaced by length: few of them that have the mix of all, dealt so that any of them in a row have it too. The same ones every time. */
enum skip_status skip_dataset_spread(const struct skip_dataset *dataset, size_t n, struct skip_dataset *out, struct skip_err *err);
double skip_dataset_mean_length(const struct skip_dataset *dataset);

/*
 * A plan of batches over rows of a dataset: rows[start[i]..start[i+1]-1] form batch i.
 */
struct skip_batches {
	int *rows;
	size_t *start;
	size_t n_batches;
};
/* Training: shuffled by rng; chunks of 24 batches are sorted by length and cut into `size`, then the batches are shuffled. */
enum skip_status skip_batches_shuffled(const struct skip_dataset *dataset, int size, struct skip_rng *rng, struct skip_batches *out,
				       struct skip_err *err);
/* Evaluation: rows in order of length, at most `max_tokens` tokens and `max_rows` rows a batch. */
enum skip_status skip_batches_sorted(const struct skip_dataset *dataset, int max_tokens, int max_rows, struct skip_batches *out,
				     struct skip_err *err);
/* In the order of the file, `size` rows a batch. */
enum skip_status skip_batches_plain(const struct skip_dataset *dataset, int size, struct skip_batches *out, struct skip_err *err);
void skip_batches_deinit(struct skip_batches *batches);

/* Packs rows into owned arrays; reuse the packer between calls. The batch points into it. */
struct skip_packer {
	int32_t *ids, *types, *offset;
	size_t cap_tokens, cap_seqs;
	struct skip_batch batch;
};
void skip_packer_init(struct skip_packer *packer);
void skip_packer_deinit(struct skip_packer *packer);
enum skip_status skip_packer_pack(struct skip_packer *packer, const struct skip_dataset *dataset, const int *rows, size_t n, struct skip_err *err);

#endif
