# The whole job on a toy model: outputs, keys, verification, same seed same bytes, a target that cannot be met.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
task 11 240 >train.tsv
task 12 90 >dev.tsv
task 13 61 >test.tsv
fit="fit toy --train train.tsv --dev dev.tsv --test test.tsv --prefix 4 --epochs 12"

gives 0 $fit --rate 0.4 --allocate uniform --json --quiet -o half.skip
cp "$log/out" fit.json
check "one line of JSON" test "$(wc -l <fit.json)" -eq 1
has_keys fit.json dense pruned drop drop_se margin speedup_measured removed_encoder_percent latency trace layers tune dev stages dense_package \
	split n correct accuracy accuracy_se f1 mcc loss epochs best_epoch steps_per_second train_seconds train_dtype date command host criterion samples parameters name seconds
check "the split is test" grep -q '"dense":{"split":"test","n":61,' fit.json
check "the dense package is named" grep -q '"dense_package":"half.dense.skip"' fit.json
for stage in read tune prune evaluate; do
	check "a stage $stage" grep -q "{\"name\":\"$stage\",\"seconds\":" fit.json
done
accuracy=$(sed 's/.*"dense":{"split":"test","n":61,"correct":\([0-9]*\),.*/\1/' fit.json)
check "the toy task is learnt: $accuracy of 61" test "$accuracy" -ge 40
check "nothing is left beside the packages" test "$(ls | tr '\n' ' ')" = 'dev.tsv fit.json half.dense.skip half.skip test.tsv toy train.tsv '
removed=$(sed 's/.*"removed_encoder_percent":\([0-9.]*\),.*/\1/' fit.json)
check "40 % are removed, within what the widths allow: $removed" awk -v r="$removed" 'BEGIN { exit !(r > 36 && r < 44) }'
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --json --quiet -o kl.skip
removed=$(sed 's/.*"removed_encoder_percent":\([0-9.]*\),"paired.*/\1/' "$log/out")
check "on the grid of widths at least 40 %: $removed" awk -v r="$removed" 'BEGIN { exit !(r >= 40 && r < 50) }'
rm -r kl.skip

# Both packages are whole and answer.
for package in half.skip half.dense.skip; do
	gives 0 verify "$package"
	check "$package: no check failed" sh -c "! grep -q FAILED '$log/out'"
	check "$package: known answers" grep -q '^known answers  *ok' "$log/out"
	check "$package: emitted text" grep -q '^emit generic/.*cl  *ok' "$log/out"
	gives 0 run "$package" test.tsv
	check "$package: an answer per row" test "$(grep -cE '^(animal|plant|stone)	0\.[0-9]+$|^(animal|plant|stone)	1$' "$log/out")" -eq 61
done
gives 0 verify half.skip --json
has_keys "$log/out" checks name ok detail
gives 0 eval half.skip --data test.tsv --against half.dense.skip --json
same() {
	grep -o "\"$1\":[^,}]*" "$2" | head -n 1
}
check "eval finds fit's drop" test "$(same drop "$log/out")" = "$(same drop fit.json)"
gives 0 inspect half.skip --json
check "the prefix stays" grep -q '"prefix":4' "$log/out"
check "the labels keep their names" grep -q '"labels":\["animal","plant","stone"\]' "$log/out"
gives 0 report half.skip -o report.html
check "a page" grep -q '</html>' report.html
check "the package has its report" grep -q '</html>' half.skip/report.html
gives 0 bench half.skip --against half.dense.skip --batch 1,8 --length 16 --seconds 0.05 --layers --json
has_keys "$log/out" device rows model dtype batch length median_ms p95_ms gflops peak_share speedup launches kernel layer
gives 0 bench half.skip --data test.tsv --batch 8 --seconds 0.05 --json
has_keys "$log/out" data

# A result in a short type: reported in both types, verified in its own, run in any.
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --dtype int8 --json --quiet -o short.skip
has_keys "$log/out" dtype pruned_f32
check "the type is named" grep -q '"dtype":"int8"' "$log/out"
gives 0 verify short.skip
gives 2 verify short.skip --dtype f32
says 'a package is verified in the type it was saved in'
for type in f32 bf16 int8; do
	gives 0 eval short.skip --data test.tsv --dtype $type --json
	correct=$(sed 's/.*"correct":\([0-9]*\),.*/\1/' "$log/out")
	check "the small network answers in $type: $correct of 61" test "$correct" -ge 35
	gives 0 bench short.skip --batch 1 --length 16 --seconds 0.05 --dtype $type --json
	check "rows name $type" grep -q "\"dtype\":\"$type\"" "$log/out"
done
rm -r short.skip

