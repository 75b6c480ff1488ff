/* Scoring as `attribute`, `prune` and `fit` share it: the criterion, then the scores of other tasks. */
#include "base/alloc.h"
#include "base/file.h"
#include "cli/stage.h"
#include "method/skill/ranks.h"

#include <string.h>

/* The scores a name of --warm-start stands for: a package is verified before its file is read. */
static enum skip_status load_source(const char *name, const struct skip_units *units, struct skip_scores *out, struct skip_err *err)
{
	char path[4096];
	struct skip_package *package = NULL;
	if (!skip_package_is(name)) return skip_scores_load(name, units, out, err);
	enum skip_status status = skip_package_open(name, &package, err);
	if (status != SKIP_OK) return status;
	skip_package_close(package);
	if (!skip_path_join(path, sizeof(path), name, SKIP_PACKAGE_SCORES)) return skip_err_set(err, SKIP_ERR_USAGE, "path too long: %s", name);
	if (!skip_file_exists(path))
		return skip_err_at(err, SKIP_ERR_INPUT, name, 0, -1, "the package holds no scores; prune and fit put them in");
	return skip_scores_load(path, units, out, err);
}

static enum skip_status warm_start(const struct skip_cli_skill *skill, const struct skip_units *units, struct skip_scores *scores, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	char *names = skip_strdup(skill->warm_start);
	struct skip_scores *sources = NULL;
	size_t n = 0, cap = 0;
	if (!names) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for --warm-start");
	for (char *rest = names, *name; (name = strsep(&rest, ","));) {
		if (!skip_grow((void **)&sources, &cap, n + 1, sizeof(*sources))) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "%zu sources of scores", n + 1));
		SKIP_TRY(load_source(name, units, &sources[n], err));
		n++;
	}
	SKIP_TRY(skip_scores_draw_towards(scores, sources, n, skill->prior, units, err));
cleanup:
	for (size_t i = 0; i < n; i++) skip_scores_deinit(&sources[i]);
	skip_free(sources);
	skip_free(names);
	return status;
}

enum skip_status skip_cli_score(struct skip_device *device, const struct skip_graph *graph, const struct skip_units *units,
				const struct skip_dataset *data, const struct skip_cli_skill *skill, const struct skip_progress *progress,
				struct skip_scores *out, struct skip_err *err)
{
	struct skip_scores scores = { 0 };
	enum skip_status status = SKIP_OK;
	SKIP_TRY(skip_attribute(device, graph, units, data, &skill->options, progress, &scores, err));
	if (skill->warm_start) SKIP_TRY(warm_start(skill, units, &scores, err));
	*out = scores;
	scores = (struct skip_scores){ 0 };
cleanup:
	skip_scores_deinit(&scores);
	return status;
}
