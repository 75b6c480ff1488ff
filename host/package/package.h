/*
 * The task package NAME.skip/: written atomically, read with every hash checked. Format: docs/package.md.
 */
#ifndef SKIP_PACKAGE_PACKAGE_H
#define SKIP_PACKAGE_PACKAGE_H

#include "device/session.h"
#include "text/dataset.h"
#include <jansson.h>

#define SKIP_PACKAGE_FORMAT 1
#define SKIP_PACKAGE_SCORES "scores.safetensors" /* scores of the dense network's units; may be absent */

struct skip_package {
	char path[512];
	struct skip_graph *graph;      /* canonical, inference form, value "logits" */
	struct skip_labels labels;
	struct skip_tokenizer *tokenizer;
	int max_length;
	json_t *metrics;               /* metrics.json: scores, seeds, margin, search trace, times; NULL when absent */
	json_t *manifest;
	char hash[SKIP_SHA256_HEX];    /* over `files` */
};

/* Refuses links, a newer format (SKIP_ERR_INPUT), files that do not match the manifest (SKIP_ERR_VERIFY, naming the file). Weights are mapped. */
enum skip_status skip_package_open(const char *path, struct skip_package **out, struct skip_err *err);
void skip_package_close(struct skip_package *package);
/* True when `path` looks like a package (a folder with manifest.json). */
bool skip_package_is(const char *path);

struct skip_package_write {
	const struct skip_graph *graph;
	const struct skip_labels *labels;
	const char *tokenizer_folder;              /* files of skip_tokenizer_files are copied from here */
	const struct skip_tokenizer *tokenizer;
	int max_length;
	const struct skip_plan *const *plans;      /* programs/<profile>/: text and plan of each */
	size_t n_plans;
	const json_t *metrics;                     /* records */
	const char *report_html;                   /* NULL: none */
	const struct skip_st_entry *scores;        /* [n_scores] tensors of scores.safetensors; NULL: no such file */
	size_t n_scores;
	const json_t *scores_metadata;             /* of that file; NULL: none */
	const json_t *history;                     /* what made it: criterion, units, rate, compensation, seeds (deterministic part), in the manifest */
};
enum skip_status skip_package_save(const char *path, const struct skip_package_write *write, struct skip_err *err);

#endif
