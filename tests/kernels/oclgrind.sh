#!/bin/sh
# Runs the small tests of every kernel program (names starting with "small") under oclgrind, which names the work-item and line of an access outside a
# buffer and of a data race. oclgrind itself always ends with 0, so anything in its log fails. Every test process opens the log anew and would
# empty a file, so the log is a pipe. Exit 77: oclgrind is not installed.
set -u
command -v oclgrind >/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkfifo "$folder/pipe"
failed=0
tests=0
for program in "$SKIP_TEST_BINARY"/bin/test_kernels_*; do
	for test in $("$program" --list | sed -n 's/^\([a-z_]*\): .*/suite \1/p; s/^.*── \(small.*\)$/test \1/p' |
		awk '$1 == "suite" { suite = $2 } $1 == "test" { print suite "/" $2 }'); do
		tests=$((tests + 1))
		cat "$folder/pipe" >"$folder/log" &
		reader=$!
		exec 3>"$folder/pipe"
		SKIP_DEVICE=oclgrind oclgrind --data-races --max-errors 10 --log "$folder/pipe" "$program" --filter "$test" -j1 >"$folder/out" 2>&1
		status=$?
		exec 3>&-
		wait $reader
		if [ $status -ne 0 ] || [ -s "$folder/log" ]; then
			echo "FAILED under oclgrind: $(basename "$program") $test"
			head -n 60 "$folder/log"
			tail -n 30 "$folder/out"
			failed=1
		fi
	done
done
[ $tests -gt 0 ] || { echo "no small test was found"; exit 1; }
exit $failed
