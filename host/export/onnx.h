/*
 * A classifier as one ONNX file. The form of each op is in onnx_ops.c, the file's messages are made by onnx_build.c; what the format says of its fields
 * is base/onnx.proto.
 *
 * Inputs, all int64 [batch][sequence] with both sizes free: input_ids, attention_mask (1 token, 0 padding on the right), and token_type_ids where the
 * model has more than one type. Output: logits, float32 [batch][C]. A prefix is a constant of the attention nodes. Everything is computed in float32,
 * whatever type the products of the graph are set to.
 */
#ifndef SKIP_EXPORT_ONNX_H
#define SKIP_EXPORT_ONNX_H

#include "base/file.h"
#include "graph/graph.h"

#define SKIP_ONNX_OPSET 17

struct skip_onnx_info {
	const char *const *label; /* [graph->classes] names of the classes, written as metadata "labels" (a JSON array) */
	int max_length;           /* tokens, special ones included; metadata "max_length" */
	const char *version;      /* of the program */
};

/*
 * Writes `graph` to the file output; the caller commits. Same graph, same bytes. *bytes: size of the file.
 * SKIP_ERR_INPUT: no value "logits"; SKIP_ERR_UNSUPPORTED: an op without an ONNX form (named), more than 2 GiB; SKIP_ERR_OUTPUT.
 */
enum skip_status skip_export_onnx(const struct skip_graph *graph, const struct skip_onnx_info *info, struct skip_output *output, uint64_t *bytes,
				  struct skip_err *err);

#endif
