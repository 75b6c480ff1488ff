/*
 * hostcheck.c of an emitted folder. It runs the first layer normalisation of the plan, whose arguments are plain rows, on inputs that a small generator makes
 * on both sides, and compares with the float64 reference, taken here and written down as text. What it shows: the built file loads, its kernels have the
 * names and arguments of the manifest, and the device computes.
 */
#include "base/alloc.h"
#include "device/emit/board.h"
#include "graph/op.h"
#include <stdio.h>
#include <string.h>

#define ROWS 2

/* Numbers in [-1, 1) that the emitted program makes alike: state = 1664525 state + 1013904223. */
static double next_number(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(int32_t)*state / 2147483648.0;
}

static enum skip_status add_vector(struct skip_graph *graph, const char *name, int d, uint32_t *state, int *out, struct skip_err *err)
{
	struct skip_tensor *tensor = NULL;
	enum skip_status status = skip_tensor_create(name, SKIP_F32, 1, (const int64_t[]){d}, &tensor, err);
	if (status != SKIP_OK) return status;
	for (int i = 0; i < d; i++) ((float *)tensor->owned)[i] = (float)next_number(state);
	status = skip_graph_add_tensor(graph, tensor, out, err);
	skip_tensor_unref(tensor);
	return status;
}

/* Answers [ROWS][d] of a layernorm with this eps; the caller frees. */
static enum skip_status answers(const struct skip_node *like, int d, double **out, struct skip_err *err)
{
	enum skip_status status;
	const int32_t zeros[ROWS] = {0}, offset[2] = {0, ROWS};
	const struct skip_batch batch = {ROWS, 1, zeros, zeros, offset};
	uint32_t state = 1;
	struct skip_graph *graph = NULL;
	struct skip_ref_result result = {0};
	struct skip_node node = {.op = skip_op_find("layernorm"), .layer = SKIP_NONE, .n_in = 1, .n_param = 2, .n_out = 1, .attrs = like->attrs};
	double *x = skip_alloc_array((size_t)d * ROWS, sizeof(*x)), *y = skip_alloc_array((size_t)d * ROWS, sizeof(*y));
	if (!x || !y) SKIP_TRY(skip_err_set(err, SKIP_ERR_NOMEM, "no memory for known answers"));
	SKIP_TRY(skip_graph_create(&graph, err));
	for (int i = 0; i < d * ROWS; i++) x[i] = (float)next_number(&state);
	SKIP_TRY(skip_graph_add_value(graph, "x", SKIP_ROWS_T, 0, d, &node.in[0], err));
	SKIP_TRY(add_vector(graph, "gamma", d, &state, &node.param[0], err));
	SKIP_TRY(add_vector(graph, "beta", d, &state, &node.param[1], err));
	SKIP_TRY(skip_graph_add_node(graph, &node, (const char *[]){"y"}, NULL, err));
	const struct skip_ref_input input = {node.in[0], x};
	SKIP_TRY(skip_reference_run(graph, &batch, &input, 1, 0, &result, err));
	memcpy(y, result.data[node.out[0]], (size_t)d * ROWS * sizeof(*y));
	*out = y;
	y = NULL;
cleanup:
	skip_reference_free(&result);
	skip_graph_destroy(graph);
	skip_free(x);
	skip_free(y);
	return status;
}

/* The program round the numbers. */
static const char head[] =
	"#define CL_TARGET_OPENCL_VERSION 120\n#include <CL/cl.h>\n#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n";
