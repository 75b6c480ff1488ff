# The folder skip emit writes: twice the same bytes, nothing of this machine in it, what does not fit is refused with what would; its host check gives the known
# answers on PoCL and on Intel's FPGA emulation platform; its C++ text compiles with g++; its script says what is missing.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"
make_toy head classes=3

for board in p520n u280; do
	gives 0 emit head --board $board --fit -o $board --json
	has_keys "$log/out" folder name files kernels manifest_hash
	gives 0 emit head --board $board --fit -o again
	check "$board: same bytes" diff -r $board again
	check "$board: no path of this machine" sh -c "! grep -rq '$work\|/home/\|/root' $board"
	check "$board: dimensions are literals" grep -q '#define SKIP_FFN_D 24' $board/kernels.cl
	check "$board: the script knows how it is called" sh -c "sh $board/build_$board.sh; test \$? -eq 2"
	check "$board: its steps are targets" sh -c "cmake -S $board -B $board-build >/dev/null && cmake --build $board-build --target help | grep -q bitstream"
	check "$board: and run the script" sh -c "PATH=/usr/bin:/bin cmake --build $board-build --target report 2>&1 | grep -q 'is not in PATH'"
	check "$board: the script says which tool is missing" sh -c "PATH=/usr/bin:/bin sh $board/build_$board.sh report; test \$? -eq 77"
done
gives 0 emit head --board u280 --dtype int8 --fit -o int8
check "another type, another hash" sh -c '! cmp -s u280/manifest.json int8/manifest.json'
check "every pointer has a bank" test "$(grep -c '^sp=' u280/link.cfg)" -gt 30
check "rows are found in one place" sh -c "! grep -E '^sp=.*\.(x|y|ctx):' u280/link.cfg | grep -qv 'HBM\[0:15\]$'"

fails 5 'even the smallest' emit head --board kv260 -o none
fails 5 'outputs and tiles of [0-9]+ rows would: --fit' emit head --board u280 -o none
fails 2 'no FPGA board' emit head --board pocl-generic -o none
fails 2 'DIR is missing' emit head --board u280
fails 3 'not bf16' emit head --board u280 --dtype bf16 -o none

# Known answers. The u280 folder is for a target macro that no platform here sets, so it runs as ordinary kernels.
check "hostcheck.c compiles without a warning" cc -std=c11 -Wall -Wextra -Werror -o hostcheck u280/hostcheck.c -lOpenCL -lm
for platform in Portable 'FPGA Emulation'; do
	check "known answers on $platform" sh -c "PLATFORM='$platform' ./hostcheck u280/kernels.cl | grep '^ok'"
done
check "77 without the device" sh -c 'PLATFORM=Nothing ./hostcheck u280/kernels.cl; test $? -eq 77'
check "the C++ text compiles" g++ -std=c++17 -Wall -Werror -Wno-unknown-pragmas -Wno-unused-local-typedefs -ffp-contract=off -I "$SKIP_TEST_SOURCE/tests/kernels/hls" -c -o twin.o int8/kernels.cpp
check "its ffn is a dataflow of streams" sh -c 'grep -q "SKIP_PRAGMA(HLS DATAFLOW)" int8/kernels.cpp && grep -q "^#include <hls_stream.h>" int8/kernels.cpp'
finish
