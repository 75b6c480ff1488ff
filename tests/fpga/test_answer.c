/* Known answers of programs of a library on Intel's FPGA emulation platform: engines as one kernel, and as kernels joined by channels. Emulated, no board. */
#include "../device/answer_scene.h"

struct route {
	char profile[40];
	size_t row; /* of `spoilt` */
};

/* What PoCL does not run: the emulated device's binaries, and stages on queues of their own. */
ParameterizedTestParameters(answer, of_another_text_is_refused)
{
	static struct route routes[] = {{"intel_fpga_emulator", 0}, {"intel_fpga_emulator", 4}, {"intel_fpga_emulator_channels", 2}, {"intel_fpga_emulator_channels", 5}};
	return cr_make_param_array(struct route, routes, sizeof(routes) / sizeof(routes[0]));
}
ParameterizedTest(struct route *route, answer, of_another_text_is_refused)
{
	struct test_device device = open_device(route->profile);
	check_answer(device.device, &spoilt[route->row]);
	close_device(&device);
}

ParameterizedTestParameters(answer, of_the_right_text_is_given)
{
	static struct route routes[] = {{"intel_fpga_emulator", SKIP_PRECISION_F32}, {"intel_fpga_emulator_channels", SKIP_PRECISION_INT8}};
	return cr_make_param_array(struct route, routes, 2);
}
ParameterizedTest(struct route *route, answer, of_the_right_text_is_given)
{
	struct test_device device = open_device(route->profile);
	check_answer(device.device, &(struct spoilt){.precision = (int)route->row});
	close_device(&device);
}
