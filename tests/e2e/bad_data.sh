# Data files that are missing, damaged or do not fit the task: exit code 3, the file and the line, what was expected. All of it is said before a device is
# touched: the whole script runs without one.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

mkdir no-drivers
OCL_ICD_VENDORS=$work/no-drivers
export OCL_ICD_VENDORS

make_toy toy
task 1 12 >good.tsv

# bad_tsv PATTERN: bad.tsv cannot be tokenized and cannot be trained on.
bad_tsv() {
	fails 3 "$1" tokenize toy bad.tsv
	fails 3 "$1" tune toy --train bad.tsv --dev good.tsv -o out
	fails 3 "$1" fit toy --train good.tsv --dev bad.tsv -o out.skip
}
# bad_labels PATTERN: bad.tsv can be tokenized, but has no labels to train on.
bad_labels() {
	gives 0 tokenize toy bad.tsv
	fails 3 "$1" tune toy --train bad.tsv --dev good.tsv -o out
}

# Missing.
fails 3 'nowhere.tsv: .*(No such file|cannot)' tokenize toy nowhere.tsv
fails 3 'nowhere.tsv: ' fit toy --train nowhere.tsv --dev good.tsv -o out.skip
fails 3 'nowhere.tsv: ' fit toy --train good.tsv --dev nowhere.tsv -o out.skip
fails 3 'nowhere.tsv: ' fit toy --train good.tsv --dev good.tsv --test nowhere.tsv -o out.skip
mkdir folder.tsv
fails 3 'folder.tsv: .*(folder|directory)' tokenize toy folder.tsv

# TSV.
printf 'the dog\tanimal\nthe oak\tplant\n' >bad.tsv
bad_tsv 'bad.tsv:1: no known header: found "the dog.animal"; expected the columns "sentence", or "sentence1" and "sentence2", and "label"'
printf 'sentence\tlabel\textra\nthe dog\tanimal\tx\n' >bad.tsv
bad_tsv 'bad.tsv:1: no known header'
printf 'sentence\tsentence\tlabel\n' >bad.tsv
bad_tsv 'bad.tsv:1: no known header'
printf 'sentence1\tlabel\nthe dog\tanimal\n' >bad.tsv
bad_tsv 'bad.tsv:1: no known header'
printf 'sentence,label\nthe dog,animal\n' >bad.tsv
bad_tsv 'bad.tsv:1: no known header'
printf 'sentence\tlabel\nthe dog\tanimal\nthe oak\n' >bad.tsv
bad_tsv 'bad.tsv:3: 1 field; expected 2 as in the header'
printf 'sentence\tlabel\nthe dog\tanimal\tx\n' >bad.tsv
bad_tsv 'bad.tsv:2: 3 fields; expected 2 as in the header'
printf 'sentence\tlabel\nthe dog\tanimal\n\nthe oak\tplant\n' >bad.tsv
bad_tsv 'bad.tsv:3: 1 field; expected 2 as in the header'
printf 'sentence\tlabel\nthe dog\tanimal\ncaf\351\tplant\n' >bad.tsv
bad_tsv 'bad.tsv:3: not UTF-8 text: byte 0xe9 at offset 3 of the line'
printf 'sentence\tlabel\nthe dog\tanimal\nthe\300\200oak\tplant\n' >bad.tsv
bad_tsv 'bad.tsv:3: not UTF-8 text: byte 0xc0 at offset 3'
printf 'sentence\tlabel\nthe dog\tanimal\nthe\355\240\200oak\tplant\n' >bad.tsv
bad_tsv 'bad.tsv:3: not UTF-8 text: byte 0xed at offset 3'
printf 'sentence\tlabel\nthe\000dog\tanimal\n' >bad.tsv
bad_tsv 'bad.tsv:2: NUL byte at offset 3 of the line'
: >bad.tsv
bad_labels 'bad.tsv: empty; expected labelled rows'
printf 'sentence\tlabel\n' >bad.tsv
bad_labels 'bad.tsv: a header and no rows; expected labelled rows'
printf 'sentence\nthe dog\n' >bad.tsv
bad_labels 'bad.tsv:1: no column "label"; expected'
printf 'sentence\tlabel\nthe dog\tanimal\nthe cat\tanimal\n' >bad.tsv
bad_labels 'bad.tsv: all rows have the label "animal"; expected at least two classes'
printf 'sentence\tlabel\nthe dog\tanimal\nthe oak\t\n' >bad.tsv
bad_labels 'bad.tsv:3: empty label'

