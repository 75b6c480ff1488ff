/* What the files of package/ share: names inside a package, the checks of its files, the canonical text that is hashed. */
#ifndef SKIP_PACKAGE_INTERNAL_H
#define SKIP_PACKAGE_INTERNAL_H

#include "package/package.h"

#define SKIP_PACKAGE_KIND "task-package"
#define SKIP_PACKAGE_MANIFEST "manifest.json"
#define SKIP_PACKAGE_WEIGHTS "weights.safetensors"
#define SKIP_PACKAGE_TOKENIZER "tokenizer"
#define SKIP_PACKAGE_METRICS "metrics.json"
#define SKIP_PACKAGE_REPORT "report.html"

/* SHA-256 over the canonical text of `value`. */
enum skip_status skip_package_hash_json(const json_t *value, char out[SKIP_SHA256_HEX], struct skip_err *err);
/* Hash of the manifest without its member "seal". */
enum skip_status skip_package_seal(const json_t *manifest, char out[SKIP_SHA256_HEX], struct skip_err *err);
/* The folder holds exactly manifest.json and what "files" and "records" name, no links, and every sha256 is right. */
enum skip_status skip_package_check_files(const char *folder, const json_t *manifest, struct skip_err *err);
/* Graph, labels, tokenizer and maximum length fit each other; SKIP_ERR_INPUT says what does not. */
enum skip_status skip_package_check_parts(const struct skip_graph *graph, const struct skip_labels *labels,
                                          const struct skip_tokenizer *tokenizer, int max_length, struct skip_err *err);

#endif
