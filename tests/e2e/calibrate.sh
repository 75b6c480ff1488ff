# int8 with scales found on text: kept in a package by prune, for one call by the others.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy layers=2
task 11 120 >train.tsv
task 12 60 >dev.tsv
gives 0 tune toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 4 --quiet -o dense.skip
prune="prune dense.skip --data train.tsv --dev dev.tsv --rate 0.3 --criterion magnitude"
gives 0 $prune --dtype int8 --calibrate train.tsv --json -o static.skip
gives 0 verify static.skip
gives 0 eval static.skip --data dev.tsv
gives 0 run static.skip dev.tsv --logits
cp "$log/out" kept
gives 0 run static.skip dev.tsv --logits
check "the scales are in the package" cmp -s kept "$log/out"
gives 0 run dense.skip dev.tsv --dtype int8 --logits
cp "$log/out" by_token
gives 0 run dense.skip dev.tsv --dtype int8 --calibrate train.tsv --logits
check "scales of text give other numbers than those of each token" sh -c "! cmp -s by_token '$log/out'"

fails 2 'calibrate' $prune --calibrate train.tsv -o none.skip
fails 2 'standard input, which can be read once' run dense.skip - --dtype int8 --calibrate -
gives 3 run dense.skip dev.tsv --dtype int8 --calibrate nowhere.tsv

finish
