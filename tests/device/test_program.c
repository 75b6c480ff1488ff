/* Programs and kernels: built through the cache and without, and how failures are told. */
#include "device/opencl/cl.h"
#include "open_device.h"
#include <string.h>
#include <unistd.h>

static char folder[256];

static void remove_folder(void)
{
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (folder[0]) cr_expect(system(command) == 0);
}

TestSuite(program, .fini = remove_folder);

static const char text[] =
    "__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void twice(__global float *x) { x[get_global_id(0)] *= 2.0f; }\n";

/* Builds through the cache, runs, stores; returns whether it was a hit. */
static bool build_and_run(struct skip_device *device, const char *source, const char *options, float factor)
{
	struct skip_err err;
	struct skip_cl *cl = skip_device_cl(device);
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct skip_cl_buffer *buffer = NULL;
	float x[3] = {1, 2, 3};
	CHECK_OK(skip_cl_program_build(cl, "twice", source, options, &program, &err));
	CHECK_OK(skip_cl_kernel_create(program, "twice", &kernel, &err));
	CHECK_OK(skip_cl_buffer_create(cl, sizeof(x), &buffer, &err));
	CHECK_OK(skip_cl_write(cl, buffer, 0, x, sizeof(x), &err));
	CHECK_OK(skip_cl_set_buffer(kernel, 0, buffer, &err));
	CHECK_OK(skip_cl_enqueue(cl, kernel, (const size_t[]){3, 1, 1}, (const size_t[]){1, 1, 1}, &err));
	CHECK_OK(skip_cl_read(cl, buffer, 0, x, sizeof(x), &err));
	for (int i = 0; i < 3; i++) cr_expect(x[i] == factor * (float)(i + 1), "%g", x[i]);
	bool hit = skip_cl_program_was_cached(program);
	skip_cl_program_store(cl, program);
	skip_cl_buffer_destroy(buffer);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	return hit;
}

Test(program, programs_hit_only_with_the_same_text_and_options)
{
	snprintf(folder, sizeof(folder), "%s/program-test-XXXXXX", getenv("SKIP_TEST_BINARY") ? getenv("SKIP_TEST_BINARY") : "/tmp");
	cr_assert(mkdtemp(folder) != NULL);
	setenv("SKIP_KERNEL_CACHE_DIR", folder, 1);
	struct test_device device = open_device(NULL);
	char thrice[256];
	snprintf(thrice, sizeof(thrice), "%s", text);
	*strstr(thrice, "2.0f") = '3';
	cr_expect(build_and_run(device.device, text, "", 2) == false);
	cr_expect(build_and_run(device.device, text, "", 2));
	cr_expect(build_and_run(device.device, text, "-DUNUSED", 2) == false);
	cr_expect(build_and_run(device.device, thrice, "", 3) == false);
	cr_expect(build_and_run(device.device, thrice, "", 3));
	cr_expect(build_and_run(device.device, text, "-DUNUSED", 2));
	close_device(&device);
}

Test(program, off_never_hits)
{
	setenv("SKIP_KERNEL_CACHE_DIR", "off", 1);
	struct test_device device = open_device(NULL);
	cr_expect(build_and_run(device.device, text, "", 2) == false);
	cr_expect(build_and_run(device.device, text, "", 2) == false);
	close_device(&device);
}

Test(program, a_build_failure_says_where)
{
	struct skip_err err;
	struct skip_cl_program *program = NULL;
	struct test_device device = open_device(NULL);
	CHECK_FAILS(skip_cl_program_build(skip_device_cl(device.device), "broken", "__kernel void k(__global float *x) { x[0] = nowhere; }",
					  "", &program, &err),
		    SKIP_ERR_DEVICE);
	cr_expect(err.cl_code == -11, "%d", err.cl_code);
	cr_expect(strstr(err.message, "program broken does not build: CL_BUILD_PROGRAM_FAILURE (-11)") == err.message, "%s", err.message);
	cr_expect(strstr(err.message, "nowhere") != NULL, "%s", err.message);
	cr_expect(program == NULL);
	close_device(&device);
}

