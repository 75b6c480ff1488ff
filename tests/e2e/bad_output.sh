# Outputs that cannot be written: exit code 2, what is wrong with the place, nothing left behind, what stood there before untouched. What can be known
# beforehand is said before any work is done.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy toy
make_toy head classes=3
task 1 40 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
prune="prune head --data data.tsv --dev data.tsv --rate 0.3 --criterion magnitude --allocate uniform --compensate none"
tune="tune toy --train data.tsv --dev data.tsv --prefix 2 --epochs 1"
fit="fit toy --train data.tsv --dev data.tsv --prefix 2 --epochs 1 --rate 0.3 --criterion magnitude --allocate uniform --compensate none"

gives 0 $prune -o small.skip
gives 0 attribute head --data data.tsv --criterion magnitude -o scores
cp -r small.skip keep.skip
rm scores

# Nothing is computed for an output that has no place: no note of a finished stage comes first.
no_work() {
	fails 2 "$@"
	check "nothing was done before: $(head -n 1 "$log/err")" test "$(wc -l <"$log/err")" -eq 1
}

# places PATTERN PATH: every verb that writes a folder.
folder_places() {
	no_work "$1" $prune -o "$2"
	no_work "$1" $tune -o "$2"
	no_work "$1" $fit -o "$2"
}
file_places() {
	no_work "$1" attribute head --data data.tsv --criterion magnitude -o "$2"
	no_work "$1" encode toy data.tsv -o "$2"
	no_work "$1" report small.skip -o "$2"
}

# A folder that is not there, that is a file, that may not be written.
folder_places 'nowhere/out.skip: cannot (create|write here): ' nowhere/out.skip
file_places 'nowhere/out: cannot (create|write here): ' nowhere/out
folder_places 'data.tsv/out.skip: cannot (create|write here): ' data.tsv/out.skip
folder_places '/proc/out.skip: cannot (create|write here): ' /proc/out.skip
file_places '/proc/out: cannot (create|write here): ' /proc/out
if [ "$(id -u)" -ne 0 ]; then
	mkdir locked
	chmod a-w locked
	folder_places 'locked/out.skip: cannot create: Permission denied' locked/out.skip
	file_places 'locked/out: cannot create: Permission denied' locked/out
fi

# Things of another kind are not replaced.
mkdir foreign.skip
echo mine >foreign.skip/notes.txt
folder_places 'foreign.skip: is a folder with other content \(no manifest.json in it\) and is not replaced' foreign.skip
file_places 'foreign.skip: is a folder and is not replaced by a file' foreign.skip
folder_places 'data.tsv: is a file and is not replaced by a folder' data.tsv
check "the foreign folder is as it was" test "$(cat foreign.skip/notes.txt)" = mine
folder_places 'the name of the output is empty' ''
mkdir foreign2.dense.skip
echo mine >foreign2.dense.skip/notes.txt
no_work 'foreign2.dense.skip: is a folder with other content' $fit -o foreign2.skip

# An empty folder and an older package are replaced.
mkdir empty.skip
gives 0 $prune -o empty.skip
check "an empty folder becomes a package" test -f empty.skip/manifest.json
gives 0 $prune --units ffn -o empty.skip/
check "an older package is replaced" sh -c '! cmp -s empty.skip/manifest.json small.skip/manifest.json'
rm -r empty.skip

# Full devices.
fails 2 '/dev/full: cannot write: No space left on device' attribute head --data data.tsv --criterion magnitude -o /dev/full
fails 2 '/dev/full: cannot write: No space left on device' encode toy data.tsv -o /dev/full
fails 2 '/dev/full: cannot write: No space left on device' report small.skip -o /dev/full

# A full disk under a package: what stood there stays.
disk_full() {
	listing >"$log/before"
	"$@" >"$log/out" 2>"$log/err"
	disk_full_code=$?
	listing >"$log/after"
	check "a full disk gives 2, not $disk_full_code" test "$disk_full_code" -eq 2
	says 'small.skip: cannot '
	check "a full disk leaves nothing behind" cmp "$log/before" "$log/after"
	check "a full disk leaves the old package" diff -r small.skip keep.skip
}
limited() {
	(
		ulimit -f 8
		skip $prune --units ffn -o small.skip
	)
}
disk_full limited
clean_up() {
	mountpoint -q "$work/disk" && umount "$work/disk"
}
if mkdir disk && mount -t tmpfs -o size=4m none disk 2>/dev/null; then
	cp -r small.skip disk/
	full() {
		skip $prune --units ffn -o disk/small.skip
	}
	cat /dev/zero >disk/filler 2>/dev/null
	disk_full full
	check "the package on the full disk is as it was" diff -r disk/small.skip keep.skip
	clean_up
fi

# Standard output.
for words in 'tokenize toy data.tsv' 'inspect toy' 'inspect toy --json' 'devices' 'run head data.tsv' 'eval head --data data.tsv' '--help' '--version' 'run --help'; do
	checks=$((checks + 1))
	skip $words >/dev/full 2>"$log/err"
	code=$?
	[ "$code" -eq 2 ] || fault "exit code $code, expected 2: skip $words >/dev/full"
	says 'cannot write standard output: No space left on device'
	check "one line is said" test "$(wc -l <"$log/err")" -eq 1
done

# A reader that leaves early is no fault.
task 2 4000 >big.tsv
for words in 'tokenize toy big.tsv' 'run head big.tsv --format jsonl' 'inspect toy --json'; do
	{
		skip $words 2>"$log/err"
		echo $? >"$log/code"
	} | head -n 1 >"$log/out"
	check "a closed pipe gives 0 for skip $words" test "$(cat "$log/code")" -eq 0
	check "a closed pipe says nothing for skip $words" test ! -s "$log/err"
	check "the line came through" test -s "$log/out"
done

finish
