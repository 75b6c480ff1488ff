/* What the files of estimate/ share. */
#ifndef SKIP_DEVICE_ESTIMATE_INTERNAL_H
#define SKIP_DEVICE_ESTIMATE_INTERNAL_H

#include "device/estimate/estimate.h"

/* What a node is on an FPGA in the form of `forms`. SKIP_ERR_UNSUPPORTED: its op has no engine. */
enum skip_status skip_estimate_engine(const struct skip_graph *graph, const struct skip_node *node, const struct skip_profile *forms, struct skip_workload work,
				      struct skip_engine *out, struct skip_err *err);
/* Puts the counts of reports in the place of those of formulas (calibrate.c); the engines are those of `graph`, counted already. */
enum skip_status skip_estimate_apply(struct skip_estimate *estimate, const struct skip_graph *graph, const struct skip_profile *forms,
				     const struct skip_estimate_reports *reports, struct skip_err *err);

#endif
