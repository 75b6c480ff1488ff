/* Known answers of programs of a library on Intel's FPGA emulation platform: engines as one kernel, and as kernels joined by channels. Emulated, no board. */
#include "../device/answer_scene.h"

static const char *const profiles_here[] = {"intel_fpga_emulator", "intel_fpga_emulator_channels"};
enum { SPOILT = sizeof(spoilt) / sizeof(spoilt[0]) };

ParameterizedTestParameters(answer, of_another_text_is_refused) { return check_rows(2 * SPOILT); }
ParameterizedTest(size_t *row, answer, of_another_text_is_refused)
{
	struct test_device device = open_device(profiles_here[*row / SPOILT]);
	check_answer(device.device, &spoilt[*row % SPOILT]);
	close_device(&device);
}

ParameterizedTestParameters(answer, of_the_right_text_is_given) { return check_rows(4); }
ParameterizedTest(size_t *row, answer, of_the_right_text_is_given)
{
	struct test_device device = open_device(profiles_here[*row / 2]);
	check_answer(device.device, &(struct spoilt){.precision = *row % 2 ? SKIP_PRECISION_INT8 : SKIP_PRECISION_F32});
	close_device(&device);
}
