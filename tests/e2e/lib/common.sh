# Sourced by the end-to-end scripts: a working folder of their own, the toy model and its task, and checks of exit codes, messages and left-overs.
# A check that fails is printed and counted; `finish` gives the script's exit code.

set -u
LC_ALL=C.UTF-8
export LC_ALL
: "${SKIP_PROGRAM:?run me from CTest}" "${SKIP_TEST_SOURCE:?}" "${SKIP_TEST_BINARY:?}"
work=$(mktemp -d "$SKIP_TEST_BINARY/e2e-XXXXXX") || exit 1
log=$(mktemp -d "$SKIP_TEST_BINARY/e2e-log-XXXXXX") || exit 1
clean_up() { :; } # scripts may have more to undo
trap 'cd / && clean_up; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work" "$log"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
failures=0
checks=0

skip() {
	"$SKIP_PROGRAM" "$@"
}

make_toy() {
	"$SKIP_TEST_BINARY/bin/make_toy" "$@" || exit 1
}

# make_golden NAME: the checkpoint NAME of tests/golden/models in the folder NAME, with a tokenizer of its kind.
make_golden() {
	"$SKIP_TEST_BINARY/bin/make_golden" "$1" "$1" || exit 1
}

fault() {
	failures=$((failures + 1))
	printf 'FAULT %s\n' "$*"
}

# check WHAT COMMAND...: the command succeeds.
check() {
	check_what=$1
	shift
	checks=$((checks + 1))
	"$@" >"$log/check" 2>&1 && return 0
	fault "$check_what: $*"
	sed 's/^/    /' "$log/check" | head -20
	return 1
}

# Every file and folder below the working folder.
listing() {
	find . | sort
}

# gives CODE ARGUMENT...: runs skip; stdout in $log/out, stderr in $log/err.
gives() {
	gives_code=$1
	shift
	checks=$((checks + 1))
	skip "$@" >"$log/out" 2>"$log/err"
	gives_got=$?
	[ "$gives_got" -eq "$gives_code" ] && return 0
	fault "exit code $gives_got, expected $gives_code: skip $*"
	tail -n 5 "$log/err" | sed 's/^/    /'
	return 1
}

# says PATTERN...: every (extended) pattern stands in what the last call wrote to stderr.
says() {
	for says_pattern; do
		checks=$((checks + 1))
		grep -Eq -e "$says_pattern" "$log/err" && continue
		fault "the message lacks '$says_pattern':"
		tail -n 5 "$log/err" | sed 's/^/    /'
	done
}

# fails CODE PATTERN ARGUMENT...: this exit code, one message that matches, nothing on stdout, nothing left behind.
fails() {
	fails_code=$1
	fails_pattern=$2
	shift 2
	listing >"$log/before"
	if gives "$fails_code" "$@"; then
		says "$fails_pattern"
	fi
	listing >"$log/after"
	checks=$((checks + 1))
	cmp -s "$log/before" "$log/after" || {
		fault "files left behind or lost by: skip $*"
		diff "$log/before" "$log/after" | sed 's/^/    /'
	}
	[ -s "$log/out" ] && fault "stdout is not empty after: skip $*"
	return 0
}

# has_keys FILE KEY...: a JSON text names these keys.
has_keys() {
	keys_file=$1
	shift
	for key; do
		checks=$((checks + 1))
		grep -q "\"$key\":" "$keys_file" || fault "no key \"$key\" in $(head -c 300 "$keys_file")"
	done
}

# task SEED ROWS: TSV with header; sentences of the toy's words, labelled animal, plant or stone.
task() {
	awk -v seed="$1" -v rows="$2" '
	function next_below(n) { state = state * 16807 % 2147483647; return state % n }
	BEGIN {
		split("dog cat horse trout", word_0, " ")
		split("oak fern birch moss", word_1, " ")
		split("granite slate quartz marble", word_2, " ")
		split("animal plant stone", name, " ")
		fillers = split("the a of and near under one two", filler, " ")
		state = 12345 + seed
		print "sentence\tlabel"
		for (row = 0; row < rows; row++) {
			class = next_below(3)
			words = 2 + next_below(3)
			text = filler[1 + next_below(fillers)]
			for (i = 0; i < words; i++) {
				k = 1 + next_below(4)
				text = text " " (class == 0 ? word_0[k] : class == 1 ? word_1[k] : word_2[k])
			}
			print text " ." "\t" name[class + 1]
		}
	}'
}

# near A B TOLERANCE: lines of label, score and logits: labels equal, numbers within.
near() {
	paste "$1" "$2" | awk -F '\t' -v most="$3" '
	{ n = NF / 2; wrong += $1 != $(n + 1); for (i = 2; i <= n; i++) { d = $i - $(n + i); if (d < 0) d = -d; if (!(d <= most)) wrong++ } }
	END { exit NR == 0 || wrong > 0 }'
}

finish() {
	printf '%d checks, %d failed\n' "$checks" "$failures"
	[ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
	exit $?
}
