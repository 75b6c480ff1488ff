/*
 * Kernel specs -> complete program texts (form: kernels/NAMING.md).
 *
 * A text is provenance comment, common/base.cl, the shared files its families ask for (an #include among them resolved), then per kernel its constants
 * block, the body as it stands in kernels/ and the #undef lines. Same specs, same bytes. The hash leaves the provenance comment out.
 */
#ifndef SKIP_DEVICE_EMIT_EMIT_H
#define SKIP_DEVICE_EMIT_EMIT_H

#include "device/family.h"

/* A kernel made of others (lower/team.c): its text stands behind theirs, which are functions in its program. */
#define SKIP_TEAM_PHASES 32
#define SKIP_TEAM_MEMBERS 64
struct skip_team {
	int kernel; /* of the plan */
	int member[SKIP_TEAM_MEMBERS], n_members;
	char *text; /* the whole kernel */
};

/*
 * Fills plan->programs with programs of at most `most` kernels (0: one of all), in order and of about one size, and kernel[i].program for all plan kernels;
 * specs[i] belongs to plan->kernels[i]. Programs are what is compiled side by side, but each costs about half a second before its first kernel, and a board
 * takes only one. A plan without kernels has no program.
 * Errors: SKIP_ERR_INTERNAL when a body or shared file is missing.
 */
enum skip_status skip_emit_programs(const struct skip_kernel_spec *specs, const struct skip_team *teams, size_t n_teams, size_t most, struct skip_plan *plan,
				    struct skip_err *err);

/* What opens a program: kernels/common/base.cl, then `files` of kernels/common (NULL-terminated, may be NULL). */
enum skip_status skip_emit_common(const char *const *files, struct skip_buf *out, struct skip_err *err);

/* One body, kernels/<family>/<file>, between its constants block and the lines that end it; `mark` opens a directive: '#', or '`' of SystemVerilog. */
enum skip_status skip_emit_body(const struct skip_kernel_spec *spec, const char *name, const char *file, char mark, struct skip_buf *out, struct skip_err *err);

#endif
