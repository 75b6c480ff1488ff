# Programs compiled beside: the same answers with any number of compilers, and the verb that compiles.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy head classes=3
printf 'the dog and a cat\na cat\n' >lines.txt
SKIP_KERNEL_CACHE_DIR=off
POCL_CACHE_DIR=$work/pocl
export SKIP_KERNEL_CACHE_DIR POCL_CACHE_DIR
task 3 40 >train.tsv

# Steps of tuning are more kernels than one program holds.
for compilers in 0 9; do
	rm -rf "$POCL_CACHE_DIR" dense.skip
	SKIP_COMPILERS=$compilers
	export SKIP_COMPILERS
	gives 0 tune head --train train.tsv --dev train.tsv --epochs 1 --seed 1 -o dense.skip
	gives 0 run dense.skip lines.txt --logits
	cp "$log/out" "answers.$compilers"
done
check "compilers beside give the same model" cmp -s answers.0 answers.9

echo '__kernel void k(__global float *x) { x[0] = 1.0f; }' >good.cl
echo '__kernel void k(__global float *x) { x[0] = nowhere; }' >bad.cl
skip compile auto --options -cl-std=CL1.2 <good.cl >good.clb 2>"$log/err"
check "a text is compiled" test "$(head -c 8 good.clb)" = SKIPCLB1
skip compile auto <bad.cl >bad.clb 2>"$log/err"
check "a text that does not build is an error" test $? -ne 0 -a ! -s bad.clb
says 'does not build'
skip compile nowhere <good.cl >bad.clb 2>"$log/err"
check "so is a device that is not there" test $? -eq 4
fails 2 "missing; usage: skip compile" compile

finish
