/*
 * Teams: the launches of a layer become one, a kernel whose work-groups go through them as phases (kernels/common/team.cl). Between two launches a device that runs on
 * threads puts them to sleep and wakes them, 6 to 25 us, in which a core computes some rows of a product; between two phases nobody sleeps.
 *
 * The text of a team is made here: for each phase its items, from the run-time sizes as the launch's extents say or counted by the host where tiles cover rows, and a
 * call of the member's function for an item. Buffers are named in order of use, so layers of one shape give one text and share the kernel.
 */
#include "base/alloc.h"
#include "device/emit/emit.h"
#include "device/lower/lowering.h"
#include "graph/op.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SHIFTS 3 /* places tried for the borders between teams */
#define TEAM_ARGS (SKIP_LAUNCH_MAX_ARGS - SKIP_SIZE_COUNT - 1) /* of its launches and their covers: what sizes and the state leave */
#define PHASE_WORDS ((1 + 64) * 16)			       /* of the state: SKIP_TEAM_PHASE of kernels/common/team.cl */

/* The one being made. */
struct builder {
	struct skip_lowering *lowering;
	struct skip_plan_launch launch; /* buffers, then sizes, then counts, then the state */
	int member[SKIP_TEAM_MEMBERS], n_members;
	int n_phases;
	struct skip_buf phases; /* text */
};

static bool is_member(const struct skip_kernel_spec *spec)
{
	const char *body = skip_kernel_text(spec->family, spec->variant);
	return body && strstr(body, "SKIP_KERNEL(") && spec->local[0] == 1 && spec->local[1] == 1 && spec->local[2] == 1;
}

static int kernels_of(const struct skip_plan_launch *launch) { return launch->n_cover > 0 ? launch->n_cover : 1; }

static int kernel_at(const struct skip_plan_launch *launch, int i) { return launch->n_cover > 0 ? launch->cover[i].kernel : launch->kernel; }

/* Whether the launch can be a phase; `possible` is false where a body is written for teams and the launch is not. */
static bool is_phase(const struct skip_lowering *lowering, const struct skip_plan_launch *launch, bool *possible)
{
	const struct skip_extent *depth = &launch->global[2];
	const bool fits = !launch->together && depth->size == SKIP_SIZE_ONE && depth->mul + depth->add == depth->div;
	bool member = false;
	if (launch->call) return false;
	for (int i = 0; i < kernels_of(launch); i++) member |= is_member(&lowering->specs[kernel_at(launch, i)]);
	if (member && !fits) *possible = false;
	return member;
}

/* The argument of the team that is `want`, which is added where it is new. */
static int argument(struct builder *b, const struct skip_plan_arg *want)
{
	int a = 0;
	for (; a < b->launch.n_args; a++) {
		const struct skip_plan_arg *have = &b->launch.arg[a];
		if (have->kind == want->kind && have->buffer == want->buffer && have->size == want->size && have->i == want->i && have->n_tiles == want->n_tiles &&
		    !memcmp(have->tile, want->tile, sizeof(have->tile)))
			return a;
	}
	assert(a < SKIP_LAUNCH_MAX_ARGS);
	b->launch.arg[b->launch.n_args++] = *want;
	return a;
}

/* Writes the work-items along one dimension. */
static void put_extent(struct builder *b, const struct skip_extent *extent)
{
	if (extent->size == SKIP_SIZE_ONE) {
		skip_buf_printf(&b->phases, "%du", (extent->mul + extent->add + extent->div - 1) / extent->div);
		return;
	}
	const int a = argument(b, &(struct skip_plan_arg){.kind = SKIP_ARG_SIZE, .size = extent->size});
	skip_buf_printf(&b->phases, "((%du * (uint)a%d + %du) / %du)", (unsigned)extent->mul, a, (unsigned)extent->add + (unsigned)extent->div - 1, (unsigned)extent->div);
}

