/* Opens every program: the meaning of float arithmetic, the target, and the few macros the bodies are written with (kernels/NAMING.md). */
#pragma OPENCL FP_CONTRACT OFF

#if defined(INTEL_FPGA) && defined(XILINX_FPGA)
#error "INTEL_FPGA and XILINX_FPGA exclude each other"
#endif
#if (defined(INTELFPGA_CL) && !defined(INTEL_FPGA)) || (defined(__xilinx__) && !defined(XILINX_FPGA))
#error "compile with the generated build command: the target macro is missing"
#endif

#define SKIP_PASTE_(a, b) a##b
#define SKIP_PASTE(a, b) SKIP_PASTE_(a, b)
#define SKIP_JOIN_(a, b) a##_##b
#define SKIP_JOIN(a, b) SKIP_JOIN_(a, b)
#define SKIP_REQUIRE(what, condition) typedef char skip_require_##what[(condition) ? 1 : -1]
#define SKIP_PRAGMA(text) _Pragma(#text)
#define SKIP_UNROLL(n) SKIP_PRAGMA(unroll n)
/* Asks for the cache line at a __global pointer ahead of its use, into the second-level cache or, NEAR, the first. PoCL's prefetch() does nothing. */
#ifdef __x86_64__
#define SKIP_PREFETCH_NEAR(p) __asm__ volatile("prefetcht0 %0" : : "m"(*(p)))
#define SKIP_PREFETCH(p) __asm__ volatile("prefetcht1 %0" : : "m"(*(p)))
#else
#define SKIP_PREFETCH_NEAR(p) prefetch(p, 1)
#define SKIP_PREFETCH(p) prefetch(p, 1)
#endif

#ifndef __cplusplus /* the FPGA bodies, which C++ compiles too, have no vectors */
/*
 * Vector i of n numbers behind p, which may stand at any place: SKIP_AT(__global const, float, 16, 0, x + 3). PoCL's vloadn and vstoren are chains of
 * loads of two numbers and shuffles, which take longer to compile than most of what stands around them.
 */
#define SKIP_AT(space, type, n, i, p) ((space SKIP_PASTE(skip_##type, n) *)(p))[i]
typedef float2 skip_float2 __attribute__((aligned(4)));
typedef float4 skip_float4 __attribute__((aligned(4)));
typedef float8 skip_float8 __attribute__((aligned(4)));
typedef float16 skip_float16 __attribute__((aligned(4)));
typedef uint2 skip_uint2 __attribute__((aligned(4)));
typedef uint4 skip_uint4 __attribute__((aligned(4)));
typedef uint8 skip_uint8 __attribute__((aligned(4)));
typedef uint16 skip_uint16 __attribute__((aligned(4)));
/*
 * What opens a `cpu` kernel, SKIP_KERNEL(group) void NAME(SKIP_ITEM args), and its place: SKIP_ID(d) of SKIP_IDS(d) work-items. In a program with teams (team.cl) it is
 * a function, and the place its first arguments.
 */
#ifdef SKIP_TEAM
#define SKIP_KERNEL(...) static
#define SKIP_ITEM const uint skip_id_0, const uint skip_id_1, const uint skip_ids_0,
#define SKIP_ID(d) skip_id_##d
#define SKIP_IDS(d) skip_ids_##d
#else
#define SKIP_KERNEL(...) __kernel __attribute__((reqd_work_group_size(__VA_ARGS__)))
#define SKIP_ITEM
#define SKIP_ID(d) (uint)get_global_id(d)
#define SKIP_IDS(d) (uint)get_global_size(d)
#endif
/* Of helpers longer than a few lines. PoCL compiles a kernel with what is inlined in three copies, for itself and for two launchers; a function apart, once. */
#define SKIP_APART static __attribute__((noinline))
#endif
