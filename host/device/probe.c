/*
 * Abilities outside of the dialect every device has, each tried with a kernel of a few lines: a driver that lists an extension may still lack the
 * compiler for it or get it wrong. One that does not list it is not asked: compilers print their errors.
 */
#include "base/log.h"
#include "device/opencl/cl.h"
#include "device/run/run.h"
#include <stdio.h>
#include <string.h>

/* `body` computes *out from in[0..2]. What a device without the ability could answer differs from `known`. */
struct probe {
	const char *extension, *body;
	int32_t in[3], known;
};

static const struct probe probes[] = {
	/* 0.3 is 0.300048828125 in half, five times that 1.5; in float it is 1.50024. */
	{"cl_khr_fp16", "half x = (half)as_float(in[0]), y = (half)as_float(in[1]); *out = as_int((float)(x * y));", {0x3e99999a, 0x40a00000}, 0x3fc00000},
	/* 1 + 2^-40 - 1, which is nothing in float. */
	{"cl_khr_fp64", "double x = as_float(in[0]), y = as_float(in[1]); x += y; *out = as_int((float)(x - as_float(in[0])));", {0x3f800000, 0x2b800000}, 0x2b800000},
	/* (5, -1, 127, -128) . (-7, 3, -128, 127) + 10 */
	{"cl_khr_integer_dot_product", "*out = dot_acc_sat_4x8packed_ss_int(as_uint(in[0]), as_uint(in[1]), in[2]);",
	 {(int32_t)0x807fff05, 0x7f8003f9, 10}, -35 - 3 - 16256 - 16256 + 10},
};
enum { FP16, FP64, INT_DOT, PROBES };
_Static_assert(sizeof(probes) / sizeof(probes[0]) == PROBES, "one row for each");

static enum skip_status run_probe(struct skip_cl *cl, const struct probe *probe, int32_t *answer, struct skip_err *err)
{
	enum skip_status status;
	static const size_t one[3] = {1, 1, 1};
	char text[512];
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *in = NULL, *out = NULL;
	snprintf(text, sizeof(text),
		 "#pragma OPENCL EXTENSION %s : enable\n"
		 "__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void probe(__global const int *restrict in, __global int *restrict out)\n{\n\t%s\n}\n",
		 probe->extension, probe->body);
	SKIP_TRY(skip_cl_program_build(cl, probe->extension, text, "", &program, err));
	SKIP_TRY(skip_cl_kernel_create(program, "probe", &kernel, err));
	SKIP_TRY(skip_cl_buffer_create(cl, sizeof(probe->in), &in, err));
	SKIP_TRY(skip_cl_buffer_create(cl, sizeof(*answer), &out, err));
	SKIP_TRY(skip_cl_write(cl, in, 0, probe->in, sizeof(probe->in), err));
	SKIP_TRY(skip_cl_set_buffer(kernel, 0, in, err));
	SKIP_TRY(skip_cl_set_buffer(kernel, 1, out, err));
	SKIP_TRY(skip_cl_enqueue(cl, kernel, one, one, err));
	SKIP_TRY(skip_cl_read(cl, out, 0, answer, sizeof(*answer), err));
	skip_cl_program_store(cl, program);
cleanup:
	skip_cl_buffer_destroy(in);
	skip_cl_buffer_destroy(out);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	return status;
}

/* Whether `word` is one of the blank-separated words of `list`. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = strstr(list, word); at; at = strstr(at + n, word)) {
		bool starts = at == list || at[-1] == ' ';
		bool ends = at[n] == '\0' || at[n] == ' ';
		if (starts && ends) return true;
	}
	return false;
}

enum skip_status skip_device_probe(struct skip_device *device, struct skip_device_probes *out, struct skip_err *err)
{
	enum skip_status status = SKIP_OK;
	struct skip_device_probes found = {0};
	bool *const able[PROBES] = {&found.fp16, &found.fp64, &found.int_dot};
	for (int i = 0; i < PROBES; i++) {
		struct skip_err why;
		int32_t answer = 0;
		skip_err_init(&why);
		if (!has_word(skip_device_get_info(device)->facts.extensions, probes[i].extension)) continue;
		status = run_probe(skip_device_cl(device), &probes[i], &answer, &why);
		if (status == SKIP_ERR_NOMEM) return skip_err_set(err, status, "%s", why.message);
		*able[i] = status == SKIP_OK && answer == probes[i].known;
		skip_log(SKIP_LOG_DEBUG, "probe %s: %s", probes[i].extension, status != SKIP_OK ? why.message : *able[i] ? "right" : "wrong answer");
	}
	for (int p = SKIP_PRECISION_BF16; p < SKIP_PRECISION_COUNT; p++) SKIP_TRY(skip_known_each(device, (enum skip_precision)p, &found, err));
	*out = found;
cleanup:
	return status;
}
