/* Symmetric least squares from second moments: the consumer of a sub-layer refitted for any choice of its inputs (docs/method.md 5.4). */
#ifndef SKIP_METHOD_SEARCH_CONSUMER_FIT_H
#define SKIP_METHOD_SEARCH_CONSUMER_FIT_H

#include "base/err.h"
#include <stddef.h>

/* One consumer Y = In W^T + b of the dense network and the moments of its inputs. */
struct skip_consumer {
	int width, outputs;
	const float *weight, *bias; /* dense [outputs][width], [outputs] or NULL */
	const double *mean;	    /* [width] */
	double *damped;		    /* [width][width] centred sum + lam on the diagonal */
	double *cross;		    /* [width][outputs] damped W^T */
	double size;		    /* tr(W damped W^T) */
};

/* `cov`, `mean` of `width` inputs are borrowed for mean, copied for cov. lam = damping * mean diagonal. */
enum skip_status skip_consumer_init(const double *cov, const double *mean, const float *weight, const float *bias, int width, int outputs,
				    double damping, struct skip_consumer *out, struct skip_err *err);
void skip_consumer_deinit(struct skip_consumer *consumer);
/*
 * W' [outputs][width], zero where keep[j] is 0, and b' [outputs] that minimise |In W^T - In[:,kept] W'^T|^2 + lam |W' - W|^2 with means
 * taken off: W'[:,kept] = W Hess[:,kept] Hess[kept,kept]^-1, b' = b + W mean - W' mean. *residual (may be NULL): that minimum as a share of
 * tr(W Hess W^T).
 */
enum skip_status skip_consumer_fit(const struct skip_consumer *consumer, const unsigned char *keep, float *weight, float *bias,
				   double *residual, struct skip_err *err);

#endif
