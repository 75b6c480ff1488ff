/*
 * The cut: attribution, search, measurement, and how its outcome is recorded and printed.
 */
#include "cli/cut.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "graph/pass.h"
#include "graph/rules.h"

#include <stdio.h>
#include <string.h>

#define ALONE_ROWS 64 /* of those that are timed in batches, rows that are timed one by one */
#define SPEED_TOLERANCE 0.03 /* two measurements of one network differ by less */

static enum skip_status measure(struct skip_device *device, const struct skip_graph *dense, const struct skip_graph *pruned,
				const struct skip_dataset *timing, struct skip_cli_speed *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_session *session[2] = { NULL, NULL };
	struct skip_dataset rows = { 0 }, few;
	struct skip_timing alone[2], packed[2]; /* pruned, dense */
	int value[2];
	SKIP_TRY(skip_dataset_spread(timing, SKIP_TIMING_ROWS, &rows, err));
	SKIP_TRY(skip_open_inference(device, pruned, "logits", true, &session[0], &value[0], err));
	SKIP_TRY(skip_open_inference(device, dense, "logits", true, &session[1], &value[1], err));
	few = rows;
	few.n_rows = rows.n_rows < ALONE_ROWS ? rows.n_rows : ALONE_ROWS;
	SKIP_TRY(skip_measure_interleaved(session, value, 2, &few, 1, 3, 0, alone, err));
	SKIP_TRY(skip_measure_interleaved(session, value, 2, &rows, 32, 6, 0.3, packed, err));
	*out = (struct skip_cli_speed){ .tokens = skip_dataset_mean_length(&rows),
					.dense_ms = alone[1].median_ms / (double)few.n_rows,
					.pruned_ms = alone[0].median_ms / (double)few.n_rows,
					.dense_packed_ms = packed[1].median_ms,
					.pruned_packed_ms = packed[0].median_ms,
					.speedup = packed[0].speedup };
cleanup:
	skip_dataset_deinit(&rows);
	skip_session_destroy(session[0]);
	skip_session_destroy(session[1]);
	return status;
}

enum skip_status skip_cli_untie(const struct skip_graph *graph, struct skip_cli_prune *prune, struct skip_graph **out, struct skip_err *err)
{
	struct skip_units units;
	if (!prune->untie) return SKIP_OK;
	enum skip_status status = skip_units_find(graph, &units, err);
	if (status != SKIP_OK) return status;
	prune->untie = skip_units_shared(&units);
	skip_units_deinit(&units);
	return prune->untie ? skip_pass_untie(graph, out, err) : SKIP_OK;
}

/* Scales of int8 on the rows given. */
static enum skip_status calibrate(struct skip_device *device, const struct skip_cli_prune *prune, const struct skip_progress *progress, struct skip_cli_cut *cut,
				  struct skip_err *err)
{
	struct skip_graph *made = NULL;
	enum skip_status status = skip_clip_find(device, cut->graph, prune->calibration, prune->options.seed, progress, &made, &cut->clip, err);
	if (status != SKIP_OK) return status;
	skip_graph_destroy(cut->graph);
	cut->graph = made;
	return SKIP_OK;
}

enum skip_status skip_cli_run_cut(struct skip_device *device, const struct skip_graph *dense, const struct skip_dataset *train,
				  const struct skip_dataset *dev, const struct skip_dataset *timing, const struct skip_cli_prune *prune,
				  const struct skip_cli_skill *skill, enum skip_precision precision, const struct skip_progress *progress,
				  struct skip_cli_cut *out, struct skip_err *err)
{
	enum skip_status status;
	struct skip_prune_options options = prune->options;
	if (!prune->scores && !skill->warm_start) options.skill = &skill->options; /* what was read or drawn towards others cannot be renewed */
	memset(out, 0, sizeof(*out));
	SKIP_TRY(skip_units_find(dense, &out->units, err));
	if (prune->scores)
		SKIP_TRY(skip_scores_load(prune->scores, &out->units, &out->scores, err));
	else
		SKIP_TRY(skip_cli_score(device, dense, &out->units, train, skill, progress, &out->scores, err));
	SKIP_TRY(skip_prune(device, dense, &out->scores, train, dev, &options, progress, &out->result, err));
	out->precision = precision;
	out->dev = dev;
	out->classes = prune->options.classes;
	out->board = prune->board;
	out->retune_epochs = prune->options.retune_epochs;
	out->train = prune->options.precision;
	out->untied = prune->untie;
	SKIP_TRY(skip_pass_precision(out->result.graph, precision, &out->graph, err));
	if (prune->calibration) SKIP_TRY(calibrate(device, prune, progress, out, err));
	skip_progress_report(progress, "measure", 0, 1, "");
	SKIP_TRY(measure(device, dense, out->graph, timing, &out->speed, err));
	skip_progress_report(progress, "measure", 1, 1, "");
cleanup:
	if (status != SKIP_OK) skip_cli_cut_deinit(out);
	return status;
}

