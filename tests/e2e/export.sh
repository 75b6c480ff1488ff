# skip export: what it writes, what it replaces, what it refuses.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
make_toy head classes=3

gives 0 export head -o head.onnx --json
has_keys "$log/out" file opset bytes
check "the size is that of the file" grep -q "\"file\":\"head.onnx\",\"opset\":17,\"bytes\":$(wc -c <head.onnx | tr -d ' ')}" "$log/out"
for name in input_ids attention_mask token_type_ids logits LayerNormalization; do
	check "the file names $name" grep -q "$name" head.onnx
done
gives 0 export head -o again.onnx
check "the name is printed" grep -qx again.onnx "$log/out"
check "twice gives the same bytes" cmp head.onnx again.onnx
gives 0 export head -o again.onnx
check "an older file is replaced" cmp head.onnx again.onnx

gives 0 export head --safetensors -o copy --json
has_keys "$log/out" folder
gives 0 export copy -o copy.onnx
check "a folder written is the network it came from" cmp head.onnx copy.onnx
gives 0 export head --safetensors -o copy
gives 0 export head --safetensors -o other
check "twice gives the same folder" diff -r copy other
task 3 7 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
gives 0 run head data.tsv --logits
cp "$log/out" answers
gives 0 run copy data.tsv --logits
check "and gives the same answers" cmp answers "$log/out"

fails 2 "encoder without a classification head" export toy -o toy.onnx
fails 2 "o FILE.onnx is missing" export head
fails 2 "o FOLDER is missing" export head --safetensors
fails 2 "something is missing" export -o head2.onnx
fails 2 "no option '--opset'" export head -o head2.onnx --opset 20
fails 3 "no such model" export nothing -o head2.onnx
mkdir folder && echo text >folder/file
fails 2 "folder" export head -o folder
fails 2 "folder" export head --safetensors -o folder
fails 2 "head.onnx" export head --safetensors -o head.onnx
check "what was refused is untouched" test "$(cat folder/file)" = text

finish
