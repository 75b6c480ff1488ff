# Sourced by the scripts that take architectures through the whole job, from a folder as downloaded to answers of the small package. The generic kernels and a
# start without a probe keep it short.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

task 11 60 >train.tsv
task 12 20 >dev.tsv
SKIP_DEVICE=generic
export SKIP_DEVICE

# whole_job CHECKPOINT ARCHITECTURE [OPTION...]: tuned, attributed, cut by 30 %, emitted, run, exported. Leaves the folder CHECKPOINT and small.skip behind.
whole_job() {
	job=$1
	architecture=$2
	shift 2
	rm -rf small.skip small.dense.skip small.onnx
	make_golden "$job"
	gives 0 fit "$job" --train train.tsv --dev dev.tsv --prefix 2 --epochs 1 --batch 32 --start random --rate 0.3 "$@" --quiet -o small.skip
	gives 0 run small.skip dev.tsv
	check "$job: an answer per row" test "$(grep -cE '^(animal|plant|stone)	(0\.[0-9]+|1)$' "$log/out")" -eq 20
	gives 0 inspect small.skip --json
	check "$job: $architecture is named" grep -q "\"architecture\":\"$architecture\"" "$log/out"
	removed=$(sed 's/.*"removed_encoder_percent":\([0-9.]*\),.*/\1/' "$log/out")
	check "$job: 30 % are removed, within what the widths allow: $removed" awk -v r="$removed" 'BEGIN { exit !(r > 22 && r < 38) }'
	gives 0 export small.skip -o small.onnx
}
