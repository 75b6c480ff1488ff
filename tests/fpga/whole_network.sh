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
gives 3 run head two.txt --device intel_fpga_emulator --bitstreams lib --dtype int8
says "check 'library' failed" 'differs in dtype'
file=$(ls lib/*/*/*-intel_fpga_emulator-*.emulated)
printf X | dd of="$file" bs=1 seek=5000 conv=notrunc 2>/dev/null
OCL_ICD_VENDORS=/nowhere gives 6 run head two.txt --device intel_fpga_emulator --bitstreams lib
says "check 'sha256' failed"
finish
