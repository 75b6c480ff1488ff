# Shape classes chosen by the allocation: what is kept, what is recorded, what is refused.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy layers=4
task 11 240 >train.tsv
task 12 90 >dev.tsv
gives 0 tune toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 6 --quiet -o dense.skip
prune="prune dense.skip --data train.tsv --dev dev.tsv --criterion fisher --compensate bias --quiet"

# shapes FILE KIND: how many different shapes the layers of `inspect --json` have; a sub-layer that left has none.
shapes() {
	case $2 in
	attention) pattern='"heads":[1-9][0-9]*,"qk":[0-9]*,"v":[0-9]*' ;;
	ffn) pattern='"ffn":[1-9][0-9]*' ;;
	esac
	sed 's/.*"layers":\[//; s/\],.*//' "$1" | grep -oE "$pattern" | sort -u | wc -l
}

# limited K NAME: no kind of the package has more than K shapes.
limited() {
	gives 0 inspect "$2" --json
	for kind in attention ffn; do
		check "$2: at most $1 shapes of $kind, not $(shapes "$log/out" $kind)" test "$(shapes "$log/out" $kind)" -le "$1"
	done
}

# pruned ARGUMENT...: a measured target may be missed on a busy machine: then the best found is written all the same.
pruned() {
	checks=$((checks + 1))
	skip $prune "$@" >"$log/out" 2>"$log/err"
	pruned_got=$?
	[ "$pruned_got" -eq 0 ] || [ "$pruned_got" -eq 5 ] || fault "exit code $pruned_got: skip $prune $*: $(tail -n 1 "$log/err")"
}

# Without classes this cut leaves more than one shape: the limit is one.
gives 0 $prune --allocate kl --flops 0.5 --json -o free.skip
check "nothing was asked for" sh -c "! grep -q '\"asked\"' '$log/out'"
has_keys "$log/out" shapes attention ffn
gives 0 inspect free.skip --json
check "freely there are more shapes than one" test $(($(shapes "$log/out" attention) + $(shapes "$log/out" ffn))) -gt 2

for target in '--rate 0.4' '--margin 5' '--flops 0.5'; do
	pruned --allocate kl --classes 1 $target --json -o one.skip
	check "$target: the limit is recorded" grep -q '"asked":1' "$log/out"
	check "and part of the settings" grep -q '"classes": *1' one.skip/manifest.json
	limited 1 one.skip
done
gives 0 verify one.skip
gives 0 $prune --allocate fisher --classes 2 --flops 0.6 --json -o two.skip
limited 2 two.skip

# One rate for all, rounded alike: every layer is the same.
gives 0 $prune --allocate uniform --classes 1 --rate 0.43 --json -o one.skip
limited 1 one.skip
gives 0 inspect one.skip --json
check "all four layers are there" test "$(grep -o '"ffn":[1-9]' "$log/out" | wc -l)" -eq 4
gives 0 prune dense.skip --data train.tsv --dev dev.tsv --criterion fisher --allocate kl --classes 1 --flops 0.5 --compensate bias -o one.skip
check "a person sees the shapes" grep -qE '^shapes +(attention|ffn) ' "$log/out"
check "so does the report" grep -q 'The layers share shapes' one.skip/report.html
# In as many classes as layers nothing is different.
gives 0 $prune --allocate kl --classes 4 --flops 0.5 -o four.skip
check "four classes of four layers are none at all" cmp free.skip/weights.safetensors four.skip/weights.safetensors

# Layers that differ already: by options they come to share, one share for all cannot make them.
again="prune free.skip --data train.tsv --dev dev.tsv --criterion fisher --compensate bias --quiet"
gives 0 $again --allocate fisher --classes 1 --flops 0.5 -o one.skip
limited 1 one.skip
fails 2 'one share for all leaves the [0-9] shapes of' $again --allocate uniform --classes 1 --rate 0.3 -o none.skip

# Rounds and restarts go by the classes too.
gives 0 $prune --allocate kl --classes 1 --flops 0.5 --rounds 2 --restarts 4 -o one.skip
limited 1 one.skip

# A share found under other classes is not taken from a time table.
pruned --allocate kl --speedup 1.05 --time-table times.json -o free.skip
pruned --allocate kl --speedup 1.05 --classes 1 --time-table times.json -o one.skip
check "both are kept" test "$(grep -c '"classes":' times.json)" -eq 2
limited 1 one.skip

# A board's widths and times, by estimate, in the place of the device's: recorded, printed, kept in the table, and never mixed with measured ones.
gives 0 $prune --allocate kl --classes 1 --speedup 1.2 --board u250 --dtype int8 --time-table board.json --json -o board.skip
has_keys "$log/out" board id source dtype length fits dense_ms pruned_ms speedup
check "it is an estimate for that board" grep -q '"board":{"id":"u250","source":"estimated","dtype":"int8"' "$log/out"
check "so is the table" grep -q '"source": *"estimated"' board.json
check "the board is part of the settings" grep -q '"board": *"u250"' board.skip/manifest.json
check "and of the report" grep -q 'u250, never run' board.skip/report.html
limited 1 board.skip
gives 0 prune dense.skip --data train.tsv --dev dev.tsv --criterion fisher --compensate bias --allocate kl --classes 1 --speedup 1.2 --board u250 --dtype int8 --time-table board.json -o board.skip
check "a person is told that it never ran" grep -qE '^board .*u250 by estimate, never run' "$log/out"
fails 3 '--board u250 --dtype int8 takes it' $prune --allocate kl --speedup 1.2 --time-table board.json -o none.skip
fails 3 'measured on a device, --board u250' $prune --allocate kl --speedup 1.2 --board u250 --time-table times.json -o none.skip
fails 2 "no FPGA board 'u2'" $prune --board u2 --rate 0.4 -o none.skip
fails 2 'does not fit kv260' $prune --board kv260 --rate 0.4 -o none.skip

# Refused.
fails 2 '--classes must lie between 1 and 64, found 0' $prune --classes 0 --rate 0.4 -o none.skip
fails 2 '--classes must lie between 1 and 64, found -1' $prune --classes -1 --rate 0.4 -o none.skip
fails 2 '--classes must lie between 1 and 64, found 65' $prune --classes 65 --rate 0.4 -o none.skip
fails 2 "--classes wants a whole number, found '1.5'" $prune --classes 1.5 --rate 0.4 -o none.skip
fails 2 "--classes wants a number, found 'one'" $prune --classes one --rate 0.4 -o none.skip
fails 2 '--classes wants a value' $prune --rate 0.4 -o none.skip --classes
fails 2 '--classes is given twice' $prune --classes 1 --classes 2 --rate 0.4 -o none.skip

finish
