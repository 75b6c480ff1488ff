# A whole classifier on Intel's FPGA emulation platform: the labels are PoCL's; a second process runs the binary that the first one stored; engines as kernels
# joined by channels give the logits of engines as one kernel, to the last digit. Emulated, not a board.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"
SKIP_KERNEL_CACHE_DIR=$work/cache
export SKIP_KERNEL_CACHE_DIR

make_toy head classes=3
task 3 61 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
sed 1d data.tsv | cut -f1 >data.txt
head -n 2 data.txt >two.txt

gives 0 run head data.txt --device "Portable Computing"
cut -f1 "$log/out" >wanted
check "61 rows" test "$(wc -l <wanted)" -eq 61
rm -rf cache
gives 0 eval head --data data.tsv --device intel_fpga_emulator
check "a binary is stored" test "$(ls cache | wc -l)" -eq 1
sum=$(cat cache/* | cksum)
gives 0 run head data.txt --device intel_fpga_emulator --logits
cut -f1 "$log/out" >labels
check "61 labels, those of PoCL, by the stored binary" cmp wanted labels
check "no other is stored" test "$(ls cache | wc -l) $(cat cache/* | cksum)" = "1 $sum"

gives 0 run head two.txt --device intel_fpga_emulator --logits
cp "$log/out" fallback
gives 0 run head two.txt --device intel_fpga_emulator_channels --logits
check "channels give the same logits" cmp fallback "$log/out"
gives 0 run head two.txt --device intel_fpga_emulator --logits --dtype int8
cp "$log/out" fallback
gives 0 run head two.txt --device intel_fpga_emulator_channels --logits --dtype int8
check "in int8 too" cmp fallback "$log/out"
# The same text on PoCL: every logit to its last digit, so every sum of int8 products behind it.
for dtype in f32 int8; do
	gives 0 run head data.txt --device intel_fpga_emulator --logits --dtype $dtype
	cp "$log/out" emulated
	gives 0 run head data.txt --device pocl_fpga --logits --dtype $dtype
	check "61 rows of logits in $dtype, those of PoCL with the text of boards" cmp emulated "$log/out"
done
gives 3 run head two.txt --device intel_fpga_emulator --dtype bf16

# From a library: the emulated program is stored with its manifest, checked, and run in a process of its own; nothing else is called by its name.
gives 0 bitstream build lib head --device intel_fpga_emulator
check "it is called emulated" grep -q '(emulated)$' "$log/out"
gives 0 bitstream build lib head --device intel_fpga_emulator_channels
gives 0 bitstream verify lib
check "both are whole" test "$(grep -c ' ok$' "$log/out")" -eq 2
gives 0 run head data.txt --device intel_fpga_emulator --bitstreams lib
cut -f1 "$log/out" >labels
check "61 labels, those of PoCL, by the library's program" cmp wanted labels
gives 0 run head two.txt --device intel_fpga_emulator --logits
cp "$log/out" fallback
gives 0 run head two.txt --device intel_fpga_emulator_channels --logits --bitstreams lib
check "and the same logits" cmp fallback "$log/out"
says '^program .*-intel_fpga_emulator_channels-f32-[0-9a-f]{12}: each of its [0-9]+ kernels on 5 tokens against float64, [0-9]+ numbers, at most 0\.[0-9]+ of'
gives 3 run head two.txt --device intel_fpga_emulator --bitstreams lib --dtype int8
says "check 'library' failed" 'differs in dtype'

# Layers of two widths, in the one shape their program was built for: run, eval and bench find it by what the entry says.
gives 0 prune head --data data.tsv --dev data.tsv --rate 0.3 --criterion magnitude --compensate none --quiet -o small.skip --device "Portable Computing"
gives 0 run small.skip data.txt --device "Portable Computing" --logits
cp "$log/out" wanted
for device in intel_fpga_emulator intel_fpga_emulator_channels; do
	gives 0 bitstream build one small.skip --device $device --classes 1
done
check "the entries say so" test "$(grep -l '"classes": 1' one/*/*/*.json | wc -l)" -eq 2
gives 0 run small.skip data.txt --device intel_fpga_emulator --logits --bitstreams one
says '^program .*-intel_fpga_emulator-f32-[0-9a-f]{12}, layers of 1 shape: each of its [0-9]+ kernels on 5 tokens against float64, [0-9]+ numbers'
check "the answers of the network as it was" near wanted "$log/out" 1e-4
head -n 2 "$log/out" >fallback
gives 0 run small.skip two.txt --device intel_fpga_emulator_channels --logits --bitstreams one
check "by channels too, to the last digit" cmp fallback "$log/out"
gives 0 eval small.skip --data data.tsv --device intel_fpga_emulator --bitstreams one
says '^program .*layers of 1 shape'
gives 0 bench small.skip --batch 1 --length 16 --seconds 0.01 --device intel_fpga_emulator --bitstreams one --json
says '^program .*layers of 1 shape'
check "without peaks" grep -q '"peak_gflops":0.0,"rows":' "$log/out"
gives 3 bench small.skip --against head --batch 1 --length 16 --seconds 0.01 --device intel_fpga_emulator --bitstreams one
says "check 'library' failed" 'make it     skip bitstream build one head --device intel_fpga_emulator'
gives 0 bitstream build one small.skip --device intel_fpga_emulator
gives 0 run small.skip two.txt --device intel_fpga_emulator --bitstreams one
check "the network as it is goes first" sh -c "! grep -q 'layers of' '$log/err' && grep -q '^program ' '$log/err'"

file=$(ls lib/*/*/*-intel_fpga_emulator-*.emulated)
printf X | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null
OCL_ICD_VENDORS=/nowhere gives 6 run head two.txt --device intel_fpga_emulator --bitstreams lib
says "check 'sha256' failed"
finish
