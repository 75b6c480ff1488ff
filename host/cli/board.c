/* From a package to its plan on an FPGA board: see board.h. */
#include "cli/board.h"
#include "device/session.h"
#include "graph/pass.h"

#include <string.h>

void skip_cli_board_options(struct skip_cli_args *args, struct skip_cli_board_options *options)
{
	skip_cli_string(args, "--board", &options->board);
	skip_cli_flag(args, "--fit", &options->fit);
	skip_cli_int(args, "--classes", &options->classes, 1, 64);
}

/* A form that fits, or a sentence that says which would. */
static enum skip_status choose_form(struct skip_cli_board *b, bool fit, struct skip_err *err)
{
	const struct skip_workload work = { 1, b->graph->max_positions < 128 ? b->graph->max_positions : 128 };
	enum skip_status status;
	struct skip_profile tried = b->forms;
	struct skip_estimate fitted = { 0 };
	SKIP_TRY(fit ? skip_estimate_fit(b->graph, &b->board, work, 0, &b->forms, &b->estimate, err)
		     : skip_estimate_run(b->graph, &b->board, &b->forms, work, 0, &b->estimate, err));
	if (b->estimate.fits) return SKIP_OK;
	SKIP_TRY(skip_estimate_fit(b->graph, &b->board, work, 0, &tried, &fitted, err));
	if (fitted.fits)
		status = skip_err_set(err, SKIP_ERR_TARGET, "the network does not fit %s with %d outputs a cycle (%s); %d outputs and tiles of %d rows would: --fit", b->profile->id,
				      b->estimate.outputs, b->estimate.why, fitted.outputs, fitted.rows);
	else
		status = skip_err_set(err, SKIP_ERR_TARGET, "the network does not fit %s in any form: even the smallest needs too much (%s)", b->profile->id, fitted.why);
cleanup:
	skip_estimate_deinit(&fitted);
	return status;
}

enum skip_status skip_cli_open_board(const struct skip_cli_model *model, const struct skip_profiles *profiles, const struct skip_cli_board_options *options, bool emulated,
				     struct skip_cli_board *out, struct skip_err *err)
{
	enum skip_status status;
	int value;
	memset(out, 0, sizeof(*out));
	skip_buf_init(&out->set.link);
	out->profile = skip_profiles_find(profiles, options->board);
	const bool real = out->profile && skip_profile_is_board(out->profile);
	if (!real && !(emulated && out->profile && out->profile->kind != SKIP_PROFILE_FPGA && skip_profile_has_engines(out->profile)))
		return skip_err_set(err, SKIP_ERR_USAGE, "--board: there is no FPGA board '%s'; skip estimate MODEL --all lists them", options->board);
	out->forms = *out->profile;
	if (real) SKIP_TRY(skip_board_read(out->profile, &out->board, err));
	if (options->classes) SKIP_TRY(skip_pass_classes(model->graph, (int)options->classes, &out->classed, err));
	SKIP_TRY(skip_pass_inference(out->classed ? out->classed : model->graph, "logits", out->forms.combine, &out->graph, &value, err));
	if (real) SKIP_TRY(choose_form(out, options->fit, err));
	SKIP_TRY(skip_lower(out->graph, &out->forms, &value, 1, &out->plan, err));
	status = skip_kernel_set_make(out->graph, out->plan, &out->forms, &out->set, err);
cleanup:
	return status;
}

void skip_cli_close_board(struct skip_cli_board *board)
{
	skip_kernel_set_deinit(&board->set);
	skip_estimate_deinit(&board->estimate);
	skip_plan_destroy(board->plan);
	skip_graph_destroy(board->graph);
	skip_graph_destroy(board->classed);
	memset(board, 0, sizeof(*board));
}
