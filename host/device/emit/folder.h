/* What the kinds of emitted folders share; private to emit/. */
#ifndef SKIP_DEVICE_EMIT_FOLDER_H
#define SKIP_DEVICE_EMIT_FOLDER_H

#include "base/json.h"
#include "device/emit/board.h"
#include "device/emit/kernelset.h"

/* The text of a new file of the folder. */
struct skip_buf *skip_emit_file(struct skip_emitted *out, const char *name);
/* manifest.json: what is hashed, and beside it hash, name and, under `key`, `more`, which this takes over (NULL: no memory). */
enum skip_status skip_emit_manifest(const struct skip_kernel_set *set, const char *key, json_t *more, struct skip_emitted *out, struct skip_err *err);
/* rtl.c: the folder of a board built from SystemVerilog. */
enum skip_status skip_emit_rtl(const struct skip_graph *graph, const struct skip_profile *forms, const struct skip_estimate *estimate,
			       struct skip_emitted *out, struct skip_err *err);

#endif