void skip_cli_cut_deinit(struct skip_cli_cut *cut)
{
	skip_graph_destroy(cut->graph);
	skip_prune_result_deinit(&cut->result);
	skip_scores_deinit(&cut->scores);
	skip_units_deinit(&cut->units);
	memset(cut, 0, sizeof(*cut));
}

enum skip_status skip_cli_cut_evaluate(struct skip_device *device, const struct skip_graph *dense, const struct skip_cli_cut *cut, const char *split,
				       const struct skip_dataset *held, struct skip_cli_outcome *out, struct skip_err *err)
{
	enum skip_status status;
	float *dense_logits = NULL, *logits = NULL;
	int classes = dense->values[skip_graph_find_value(dense, "logits")].cols;
	if (held == cut->dev && cut->precision == SKIP_PRECISION_F32) { /* the search has asked both */
		*out = (struct skip_cli_outcome){ .split = split, .dense = cut->result.dense, .pruned = cut->result.pruned, .pruned_f32 = cut->result.pruned, .paired = cut->result.paired };
		return SKIP_OK;
	}
	out->split = split;
	SKIP_TRY(skip_cli_evaluate(device, dense, held, &dense_logits, &out->dense, err));
	SKIP_TRY(skip_cli_evaluate(device, cut->graph, held, &logits, &out->pruned, err));
	skip_compare(dense_logits, logits, held, classes, &out->paired);
	out->pruned_f32 = out->pruned;
	if (cut->precision != SKIP_PRECISION_F32) SKIP_TRY(skip_cli_evaluate(device, cut->result.graph, held, NULL, &out->pruned_f32, err));
cleanup:
	skip_free(dense_logits);
	skip_free(logits);
	return status;
}

/* What became of weights that layers share; NULL: they share none. */
static const char *sharing(const struct skip_cli_cut *cut)
{
	return skip_units_shared(&cut->units) ? "tied" : cut->untied ? "untied" : NULL;
}

/* What the board is estimated to take; null where it has no room for the pruned network. */
static json_t *board_record(const struct skip_cli_cut *cut)
{
	const double dense = cut->result.board.dense_ms, pruned = cut->result.board.pruned_ms;
	json_t *record = json_pack("{s:s, s:s, s:s, s:i, s:b, s:f, s:n, s:n}", "id", cut->board, "source", "estimated", "dtype", skip_precision_names[cut->precision], "length",
				   cut->result.board.length, "fits", (int)cut->result.board.fits, "dense_ms", dense, "pruned_ms", "speedup");
	if (cut->result.board.fits) json_object_update_new(record, json_pack("{s:f, s:f}", "pruned_ms", pruned, "speedup", dense / pruned));
	return record;
}

