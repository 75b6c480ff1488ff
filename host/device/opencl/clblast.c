/* Library calls: matrix products by CLBlast, where the build has it. The only file that knows its header. */
#include "device/opencl/internal.h"
#include <stdio.h>

#ifdef SKIP_CLBLAST
#include <clblast_c.h>

bool skip_cl_has_gemm(void) { return true; }

enum skip_status skip_cl_gemm(struct skip_cl *cl, const struct skip_cl_gemm *g, struct skip_err *err)
{
	const size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k;
	if (m == 0) return SKIP_OK;
	cl->library_used = true;
	CLBlastStatusCode code = CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, g->transpose ? CLBlastTransposeNo : CLBlastTransposeYes, m, n, k, 1.0f,
					      g->x->mem, 0, k, g->w->mem, 0, g->transpose ? n : k, 0.0f, g->y->mem, 0, n, &cl->queue, NULL);
	if (code == CLBlastSuccess) return SKIP_OK;
	char what[64];
	snprintf(what, sizeof(what), "%zu x %zu x %zu", m, n, k);
	return skip_cl_fail(err, (cl_int)code, "CLBlastSgemm", what);
}

void skip_cl_forget_library(struct skip_cl *cl)
{
	/* Its programs hold on to the context. */
	if (cl->library_used) CLBlastClearCache();
}

#else

bool skip_cl_has_gemm(void) { return false; }

enum skip_status skip_cl_gemm(struct skip_cl *cl, const struct skip_cl_gemm *g, struct skip_err *err)
{
	(void)cl;
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "a product of %d x %d x %d is to be CLBlast's, and this program was built without it", g->m, g->n, g->k);
}

void skip_cl_forget_library(struct skip_cl *cl) { (void)cl; }

#endif
