# skip bitstream and skip run --bitstreams. The program is built by PoCL under a profile of the test's own that pretends to be a board, as an emulation platform does; the
# command lines of boards are those of the emitted script; rubbish is refused with the exit codes of docs/cli.md, before any OpenCL platform is loaded.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"
make_toy head classes=3
make_toy encoder
cp -r "$SKIP_TEST_SOURCE/boards" boards
cat >boards/pretended.json <<END
{"schema": 1, "id": "pretended", "title": "PoCL as if it were a board", "kind": "checker", "extends": "fpga-generic",
 "match": [{"platform": "Portable Computing Language", "device": "nothing is called so"}, {"platform": "Portable*"}], "compile": {"mode": "jit"}}
END
SKIP_BOARDS=$work/boards
export SKIP_BOARDS
printf 'the dog and a cat\nnear one oak\n' >two.txt

# arguments_of_text FOLDER MACRO: "kernel argument argument ..." of every kernel, as a compiler sees them; arguments_of_manifest FOLDER: as a built file is checked.
arguments_of_text() {
	gcc -E -P -x c -w "-D$2" "$1/kernels.cl" | tr '\n' ' ' | grep -o '__kernel void [a-z0-9_]* *([^)]*)' | sed 's/__kernel void \([a-z0-9_]*\) *(/\1:/; s/)$//' |
		awk -F: '{ n = split($2, arg, ","); line = $1; for (i = 1; i <= n; i++) { m = split(arg[i], word, /[ *]+/); while (word[m] == "") m--; line = line " " word[m] } print line }' | sort
}
arguments_of_manifest() {
	sed -n '/^  "kernels"/,/^  "link"/p' "$1/manifest.json" |
		awk '{ gsub(/[",]/, "") } /^          name:/ { line = line " " $2 } /^      name:/ { print $2 line; line = "" }' | sort
}

# Commands of a board: what the script says, and what leads there and back.
for board in p520n u280; do
	gives 0 bitstream command lib head --board $board --fit
	cp "$log/out" lines
	gives 0 emit head --board $board --dtype f32 --fit -o $board
	arguments_of_text $board "$(test $board = p520n && echo INTEL_FPGA || echo NOTHING)" >text
	arguments_of_manifest $board >manifest
	check "$board: the manifest names the arguments the kernels have" sh -c 'test $(wc -l <text) -gt 10 && diff text manifest'
	check "$board: emit comes first" sh -c "head -n 1 lines | grep -qx 'skip emit head --board $board --dtype f32 --fit -o $board'"
	check "$board: every line of the build stands in the script" sh -c "sed -n '/^cd /,/^)/p' lines | sed '1d;\$d;/^step=bitstream\$/d' | while IFS= read -r line; do grep -qF -- \"\$line\" $board/build_$board.sh || exit 1; done"
	check "$board: the file is added" sh -c "tail -n 1 lines | grep -qx \"skip bitstream add lib $board/\$(sed -n 's/^  \"name\": \"\\(.*\\)\",\\{0,1\\}\$/\\1/p' $board/manifest.json)\\.[a-z]*\""
	check "$board: sh reads it" sh -n lines
done
gives 0 bitstream command lib head --board u280 --fit --json
has_keys "$log/out" entries name hash board present commands
gives 0 bitstream command lib head --board pretended
check "an emulation is built by its runtime" grep -qx 'skip bitstream build lib head --device pretended --dtype f32' "$log/out"

# The file that a tool would make: too short to be one.
name=$(sed -n 's/^  "name": "\(.*\)",\{0,1\}$/\1/p' p520n/manifest.json)
echo no tool made this >"p520n/$name.aocx"
fails 6 "check 'container' failed" bitstream add lib "p520n/$name.aocx"
cp "p520n/$name.aocx" p520n/other.aocx
fails 6 "check 'name' failed" bitstream add lib p520n/other.aocx
fails 3 'cannot open' bitstream add lib p520n/none.aocx
echo '{' >bad.json
fails 3 'bad.json.*not JSON' bitstream add lib "p520n/$name.aocx" --manifest bad.json

# Nothing is there: said before a platform is loaded (none could be).
fails 3 'is no folder' bitstream list lib
OCL_ICD_VENDORS=/nowhere fails 3 "check 'library' failed" run head two.txt --device pretended --bitstreams lib
says 'make it     skip bitstream build lib head --device pretended --dtype f32'
OCL_ICD_VENDORS=/nowhere fails 3 "check 'library' failed" run head two.txt --device p520n --bitstreams lib
says 'sh p520n/build_p520n.sh bitstream && skip bitstream add lib p520n/\*.aocx'
fails 2 'libraries are of FPGA boards' run head two.txt --device Portable --bitstreams lib

