/*
 * Several programs at once. Runtimes compile one kernel after another behind a lock of their own (PoCL 3.1: 0.1 to 0.2 s each, whatever threads ask for
 * them), so what is missing in the cache is compiled in processes beside this one. Nothing depends on them: what they do not deliver is built here.
 */
#include "base/alloc.h"
#include "base/child.h"
#include "base/log.h"
#include "device/opencl/internal.h"
#include <stdlib.h>
#include <string.h>

#define MOST_CHILDREN 7 /* each takes some 250 MB for as long as it compiles */

enum skip_status skip_cl_compile(struct skip_cl *cl, const char *text, const char *options, struct skip_buf *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_cl_program *program = NULL;
	struct skip_buf binary;
	skip_buf_init(&binary);
	SKIP_TRY(skip_cl_program_compile(cl, &(struct skip_cl_source){"kernels", text}, options, &program, err));
	SKIP_TRY(skip_cl_program_binary(program, &binary, err));
	skip_cl_cache_pack(program->key, binary.data, binary.length, out);
	if (!skip_buf_ok(out)) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a binary of %zu bytes", binary.length));
cleanup:
	skip_buf_deinit(&binary);
	skip_cl_program_destroy(program);
	return status;
}

enum skip_status skip_cl_compile_beside(struct skip_cl *cl, const char *compiler, struct skip_err *err)
{
	skip_free(cl->compiler);
	cl->compiler = skip_strdup(compiler);
	return cl->compiler ? SKIP_OK : skip_err_set(err, SKIP_ERR_NOMEM, "no memory for a path");
}

/* The programs to be built: this process takes them from the front, the others from the end. */
struct team {
	struct skip_cl *cl;
	const struct skip_cl_source *source;
	const char *options;
	struct skip_cl_program **program;
	size_t *missing; /* [last], indices */
	size_t first, last;
	struct worker {
		struct skip_child child;
		size_t takes;
	} worker[MOST_CHILDREN];
	int n_workers;
};

/* What a child delivered becomes the program it took. */
static void collect(struct team *team, struct worker *worker)
{
	struct skip_err err;
	struct skip_buf answer;
	const struct skip_cl_source *source = &team->source[worker->takes];
	skip_err_init(&err);
	skip_buf_init(&answer);
	if (skip_child_wait(&worker->child, &answer, &err) != SKIP_OK)
		skip_log(SKIP_LOG_DEBUG, "compiling %s beside: %s", source->name, err.message);
	else if (skip_cl_program_unpack(team->cl, source, &answer, team->options, &team->program[worker->takes], &err) != SKIP_OK)
		skip_log(SKIP_LOG_DEBUG, "compiled beside, %s: %s", source->name, err.message);
	skip_buf_deinit(&answer);
}

static void start(struct team *team, struct worker *worker)
{
	struct skip_err err;
	const struct skip_cl *cl = team->cl;
	const char *const argv[] = {cl->compiler, "compile", cl->index, "--options", team->options, NULL};
	skip_err_init(&err);
	worker->takes = team->missing[team->last - 1];
	const char *text = team->source[worker->takes].text;
	if (skip_child_start(&worker->child, argv, text, strlen(text), &err) == SKIP_OK) {
		team->last--;
	} else {
		skip_log(SKIP_LOG_DEBUG, "compiling beside: %s", err.message);
		team->n_workers = 0;
	}
}

/* Whoever has nothing to do gets a program, as long as one is left for this process. */
static void employ(struct team *team)
{
	for (int i = 0; i < team->n_workers; i++) {
		struct worker *worker = &team->worker[i];
		if (worker->child.pid && skip_child_ended(&worker->child)) collect(team, worker);
		if (!worker->child.pid && team->last - team->first > 1) start(team, worker);
	}
}

static enum skip_status build_beside(struct team *team, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	while (team->first < team->last) {
		employ(team);
		size_t mine = team->missing[team->first++];
		SKIP_TRY(skip_cl_program_compile(team->cl, &team->source[mine], team->options, &team->program[mine], err));
		skip_cl_program_complete(team->program[mine]);
	}
	for (int i = 0; i < MOST_CHILDREN; i++) {
		if (team->worker[i].child.pid) collect(team, &team->worker[i]);
	}
cleanup:
	for (int i = 0; i < MOST_CHILDREN; i++) skip_child_stop(&team->worker[i].child);
	return status;
}

static int count_children(const struct skip_cl *cl)
{
	const char *limit = getenv("SKIP_COMPILERS");
	int n = cl->compiler && cl->host_memory ? cl->compute_units - 1 : 0;
	if (limit && atoi(limit) < n) n = atoi(limit);
	return n < 0 ? 0 : n < MOST_CHILDREN ? n : MOST_CHILDREN;
}

enum skip_status skip_cl_programs_build(struct skip_cl *cl, const struct skip_cl_source *source, size_t n, const char *options,
					struct skip_cl_program **program, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct team team = {.cl = cl, .source = source, .options = options, .program = program, .n_workers = count_children(cl)};
	team.missing = skip_alloc_array(n, sizeof(*team.missing));
	if (!team.missing) return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu programs", n);
	for (size_t i = 0; i < n; i++) {
		SKIP_TRY(skip_cl_program_find(cl, &source[i], options, &program[i], err));
		if (!program[i]) team.missing[team.last++] = i;
	}
	if (team.last > 1 && team.n_workers > 0) SKIP_TRY(build_beside(&team, err));
	for (size_t i = 0; i < n; i++) {
		if (!program[i]) SKIP_TRY(skip_cl_program_compile(cl, &source[i], options, &program[i], err));
	}
cleanup:
	skip_free(team.missing);
	return status;
}
