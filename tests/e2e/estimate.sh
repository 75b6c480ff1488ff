# skip estimate: the keys, every board in one table, what is unverified is said, exit codes, the clock that is given.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"
make_toy head classes=3
make_toy toy

gives 0 estimate head --board u280 --fit --json
has_keys "$log/out" board dtype batch length fits resources used available share clock_mhz clock_range_mhz latency_us latency_range_us bound status tier macs gops form rows \
	outputs crossings kernels name nodes lanes cycles bytes inputs field value
check "a formula, from unverified numbers among others" grep -q '"status":"unverified","tier":"formula"' "$log/out"
gives 0 estimate head --board u280 --fit
check "what is unverified is named" grep -q '/fpga/cost/lut_per_port 3000 (unverified)' "$log/out"
check "and the board was not there" grep -q 'estimated by formula, never run' "$log/out"
gives 0 estimate head --board u250 --fit --clock 200 --json
check "a given clock has no range" grep -q '"clock_mhz":200.0,"clock_range_mhz":\[200.0,200.0\]' "$log/out"
gives 0 estimate head --all --fit
check "a row for every board" test "$(grep -cE ' (yes|no) .*verified$' "$log/out")" -eq "$(grep -l '"total"' "$SKIP_TEST_SOURCE"/boards/*.json | wc -l)"
gives 0 estimate head --all --json
has_keys "$log/out" boards why
gives 0 estimate toy --board u250 --dtype int8 --length 7 --batch 3 --classes 1
gives 5 estimate head --board kv260
says 'does not fit kv260: .* lut needed'
fails 2 'name a board with --board ID, or take --all' estimate head
fails 2 'name a board with --board ID, or take --all' estimate head --all --board u280
fails 2 "no FPGA board .fpga-amd." estimate head --board fpga-amd
fails 2 'the model takes at most' estimate head --board u280 --length 60000
fails 3 'not bf16' estimate head --board u280 --dtype bf16
finish
