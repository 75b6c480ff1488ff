/*
 * A device the rest of the library can hold without knowing OpenCL.
 */
#ifndef SKIP_DEVICE_DEVICE_H
#define SKIP_DEVICE_DEVICE_H

#include "base/buf.h"
#include "device/profile/profile.h"

struct skip_device; /* context, one in-order queue, profile, program cache */

struct skip_device_info {
	int platform_index, device_index;
	struct skip_device_facts facts;
	int compute_units;
	const char *profile_id;
};

/* All devices of all platforms; platforms without devices are no error. The caller frees *out with skip_free. */
enum skip_status skip_device_list(const struct skip_profiles *profiles, struct skip_device_info **out, size_t *n, struct skip_err *err);
/*
 * Opens by `which`: NULL/"auto" (SKIP_DEVICE, else the best: a device whose profile is not `generic` or a checker, GPUs before CPUs), "P:D",
 * part of a platform or device name, or a profile id (which then overrides the match, provided its conditions hold or it is generic).
 * `profiles` must outlive the device. `threads` 0: the platform's choice; another number reaches PoCL only, and only when it comes with the first call
 * of the process that looks for devices, since platforms read it when they are loaded. Errors: SKIP_ERR_NO_DEVICE listing what exists.
 */
enum skip_status skip_device_open(const struct skip_profiles *profiles, const char *which, int threads, struct skip_device **out,
				  struct skip_err *err);
/*
 * The same with a built program at hand: `embedded_board` is the board or shell it was built for, which profiles match with. A device that only
 * pretends to be a board never stands for one.
 */
enum skip_status skip_device_open_for(const struct skip_profiles *profiles, const char *which, const char *embedded_board, int threads,
				      struct skip_device **out, struct skip_err *err);
void skip_device_close(struct skip_device *device);
/*
 * From here on programs of sessions come from this library (bitstream/library.h); `source` is the package's name for messages. Both are copied.
 * SKIP_ERR_USAGE: the device compiles its kernels itself and has none of FPGA engines.
 */
enum skip_status skip_device_use_bitstreams(struct skip_device *device, const char *library, const char *source, struct skip_err *err);
/* false without a library; borrowed from the device. */
bool skip_device_bitstreams(const struct skip_device *device, const char **library, const char **source);
/*
 * From here on programs of several parts are compiled side by side on a CPU, by processes `compiler compile P:D --options OPTIONS` with a text on standard input that
 * print what skip_device_compile gives: the skip command is such a program. Without it a session compiles in its own process, one kernel after another.
 */
enum skip_status skip_device_compile_beside(struct skip_device *device, const char *compiler, struct skip_err *err);
/* Compiles a whole OpenCL C text and appends it in built form. SKIP_ERR_DEVICE: it does not build. */
enum skip_status skip_device_compile(struct skip_device *device, const char *text, const char *options, struct skip_buf *out, struct skip_err *err);
const struct skip_device_info *skip_device_get_info(const struct skip_device *device);
const struct skip_profile *skip_device_profile(const struct skip_device *device);
/* What a device can do besides, found by building and running a few lines and comparing their answer: a claim of the driver is not enough. */
struct skip_device_probes {
	bool fp16, fp64, int_dot; /* arithmetic in half, in double; four int8 products packed in a word (cl_khr_integer_dot_product) */
	/* Forms of the profile, in its order, whose products in a short type were right; none for F32. */
	char dot[SKIP_PRECISION_COUNT][4][24];
	int n_dot[SKIP_PRECISION_COUNT];
};
enum skip_status skip_device_probe(struct skip_device *device, struct skip_device_probes *out, struct skip_err *err);
/*
 * Measured peak of a type in GFLOP/s, two operations a multiply-add (emitted kernel, independent accumulators, best of several runs). In a short type:
 * of the first form of the profile that gives its known answer; 0 when none does.
 */
enum skip_status skip_device_measure_peak(struct skip_device *device, enum skip_precision precision, double *gflops, struct skip_err *err);
/* Measured rate of reading a buffer larger than any cache, in GB/s of 1e9 bytes (256 MiB of device memory for as long as it takes). */
enum skip_status skip_device_measure_bandwidth(struct skip_device *device, double *gbs, struct skip_err *err);

#endif
