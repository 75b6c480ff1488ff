/* Which container a file is, and the kernels that both kinds list as XML. See binary.h. */
#include "device/bitstream/binary.h"
#include "base/alloc.h"
#include "base/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *skip_container_name(enum skip_container container)
{
	static const char *const names[] = {"program binary", "aocx", "xclbin"};
	return names[container];
}

const char *skip_mode_name(enum skip_binary_mode mode)
{
	static const char *const names[] = {"unknown", "hardware", "emulated", "simulated"};
	return names[mode];
}

uint64_t skip_bytes_le(const unsigned char *at, int bytes)
{
	uint64_t value = 0;
	for (int i = bytes - 1; i >= 0; i--) value = value << 8 | at[i];
	return value;
}

/* ---- kernels ---- */

static enum skip_status add_kernel(struct skip_binary *out, const char *name, struct skip_err *err)
{
	if (!skip_grow((void **)&out->kernel, &out->kernel_capacity, out->n_kernels + 1, sizeof(*out->kernel))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu kernels", out->n_kernels + 1);
	}
	struct skip_binary_kernel *kernel = &out->kernel[out->n_kernels++];
	memset(kernel, 0, sizeof(*kernel));
	snprintf(kernel->name, sizeof(kernel->name), "%s", name);
	kernel->first_arg = out->n_args;
	return SKIP_OK;
}

static enum skip_status add_arg(struct skip_binary *out, const char *name, bool pointer, struct skip_err *err)
{
	if (!out->n_kernels) return skip_err_set(err, SKIP_ERR_INPUT, "an argument outside of a kernel");
	if (!skip_grow((void **)&out->arg, &out->arg_capacity, out->n_args + 1, sizeof(*out->arg))) {
		return skip_err_set(err, SKIP_ERR_NOMEM, "no memory for %zu arguments", out->n_args + 1);
	}
	struct skip_binary_arg *arg = &out->arg[out->n_args++];
	memset(arg, 0, sizeof(*arg));
	snprintf(arg->name, sizeof(arg->name), "%s", name);
	arg->pointer = pointer;
	out->kernel[out->n_kernels - 1].n_args++;
	return SKIP_OK;
}

/* Intel: opencl_access_type 0 a value, 2 global memory. AMD: addressQualifier 0 a value, 1 global memory. */
static enum skip_status take(void *context, const char *path, const char *const *attribute, struct skip_err *err)
{
	const char *last = strrchr(path, '/') + 1, *name = skip_xml_attribute(attribute, "name");
	const char *intel = skip_xml_attribute(attribute, "opencl_access_type"), *amd = skip_xml_attribute(attribute, "addressQualifier");
	if (strcmp(last, "kernel") == 0) {
		if (!name || !name[0]) return skip_err_set(err, SKIP_ERR_INPUT, "a kernel without a name");
		return add_kernel(context, name, err);
	}
	if (strcmp(last, "argument") != 0 && strcmp(last, "arg") != 0) return SKIP_OK;
	if (!name || (!intel && !amd)) return skip_err_set(err, SKIP_ERR_INPUT, "an argument without a name or a kind");
	return add_arg(context, name, strcmp(intel ? intel : amd, "0") != 0, err);
}

enum skip_status skip_binary_read_kernels(struct skip_bytes xml, struct skip_binary *out, struct skip_err *err)
{
	const struct skip_xml_reader reader = {take, NULL, out};
	out->has_kernels = true;
	return skip_xml_walk((const char *)xml.data, xml.size, &reader, err);
}

/* ---- container ---- */

enum skip_status skip_binary_read(const void *data, size_t size, struct skip_binary *out, struct skip_err *err)
{
	const struct skip_bytes file = {data, size};
	memset(out, 0, sizeof(*out));
	if (size >= 7 && memcmp(data, "xclbin2", 7) == 0) return skip_binary_read_xclbin(file, out, err);
	if (size >= 4 && memcmp(data, "\177ELF", 4) == 0) return skip_binary_read_aocx(file, out, err);
	return SKIP_OK;
}

void skip_binary_deinit(struct skip_binary *binary)
{
	skip_free(binary->kernel);
	skip_free(binary->arg);
	memset(binary, 0, sizeof(*binary));
}