/* Piece `i` of a phase: its items along dimension 0, all of them, and its first row. */
static void put_piece(struct builder *b, const struct skip_plan_launch *launch, int i)
{
	struct skip_buf *out = &b->phases;
	skip_buf_printf(out, "\t\tconst uint n%d = ", i);
	if (launch->n_cover > 0) {
		struct skip_plan_arg count = {.kind = SKIP_ARG_COUNT, .size = launch->cover_rows, .i = i, .n_tiles = launch->n_cover};
		for (int c = 0; c < launch->n_cover; c++) count.tile[c] = launch->cover[c].tile;
		skip_buf_printf(out, "(uint)a%d", argument(b, &count));
	} else {
		put_extent(b, &launch->global[0]);
	}
	skip_buf_printf(out, ", all%d = n%d * ", i, i);
	put_extent(b, &launch->global[1]);
	if (i == 0)
		skip_buf_puts(out, ", row0 = 0u;\n");
	else
		skip_buf_printf(out, ", row%d = row%d + n%d * %du;\n", i, i - 1, i - 1, (unsigned)launch->cover[i - 1].tile);
}

static void put_call(struct builder *b, const struct skip_plan_launch *launch, int i)
{
	struct skip_buf *out = &b->phases;
	skip_buf_printf(out, "%s(item %% n%d, item / n%d, n%d", b->lowering->plan->kernels[kernel_at(launch, i)].name, i, i, i);
	for (int a = 0; a < launch->n_args; a++) {
		const struct skip_plan_arg *arg = &launch->arg[a];
		skip_buf_puts(out, ", ");
		switch (arg->kind) {
		case SKIP_ARG_BUFFER:
		case SKIP_ARG_SIZE:
		case SKIP_ARG_KEY: {
			struct skip_plan_arg bare = {.kind = arg->kind, .buffer = arg->buffer, .size = arg->size};
			skip_buf_printf(out, "a%d", argument(b, &bare));
			break;
		}
		case SKIP_ARG_INT: skip_buf_printf(out, "%d", (int)arg->i); break;
		case SKIP_ARG_FLOAT: skip_buf_printf(out, "%af", (double)arg->f); break;
		case SKIP_ARG_ROW0: skip_buf_printf(out, "row%d", i); break;
		case SKIP_ARG_TILE: skip_buf_printf(out, "%d", launch->cover[i].tile); break;
		case SKIP_ARG_COUNT: break; /* of teams alone */
		}
	}
	skip_buf_puts(out, ");\n");
}

static void put_phase(struct builder *b, const struct skip_plan_launch *launch, bool last)
{
	struct skip_buf *out = &b->phases;
	const int n = kernels_of(launch), at = b->n_phases++;
	skip_buf_puts(out, "\t{\n");
	for (int i = 0; i < n; i++) put_piece(b, launch, i);
	skip_buf_puts(out, "\t\tconst uint all = all0");
	for (int i = 1; i < n; i++) skip_buf_printf(out, " + all%d", i);
	skip_buf_printf(out, ";\n\t\tuint tried = 0;\n\t\twhile (skip_team_claim(state + %d * SKIP_TEAM_PHASE, all, &tried, &first, &last)) {\n\t\t\tfor (uint i = first; i < last; i++) {\n\t\t\t\tuint item = i;\n", at);
	for (int i = 0; i < n; i++) {
		if (i > 0) skip_buf_printf(out, "\t\t\t\titem -= all%d;\n", i - 1);
		skip_buf_printf(out, "\t\t\t\tif (item < all%d) {\n\t\t\t\t\t", i);
		put_call(b, launch, i);
		skip_buf_puts(out, "\t\t\t\t\tcontinue;\n\t\t\t\t}\n");
	}
	skip_buf_printf(out, "\t\t\t}\n\t\t\tskip_team_done(state + %d * SKIP_TEAM_PHASE, last - first);\n\t\t}\n", at);
	if (!last) skip_buf_printf(out, "\t\tskip_team_wait(state + %d * SKIP_TEAM_PHASE, all);\n", at);
	skip_buf_puts(out, "\t}\n");
}

/* The kernel without its name, which is its hash. */
static void put_kernel(const struct builder *b, struct skip_buf *out)
{
	static const char *const types[] = {[SKIP_ARG_BUFFER] = "__global void *", [SKIP_ARG_SIZE] = "int", [SKIP_ARG_COUNT] = "int", [SKIP_ARG_KEY] = "uint"};
	skip_buf_puts(out, "(\n");
	for (int a = 0; a + 1 < b->launch.n_args; a++) skip_buf_printf(out, "\t%s a%d,\n", types[b->launch.arg[a].kind], a);
	skip_buf_puts(out, "\tvolatile __global uint *state)\n{\n\tuint first, last;\n");
	skip_buf_puts(out, skip_buf_text(&b->phases));
	skip_buf_printf(out, "\tskip_team_leave(state, %d);\n}\n", b->n_phases);
}

