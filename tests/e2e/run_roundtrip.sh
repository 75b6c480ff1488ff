# One model, the same rows through every door: formats, standard input, batches and single rows, run, eval, encode, tokenize and inspect agree.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
make_toy head classes=3
task 3 61 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
rows=61
sed 1d data.tsv | cut -f1 >data.txt
sed 1d data.tsv | awk -F '\t' '{ printf "{\"text\": \"%s\", \"label\": \"%s\"}\n", $1, $2 }' >data.jsonl
check "three forms of $rows rows" test "$(cat data.txt data.jsonl | wc -l)" -eq $((2 * rows))

# run
gives 0 run head data.tsv --logits
cp "$log/out" answers
check "one line per row" test "$(wc -l <answers)" -eq $rows
check "label, probability and three logits" test "$(awk -F '\t' 'NF != 5 || $1 !~ /^class[012]$/ || $2 < 1 / 3 || $2 > 1' answers | wc -l)" -eq 0
for file in data.jsonl data.txt; do
	gives 0 run head "$file" --logits
	check "$file gives the same answers" cmp answers "$log/out"
done
for format in tsv jsonl txt; do
	skip run head - --logits <"data.$format" >from_stdin 2>"$log/err"
	check "$format on standard input gives the same answers" cmp answers from_stdin
done
skip run head - --logits --input-format text <data.txt >from_stdin 2>"$log/err"
check "a named format gives the same answers" cmp answers from_stdin
gives 0 run head data.tsv --format jsonl --logits
cp "$log/out" answers.jsonl
has_keys answers.jsonl label index score logits
sed 's/.*"label":"\([^"]*\)".*"score":\([^,]*\),"logits":\[\([^]]*\)\].*/\1,\2,\3/' answers.jsonl | tr ',' '\t' >numbers
check "JSON Lines hold the same answers" awk -F '\t' '
	function near(x, y) { return x - y < 1e-6 && y - x < 1e-6 }
	FILENAME == "answers" { line[FNR] = $0; next }
	{ split(line[FNR], a, "\t"); if (a[1] != $1) exit 1; for (i = 2; i <= 5; i++) if (!near(a[i], $i)) exit 1 }' answers numbers
gives 0 run head data.tsv --json
has_keys "$log/out" label index score
check "--json is --format jsonl" sh -c "! grep -q logits '$log/out'"

# One by one. Other batch sizes may take other kernels: equal up to rounding.
for row in 1 7 61; do
	sed -n "${row}p" data.txt >one.txt
	gives 0 run head one.txt --logits
	sed -n "${row}p" answers >expected
	check "row $row alone" awk -F '\t' '
		function near(x, y) { return x - y < 2e-5 && y - x < 2e-5 }
		FILENAME == "expected" { split($0, a, "\t"); next }
		{ if (a[1] != $1) exit 1; for (i = 2; i <= 5; i++) if (!near(a[i], $i)) exit 1 }' expected "$log/out"
done

# No rows.
: >none.txt
gives 0 run head none.txt
check "no rows, no lines" test ! -s "$log/out"
gives 0 tokenize head none.txt
check "no rows, no lines" test ! -s "$log/out"
skip run head - </dev/null >"$log/out" 2>"$log/err"
check "nothing on standard input gives 0" test $? -eq 0

