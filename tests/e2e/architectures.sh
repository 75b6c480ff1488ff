# Architectures through the whole job, from a folder as downloaded to answers of the small package; BERT itself is fit_toy.sh. The generic kernels and a start
# without a probe keep it short.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

task 11 60 >train.tsv
task 12 20 >dev.tsv
data="--data train.tsv --dev dev.tsv"
SKIP_DEVICE=generic
export SKIP_DEVICE

for architecture in xlm-roberta distilbert electra albert; do
	make_golden $architecture
	refit="--compensate none"
	[ $architecture = albert ] && refit= # what reads shared units is passed by
	gives 0 fit $architecture --train train.tsv --dev dev.tsv --prefix 2 --epochs 1 --batch 32 --start random --rate 0.3 $refit --quiet -o small.skip
	gives 0 run small.skip dev.tsv
	check "$architecture: an answer per row" test "$(grep -cE '^(animal|plant|stone)	(0\.[0-9]+|1)$' "$log/out")" -eq 20
	gives 0 inspect small.skip --json
	check "$architecture is named" grep -q "\"architecture\":\"$architecture\"" "$log/out"
	removed=$(sed 's/.*"removed_encoder_percent":\([0-9.]*\),.*/\1/' "$log/out")
	check "$architecture: 30 % are removed, within what the widths allow: $removed" awk -v r="$removed" 'BEGIN { exit !(r > 22 && r < 38) }'
	gives 0 export small.skip -o small.onnx
	[ $architecture = albert ] && gives 0 verify small.skip && check "the report says that units left every layer" grep -q '"shared_layers": "tied"' small.skip/metrics.json
	rm -r small.skip small.dense.skip small.onnx
done

# Shared layers, untied on request: each is cut by itself.
gives 0 prune albert $data --rate 0.3 --criterion random --compensate none --untie --quiet -o untied.skip
check "the report says that the layers were untied" grep -q '"shared_layers": "untied"' untied.skip/metrics.json
check "the page too" grep -q 'they were untied' untied.skip/report.html

finish