json_t *skip_cli_cut_record(const struct skip_cli_cut *cut, const struct skip_graph *dense, const struct skip_cli_outcome *outcome, double margin,
			    struct skip_err *err)
{
	const struct skip_graph *pruned = cut->result.graph;
	json_t *layers = skip_record_layers(pruned, err), *layers_dense = skip_record_layers(dense, err);
	if (!layers || !layers_dense) return NULL;
	json_t *record = json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:f}", "dense", skip_record_metrics(outcome->split, &outcome->dense), "pruned",
				   skip_record_metrics(outcome->split, &outcome->pruned), "drop", outcome->paired.drop, "drop_se", outcome->paired.drop_se, "margin",
				   margin, "speedup_measured", cut->speed.speedup, "removed_encoder_percent", skip_record_removed_percent(pruned));
	json_object_set_new(record, "paired", skip_record_paired(&outcome->paired));
	json_object_set_new(record, "parameters", skip_record_parameters(pruned));
	json_object_set_new(record, "latency", json_pack("{s:f, s:f, s:f, s:f, s:f}", "tokens", cut->speed.tokens, "dense_ms", cut->speed.dense_ms, "pruned_ms",
							  cut->speed.pruned_ms, "dense_packed_ms", cut->speed.dense_packed_ms, "pruned_packed_ms",
							  cut->speed.pruned_packed_ms));
	json_object_set_new(record, "dtype", json_string(skip_precision_names[cut->precision]));
	if (cut->precision != SKIP_PRECISION_F32) json_object_set_new(record, "pruned_f32", skip_record_metrics(outcome->split, &outcome->pruned_f32));
	if (skip_cli_activations(cut->graph)) json_object_set_new(record, "activations", json_string(skip_cli_activations(cut->graph)));
	if (cut->clip.tensors) json_object_set_new(record, "calibration", skip_cli_calibration_record(&cut->clip));
	json_object_set_new(record, "train_dtype", json_string(skip_precision_names[cut->train]));
	if (cut->retune_epochs > 0)
		json_object_set_new(record, "retune", json_pack("{s:i, s:s}", "epochs", cut->retune_epochs, "train_dtype", skip_precision_names[cut->train]));
	json_object_set_new(record, "criterion", json_string(cut->scores.criterion));
	json_object_set_new(record, "samples", json_integer(cut->scores.samples));
	json_object_set_new(record, "allocate_seconds", json_real(cut->result.allocate_seconds));
	json_object_set_new(record, "score_seconds", json_real(cut->result.score_seconds));
	json_object_set_new(record, "compensate_seconds", json_real(cut->result.compensate_seconds));
	json_object_set_new(record, "search_seconds", json_real(cut->result.search_seconds));
	if (cut->board) json_object_set_new(record, "board", board_record(cut));
	if (cut->result.ceiling > 0) json_object_set_new(record, "speedup_ceiling", json_real(cut->result.ceiling));
	if (cut->result.time_table) json_object_set(record, "time_table", cut->result.time_table);
	json_object_set_new(record, "trace", skip_record_trace(cut->result.trace, cut->result.n_trace));
	if (sharing(cut)) json_object_set_new(record, "shared_layers", json_string(sharing(cut)));
	json_object_set_new(record, "shapes", skip_record_shapes(layers, cut->classes));
	json_object_set_new(record, "layers", layers);
	json_object_set_new(record, "layers_dense", layers_dense);
	return record;
}

/* What the layers share, where that was asked for. */
static void print_shapes(const struct skip_cli_cut *cut)
{
	json_t *layers = cut->classes > 0 ? skip_record_layers(cut->result.graph, NULL) : NULL, *shapes = layers ? skip_record_shapes(layers, cut->classes) : NULL;
	const json_t *attention = json_object_get(shapes, "attention"), *ffn = json_object_get(shapes, "ffn"), *shape;
	size_t i;
	if (shapes) printf("%-9s", "shapes");
	json_array_foreach(attention, i, shape)
		printf("%s%lld x (%lld, %lld) in %zu", i ? ", " : "attention ", json_integer_value(json_object_get(shape, "heads")),
		       json_integer_value(json_object_get(shape, "qk")), json_integer_value(json_object_get(shape, "v")), json_array_size(json_object_get(shape, "layers")));
	json_array_foreach(ffn, i, shape)
		printf("%s%lld in %zu", i ? ", " : json_array_size(attention) ? "; ffn " : "ffn ", json_integer_value(json_object_get(shape, "ffn")),
		       json_array_size(json_object_get(shape, "layers")));
	if (shapes) printf("%s\n", json_array_size(attention) + json_array_size(ffn) ? "" : "none: every sub-layer is gone");
	json_decref(shapes);
	json_decref(layers);
}

