# Weights that move: fine-tuning from an encoder and from a classifier of the user's own, and the same classifier cut, re-tuned and packed
# without any tuning before.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

SKIP_DEVICE=generic # the bodies that build fastest; others are tested elsewhere
export SKIP_DEVICE
make_toy toy
make_toy head classes=3
task 11 240 >train.tsv
task 12 90 >dev.tsv
cut -f 1 train.tsv | tail -n +2 >plain.txt
number() { # KEY FILE
	sed "s/.*\"$1\":\([0-9.]*\)[,}].*/\1/" "$2"
}
correct() { # PACKAGE
	gives 0 eval "$1" --data dev.tsv --json
	number correct "$log/out"
}

gives 0 tune toy --full --train train.tsv --dev dev.tsv --epochs 4 --lr-weights 3e-3 --json --quiet -o full.skip
has_keys "$log/out" dev epochs best_epoch steps_per_second train_seconds trained_parameters device_bytes history
gives 0 inspect full.skip --json
check "--full has no prompt unless one is asked for" grep -q '"prefix":0' "$log/out"
right=$(correct full.skip)
check "the toy task is learnt: $right of 90" test "$right" -ge 80

# From a classifier with a head of its own.
sed 's/animal$/0/; s/plant$/1/; s/stone$/2/' train.tsv >train3.tsv
sed 's/animal$/0/; s/plant$/1/; s/stone$/2/' dev.tsv >dev3.tsv
gives 0 tune head --start keep --full --train train3.tsv --dev dev3.tsv --epochs 4 --lr-weights 3e-3 --json --quiet -o own.skip
gives 0 eval own.skip --data dev3.tsv --json
right=$(number correct "$log/out")
check "the head of the checkpoint learns: $right of 90" test "$right" -ge 80

# The user's classifier, never tuned here.
gives 0 attribute head --data train3.tsv --quiet -o scores.safetensors
gives 0 fit head --start keep --epochs 0 --train train3.tsv --dev dev3.tsv --rate 0.4 --retune 1 --retune-weights --json --quiet -o fit.skip
check "no epoch was tuned" grep -q '"epochs":0,' "$log/out"
gives 0 verify fit.skip
gives 0 eval fit.dense.skip --data dev3.tsv --json
cp "$log/out" packed.json
gives 0 eval head --data dev3.tsv --json
check "the dense package is the checkpoint" test "$(number correct packed.json)" = "$(number correct "$log/out")"

# Distilled on text without labels: the teacher's answers are all there is.
gives 0 prune full.skip --data train.tsv --dev dev.tsv --rate 0.6 --compensate none --json --quiet -o rough.skip
before=$(correct rough.skip)
gives 0 prune full.skip --data train.tsv --dev dev.tsv --rate 0.6 --compensate none --retune 4 --retune-weights --retune-lr 3e-3 --retune-data plain.txt --json --quiet -o taught.skip
after=$(correct taught.skip)
check "the teacher helps without labels: $before, then $after of 90" test "$after" -ge "$before"

fails 2 '--lr-weights is a setting of --full' tune toy --train train.tsv --dev dev.tsv --lr-weights 1e-3 -o x.skip
fails 2 '--start keep takes prompt and pooling as they are' tune full.skip --start keep --prefix 3 --train train.tsv --dev dev.tsv -o x.skip
fails 2 'go on from it with --start keep' tune full.skip --train train.tsv --dev dev.tsv -o x.skip
fails 2 'is an encoder without a classification head' tune toy --start keep --train train.tsv --dev dev.tsv -o x.skip
fails 2 '--epochs 0 takes a classifier as it stands' tune toy --epochs 0 --train train.tsv --dev dev.tsv -o x.skip
fails 2 'give --retune EPOCHS too' prune full.skip --data train.tsv --dev dev.tsv --retune-weights -o x.skip
fails 2 '--retune-lr is a setting of --retune-weights' prune full.skip --data train.tsv --dev dev.tsv --retune 1 --retune-lr 1e-3 -o x.skip
fails 3 'unknown label "stone"; expected one of "class0"' tune head --start keep --full --train train.tsv --dev dev.tsv -o x.skip
finish
