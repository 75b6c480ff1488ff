/* Affinity and control group: cpus.h. */
#include "base/cpus.h"
#include <limits.h>
#include <sched.h>
#include <stdio.h>

static int cpus_of_affinity(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	/* More CPUs than a set holds: the call fails, and nothing is known. */
	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : INT_MAX;
}

static int cpus_of_quota(const char *path)
{
	long long time = 0, period = 0;
	FILE *file = fopen(path, "r");
	if (!file) return INT_MAX;
	const int found = fscanf(file, "%lld %lld", &time, &period);
	fclose(file);
	if (found != 2 || time < 1 || period < 1 || time / period >= INT_MAX) return INT_MAX;
	return (int)((time + period - 1) / period);
}

int skip_cpus_allowed(const char *quota)
{
	const int affinity = cpus_of_affinity(), share = cpus_of_quota(quota ? quota : "/sys/fs/cgroup/cpu.max");
	return affinity < share ? affinity : share;
}