Test(program, failures_carry_the_code)
{
	struct skip_err err;
	struct skip_cl_program *program = NULL;
	struct skip_cl_kernel *kernel = NULL;
	struct test_device device = open_device(NULL);
	struct skip_cl *cl = skip_device_cl(device.device);
	CHECK_OK(skip_cl_program_build(cl, "twice", text, "", &program, &err));
	CHECK_FAILS(skip_cl_kernel_create(program, "thrice", &kernel, &err), SKIP_ERR_DEVICE);
	cr_expect(err.cl_code == -46 && strstr(err.message, "CL_INVALID_KERNEL_NAME") && strstr(err.message, "thrice"), "%s", err.message);
	CHECK_OK(skip_cl_kernel_create(program, "twice", &kernel, &err));
	cr_expect(skip_cl_kernel_args(kernel) == 1);
	struct skip_cl_buffer *buffer = NULL;
	CHECK_OK(skip_cl_buffer_create(cl, 64, &buffer, &err));
	CHECK_OK(skip_cl_set_buffer(kernel, 0, buffer, &err));
	/* Another work-group than the kernel was compiled for. */
	CHECK_FAILS(skip_cl_enqueue(cl, kernel, (const size_t[]){4, 1, 1}, (const size_t[]){2, 1, 1}, &err), SKIP_ERR_DEVICE);
	cr_expect(err.cl_code == -54 && strstr(err.message, "CL_INVALID_WORK_GROUP_SIZE"), "%s", err.message);
	skip_cl_buffer_destroy(buffer);
	skip_cl_kernel_destroy(kernel);
	skip_cl_program_destroy(program);
	close_device(&device);
}

/* Several programs with a compiler beside: each must give its own answer whatever that compiler is. */
static void build_several(const char *compiler)
{
	enum { N = 5 };
	struct skip_err err;
	struct test_device device = open_device(NULL);
	struct skip_cl *cl = skip_device_cl(device.device);
	struct skip_cl_program *program[N] = {NULL};
	struct skip_cl_source source[N];
	char texts[N][256];
	CHECK_OK(skip_device_compile_beside(device.device, compiler, &err));
	for (int i = 0; i < N; i++) {
		snprintf(texts[i], sizeof(texts[i]), "__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void k(__global float *x) { x[0] += %d.0f; }\n", i + 1);
		source[i] = (struct skip_cl_source){"k", texts[i]};
	}
	CHECK_OK(skip_cl_programs_build(cl, source, N, "", program, &err));
	for (int i = 0; i < N; i++) {
		struct skip_cl_kernel *kernel = NULL;
		struct skip_cl_buffer *buffer = NULL;
		float x = 0.5f;
		CHECK_OK(skip_cl_kernel_create(program[i], "k", &kernel, &err));
		CHECK_OK(skip_cl_buffer_create(cl, sizeof(x), &buffer, &err));
		CHECK_OK(skip_cl_write(cl, buffer, 0, &x, sizeof(x), &err));
		CHECK_OK(skip_cl_set_buffer(kernel, 0, buffer, &err));
		CHECK_OK(skip_cl_enqueue(cl, kernel, (const size_t[]){1, 1, 1}, (const size_t[]){1, 1, 1}, &err));
		CHECK_OK(skip_cl_read(cl, buffer, 0, &x, sizeof(x), &err));
		cr_expect(x == 0.5f + (float)(i + 1), "%s, program %d: %g", compiler, i, x);
		skip_cl_buffer_destroy(buffer);
		skip_cl_kernel_destroy(kernel);
		skip_cl_program_destroy(program[i]);
	}
	close_device(&device);
}

Test(program, a_compiler_beside_delivers)
{
	setenv("SKIP_KERNEL_CACHE_DIR", "off", 1);
	build_several(getenv("SKIP_PROGRAM"));
}

Test(program, what_a_compiler_beside_does_not_deliver_is_built_here)
{
	setenv("SKIP_KERNEL_CACHE_DIR", "off", 1);
	build_several("/bin/false");
	build_several("/bin/echo"); /* an answer that is no program */
	build_several("/nowhere");
}

Test(program, a_text_that_does_not_build_fails_beside_as_alone)
{
	struct skip_err err;
	struct test_device device = open_device(NULL);
	struct skip_cl_program *program[3] = {NULL};
	const struct skip_cl_source source[3] = {{"a", text}, {"b", text}, {"broken", "__kernel void k(__global float *x) { x[0] = nowhere; }"}};
	setenv("SKIP_KERNEL_CACHE_DIR", "off", 1);
	CHECK_OK(skip_device_compile_beside(device.device, getenv("SKIP_PROGRAM"), &err));
	CHECK_FAILS(skip_cl_programs_build(skip_device_cl(device.device), source, 3, "", program, &err), SKIP_ERR_DEVICE);
	cr_expect(strstr(err.message, "program broken does not build") != NULL, "%s", err.message);
	for (int i = 0; i < 3; i++) skip_cl_program_destroy(program[i]);
	close_device(&device);
}

Test(program, the_built_form_is_of_one_text_and_device)
{
	struct skip_err err;
	struct skip_buf built;
	struct test_device device = open_device(NULL);
	skip_buf_init(&built);
	CHECK_OK(skip_device_compile(device.device, text, "", &built, &err));
	cr_expect(built.length > 144, "%zu bytes", built.length);
	CHECK_FAILS(skip_device_compile(device.device, "__kernel void k( {", "", &built, &err), SKIP_ERR_DEVICE);
	skip_buf_deinit(&built);
	close_device(&device);
}
