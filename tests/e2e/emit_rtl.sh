# skip emit for a board built from SystemVerilog: twice the same bytes, nothing of this machine, the host's ops are named, and what has no engine is refused.
# That the engine computes what the OpenCL body does is rtl.engine.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"
make_toy head classes=3

gives 0 emit head --board ecp5_85 --dtype int8 -o ecp5 --json
has_keys "$log/out" folder name files kernels manifest_hash
gives 0 emit head --board ecp5_85 --dtype int8 -o again
check "same bytes" diff -r ecp5 again
check "no path of this machine" sh -c "! grep -rq '$work\|/home/\|/root' ecp5"
check "dimensions are literals" grep -q '^.define SKIP_FFN_D 24$' ecp5/engine.sv
has_keys ecp5/manifest.json kind host constants kernels toolchains
check "the kind" grep -q '"kind": "rtl"' ecp5/manifest.json
check "attention stays with the host" grep -q '"attention": 2' ecp5/manifest.json
check "the script knows how it is called" sh -c 'sh ecp5/build_ecp5_85.sh; test $? -eq 2'
check "its steps are targets" sh -c 'cmake -S ecp5 -B ecp5-build >/dev/null && YOSYS=no-such-yosys cmake --build ecp5-build --target report 2>&1 | grep -q no-such-yosys'
check "the script says which tool is missing" sh -c 'YOSYS=no-such-yosys sh ecp5/build_ecp5_85.sh report; test $? -eq 77'

gives 0 estimate head --board ecp5_85 --dtype int8
check "and so does the estimate" grep -q '17 nodes have no engine here' "$log/out"

fails 3 'int8: --dtype int8' emit head --board ecp5_85 -o none
fails 3 'is built from RTL' bitstream command library head --board ecp5_85 --dtype int8
make_toy tanh classes=3 act=gelu_new
fails 3 'has relu and gelu, not gelu_tanh' emit tanh --board ecp5_85 --dtype int8 -o none
finish