# int8 with one scale per tensor: kept in the package, found for one call, dropped when int8 is asked for alone.
gives 2 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --calibrate train.tsv -o static.skip
says '--calibrate finds scales of int8: it needs --dtype int8'
: >empty.txt
gives 3 eval half.skip --data test.tsv --dtype int8 --calibrate empty.txt
says 'empty.txt: no rows to calibrate on'
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --dtype int8 --calibrate train.tsv --json --quiet -o static.skip
has_keys "$log/out" dtype pruned_f32 activations calibration tensors tokens error_percent error_dynamic_percent error_unclipped_percent
check "the scales are named" grep -q '"activations":"static"' "$log/out"
gives 0 verify static.skip
gives 0 bench static.skip --dtype int8 --against static.skip --batch 1 --length 16 --seconds 0.05 --json
check "int8 alone finds its scales as it runs" grep -q '"activations":"dynamic"' "$log/out"
check "the package has its own" grep -q '"activations":"static"' "$log/out"
gives 0 run static.skip test.tsv --logits
cp "$log/out" static.out
gives 0 run static.skip test.tsv --logits --dtype int8
check "other scales give other logits" sh -c "! cmp -s static.out '$log/out'"
gives 0 run half.skip test.tsv --dtype int8 --calibrate train.tsv
says 'one scale for each of [0-9]+ tensors, by [0-9]+ tokens of train.tsv'
for package in static.skip "half.skip --dtype int8 --calibrate train.tsv"; do
	gives 0 eval $package --data test.tsv --json
	correct=$(sed 's/.*"correct":\([0-9]*\),.*/\1/' "$log/out")
	check "$package answers: $correct of 61" test "$correct" -ge 35
done
gives 3 emit static.skip --board u280 -o board
says 'find the scales of int8 as they run'
rm -r static.skip

# The type of the steps is said and kept; what is tuned stays in f32.
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --retune 1 --train-dtype bf16 --json --quiet -o again.skip
check "the type of the steps is recorded" grep -q '"retune":{"epochs":1,"train_dtype":"bf16"}' "$log/out"
check "and part of the settings" grep -q '"train_dtype": *"bf16"' again.skip/manifest.json
check "the result is in f32" grep -q '"dtype":"f32"' "$log/out"
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --train-dtype bf16 --json --quiet -o again.skip
check "without re-tuning it is the type of what compensation fits to" sh -c "! grep -q '\"retune\"' '$log/out' && grep -q '\"train_dtype\":\"bf16\"' '$log/out'"
check "and the result is in f32 all the same" grep -q '"dtype":"f32"' "$log/out"
rm -r again.skip
gives 2 $fit --rate 0.4 --train-dtype f32 --dtype bf16 --train-dtype bf16 -o again.skip
says '--train-dtype is given twice'
# Scores of other tasks, from a package that was cut and from a file; a dense package holds none.
gives 0 attribute half.dense.skip --data train.tsv --criterion fisher --samples 8 --warm-start half.skip --json --quiet -o warm.safetensors
has_keys "$log/out" criterion samples agreement passes groups
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --samples 2 --warm-start half.skip,warm.safetensors --json --quiet -o warm.skip
gives 3 prune half.dense.skip --data train.tsv --dev dev.tsv --rate 0.4 --warm-start half.dense.skip --quiet -o none.skip
says 'half.dense.skip.*holds no scores'
gives 2 attribute half.dense.skip --data train.tsv --choose best --quiet -o none.safetensors
gives 0 attribute half.dense.skip --data train.tsv --choose mix --samples 9 --labels pred --quiet -o mix.safetensors
rm -r warm.skip

# The same seed gives the same bytes, but for what is measured.
mv half.skip first.skip
mv half.dense.skip first.dense.skip
gives 0 $fit --rate 0.4 --allocate uniform --json --quiet -o half.skip
check "--quiet is quiet" test ! -s "$log/err"
for package in skip dense.skip; do
	diff -rq "first.$package" "half.$package" | grep -v -e '/metrics.json and ' -e '/report.html and ' -e '/manifest.json and ' >differences
	check "the same files in both .$package: $(head -n 1 differences)" test ! -s differences
	for side in first half; do
		sed -e '/^  "records": {/,/^  }/d' -e '/^  "seal": /d' "$side.$package/manifest.json" >"$side.manifest"
	done
	check "the same manifests but for the records" cmp first.manifest half.manifest
done
gives 0 $fit --rate 0.4 --allocate uniform --seed 1 --quiet -o half.skip
check "another seed gives other weights" sh -c '! cmp -s first.skip/weights.safetensors half.skip/weights.safetensors'

# The table a person sees.
gives 0 $fit --margin 3 --units ffn --compensate none -o margin.skip
for word in accuracy params latency packed written next; do
	check "a line '$word'" grep -q "^$word " "$log/out"
done
says '^device .*profile' '^tune ' '^score ' '^search ' '^measure '
check "a margin leaves a search behind" grep -q '"trace": *\[' margin.skip/metrics.json

# A margin that lets go all that these units can take away: the search asks for the largest share there is.
gives 0 prune half.dense.skip --data train.tsv --dev dev.tsv --margin 90 --units ffn --allocate kl --search surrogate --compensate none --json --quiet -o bare.skip
removed=$(sed 's/.*"removed_encoder_percent":\([0-9.]*\),.*/\1/' "$log/out")
check "the most that the ffns hold: $removed %" awk -v r="$removed" 'BEGIN { exit !(r > 5) }'
rm -r bare.skip

# A target out of reach: 5, and the best found is written.
gives 2 $fit --speedup 900 --units ffn --compensate none --quiet -o fast.skip
says '900.00x cannot be reached: .* the ceiling is 1.[0-9]*x'
check "the dense package of a target that cannot be is kept, alone" test -d fast.dense.skip -a ! -e fast.skip
rm -r fast.dense.skip
gives 5 $fit --speedup 900 --allocate uniform --units ffn --compensate none --quiet -o fast.skip
says 'skip fit: note: asked for 900.00x, measured [0-9.]+x; the best found was written'
gives 0 verify fast.skip

finish