static bool has_member(const struct builder *b, int kernel)
{
	for (int m = 0; m < b->n_members; m++) {
		if (b->member[m] == kernel) return true;
	}
	return false;
}

static enum skip_status add_kernel(struct skip_lowering *lowering, struct skip_team *made, const char *name, int *kernel, struct skip_err *err)
{
	struct skip_plan *plan = lowering->plan;
	const size_t n = plan->n_kernels;
	if (!skip_grow((void **)&plan->kernels, &lowering->cap_kernels, n + 1, sizeof(*plan->kernels)) ||
	    !skip_grow((void **)&lowering->specs, &lowering->cap_specs, n + 1, sizeof(*lowering->specs)) ||
	    !skip_grow((void **)&lowering->teams, &lowering->cap_teams, lowering->n_teams + 1, sizeof(*lowering->teams)))
		return skip_err_set(err, SKIP_ERR_NOMEM, "team %s of the plan", name);
	plan->kernels[n] = (struct skip_plan_kernel){.program = SKIP_NONE, .local = {1, 1, 1}};
	snprintf(plan->kernels[n].name, sizeof(plan->kernels[n].name), "%s", name);
	lowering->specs[n] = (struct skip_kernel_spec){.family = "", .variant = ""};
	made->kernel = *kernel = (int)n;
	lowering->teams[lowering->n_teams++] = *made;
	plan->n_kernels++;
	made->text = NULL;
	return SKIP_OK;
}

/* The kernel of the phases: the one there is of this text, or a new one. */
static enum skip_status find_kernel(struct builder *b, int *kernel, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	const struct skip_plan *plan = b->lowering->plan;
	struct skip_team made = {.n_members = b->n_members};
	struct skip_buf body, text;
	char hash[SKIP_SHA256_HEX], name[SKIP_NAME];
	skip_buf_init(&body);
	skip_buf_init(&text);
	put_kernel(b, &body);
	skip_sha256_hex(skip_buf_text(&body), body.length, hash);
	snprintf(name, sizeof(name), "team_%d_%.8s", b->n_phases, hash);
	skip_buf_printf(&text, "\n__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void %s%s", name, skip_buf_text(&body));
	made.text = skip_buf_ok(&body) && skip_buf_ok(&text) ? skip_strdup(skip_buf_text(&text)) : NULL;
	if (!made.text) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "text of %s", name));
	memcpy(made.member, b->member, sizeof(made.member));
	for (size_t t = 0; t < b->lowering->n_teams; t++) {
		*kernel = b->lowering->teams[t].kernel;
		if (!strcmp(plan->kernels[*kernel].name, name)) goto cleanup;
	}
	SKIP_TRY(add_kernel(b->lowering, &made, name, kernel, err));
cleanup:
	skip_free(made.text);
	skip_buf_deinit(&body);
	skip_buf_deinit(&text);
	return status;
}

/* How the launches of a plan are cut. */
struct cut {
	const struct skip_lowering *lowering;
	bool *phase;  /* [plan->n_launches] it can be one */
	size_t shift; /* borders lie so many launches before the first of a layer */
};

static bool is_border(const struct cut *cut, size_t l)
{
	const struct skip_plan *plan = cut->lowering->plan;
	const struct skip_node *node = cut->lowering->graph->nodes;
	l += cut->shift;
	return l > 0 && l < plan->n_launches && node[plan->launches[l].node].layer != node[plan->launches[l - 1].node].layer;
}

/* How many launches from `first` on are one team; 0: this one stays alone. As many as its tables hold, up to a border. */
static size_t run_of(const struct cut *cut, size_t first)
{
	const struct skip_plan *plan = cut->lowering->plan;
	size_t n = 0;
	int members = 0, args = 0;
	for (; first + n < plan->n_launches && n < SKIP_TEAM_PHASES; n++) {
		const struct skip_plan_launch *launch = &plan->launches[first + n];
		members += kernels_of(launch);
		args += launch->n_args + launch->n_cover;
		if (!cut->phase[first + n] || (n > 0 && is_border(cut, first + n)) || members > SKIP_TEAM_MEMBERS || args > TEAM_ARGS) break;
	}
	return n;
}