static void print_board(const struct skip_cli_cut *cut)
{
	if (!cut->board) return;
	printf("%-9s%5.2f ms ", "board", cut->result.board.dense_ms);
	if (cut->result.board.fits)
		printf("%6.2f ms   (%s by estimate, never run; 1 sequence of %d tokens)  %.2fx\n", cut->result.board.pruned_ms, cut->board, cut->result.board.length,
		       cut->result.board.dense_ms / cut->result.board.pruned_ms);
	else
		printf("%9s   (%s by estimate: too many shapes, an engine each; --classes K limits them)\n", "no room", cut->board);
}

void skip_cli_cut_print(const struct skip_cli_cut *cut, const struct skip_graph *dense, const struct skip_cli_outcome *outcome, double margin)
{
	const struct skip_cli_speed *speed = &cut->speed;
	double dense_encoder = (double)skip_graph_encoder_params(dense) / 1e6, encoder = (double)skip_graph_encoder_params(cut->result.graph) / 1e6;
	printf("%-9s%8s %9s   (%s, %zu rows)\n", "", "dense", "pruned", outcome->split, outcome->dense.n);
	printf("%-9s%8.3f %9.3f   (drop %.1f +- %.1f", outcome->dense.problem == SKIP_REGRESSION ? "r2" : "accuracy", outcome->dense.accuracy, outcome->pruned.accuracy, outcome->paired.drop, outcome->paired.drop_se);
	if (margin >= 0) printf(", margin %.1f on dev", margin);
	if (cut->precision != SKIP_PRECISION_F32) printf("; pruned in %s%s, %.3f in f32", skip_precision_names[cut->precision], cut->clip.tensors ? " with a scale per tensor" : "",
						      outcome->pruned_f32.accuracy);
	printf(")\n%-9s%6.2f M %7.2f M   (encoder -%.1f %%)\n", "params", dense_encoder, encoder, skip_record_removed_percent(cut->result.graph));
	if (sharing(cut))
		printf("%-9s%s\n", "layers", cut->untied ? "weights they shared were untied: each lost units of its own" : "share weights: a unit left all that use it (--untie cuts each by itself)");
	print_shapes(cut);
	print_board(cut);
	printf("%-9s%5.2f ms %6.2f ms   (batch 1, %.0f tokens)  %.2fx\n", "latency", speed->dense_ms, speed->pruned_ms, speed->tokens,
	       speed->dense_ms / speed->pruned_ms);
	printf("%-9s%5.0f ms %6.0f ms   (the same rows in packed batches of 32)  %.2fx\n", "packed", speed->dense_packed_ms, speed->pruned_packed_ms, speed->speedup);
}

enum skip_status skip_cli_cut_verdict(const struct skip_cli_cut *cut, const struct skip_cli_prune *prune, struct skip_err *err)
{
	const struct skip_prune_options *o = &prune->options;
	const bool timed = o->speedup > 0 || o->latency_ms > 0;
	if (timed && o->board) {
		if (cut->result.target_met) return SKIP_OK;
		return skip_err_set(err, SKIP_ERR_TARGET, "asked for %g %s on %s, the least time found is %.2f ms, %.2fx; it was written", o->speedup > 0 ? o->speedup : o->latency_ms,
				    o->speedup > 0 ? "times the speed" : "ms", cut->board, cut->result.board.pruned_ms, cut->result.board.dense_ms / cut->result.board.pruned_ms);
	}
	if (o->speedup > 0 && (!cut->result.target_met || cut->speed.speedup < (1 - SPEED_TOLERANCE) * o->speedup))
		return skip_err_set(err, SKIP_ERR_TARGET, "asked for %.2fx, measured %.2fx; the best found was written", o->speedup, cut->speed.speedup);
	if (o->latency_ms > 0 && (!cut->result.target_met || cut->speed.pruned_ms > (1 + SPEED_TOLERANCE) * o->latency_ms))
		return skip_err_set(err, SKIP_ERR_TARGET, "asked for %.2f ms, measured %.2f ms; the best found was written", o->latency_ms, cut->speed.pruned_ms);
	if (cut->result.target_met) return SKIP_OK;
	return skip_err_set(err, SKIP_ERR_TARGET, "nothing could be removed within a margin of %.2f points; the best found was written", prune->options.margin);
}
