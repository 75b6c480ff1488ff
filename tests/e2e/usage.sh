# Every verb's help, and every way to type a command wrongly: exit code 2, one sentence, nothing done.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

verbs=$(skip --help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p')
check "the verbs are listed" test "$(printf '%s\n' $verbs | wc -l)" -ge 13

help_of() {
	gives 0 "$1" --help || return
	cp "$log/out" help
	check "$1 --help is silent on stderr" test ! -s "$log/err"
	check "$1 --help fits 24 lines" test "$(wc -l <help)" -le 24
	check "$1 --help fits 160 columns" test "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' help)" -le 160
	check "$1 --help starts with its usage" grep -q "^usage: skip $1" help
	check "$1 --help ends with an example" sh -c "tail -n 1 help | grep -q '^  .*skip $1'"
	gives 0 "$1" -h
	check "$1 -h is the same" cmp -s "$log/out" help
	rm -f help
}
for verb in $verbs; do
	help_of "$verb"
done
help_of compile # for other programs, so it is not listed

# The program itself.
gives 0 --version
check "--version names the program" grep -q '^skip [0-9]' "$log/out"
gives 0 help
gives 2
says '^usage: skip VERB'
fails 2 "unknown verb 'frobnicate'.*skip --help" frobnicate
fails 2 "unknown verb '--json'" --json
fails 2 "unknown verb ''" ''

# Options of every verb.
for verb in $verbs; do
	fails 2 "skip $verb has no option '--frobnicate'.*skip $verb --help" "$verb" --frobnicate
	fails 2 "has no option '-z'" "$verb" -z
	fails 2 "has no option '--jso'" "$verb" --jso
	fails 2 '--json takes no value' "$verb" --json=yes
	fails 2 '--quiet is given twice' "$verb" --quiet --quiet
	fails 2 "unexpected 'w[0-9]'; usage: skip $verb" "$verb" w1 w2 w3 w4 w5 w6 w7 w8 w9
done

# What a verb needs.
for verb in run encode tokenize; do
	fails 2 "missing; usage: skip $verb" "$verb"
	fails 2 "missing; usage: skip $verb" "$verb" model
done
for verb in fit tune prune attribute eval verify inspect report bench export; do
	fails 2 "missing; usage: skip $verb" "$verb"
done
fails 2 '--train, --dev and -o are needed' fit model
fails 2 '--train, --dev and -o are needed' tune model --train a.tsv --dev b.tsv
fails 2 '--data, --dev and -o are needed' prune pkg --data a.tsv -o c
fails 2 '--data DATA is missing' eval pkg
fails 2 '-o FILE.html is missing' report pkg
fails 2 '-o OUT.safetensors is missing' encode model data

# Values.
fit="fit model --train a.tsv --dev b.tsv -o c.skip"
fails 2 '--epochs wants a value' $fit --epochs
fails 2 '-o wants a value' fit model --train a.tsv --dev b.tsv -o
fails 2 "--epochs wants a number, found 'ten'" $fit --epochs ten
fails 2 "--epochs wants a number, found ''" $fit --epochs=
fails 2 "--epochs wants a number, found '3x'" $fit --epochs 3x
fails 2 "--epochs wants a whole number, found '2.5'" $fit --epochs 2.5
fails 2 '--epochs 0 takes a classifier as it stands: give --start keep too' $fit --epochs 0
fails 2 '--epochs must lie between 0 and 10000, found 99999999999999999999' $fit --epochs 99999999999999999999
fails 2 '--prefix must lie between 0 and 1024, found -1' $fit --prefix -1
fails 2 '--seed must lie between 0 and 4294967295, found -1' $fit --seed -1
fails 2 '--seed must lie between 0 and 4294967295, found 4294967296' $fit --seed 4294967296
fails 2 '--batch must lie between' $fit --batch 0
fails 2 "--lr wants a number, found 'nan'" $fit --lr nan
fails 2 "--lr wants a number, found 'inf'" $fit --lr inf
fails 2 '--lr must lie between' $fit --lr 0
fails 2 '--margin must lie between 0 and 100, found -0.5' $fit --margin=-0.5
fails 2 '--rate must lie between 0 and 0.999, found 1' $fit --rate 1
fails 2 '--speedup must lie between 1 and 1000, found 0.5' $fit --speedup 0.5
fails 2 '--max-length must lie between' $fit --max-length 2
fails 2 '--threads must lie between' $fit --threads 100000
fails 2 '--pool is one of mean, cls, last; found' $fit --pool max
fails 2 '--init is one of normal, tokens; found' $fit --init zero
fails 2 '--start is one of probe, random, keep; found' $fit --start 0
fails 2 '--criterion is one of .*skip.*; found' $fit --criterion best
fails 2 '--target is one of prob, logprob, logit, kl; found' $fit --target loss
fails 2 '--labels is one of gold, pred, none; found' $fit --labels silver
fails 2 '--reduce is one of ' $fit --reduce min
fails 2 '--search is one of .*binary' $fit --search random
fails 2 '--compensate is one of none, bias, ls; found' $fit --compensate full
fails 2 '--units is one of ffn, head, v, qk, layer, prefix; found' $fit --units ffn,neurons
fails 2 '--units prefix: slots go beside other units only' $fit --units prefix
fails 2 '--rounds must lie between 1 and 1000, found 0' $fit --rounds 0
fails 2 '--rounds go to a --rate, --flops or --speedup' $fit --rounds 2
fails 2 '--units' $fit --units ''
fails 2 '--format is one of tsv, jsonl; found' run model data --format xml

# Settings that contradict.
fails 2 '--rate, --flops, --speedup, --latency-ms and --margin contradict each other; give one' $fit --rate 0.5 --margin 1
fails 2 '--rate, --flops, --speedup, --latency-ms and --margin contradict each other; give one' $fit --rate 0.5 --speedup 2
fails 2 '--rate, --flops, --speedup, --latency-ms and --margin contradict each other; give one' prune p --data a --dev b -o c --speedup 2 --margin 1
fails 2 '--scores and --criterion contradict each other' prune p --data a --dev b -o c --scores s --criterion skip
fails 2 '--data and --length contradict each other' bench p --data a --length 16

# With a model at hand.
make_toy toy
make_toy head classes=3
printf 'the dog and a cat\n' >lines.txt
printf 'sentence\tlabel\nthe dog\tanimal\nthe oak\tplant\n' >two.tsv
fails 2 "--dtype is one of f32, bf16, int8; found 'int4'" run head lines.txt --dtype int4
fails 2 "--dtype is one of f32, bf16, int8; found 'f16'" encode toy lines.txt -o out.safetensors --dtype f16
fails 2 "--dtype is one of f32, bf16, int8; found 'int7'" fit toy --train two.tsv --dev two.tsv -o out.skip --dtype int7
fails 2 '--dtype int8: what is tuned is kept in f32; --train-dtype is the type of the steps' tune toy --train two.tsv --dev two.tsv -o out.skip --dtype int8
fails 2 "--train-dtype is one of f32, bf16, auto; found 'int8'" tune toy --train two.tsv --dev two.tsv -o out.skip --train-dtype int8
fails 2 "--train-dtype is one of f32, bf16, auto; found 'half'" fit toy --train two.tsv --dev two.tsv -o out.skip --train-dtype half
fails 2 "--train-dtype is one of f32, bf16, auto; found 'f16'" prune head --data two.tsv --dev two.tsv -o out.skip --train-dtype f16
fails 2 '--dtype bf16: scores are numbers of the network in f32' attribute head --data two.tsv -o scores.safetensors --dtype bf16
fails 4 'no device fits "nonsense"; there are: 0:0 .*Portable Computing Language' run head lines.txt --device nonsense
fails 4 'no device fits "7:3"; there are: 0:0' run head lines.txt --device 7:3
SKIP_DEVICE=nonsense
export SKIP_DEVICE
fails 4 'no device fits "nonsense"' run head lines.txt
gives 0 run head lines.txt --device 0:0
unset SKIP_DEVICE
fails 2 '--max-length 25 is more than the model.s 24 positions' tokenize toy lines.txt --max-length 25
fails 2 '--input-format is one of tsv, jsonl, text; found' tokenize toy lines.txt --input-format csv
fails 2 'encoder without a classification head; make a package with skip tune or skip fit' run toy lines.txt
fails 2 'encoder without a classification head' eval toy --data two.tsv
fails 2 'no package with recorded metrics' report head -o out.html
fails 2 '--batch wants whole numbers from 1 to .* with commas between' bench head --batch 1,x
fails 2 '--batch wants whole numbers' bench head --batch 0
fails 2 '--length wants whole numbers from 1 to 24' bench head --length 16,25

# "--" ends the options, "-" is standard input, "--name=value" is "--name value".
cp lines.txt ./--json
gives 0 tokenize toy -- --json
cp "$log/out" as_word
gives 0 tokenize toy lines.txt
check "-- makes a word of an option" cmp -s "$log/out" as_word
fails 3 '--frobnicate.*(no such|cannot)' tokenize -- --frobnicate lines.txt
skip tokenize toy - <lines.txt >from_stdin 2>"$log/err"
check "- reads standard input" cmp -s from_stdin as_word
gives 0 tokenize toy lines.txt --max-length=4
cp "$log/out" joined
gives 0 tokenize --max-length 4 toy lines.txt
check "options may stand anywhere and be joined" cmp -s "$log/out" joined
check "a row is cut" grep -q '"tokens":\["\[CLS\]","the","dog","\[SEP\]"\]' joined

finish
