/*
 * Kernel specs -> complete program texts (form: kernels/NAMING.md).
 *
 * A text is provenance comment, common/base.cl, the shared files its families ask for (an #include among them resolved), then per kernel its constants
 * block, the body as it stands in kernels/ and the #undef lines. Same specs, same bytes. The hash leaves the provenance comment out.
 */
#ifndef SKIP_DEVICE_EMIT_EMIT_H
#define SKIP_DEVICE_EMIT_EMIT_H

#include "device/family.h"

/*
 * Fills plan->programs with one program of all kernels, because a build costs half a second whatever is in it, and kernel[i].program for all plan
 * kernels; specs[i] belongs to plan->kernels[i]. A plan without kernels has no program.
 * Errors: SKIP_ERR_INTERNAL when a body or shared file is missing.
 */
enum skip_status skip_emit_programs(const struct skip_kernel_spec *specs, struct skip_plan *plan, struct skip_err *err);

/* What opens a program: kernels/common/base.cl, then `files` of kernels/common (NULL-terminated, may be NULL). */
enum skip_status skip_emit_common(const char *const *files, struct skip_buf *out, struct skip_err *err);

/* One body, kernels/<family>/<file>, between its constants block and the lines that end it; `mark` opens a directive: '#', or '`' of SystemVerilog. */
enum skip_status skip_emit_body(const struct skip_kernel_spec *spec, const char *name, const char *file, char mark, struct skip_buf *out, struct skip_err *err);

#endif
