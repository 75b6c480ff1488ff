/* How many CPUs this process may use at once. */
#ifndef SKIP_BASE_CPUS_H
#define SKIP_BASE_CPUS_H

/*
 * Those it may run on, and no more than its control group has time for, rounded up; at least 1. `quota` is the group's file of Linux, "200000 100000" (microseconds of
 * every so many) or "max 100000"; NULL: /sys/fs/cgroup/cpu.max. A file that is not there, or says something else, limits nothing.
 */
int skip_cpus_allowed(const char *quota);

#endif
