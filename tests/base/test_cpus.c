/* CPUs of the affinity and of a control group's file. */
#include "base/cpus.h"
#include "toy_bert.h"
#include <limits.h>
#include <sched.h>

struct quota {
	char text[48];
	int cpus; /* INT_MAX: no limit */
};

ParameterizedTestParameters(cpus, quota)
{
	static struct quota all[] = {{"max 100000\n", INT_MAX}, {"100000 100000\n", 1}, {"50000 100000\n", 1}, {"", INT_MAX}, {"0 100000", INT_MAX}, {"100000", INT_MAX},
				     {"-1 100000", INT_MAX},	{"9223372036854775807 1", INT_MAX}, {"rubbish", INT_MAX}};
	return cr_make_param_array(struct quota, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct quota *quota, cpus, quota)
{
	char folder[512];
	const int free = skip_cpus_allowed("/nowhere/cpu.max");
	cr_assert_geq(free, 1);
	toy_folder(folder);
	toy_write_file(folder, "cpu.max", quota->text, strlen(quota->text));
	cr_assert_eq(skip_cpus_allowed(toy_path(folder, "cpu.max")), quota->cpus < free ? quota->cpus : free, "'%s'", quota->text);
	toy_folder_remove(folder);
}

Test(cpus, affinity)
{
	cpu_set_t one;
	const int cpu = sched_getcpu();
	cr_assert_geq(cpu, 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	cr_assert_eq(skip_cpus_allowed("/nowhere/cpu.max"), 1);
}
