/*
 * Post-LayerNorm encoders in the manner of BERT: dimensions by BERT's words of config.json, embeddings, layers. Tensor names come from the architecture.
 *
 *     X = LN(word + position + type)
 *     per layer: X1 = LN1(X + attention(X) W_O^T + b_O);  X = LN2(X1 + act(X1 W_1^T + b_1) W_2^T + b_2)
 */
#ifndef SKIP_MODEL_ENCODER_H
#define SKIP_MODEL_ENCODER_H

#include "model/build.h"

struct skip_encoder {
	int width, heads, layers, ffn; /* D, H, L, F */
	int embedding;                 /* width of the tables, D where nothing projects them */
	int vocab, positions, types;   /* rows of the tables; types 0: the architecture has none */
	bool no_places;                /* no table of positions: what attention sees is enough */
	int position_base;             /* row of the first position */
	float eps;
	enum skip_act act;
	float scale;                   /* of the scores; 0: 1/sqrt(E) */
	/* Tables by distance of the layer that is added next: tensors for SKIP_ATTENTION_BIAS, RK, RQ or SKIP_NONE; NULL: none. */
	const int *tables;
};

/* What stands behind the stem of a layer in tensor names. */
struct skip_layer_names {
	const char *query, *key, *value, *output, *attention_norm;
	const char *up, *down, *ffn_norm;
};
extern const struct skip_layer_names skip_bert_layer_names; /* "attention.self.query" ... behind "encoder.layer.3." */

/* hidden_size, num_attention_heads, num_hidden_layers, intermediate_size, vocab_size, max_position_embeddings, type_vocab_size (2 where absent),
 * layer_norm_eps, hidden_act. Decoders and other position schemes are SKIP_ERR_UNSUPPORTED. */
enum skip_status skip_encoder_read(const json_t *config, struct skip_encoder *encoder, struct skip_err *err);

/* embeddings.{word,position,token_type}_embeddings and embeddings.LayerNorm: the normalised sum [T][embedding] in *x. */
enum skip_status skip_encoder_embed(struct skip_build *build, const struct skip_encoder *encoder, int *x, struct skip_err *err);
/* Layer `l`, whose tensors are called <stem><name>. Reads *x and replaces it; the last one is called "hidden". */
enum skip_status skip_encoder_layer(struct skip_build *build, const struct skip_encoder *encoder, int l, const char *stem,
				    const struct skip_layer_names *names, int *x, struct skip_err *err);
/* All layers of an encoder whose stems are encoder.layer.<l>. */
enum skip_status skip_encoder_bert_layers(struct skip_build *build, const struct skip_encoder *encoder, int *x, struct skip_err *err);
/* Writes what the graph is (graph/graph.h). */
void skip_encoder_describe(const struct skip_encoder *encoder, struct skip_graph *graph);

#endif