# Built, listed, verified, run.
gives 0 bitstream build lib head --device pretended --json
has_keys "$log/out" entries name hash kind
check "it is called emulated" grep -q '"kind":"emulated"' "$log/out"
gives 0 bitstream list lib --json
has_keys "$log/out" entries name hash board kind dtype form file bytes built_by ok
gives 0 bitstream list lib
check "one entry" grep -q '^bert_.*-pretended-f32-.* emulated .* not verified$' "$log/out"
gives 0 bitstream verify lib
check "which is whole" grep -q ' ok$' "$log/out"
gives 0 bitstream verify lib head --board pretended
gives 0 bitstream command lib head --board pretended
says 'is there already'
gives 0 run head two.txt --device pretended --logits
cp "$log/out" wanted
gives 0 run head two.txt --device pretended --logits --bitstreams lib
check "the same logits from the library" cmp wanted "$log/out"
says '^program .*-pretended-f32-[0-9a-f]{12}: each of its [0-9]+ kernels on 5 tokens against float64, [0-9]+ numbers, at most 0\.[0-9]+ of'
gives 0 run head two.txt --device pretended --bitstreams lib --quiet
check "and quiet says nothing" test ! -s "$log/err"
task 3 61 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
gives 0 eval head --data data.tsv --device pretended --bitstreams lib --json
says '^program '
fails 2 'not with --bitstreams' bench head --device pretended --bitstreams lib --layers
fails 2 'is an encoder without a classification head' bench encoder --device pretended --bitstreams lib

# Layers of two widths in one shape.
gives 0 prune head --data data.tsv --dev data.tsv --rate 0.3 --criterion magnitude --compensate none --quiet -o small.skip --device Portable
gives 0 run small.skip two.txt --device pretended --logits
cp "$log/out" uneven
gives 0 bitstream command one small.skip --board pretended --classes 1
check "the classes stand in the command" grep -qx 'skip bitstream build one small.skip --device pretended --dtype f32 --classes 1' "$log/out"
gives 0 bitstream command one small.skip --board u280 --fit --classes 1
check "and in a board's" grep -q '^skip emit small.skip --board u280 --dtype f32 --classes 1 --fit -o u280$' "$log/out"
gives 3 run small.skip two.txt --device pretended --bitstreams one
gives 0 bitstream build one small.skip --device pretended --classes 1
gives 0 run small.skip two.txt --device pretended --logits --bitstreams one
says 'layers of 1 shape:'
check "near the logits of the network as it is" near uneven "$log/out" 1e-5
gives 0 bitstream verify one small.skip --board pretended
gives 0 bitstream verify one
sed -i 's/"classes": 1/"classes": 2/' one/*/*/*.json
gives 3 run small.skip two.txt --device pretended --bitstreams one
says "check 'library' failed" 'differs in classes'
gives 3 run head two.txt --device pretended --bitstreams lib --dtype int8
says "check 'library' failed" 'nearest     bert_.*-pretended-f32-.*, differs in dtype'
fails 3 "check 'library' failed" bitstream verify lib head --board p520n

# Damaged: refused, and moved aside.
file=$(ls lib/*/*/*.emulated)
printf X | dd of="$file" bs=1 seek=20 conv=notrunc 2>/dev/null
OCL_ICD_VENDORS=/nowhere gives 6 run head two.txt --device pretended --bitstreams lib
says "check 'sha256' failed" 'expected    [0-9a-f]{64} \(side file\)' 'make it     skip bitstream build lib head --device pretended'
check "it is moved aside" test -d "$(dirname "$file").damaged"
gives 0 bitstream build lib head --device pretended
sed -i 's/"layers": [0-9]*/"layers": 61/' lib/*/*[0-9a-f]/*.json
gives 6 bitstream verify lib
check "what is wrong" grep -q "check 'hash' failed" "$log/out"

# Rubbish.
fails 2 'something is missing' bitstream list
fails 2 'is one of list, verify, command, add, build' bitstream burn lib
fails 2 'list takes DIR alone' bitstream list lib head
fails 2 'PKG is missing' bitstream command lib
fails 2 'FILE is missing' bitstream add lib
fails 2 'board ID is missing' bitstream command lib head
fails 2 'board ID is missing' bitstream verify lib head
fails 2 "no FPGA board 'none'" bitstream command lib head --board none
fails 2 "no FPGA board 'none'" bitstream verify lib head --board none
fails 2 "no FPGA board 'fpga-intel'" bitstream command lib head --board fpga-intel
fails 2 'device D is missing' bitstream build lib head
fails 2 'does not emulate an FPGA board' bitstream build lib head --device Portable
fails 2 'device belongs to build' bitstream list lib --device pretended
fails 2 'classes belongs to command and build' bitstream list lib --classes 2
fails 2 'classes belongs to command and build' bitstream verify lib head --board p520n --classes 2
fails 2 'manifest belongs to add' bitstream list lib --manifest m
fails 2 'belong to command and verify' bitstream list lib --board p520n
fails 3 'none' bitstream command lib none --board p520n
fails 5 'outputs and tiles of [0-9]+ rows would: --fit' bitstream command lib head --board u280
fails 3 'not bf16' bitstream command lib head --board p520n --dtype bf16
fails 2 'no option' bitstream list lib --burn
finish
