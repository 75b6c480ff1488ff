/*
 * What a graph costs on an FPGA board before any toolchain has seen it: resources, clock, cycles, memory, latency. The engines are those the
 * families describe (device/engine.h), the counts those of the board file; every number of the file that was used comes along with its status, and
 * the whole is no better than the worst of them. Counts and the clock come from formulas, or from the reports of tools that built the kernels
 * (report.h); each says which.
 */
#ifndef SKIP_DEVICE_ESTIMATE_H
#define SKIP_DEVICE_ESTIMATE_H

#include "device/engine.h"
#include "device/estimate/report.h"
#include "device/plan.h"

enum skip_estimate_bound { SKIP_BOUND_COMPUTE, SKIP_BOUND_MEMORY, SKIP_BOUND_LAUNCH, SKIP_BOUND_COUNT };
const char *skip_bound_name(enum skip_estimate_bound bound); /* "compute", "memory", "launch" */

/* One engine and all nodes it serves. */
struct skip_estimate_kernel {
	struct skip_engine engine; /* of the largest of its nodes */
	int nodes, region;         /* region SKIP_NONE: the board has none, or it lies in several */
	double used[SKIP_RESOURCE_COUNT];
	enum skip_tier tier;                 /* of `used` */
	double formula[SKIP_RESOURCE_COUNT]; /* what formulas said, where reports were given */
	bool calibrated;                     /* `used` is a formula's, corrected by reports of other engines of its family */
	double seconds, compute_seconds, memory_seconds; /* of all its nodes; seconds with their launches */
	double macs, cycles, bytes;
	double rounds;            /* of the outermost loop, over all its nodes */
	enum skip_tier cycles_tier;
	double cycles_formula;    /* what formulas said, where reports were given, else 0 */
	bool cycles_calibrated;   /* `cycles` is a formula's, corrected as above */
	int ii;                   /* by a report: largest initiation interval of the loops of its kernels, 0: none says */
	char loop[SKIP_NAME];     /* that loop */
	enum skip_estimate_bound bound;
};

/* Reported over computed, of the engines of a family that a report names: for this board and the version of the tool. */
struct skip_calibration {
	char family[16];
	enum skip_resource resource; /* SKIP_RESOURCE_COUNT: cycles */
	enum skip_tier tier;
	double formula, reported, factor;
};

#define SKIP_ESTIMATE_CALIBRATIONS 48

struct skip_estimate {
	const struct skip_board *board; /* borrowed */
	struct skip_workload work;
	int rows, outputs; /* form: T_M and P_N */
	bool int8;
	struct skip_estimate_kernel *kernel;
	size_t n_kernels;
	int on_host; /* nodes that have no engine on this board; their time is not in here */
	bool fits;
	char why[160]; /* what is too much, where it does not fit */
	double used[SKIP_RESOURCE_COUNT], available[SKIP_RESOURCE_COUNT]; /* available: (total - shell) * usable, over all regions */
	double largest_share; /* of a resource of a region, as the clock formula takes it */
	int crossings;
	double clock_mhz, routed_mhz; /* routed_mhz: by a report, else 0 */
	bool clock_given;             /* by the caller or a report */
	enum skip_tier tier;          /* the least of the engines' */
	struct skip_calibration calibration[SKIP_ESTIMATE_CALIBRATIONS];
	int n_calibrations;
	bool shell_within; /* a report's total may hold the shell's share */
	double seconds, compute_seconds, memory_seconds, launch_seconds;
	double low_seconds, high_seconds; /* at 1.1 and 0.5 times the clock; both `seconds` where the clock was given */
	double macs;
	enum skip_estimate_bound bound;
	struct skip_figure input[48]; /* numbers of the board file behind this */
	int n_inputs;
	bool verified; /* all of them */
};

/*
 * Estimates `graph`, which has been through skip_pass_inference for this board, for `work`. `forms` is the board's profile or a copy of it with other
 * mr[0] (rows of a tile) and nv (outputs a cycle). clock_mhz 0: the derated clock. The caller deinits *out; `board` must outlive it.
 * SKIP_ERR_UNSUPPORTED: an op without an engine, or a type that engines have not.
 */
enum skip_status skip_estimate_run(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                   struct skip_workload work, double clock_mhz, struct skip_estimate *out, struct skip_err *err);

/* What tools say of the kernels of `plan`, which was lowered from the same graph for the same forms. */
struct skip_estimate_reports {
	const struct skip_plan *plan;
	const struct skip_tool_report *report;
	size_t n;
};
/* The same with reports. SKIP_ERR_INPUT: one of another chip or of other kernels. clock_mhz 0: the routed clock of a report, else the derated one. */
enum skip_status skip_estimate_run_reported(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                            struct skip_workload work, double clock_mhz, const struct skip_estimate_reports *reports,
                                            struct skip_estimate *out, struct skip_err *err);
/* Seconds of every node of `graph` ([n_nodes]; 0: it stays with the host) in an engine of that form at that clock, whether or not the engines fit. */
enum skip_status skip_estimate_node_seconds(const struct skip_graph *graph, const struct skip_board *board, const struct skip_profile *forms,
                                            struct skip_workload work, double clock_mhz, double *seconds, struct skip_err *err);
void skip_estimate_deinit(struct skip_estimate *estimate);
/* What a calibration counts: a unit of the board, or "cycles". */
const char *skip_calibration_unit(const struct skip_estimate *estimate, const struct skip_calibration *calibration);

/* The fastest of the forms that fit, tried from few lanes to many; where none fits the smallest, with fits false. `forms` gets the form. */
enum skip_status skip_estimate_fit(const struct skip_graph *graph, const struct skip_board *board, struct skip_workload work, double clock_mhz,
                                   struct skip_profile *forms, struct skip_estimate *out, struct skip_err *err);

#endif
