# Interrupted and continued: 130, the command to go on, nothing half-written, and a resumed run ends with the bytes of an uninterrupted one.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
task 11 240 >train.tsv
task 12 90 >dev.tsv
cut="--rate 0.4 --criterion magnitude --compensate none"
fit="fit toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 300 $cut"

hash_of() {
	skip inspect "$1" --json 2>/dev/null | sed 's/.*"package":"\([^"]*\)".*/\1/'
}
# start ARGUMENT...: skip in the background, its number in pid.
start() {
	: >"$log/err"
	"$SKIP_PROGRAM" "$@" >"$log/out" 2>"$log/err" &
	pid=$!
}
# wait_for WHAT COMMAND...: until the command succeeds, at most half a minute.
wait_for() {
	wait_what=$1
	shift
	wait_left=300
	while ! "$@" 2>/dev/null; do
		wait_left=$((wait_left - 1))
		if [ "$wait_left" -eq 0 ] || ! kill -0 "$pid" 2>/dev/null; then
			fault "no sign of $wait_what"
			tail -n 3 "$log/err" | sed 's/^/    /'
			return 1
		fi
		sleep 0.1
	done
}
# interrupted SIGNAL: stops the skip in the background and looks at how it ended.
interrupted() {
	kill -s "$1" "$pid"
	wait "$pid"
	code=$?
	check "$1 gives 130, not $code" test "$code" -eq 130
	says 'skip fit: note: .* stopped ' "skip fit: go on with: skip fit toy --train train.tsv .* --resume\$"
	check "no temporary files" sh -c '! ls -d ./*.tmp-* ./*.old-* 2>/dev/null'
	check "nothing on stdout" test ! -s "$log/out"
}

gives 0 $fit --quiet -o whole.skip
expected=$(hash_of whole.skip)
check "a package has a hash" test "${#expected}" -eq 64

# While tuning.
for signal in INT TERM; do
	start $fit -o cut.skip
	wait_for "a checkpoint" test -s cut.dense.skip.tune-checkpoint
	interrupted "$signal"
	check "no package yet" test ! -e cut.skip -a ! -e cut.dense.skip
	check "the checkpoint stays" test -s cut.dense.skip.tune-checkpoint
	fails 2 "cut.dense.skip.tune-checkpoint: cannot resume: the checkpoint was made with 'epochs 300', now 'epochs 301'" fit toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 301 $cut --resume -o cut.skip
	gives 0 $fit --resume -o cut.skip
	says '^resume  *tuning goes on from cut.dense.skip.tune-checkpoint'
	check "the resumed run gives the same package" test "$(hash_of cut.skip)" = "$expected"
	check "the resumed run gives the same dense package" test "$(hash_of cut.dense.skip)" = "$(hash_of whole.dense.skip)"
	check "the checkpoint is gone" test ! -e cut.dense.skip.tune-checkpoint
	[ "$signal" = TERM ] || rm -r cut.skip cut.dense.skip
done

# While searching: the old package stays, the tuned model is kept.
cp -r cut.skip before
# shares of parameters: shares of measured time are another cut in every run
long="fit toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 2 --margin 5 --allocate uniform --compensate ls --samples 240"
start $long -o cut.skip
wait_for "the end of tuning" grep -q '^tune ' "$log/err"
interrupted INT
check "the old package is as it was" diff -r before cut.skip
gives 0 verify cut.dense.skip
fails 2 'cut.dense.skip was made from another model, other data or settings' fit toy --train train.tsv --dev dev.tsv --prefix 4 --epochs 3 --margin 5 --resume -o cut.skip
gives 0 $long --resume -o cut.skip
says '^resume  *tuning was finished: cut.dense.skip'
gives 0 $long --quiet -o whole.skip
check "the resumed run gives the same package" test "$(hash_of cut.skip)" = "$(hash_of whole.skip)"

# Other data or another model are other settings too.
task 14 240 >train2.tsv
fails 2 'cut.dense.skip was made from another model' fit toy --train train2.tsv --dev dev.tsv --prefix 4 --epochs 2 --margin 5 --resume -o cut.skip
rm -r toy
make_toy toy seed=2
fails 2 'cut.dense.skip was made from another model' $long --resume -o cut.skip

finish
