/* Element types of tensors on disk and in memory. */
#ifndef SKIP_BASE_DTYPE_H
#define SKIP_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

enum skip_dtype { SKIP_F64, SKIP_F32, SKIP_F16, SKIP_BF16, SKIP_I64, SKIP_I32, SKIP_I8, SKIP_U8, SKIP_DTYPE_COUNT };

size_t skip_dtype_size(enum skip_dtype dtype);
const char *skip_dtype_name(enum skip_dtype dtype); /* the safetensors name: "F32" */
/* Converts n elements of a floating dtype; exact for every finite F16/BF16/F32 value. `in` may be unaligned. */
void skip_dtype_to_f32(enum skip_dtype dtype, const void *in, size_t n, float *out);
void skip_dtype_to_f64(enum skip_dtype dtype, const void *in, size_t n, double *out);

#endif
