# Model folders that are missing, damaged, lying or unsupported: exit code 3, the file and the place in it, what was expected.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
make_toy head classes=3
make_toy shards shards=3
weights=toy/model.safetensors
size=$(wc -c <"$weights")
header=$(od -An -tu8 -N8 "$weights" | tr -d ' ')
data=$((8 + header))

# copy [FROM]: a fresh copy named bad.
copy() {
	rm -rf bad
	cp -r "${1:-toy}" bad
}
# patch FILE OFFSET OCTAL...: overwrites bytes.
patch() {
	patch_file=$1
	patch_at=$2
	shift 2
	for octal; do
		printf "\\$octal"
	done | dd of="$patch_file" bs=1 seek="$patch_at" conv=notrunc 2>/dev/null
}
# header_says FROM TO: replaces text of the weights' header; both must have one length.
header_says() {
	copy
	check "the header has '$1'" grep -aq -e "$1" bad/model.safetensors
	sed -i "s/$1/$2/" bad/model.safetensors
	check "the file keeps its length" test "$(wc -c <bad/model.safetensors)" -eq "$size"
}
# config_says FROM TO: replaces text of config.json.
config_says() {
	copy "${3:-toy}"
	check "the config has '$1'" grep -q -e "$1" bad/config.json
	sed -i "s/$1/$2/" bad/config.json
}

gives 0 inspect toy
gives 0 inspect head
gives 0 inspect shards

# Missing.
fails 3 '^skip inspect: error: nowhere: no such model folder' inspect nowhere
fails 3 '^skip inspect: error: toy/config.json: expected a model folder or a package, found a file' inspect toy/config.json
mkdir empty
fails 3 'empty/config.json: ' inspect empty
fails 3 'empty: no tokenizer: expected tokenizer.json, vocab.txt' tokenize empty /dev/null
rmdir empty
copy && rm bad/config.json
fails 3 'bad/config.json: .*No such file' inspect bad
copy && rm bad/model.safetensors
fails 3 'bad/model.safetensors: no such file, and no model.safetensors.index.json beside it$' inspect bad
: >bad/pytorch_model.bin
fails 3 'pytorch_model.bin becomes one with, in that folder, python3 -c .import torch.*save_file' inspect bad
copy && rm bad/vocab.txt
fails 3 'bad: no tokenizer: expected tokenizer.json, vocab.txt' inspect bad
copy shards && rm bad/model-00002-of-00003.safetensors
fails 3 'bad/model-00002-of-00003.safetensors: ' inspect bad
copy && rm bad/config.json && mkdir bad/config.json
fails 3 'bad/config.json: .*folder|bad/config.json: .*directory' inspect bad
copy && rm bad/model.safetensors && mkdir bad/model.safetensors
fails 3 'bad/model.safetensors: is a folder, a file is needed' inspect bad
if [ "$(id -u)" -ne 0 ]; then
	copy && chmod 0 bad/config.json
	fails 3 'bad/config.json: .*Permission denied' inspect bad
fi