/* Whether the kernels of two runs are the same, one after the other. */
static bool same_kernels(const struct skip_plan_launch *a, const struct skip_plan_launch *b, size_t n)
{
	for (size_t l = 0; l < n; l++) {
		if (kernels_of(&a[l]) != kernels_of(&b[l])) return false;
		for (int i = 0; i < kernels_of(&a[l]); i++) {
			if (kernel_at(&a[l], i) != kernel_at(&b[l], i)) return false;
		}
	}
	return true;
}

/* Launches that stand in the texts of teams: each different team counts once. */
static size_t text_of(const struct cut *cut)
{
	const struct skip_plan *plan = cut->lowering->plan;
	size_t sum = 0;
	for (size_t l = 0, n; l < plan->n_launches; l += n ? n : 1) {
		bool seen = false;
		n = run_of(cut, l);
		for (size_t k = 0, m; k < l && !seen; k += m ? m : 1) {
			m = run_of(cut, k);
			seen = m == n && same_kernels(&plan->launches[k], &plan->launches[l], n);
		}
		if (!seen) sum += n;
	}
	return sum;
}

/* Where layers are alike but for their ends, as the norm behind the last one that writes no words, borders that lie before what differs leave more of them the same kernel. */
static void choose_shift(struct cut *cut)
{
	size_t best = 0, least = 0;
	for (cut->shift = 0; cut->shift < SHIFTS; cut->shift++) {
		const size_t text = text_of(cut);
		if (cut->shift > 0 && text >= least) continue;
		best = cut->shift;
		least = text;
	}
	cut->shift = best;
}

static enum skip_status make_team(struct skip_lowering *lowering, const struct skip_plan_launch *launch, size_t n, int state, struct skip_plan_launch *out, struct skip_err *err)
{
	enum skip_status status;
	struct builder b = {.lowering = lowering, .launch = {.node = launch[0].node, .tile = SKIP_TILE_NONE}};
	skip_buf_init(&b.phases);
	for (size_t l = 0; l < n; l++) {
		for (int i = 0; i < kernels_of(&launch[l]); i++) {
			if (!has_member(&b, kernel_at(&launch[l], i))) b.member[b.n_members++] = kernel_at(&launch[l], i);
		}
		put_phase(&b, &launch[l], l + 1 == n);
	}
	b.launch.arg[b.launch.n_args++] = (struct skip_plan_arg){.kind = SKIP_ARG_BUFFER, .buffer = state};
	for (int d = 0; d < 3; d++) b.launch.global[d] = (struct skip_extent){.size = d ? SKIP_SIZE_ONE : SKIP_SIZE_W, .mul = 1, .div = 1};
	SKIP_TRY(find_kernel(&b, &b.launch.kernel, err));
	*out = b.launch;
cleanup:
	skip_buf_deinit(&b.phases);
	return status;
}

enum skip_status skip_lowering_make_teams(struct skip_lowering *lowering, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_plan *plan = lowering->plan;
	const struct skip_extent one = {.size = SKIP_SIZE_ONE, .mul = 1, .div = 1};
	struct cut cut = {.lowering = lowering, .phase = skip_alloc_array(plan->n_launches + 1, sizeof(*cut.phase))};
	bool possible = true;
	size_t kept = 0;
	int state;
	if (!cut.phase) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "teams of %zu launches", plan->n_launches));
	for (size_t l = 0; l < plan->n_launches; l++) cut.phase[l] = is_phase(lowering, &plan->launches[l], &possible);
	if (!possible) goto cleanup;
	choose_shift(&cut);
	SKIP_TRY(skip_lowering_scratch(lowering, "team", one, SKIP_TEAM_PHASES * PHASE_WORDS + 1, &state, err));
	for (size_t l = 0, n; l < plan->n_launches; l += n, kept++) {
		struct skip_plan_launch made = plan->launches[l];
		n = run_of(&cut, l);
		if (n > 0)
			SKIP_TRY(make_team(lowering, &plan->launches[l], n, state, &made, err));
		else
			n = 1;
		plan->launches[kept] = made;
	}
	plan->n_launches = kept;
	plan->whole = true;
cleanup:
	skip_free(cut.phase);
	return status;
}
