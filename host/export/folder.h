/*
 * A classifier as a Hugging Face style folder: config.json, model.safetensors, the tokenizer's files. Only what the configuration of an architecture can
 * say is written: one width for all layers, no prefix, the head of ...ForSequenceClassification. Anything else is refused, and the message names the
 * layer and what stands in the way.
 */
#ifndef SKIP_EXPORT_FOLDER_H
#define SKIP_EXPORT_FOLDER_H

#include "base/file.h"
#include "graph/graph.h"
#include "text/tokenizer.h"

struct skip_folder_write {
	const struct skip_graph *graph;
	const char *const *label; /* [graph->classes] */
	const char *tokenizer_folder;
	const struct skip_tokenizer *tokenizer; /* its files are copied from tokenizer_folder */
};

/* SKIP_ERR_USAGE: the network has no such folder. The caller commits a folder output whose marker is config.json. Numbers are written as float32. */
enum skip_status skip_export_folder(const struct skip_folder_write *write, struct skip_output *output, struct skip_err *err);

#endif
