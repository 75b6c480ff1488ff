# Tiles searched on the device: found once, used by what runs afterwards, never trusted when damaged.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy head classes=3
printf 'the dog and a cat\na cat\n' >lines.txt
gives 0 run head lines.txt --logits
cp "$log/out" before
SKIP_TUNE_CACHE=$work/tiles
export SKIP_TUNE_CACHE

fails 2 'models, --device and --dtype belong to --tune' devices head
fails 2 'models, --device and --dtype belong to --tune' devices --device generic

# A body without tiles has nothing to choose.
gives 0 devices --tune head --device generic --json
check "nothing is tuned" grep -q '"tuned": *\[\]' "$log/out"

gives 0 devices --tune head --json
has_keys "$log/out" devices tiles tuned family shape tile before from tried rejected gain
check "shapes were settled" grep -q '"shape": *"k' "$log/out"
check "no candidate is wrong" sh -c "! grep -q '\"rejected\": *[1-9]' '$log/out'"
check "a device says so" grep -q '"from": *"tuned"' "$log/out"
gives 0 devices
check "the table says so" grep -q '0 shipped, [1-9][0-9]* tuned' "$log/out"
gives 0 devices --tune head --json
check "a second run has nothing left" grep -q '"tuned": *\[\]' "$log/out"

# The answers stay, up to the order of sums.
gives 0 run head lines.txt --logits
check "the labels stay" sh -c "cut -f1 before >a; cut -f1 '$log/out' >b; cmp -s a b"

for file in "$work"/tiles/*.tune.json; do
	printf 'rubbish' >"$file"
done
gives 0 run head lines.txt --logits
says 'the tuning in .* is not used'
check "without a tuning the answers are what they were" cmp -s before "$log/out"

finish
