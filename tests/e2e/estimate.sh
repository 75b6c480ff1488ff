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
# Reports of tools, in the form that is emitted.
gives 0 emit head --board u280 --fit -o u280 --json
kernel=$(grep -o '"linear_[a-z0-9_]*"' "$log/out" | head -n 1 | tr -d '"')
sed "s/KERNEL/$kernel/" >csynth.xml <<END
<profile><ReportVersion><Version>2022.2</Version></ReportVersion><UserAssignments><Part>xcu280-fsvh2892-2L-e</Part><TopModelName>KERNEL</TopModelName></UserAssignments>
<AreaEstimates><Resources><BRAM_18K>6</BRAM_18K><DSP>64</DSP><FF>7</FF><LUT>9000</LUT><URAM>0</URAM></Resources></AreaEstimates></profile>
END
gives 0 estimate head --board u280 --fit --report csynth.xml --json
has_keys "$log/out" tier clock_tier calibrated calibration family resource formula reported factor
check "one engine is reported" test "$(grep -o '"tier":"report","calibrated":false' "$log/out" | wc -l)" -eq 1
check "its family is corrected" grep -q '"tier":"formula","calibrated":true' "$log/out"
gives 0 estimate head --board u280 --fit --report csynth.xml
check "the factor is printed" grep -q 'calibration linear .* by formula, .* report, factor' "$log/out"
loops='<PerformanceEstimates><SummaryOfLoopLatency><L1><IterationLatency>70000</IterationLatency><L2><PipelineII>2</PipelineII></L2></L1></SummaryOfLoopLatency></PerformanceEstimates>'
sed "s#<AreaEstimates>#$loops&#" csynth.xml >loops.xml
gives 0 estimate head --board u280 --fit --report loops.xml --json
has_keys "$log/out" cycles_tier cycles_calibrated cycles_formula ii worst loop
check "the compiler's cycles of one engine" test "$(grep -o '"cycles_tier":"report"' "$log/out" | wc -l)" -eq 1
gives 0 estimate head --board u280 --fit --report loops.xml
check "their factor is printed" grep -q 'linear     cycles .* by formula, .* report, factor' "$log/out"
check "and the loop that waits" grep -q '^interval    linear_.*: loop L2 starts a round in 2 cycles' "$log/out"
printf '| Name | LUT | REG | BRAM | URAM | DSP |\n|    Used Resources | 50,000 [5 %%] | 1 | 40 | 0 | 400 |\n' >util.rpt
gives 0 estimate head --board u280 --fit --report csynth.xml,util.rpt --json
check "routed counts come last" grep -q '"lut":{"used":\(50000.0\|49999.9\).*"tier":"routed"' "$log/out"
fails 2 'without --all' estimate head --all --report util.rpt
fails 2 'wants FILE' estimate head --board u280 --fit --report ,util.rpt
fails 3 'none.rpt: cannot open' estimate head --board u280 --fit --report none.rpt
fails 3 'counts lut, board p520n has alm' estimate head --board p520n --fit --report util.rpt
fails 3 "speaks of kernel $kernel, which is none" estimate head --board u280 --fit --dtype int8 --report csynth.xml
echo '<profile>' >cut.xml
fails 3 'cut.xml:2: not XML' estimate head --board u280 --fit --report cut.xml

fails 2 'name a board with --board ID, or take --all' estimate head
fails 2 'name a board with --board ID, or take --all' estimate head --all --board u280
fails 2 "no FPGA board .fpga-amd." estimate head --board fpga-amd
fails 2 'the model takes at most' estimate head --board u280 --length 60000
fails 3 'not bf16' estimate head --board u280 --dtype bf16
finish