# Labels that train lacks.
printf 'sentence\tlabel\nthe dog\tanimal\nthe river\twater\n' >bad.tsv
fails 3 'bad.tsv:3: unknown label "water"; expected one of "animal", "plant", "stone"' tune toy --train good.tsv --dev bad.tsv -o out
fails 3 'bad.tsv:3: unknown label "water"' fit toy --train good.tsv --dev good.tsv --test bad.tsv -o out.skip

# What is fine: CR LF, a byte order mark, columns in any order, no newline at the end.
printf '\357\273\277label\tsentence\r\nanimal\tthe dog\r\nplant\tthe oak' >fine.tsv
gives 0 tokenize toy fine.tsv
check "two rows" test "$(wc -l <"$log/out")" -eq 2

# JSON Lines.
printf '{"text": "the dog", "label": "animal"}\n{"text": "the oak", "label": }\n' >bad.jsonl
fails 3 'bad.jsonl:2: not a JSON object: .*offset [0-9]+ of the line' tokenize toy bad.jsonl
printf '{"text": "the dog"}\n["the oak"]\n' >bad.jsonl
fails 3 'bad.jsonl:2: not a JSON object; expected \{"text": ..., "label": ...\}' tokenize toy bad.jsonl
printf '{"label": "animal"}\n' >bad.jsonl
fails 3 'bad.jsonl:1: no "text"' tokenize toy bad.jsonl
printf '{"text": 7}\n' >bad.jsonl
fails 3 'bad.jsonl:1: "text" is no string' tokenize toy bad.jsonl
printf '{"text": "the dog", "label": 1.5}\n' >bad.jsonl
fails 3 'bad.jsonl:1: "label" is no string and no integer' tokenize toy bad.jsonl
printf '{"text": "the dog", "lable": "animal"}\n' >bad.jsonl
fails 3 'bad.jsonl:1: unknown key "lable"; expected "text", "text_pair", "label"' tokenize toy bad.jsonl
printf '{"text": "the dog", "text": "the oak"}\n' >bad.jsonl
fails 3 'bad.jsonl:1: not a JSON object: duplicate' tokenize toy bad.jsonl
printf '{"text": "the \\u0000 dog"}\n' >bad.jsonl
fails 3 'bad.jsonl:1: ' tokenize toy bad.jsonl
printf '{"text": "the dog"}\n' >bad.jsonl
fails 3 'bad.jsonl:1: .*label|bad.jsonl: .*label' tune toy --train bad.jsonl --dev good.tsv -o out

# Plain lines carry no labels; a wrong format is said.
printf 'the dog\n' >plain.txt
fails 3 'plain.txt: plain lines carry no labels; expected TSV with a header or JSON Lines' tune toy --train plain.txt --dev good.tsv -o out
fails 3 'plain.txt:1: no known header' tokenize toy plain.txt --input-format tsv
fails 3 'plain.txt:1: not a JSON object' tokenize toy plain.txt --input-format jsonl
skip tokenize toy - --input-format tsv <plain.txt >"$log/out" 2>"$log/err"
check "bad standard input gives 3" test $? -eq 3
says 'standard input:1: no known header'

# No rows where none are needed.
for file in empty.txt empty.tsv empty.jsonl; do
	: >"$file"
	gives 0 tokenize toy "$file"
	check "$file gives no lines" test ! -s "$log/out"
done

finish