# Links are followed in a model folder.
mkdir links
for file in toy/*; do
	ln -s "../$file" "links/$(basename "$file")"
done
gives 0 inspect links

# Truncated and grown weights.
for cut in 0 1 7 8 9 "$((data - 1))" "$data" "$((data + 1))" "$((size / 2))" "$((size - 1))"; do
	copy
	truncate -s "$cut" bad/model.safetensors
	fails 3 'bad/model.safetensors: offset [0-9]+: .*(expected|the file has|data offsets|do not lie)' inspect bad
done
copy && printf x >>bad/model.safetensors
fails 3 "bad/model.safetensors: offset $size: the file has 1 bytes after the last tensor" inspect bad

# A header that lies.
copy && patch bad/model.safetensors 0 377 377 377 377 377 377 377 377
fails 3 'bad/model.safetensors: offset 0: header length is 18446744073709551615 bytes; expected at most' inspect bad
copy && patch bad/model.safetensors 0 0 0 0 0 0 0 0 0
fails 3 'bad/model.safetensors: offset 8: the header does not begin with' inspect bad
copy && patch bad/model.safetensors 8 133
fails 3 'bad/model.safetensors: offset 8: the header does not begin with' inspect bad
copy && patch bad/model.safetensors 9 1
fails 3 'bad/model.safetensors: offset 8: header: not JSON' inspect bad
header_says '"F32"' '"F99"'
fails 3 "bad/model.safetensors: offset 8: tensor '.*': dtype 'F99' is not known; expected F64, F32" inspect bad
header_says '"F32"' '"F16"'
fails 3 "bad/model.safetensors: offset [0-9]+: tensor '.*': its shape in F16 takes [0-9]+ bytes, its data offsets hold [0-9]+" inspect bad
header_says '"F32"' '"I32"'
fails 3 "bad/model.safetensors: offset [0-9]+: tensor '.*': expected F32, F16, BF16 or F64, found I32" inspect bad
header_says '\[24,24\]' '[24,25]'
fails 3 "its shape in F32 takes 2400 bytes, its data offsets hold 2304" inspect bad
header_says '\[24,24\]' '[-4,24]'
fails 3 'dim 0 of the shape is no size >= 0' inspect bad
header_says '\[24,24\]' '[48,12]'
fails 3 "bad/model.safetensors: offset [0-9]+: tensor '.*': config.json makes its shape \[24, 24\], the file has \[48, 12\]" inspect bad
header_says '"data_offsets":\[0,96\]' '"data_offsets":[96,0]'
fails 3 'data offsets 96 to 0 do not lie in the [0-9]+ bytes of data' inspect bad
header_says '"data_offsets":\[0,96\]' '"data_offsets":[0,98]'
fails 3 'takes 96 bytes, its data offsets hold 98' inspect bad
header_says '"data_offsets":\[96,192\]' '"data_offsets":[ 0, 96]'
fails 3 'bad/model.safetensors: offset [0-9]+: .*(overlaps|belong to no tensor)' inspect bad
header_says '"data_offsets"' '"data_offsetz"'
fails 3 'is no pair of integers' inspect bad
header_says '"embeddings.word_embeddings.weight"' '"embeddings.word_embeddings.weighs"'
fails 3 "bad/model.safetensors: tensor '.*word_embeddings.weight' is missing" inspect bad

# Numbers that are none.
for number in '000 000 300 177' '000 000 200 177' '000 000 200 377'; do
	copy && patch bad/model.safetensors "$((size - 4))" $number
	fails 3 "bad/model.safetensors: offset $((size - 4)): tensor '.*': .*(NaN|infinite|finite)" inspect bad
done

# Config and weights that disagree.
config_says '"hidden_size": 24' '"hidden_size": 36'
fails 3 "bad/model.safetensors: offset [0-9]+: tensor '.*': config.json makes its shape \[[0-9]+, 36\], the file has \[[0-9]+, 24\]" inspect bad
config_says '"num_hidden_layers": 2' '"num_hidden_layers": 3'
fails 3 "bad/model.safetensors: tensor '.*layer.2.*' is missing" inspect bad
config_says '"intermediate_size": 40' '"intermediate_size": 41'
fails 3 'config.json makes its shape \[41, 24\], the file has \[40, 24\]' inspect bad
config_says '"max_position_embeddings": 24' '"max_position_embeddings": 512'
fails 3 'position_embeddings.weight.*makes its shape \[512, 24\], the file has \[24, 24\]' inspect bad
config_says '"vocab_size": [0-9]*' '"vocab_size": 7'
fails 3 'word_embeddings.weight.*makes its shape \[7, 24\], the file has \[40, 24\]' inspect bad
config_says '"num_attention_heads": 3' '"num_attention_heads": 5'
fails 3 'bad/config.json: "hidden_size" 24 is not a multiple of "num_attention_heads" 5' inspect bad
config_says '"num_attention_heads": 3' '"num_attention_heads": 0'
fails 3 'bad/config.json: "num_attention_heads": ' inspect bad
config_says '"layer_norm_eps": 1e-12' '"layer_norm_eps": -1'
fails 3 'bad/config.json: "layer_norm_eps": expected a small positive number' inspect bad
config_says '"hidden_size": 24' '"hidden_size": "24"'
fails 3 'bad/config.json: "hidden_size": expected an integer, found the string "24"' inspect bad
config_says '"hidden_size": 24,' ''
fails 3 'bad/config.json: "hidden_size" is missing; expected an integer' inspect bad
config_says '"2": "class2"' '"2": 2' head
fails 3 'bad/config.json: "id2label": expected a string for "2"' inspect bad
config_says ', "2": "class2"' '' head
fails 3 'bad/config.json: "id2label" has 2 labels, the head of the checkpoint has 3 classes' inspect bad
copy && printf '{"model_type": "bert",' >bad/config.json
fails 3 'bad/config.json:1: not JSON at line 1' inspect bad
copy && : >bad/config.json
fails 3 'bad/config.json.*: not JSON' inspect bad
copy && printf '[]' >bad/config.json
fails 3 'bad/config.json' inspect bad

# Unsupported.
for field in 'type=t5 model_type' 'act=swish_x hidden_act' 'position=relative_key position_embedding_type'; do
	rm -rf bad
	make_toy bad "${field%% *}"
	value=${field%% *}
	fails 3 "bad/config.json: Unsupported ${field##* } '${value#*=}'; supported: " inspect bad
done
make_toy bad 'config=, "is_decoder": true'
fails 3 'bad/config.json: Unsupported is_decoder true' inspect bad

# The tokenizer's files.
copy && : >bad/vocab.txt
fails 3 'bad/vocab.txt: empty; expected one token a line' inspect bad
copy && sed -i 's/^\[SEP\]$/[STOP]/' bad/vocab.txt
fails 3 'bad/vocab.txt: the vocabulary has no special token "\[SEP\]"' inspect bad
copy && sed -i '9s/.*//' bad/vocab.txt
fails 3 'bad/vocab.txt:9: empty line; expected one token a line' inspect bad
copy && printf 'caf\351\n' >>bad/vocab.txt
fails 3 'bad/vocab.txt:[0-9]+: not UTF-8 text: byte 0xe9 at offset 3' inspect bad
copy && printf '{' >bad/tokenizer_config.json
fails 3 'bad/tokenizer_config.json:1: not JSON' inspect bad
copy && printf 'zebra\nlion\n' >>bad/vocab.txt
fails 3 'bad: the tokenizer has 42 tokens, the embedding of the model 40' inspect bad
rm -rf bad

# Every verb that opens a model says the same, before it needs a device.
printf 'sentence\tlabel\nthe dog\tclass0\nthe oak\tclass1\n' >two.tsv
fails 3 'nowhere: no such model folder' tokenize nowhere two.tsv
fails 3 'nowhere: no such model folder' run nowhere two.tsv
fails 3 'nowhere: no such model folder' encode nowhere two.tsv -o out
fails 3 'nowhere: no such model folder' eval nowhere --data two.tsv
fails 3 'nowhere: no such model folder' tune nowhere --train two.tsv --dev two.tsv -o out
fails 3 'nowhere: no such model folder' fit nowhere --train two.tsv --dev two.tsv -o out.skip
fails 3 'nowhere: no such model folder' prune nowhere --data two.tsv --dev two.tsv -o out
fails 3 'nowhere: no such model folder' attribute nowhere --data two.tsv -o out
fails 3 'nowhere: no such model folder' bench nowhere
fails 3 'nowhere: no such model folder' report nowhere -o out
fails 3 'nowhere: (no such|expected) ' verify nowhere
fails 3 'toy: expected a package \(a folder with manifest.json\)' verify toy

finish
