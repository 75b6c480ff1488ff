# Heads of several labels and of numbers, used as they are: run, eval, prune, export.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_golden bert-multi
make_golden distilbert-regression
{
	printf 'sentence\tlabel\n'
	printf 'the dog\tred|blue\na cat\t\nof oak\tgreen\nslate and fern\tred|green|blue|grey\nnear birch\tgrey\ntwo moss\tblue\nmarble\t\none trout\tred\n'
} >colours.tsv
{
	printf 'sentence\tlabel\n'
	printf 'the dog\t0.5\na cat\t-1\nof oak\t2\nslate and fern\t0\nnear birch\t1e-1\ntwo moss\t0.25\nmarble\t-0.125\none trout\t3\n'
} >numbers.tsv

# Every label above 0.5, or none.
gives 0 run bert-multi colours.tsv
check "labels and scores" test "$(grep -cE '^((red|green|blue|grey)(\|(red|green|blue|grey))*	[01][0-9.]*(\|[01][0-9.]*)*|	)$' "$log/out")" -eq 8
gives 0 run bert-multi colours.tsv --format jsonl --logits
has_keys "$log/out" labels indices scores logits
check "four logits a row" test "$(grep -cE '"logits":\[[^,]*,[^,]*,[^,]*,[^],]*\]' "$log/out")" -eq 8
gives 0 eval bert-multi --data colours.tsv --json
has_keys "$log/out" n correct accuracy f1 loss
check "no confusion of several labels" sh -c "! grep -q confusion '$log/out'"
gives 0 eval bert-multi --data colours.tsv
check "rows with every label right" grep -q 'every label right in [0-9] of 8' "$log/out"

# The number itself.
gives 0 run distilbert-regression numbers.tsv
check "a number per row" test "$(grep -cE '^-?[0-9.e-]+$' "$log/out")" -eq 8
gives 0 eval distilbert-regression --data numbers.tsv --json
has_keys "$log/out" r2 pearson loss

# Timed with rows and without.
gives 0 bench bert-multi --data colours.tsv --json
has_keys "$log/out" median_ms data
gives 0 bench distilbert-regression --batch 2 --length 7 --json
has_keys "$log/out" median_ms length

# The cut works on such a folder, and the package answers in the same way.
gives 0 prune distilbert-regression --data numbers.tsv --dev numbers.tsv --rate 0.3 --compensate none --quiet -o small.skip
gives 0 run small.skip numbers.tsv
check "a number per row of the small network" test "$(grep -cE '^-?[0-9.e-]+$' "$log/out")" -eq 8
gives 0 export small.skip -o small.onnx
gives 0 prune bert-multi --data colours.tsv --dev colours.tsv --rate 0.3 --compensate none --quiet -o small-multi.skip
gives 0 eval small-multi.skip --data colours.tsv --against bert-multi --json
has_keys "$log/out" accuracy f1 paired
gives 0 export distilbert-regression --safetensors -o copy
check "the folder says what it answers" grep -q '"problem_type": "regression"' copy/config.json
printf 'sentence\tlabel\nthe dog\tgood\n' >words.tsv
fails 3 'words.tsv:2: "good" is no number; the model answers with 1' eval distilbert-regression --data words.tsv
fails 3 'words.tsv:2: unknown label "good"; expected one of "red"' eval bert-multi --data words.tsv
gives 2 prune distilbert-regression --data numbers.tsv --dev numbers.tsv --retune 2 --quiet -o again.skip

finish
