/*
 * Checkpoint folder -> graph. One file per architecture in model/arch/, found by CMake through `const struct skip_arch skip_arch_<file>`.
 */
#ifndef SKIP_MODEL_MODEL_H
#define SKIP_MODEL_MODEL_H

#include "base/json.h"
#include "base/safetensors.h"
#include "graph/pass.h"

/* The tensors of a checkpoint: model.safetensors, or shards named by model.safetensors.index.json (SKIP_ERR_IO when the folder has neither). */
struct skip_checkpoint;
enum skip_status skip_checkpoint_open(const char *folder, struct skip_checkpoint **out, struct skip_err *err);
void skip_checkpoint_close(struct skip_checkpoint *checkpoint);
/*
 * A view of tensor `name` with one of the prefixes the architecture allows ("", "bert."), checked for rank, dims (a dim of -1 accepts any) and for NaN
 * or infinite numbers: SKIP_ERR_INPUT with file, tensor name, offset, expected and found shape. The new tensor is called `as`.
 */
enum skip_status skip_checkpoint_tensor(struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *name, const char *as,
					int rank, const int64_t *dim, struct skip_tensor **out, struct skip_err *err);
bool skip_checkpoint_has(const struct skip_checkpoint *checkpoint, const char *const *prefixes, const char *name);

struct skip_build; /* model/build.h: the graph under construction and the checkpoint's tensors */

/* The words of an architecture's folder, for writing one; what is NULL has no place in it. Also what the head looks like (skip_build_head). */
struct skip_arch_folder {
	const char *const *classes; /* of types[i]: "BertForSequenceClassification" */
	const char *prefix;         /* of the encoder's tensors there */
	const char *width, *heads, *layers, *ffn, *act;     /* keys of config.json */
	const char *types, *eps, *embedding, *padding_token; /* padding_token: one less than the first position */
	float fixed_eps;            /* where no key says it */
	const char *dense, *out;    /* stems of the head, with a prefix of their own */
	enum skip_act head_act;
};

struct skip_arch {
	const char *const *types;    /* config.json "model_type" of the checkpoints it reads, NULL-terminated */
	const char *const *prefixes; /* of tensor names, tried in order, NULL-terminated: "", "bert." */
	bool last_row;               /* a decoder: the row that has seen the others is the last, and pooled unless something else is asked for */
	const char *pooler;          /* stem of the dense tanh layer that a bare encoder may bring: "pooler.dense"; NULL: it has none */
	/* Builds the encoder: graph input none, value "hidden" [T][D]. Canonical unfused form: embed, layernorm, per layer linear q, k, v, attention, linear o +
	 * residual as add, layernorm, linear up, act, linear down, add, layernorm. Also writes what the graph is (graph/graph.h), but for its name. */
	enum skip_status (*build)(struct skip_build *build, const json_t *config, struct skip_err *err);
	/* Adds the head of ...ForSequenceClassification behind "hidden": the graph then ends at "logits". skip_build_head does it for most. */
	enum skip_status (*head)(struct skip_build *build, const json_t *config, struct skip_err *err);
	const struct skip_arch_folder *folder; /* NULL: skip export --safetensors refuses */
};
extern const struct skip_arch *const skip_archs[]; /* NULL-terminated, made by CMake */
/* The architecture that reads model_type `type`, and the place of `type` among its types; NULL when there is none. */
const struct skip_arch *skip_arch_find(const char *type, int *place);

struct skip_model {
	struct skip_graph *graph; /* ends at "hidden", or at "pooled"/"logits" when the checkpoint has its own head */
	enum skip_pool pool;      /* of 1_Pooling/config.json or the head, else CLS, LAST of a decoder */
	bool pool_known;          /* the folder says it */
	struct skip_tensor *pooler_w, *pooler_b; /* trained pooler of the checkpoint, or NULL */
	bool has_head;            /* BertForSequenceClassification and its like: the graph ends at "logits" */
	char **label;             /* id2label of such a head ("LABEL_0" ... without), else NULL */
	int n_labels;
	int max_positions;        /* longest sequence */
};

/* Whether the network of the folder is model.onnx: it stands there and no safetensors do. */
bool skip_model_is_onnx(const char *folder);
/* Opens a Hugging Face style folder, or one with model.onnx; `out` need not be initialised. Errors name file and field: unsupported model_type, activation, position scheme (SKIP_ERR_UNSUPPORTED); missing
 * file (SKIP_ERR_IO); config and weights that disagree (SKIP_ERR_INPUT). */
enum skip_status skip_model_open(const char *folder, struct skip_model *out, struct skip_err *err);
void skip_model_deinit(struct skip_model *model);

#endif
