/*
 * What the host's processor can do, by CPUID and XCR0.
 *
 * Device names and compiler macros do not tell (PoCL 3.1 calls a CPU with VNNI `skylake-avx512` and does not define __AVX512VNNI__), so
 * profiles of local CPU devices ask here.
 *
 * The tiles of AMX are more state than a thread is given unasked: Linux wants to be asked once per process, and kills one that uses them without. A feature
 * is there when its state is granted, so whoever matches a profile has the permission before anything of that profile runs.
 */
#include "device/profile/profile.h"
#include <string.h>

enum reg { EAX, EBX, ECX, EDX };

static const struct feature {
	const char *name;
	unsigned leaf, subleaf;
	enum reg reg;
	unsigned bit;
	unsigned state; /* bits of XCR0 the operating system must have switched on */
} features[] = {
    {"sse4_1", 1, 0, ECX, 19, 0},        {"avx", 1, 0, ECX, 28, 0x6},         {"fma", 1, 0, ECX, 12, 0x6},
    {"avx2", 7, 0, EBX, 5, 0x6},         {"avxvnni", 7, 1, EAX, 4, 0x6},      {"avx512f", 7, 0, EBX, 16, 0xe6},
    {"avx512vnni", 7, 0, ECX, 11, 0xe6}, {"avx512_bf16", 7, 1, EAX, 5, 0xe6},
    {"amx_bf16", 7, 0, EDX, 22, 0x60000}, {"amx_tile", 7, 0, EDX, 24, 0x60000}, {"amx_int8", 7, 0, EDX, 25, 0x60000},
};

static const struct feature *find(const char *name)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (strcmp(features[i].name, name) == 0) return &features[i];
	}
	return NULL;
}

bool skip_cpu_knows(const char *feature)
{
	return find(feature) != NULL;
}

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define TILE_DATA 18 /* its bit of XCR0 */

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#define REQUEST_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM; asking again changes nothing */
static bool tiles_permitted(void) { return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0; }
#else
static bool tiles_permitted(void) { return false; } /* nobody to ask */
#endif

static unsigned enabled_state(void)
{
	unsigned reg[4] = {0};
	if (!__get_cpuid(1, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX]) || !(reg[ECX] & bit_OSXSAVE)) return 0;
	unsigned low = 0, high = 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

bool skip_cpu_has(const char *feature)
{
	const struct feature *f = find(feature);
	unsigned reg[4] = {0};
	if (!f || !__get_cpuid_count(f->leaf, f->subleaf, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX])) return false;
	if (!(reg[f->reg] >> f->bit & 1u) || (enabled_state() & f->state) != f->state) return false;
	return !(f->state >> TILE_DATA & 1u) || tiles_permitted();
}
#else
bool skip_cpu_has(const char *feature)
{
	(void)feature;
	return false;
}
#endif