# eval counts what run answers.
gives 0 eval head --data data.tsv --json
cp "$log/out" metrics
has_keys metrics split n correct accuracy f1 mcc loss confusion seconds device_seconds sequences_per_second tokens_per_second
correct=$(sed 1d data.tsv | cut -f2 | paste - answers | awk -F '\t' '$1 == $2' | wc -l)
check "eval counts $correct correct" grep -q "\"n\":$rows,\"correct\":$correct," metrics
confusion=$(sed 1d data.tsv | cut -f2 | paste - answers | awk -F '\t' '
	{ n[$1, $2]++ }
	END { for (g = 0; g < 3; g++) { printf "%s[", g ? "," : "["; for (p = 0; p < 3; p++) printf "%s%d", p ? "," : "", n["class" g, "class" p]; printf "]" } print "]" }')
check "eval's confusion is $confusion" grep -Fq "\"confusion\":$confusion" metrics
sed 's/class//' data.tsv >numbers.tsv
gives 0 eval head --data numbers.tsv --json
check "numbers name the classes too" grep -q "\"correct\":$correct," "$log/out"
gives 0 eval head --data data.tsv --against head --json
check "a model against itself" grep -q '"paired":{"n10":0,"n01":0,"drop":0.0,"drop_se":0.0' "$log/out"
gives 0 eval head --data data.tsv
check "the table says it too" grep -q "^accuracy .*($correct of $rows)" "$log/out"

# tokenize
gives 0 tokenize head data.tsv
cp "$log/out" tokens
has_keys tokens ids type_ids tokens
check "one line per row" test "$(wc -l <tokens)" -eq $rows
check "special tokens at both ends" test "$(grep -c '"tokens":\["\[CLS\]",.*,"\[SEP\]"\]}$' tokens)" -eq $rows
total=$(sed 's/.*"ids":\[\([^]]*\)\].*/\1/' tokens | tr ',' '\n' | wc -l)

# encode: the header of safetensors and the bytes.
header_of() {
	header_length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
	dd if="$1" bs=1 skip=8 count="$header_length" 2>/dev/null
}
floats() {
	floats_length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
	od -An -v -tf4 -w96 -j $((8 + floats_length)) "$1"
}
gives 0 encode toy data.tsv --pool mean -o mean.safetensors --json
has_keys "$log/out" sequences tokens seconds
check "$rows sequences of $total tokens" grep -q "\"sequences\":$rows,\"tokens\":$total," "$log/out"
header_of mean.safetensors >header
check "embedding [B][D] in F32" grep -q "\"embedding\":{\"dtype\":\"F32\",\"shape\":\[$rows,24\]" header
gives 0 encode toy data.tsv -o default.safetensors
check "the folder says mean" cmp mean.safetensors default.safetensors
gives 0 encode toy data.tsv --pool cls -o cls.safetensors
check "cls is another vector" sh -c '! cmp -s mean.safetensors cls.safetensors'
gives 0 encode toy data.tsv --pool none -o none.safetensors
header_of none.safetensors >header
check "hidden [T][D]" grep -q "\"hidden\":{[^}]*\"shape\":\[$total,24\]" header
check "offsets [B+1]" grep -q "\"offsets\":{[^}]*\"shape\":\[$((rows + 1))\]" header
check "offsets are I32" grep -q '"offsets":{[^}]*"dtype":"I32"' header
# The order of tensors in the file is the header's: take both ranges from there.
range() {
	sed 's/.*"'"$2"'":{[^}]*"data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/' header | cut -d ' ' -f "$1"
}
start=$((8 + $(od -An -tu8 -N8 none.safetensors | tr -d ' ')))
od -An -v -td4 -w4 -j $((start + $(range 1 offsets))) -N $(($(range 2 offsets) - $(range 1 offsets))) none.safetensors | tr -d ' ' >offsets
od -An -v -tf4 -w96 -j $((start + $(range 1 hidden))) -N $(($(range 2 hidden) - $(range 1 hidden))) none.safetensors >hidden
floats mean.safetensors >mean
floats cls.safetensors >cls
check "offsets end at the number of tokens" test "$(tail -n 1 offsets)" -eq "$total"
check "mean and cls are what the hidden states give" awk '
	function near(x, y) { return x - y < 2e-5 && y - x < 2e-5 }
	FILENAME == "offsets" { offset[FNR] = $1; next }
	FILENAME == "hidden" { for (d = 1; d <= 24; d++) h[FNR - 1, d] = $d; next }
	{
		from = offset[FNR]; to = offset[FNR + 1]
		for (d = 1; d <= 24; d++) {
			value = 0
			if (FILENAME == "cls") value = h[from, d]
			else for (t = from; t < to; t++) value += h[t, d] / (to - from)
			if (!near(value, $d)) { print FILENAME, FNR, d, value, $d; exit 1 }
		}
	}' offsets hidden mean cls
gives 0 encode toy data.tsv --pool mean --normalize -o unit.safetensors
floats unit.safetensors >unit
check "--normalize gives rows of length 1 in the same direction" awk '
	FILENAME == "mean" { for (d = 1; d <= 24; d++) m[FNR, d] = $d; next }
	{
		dot = own = other = 0
		for (d = 1; d <= 24; d++) { own += $d * $d; dot += $d * m[FNR, d]; other += m[FNR, d] * m[FNR, d] }
		if (own < 0.99999 || own > 1.00001 || dot / sqrt(other) < 0.99999) exit 1
	}' mean unit
gives 0 encode toy data.tsv --pool mean -o again.safetensors
check "encode twice gives the same bytes" cmp mean.safetensors again.safetensors
gives 0 encode toy none.txt --pool none -o nothing.safetensors
header_of nothing.safetensors >header
check "no rows give empty tensors" grep -q '"hidden":{"dtype":"F32","shape":\[0,24\],"data_offsets":\[0,0\]}' header

# inspect
gives 0 inspect head --json
has_keys "$log/out" architecture layers heads qk v ffn prefix parameters total encoder encoder_dense removed_encoder_percent removed_total_percent \
	macs_per_token classes labels hashes weights programs
check "two dense layers" grep -q '"layers":\[{"heads":3,"qk":8,"v":8,"ffn":40,"prefix":0},{"heads":3,"qk":8,"v":8,"ffn":40,"prefix":0}\]' "$log/out"
check "three labels" grep -q '"classes":3,"labels":\["class0","class1","class2"\]' "$log/out"
check "the hash of the weights" grep -q "\"weights\":\"$(sha256sum <head/model.safetensors | cut -d ' ' -f 1)\"" "$log/out"
# 2 layers of 4 (24 x 24 + 24) + 40 x 24 + 40 + 24 x 40 + 24 weights and biases
check "the encoder's parameters are counted" grep -Eq '"encoder":[0-9]+,"encoder_dense":[0-9]+,"removed_encoder_percent":0.0' "$log/out"
gives 0 inspect toy --json
check "an encoder has no classes" grep -q '"classes":0,"labels":\[\]' "$log/out"

finish