static const char body[] =
	"static float next_number(uint32_t *state)\n{\n\t*state = *state * 1664525u + 1013904223u;\n\treturn (float)((double)(int32_t)*state / 2147483648.0);\n}\n\n"
	"static void need(cl_int code, const char *what)\n{\n\tif (code == CL_SUCCESS) return;\n\tfprintf(stderr, \"%s failed with code %d\\n\", what, (int)code);\n\texit(1);\n}\n\n"
	"/* The first device whose platform's name holds PLATFORM (default: that of an FPGA vendor). */\n"
	"static cl_device_id find_device(void)\n{\n\tcl_platform_id platform[16];\n\tcl_uint n = 0, devices = 0;\n\tcl_device_id device = NULL;\n"
	"\tconst char *wanted = getenv(\"PLATFORM\");\n\tif (clGetPlatformIDs(16, platform, &n) != CL_SUCCESS) n = 0;\n"
	"\tfor (cl_uint i = 0; i < n && i < 16; i++) {\n\t\tchar name[256] = \"\";\n\t\tclGetPlatformInfo(platform[i], CL_PLATFORM_NAME, sizeof(name), name, NULL);\n"
	"\t\tif (wanted ? !strstr(name, wanted) : !strstr(name, \"FPGA\") && !strstr(name, \"Xilinx\")) continue;\n"
	"\t\tif (clGetDeviceIDs(platform[i], CL_DEVICE_TYPE_ALL, 1, &device, &devices) != CL_SUCCESS || !devices) continue;\n"
	"\t\tprintf(\"platform %s\\n\", name);\n\t\treturn device;\n\t}\n\tfprintf(stderr, \"no such device\\n\");\n\texit(77);\n}\n\n"
	"int main(int argc, char **argv)\n{\n\tif (argc != 2) {\n\t\tfprintf(stderr, \"usage: hostcheck BINARY (or kernels.cl, for platforms that compile)\\n\");\n\t\treturn 2;\n\t}\n"
	"\tcl_device_id device = find_device();\n\tcl_int code = CL_SUCCESS, loaded = CL_SUCCESS;\n\tcl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);\n"
	"\tneed(code, \"clCreateContext\");\n\tcl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);\n\tneed(code, \"clCreateCommandQueue\");\n"
	"\tFILE *file = fopen(argv[1], \"rb\");\n\tif (!file || fseek(file, 0, SEEK_END)) {\n\t\tfprintf(stderr, \"cannot read %s\\n\", argv[1]);\n\t\treturn 1;\n\t}\n"
	"\tsize_t size = (size_t)ftell(file), length = strlen(argv[1]);\n\tunsigned char *bytes = malloc(size + 1);\n\trewind(file);\n"
	"\tif (!bytes || fread(bytes, 1, size, file) != size) return 1;\n\tfclose(file);\n\tbytes[size] = 0;\n"
	"\tconst char *text = (const char *)bytes;\n\tconst unsigned char *binary = bytes;\n"
	"\tint source = length > 3 && !strcmp(argv[1] + length - 3, \".cl\");\n"
	"\tcl_program program = source ? clCreateProgramWithSource(context, 1, &text, &size, &code)\n"
	"\t\t\t\t    : clCreateProgramWithBinary(context, 1, &device, &size, &binary, &loaded, &code);\n"
	"\tneed(code, \"loading the program\");\n\tneed(loaded, \"loading the binary\");\n\tneed(clBuildProgram(program, 1, &device, \"\", NULL, NULL), \"clBuildProgram\");\n"
	"\tcl_kernel kernel = clCreateKernel(program, KERNEL, &code);\n\tneed(code, \"clCreateKernel \" KERNEL);\n"
	"\tstatic float x[ROWS * D], gamma[D], beta[D], y[ROWS * D];\n\tuint32_t state = 1;\n\tfor (int i = 0; i < ROWS * D; i++) x[i] = next_number(&state);\n"
	"\tfor (int i = 0; i < D; i++) gamma[i] = next_number(&state);\n\tfor (int i = 0; i < D; i++) beta[i] = next_number(&state);\n"
	"\tstruct {\n\t\tfloat *data;\n\t\tsize_t bytes;\n\t} part[4] = {{x, sizeof(x)}, {gamma, sizeof(gamma)}, {beta, sizeof(beta)}, {y, sizeof(y)}};\n\tcl_mem buffer[4];\n"
	"\tfor (cl_uint i = 0; i < 4; i++) {\n\t\tbuffer[i] = clCreateBuffer(context, CL_MEM_READ_WRITE, part[i].bytes, NULL, &code);\n\t\tneed(code, \"clCreateBuffer\");\n"
	"\t\tneed(clSetKernelArg(kernel, i, sizeof(cl_mem), &buffer[i]), \"clSetKernelArg\");\n"
	"\t\tneed(clEnqueueWriteBuffer(queue, buffer[i], CL_TRUE, 0, part[i].bytes, part[i].data, 0, NULL, NULL), \"clEnqueueWriteBuffer\");\n\t}\n"
	"\tcl_int rows = ROWS;\n\tconst size_t one[3] = {1, 1, 1};\n\tneed(clSetKernelArg(kernel, 4, sizeof(rows), &rows), \"clSetKernelArg\");\n"
	"\tneed(clEnqueueNDRangeKernel(queue, kernel, 3, NULL, one, one, 0, NULL, NULL), \"clEnqueueNDRangeKernel\");\n"
	"\tneed(clEnqueueReadBuffer(queue, buffer[3], CL_TRUE, 0, sizeof(y), y, 0, NULL, NULL), \"clEnqueueReadBuffer\");\n"
	"\tdouble worst = 0;\n\tfor (int i = 0; i < ROWS * D; i++) worst = fmax(worst, fabs(y[i] - answer[i]));\n"
	"\tprintf(\"%s: largest difference %.3g of %d answers, allowed 1e-5\\n\", worst <= 1e-5 ? \"ok\" : \"WRONG\", worst, ROWS * D);\n\treturn worst <= 1e-5 ? 0 : 1;\n}\n";

enum skip_status skip_emit_hostcheck(const struct skip_graph *graph, const struct skip_plan *plan, const char *set, struct skip_buf *out,
				     struct skip_err *err)
{
	double *y = NULL;
	for (size_t l = 0; l < plan->n_launches; l++) {
		const struct skip_node *node = &graph->nodes[plan->launches[l].node];
		const int d = graph->values[node->out[0]].cols;
		if (strcmp(node->op->name, "layernorm")) continue;
		enum skip_status status = answers(node, d, &y, err);
		if (status != SKIP_OK) return status;
		skip_buf_printf(out, "/* Known answers of %s. cc -std=c11 hostcheck.c -lOpenCL -lm -o hostcheck; ./hostcheck FILE. Ends with 77 where there is no such device. */\n", set);
		skip_buf_puts(out, head);
		skip_buf_printf(out, "#define KERNEL \"%s\"\nenum { ROWS = %d, D = %d };\n\nstatic const double answer[ROWS * D] = {", plan->kernels[plan->launches[l].kernel].name, ROWS, d);
		for (int i = 0; i < ROWS * d; i++) skip_buf_printf(out, "%s%.9g,", i % 8 ? " " : "\n\t", y[i]);
		skip_buf_puts(out, "\n};\n\n");
		skip_buf_puts(out, body);
		skip_free(y);
		return SKIP_OK;
	}
	return skip_err_set(err, SKIP_ERR_UNSUPPORTED, "the network has no layer normalisation to check a board with");
}
