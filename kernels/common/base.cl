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
/* Asks for the cache line at a __global pointer ahead of its use. PoCL's prefetch() does nothing. */
#ifdef __x86_64__
#define SKIP_PREFETCH(p) __asm__ volatile("prefetcht1 %0" : : "m"(*(p)))
#else
#define SKIP_PREFETCH(p) prefetch(p, 1)
#endif
