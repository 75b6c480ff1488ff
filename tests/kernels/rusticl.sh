#!/bin/sh
# Runs the small tests of the bodies with work-groups on Mesa's rusticl, a second compiler and scheduler. It skips loop iterations of a work-item past
# 65,535 without a word, and is slow: small sizes only. Exit 77: it is not installed.
set -u
icd=/etc/OpenCL/vendors/rusticl.icd
[ -f "$icd" ] || exit 77
export OCL_ICD_VENDORS="$icd" RUSTICL_ENABLE=llvmpipe SKIP_DEVICE=rusticl SKIP_KERNEL_CACHE_DIR=off
"$SKIP_PROGRAM" devices 2>/dev/null | grep -q rusticl || exit 77
for family in linear attention layernorm; do
	# A filter that fits nothing is no failure to Criterion.
	found=$("$SKIP_TEST_BINARY/bin/test_kernels_$family" --filter '*/small_gpu*' -j1 2>&1) || { echo "$found"; exit 1; }
	echo "$found" | grep -q 'Tested: 1 ' || { echo "$family has no small test of the gpu form"; exit 1; }
done
