#!/bin/sh
# Reads every #include "..." line under host/ and kernels/*/ and fails on a door that should not be there: a room includes itself and rooms on
# lower rows, never one beside or above it; OpenCL's headers only in host/device/opencl/. Then the same check must find the doors of a bad tree.
set -u

# check <root>: prints "file:line: reason" for each wrong include; status 1 when there is one.
check() {
	find "$1/host" "$1/kernels" \( -path "$1/host/*" -name '*.[ch]' \) -o \( -path "$1/kernels/*/*.[ch]" \) | sort | while read -r file; do
		awk -v file="${file#"$1"/}" '
		BEGIN {
			split("base 0 graph 1 model 2 text 2 device 2 method 3 package 3 report 4 export 4 cli 5", words, " ")
			for (i = 1; i in words; i += 2) row[words[i]] = words[i + 1]
			n = split(file, part, "/")
			room = part[1] == "kernels" ? "device" : part[2]
			public = room == "include" || n == 2
			may_opencl = file ~ /^host\/device\/opencl\//
		}
		function wrong(reason) { printf "%s:%d: %s\n", file, FNR, reason }
		/^[ \t]*#[ \t]*include/ {
			name = $0
			sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
			quoted = name ~ /^"/
			sub(/^["<]/, "", name)
			sub(/[">].*$/, "", name)
			if (name ~ /^(CL\/|clblast)/ && !may_opencl) wrong("only host/device/opencl/ includes " name)
			if (!quoted || name ~ /^CL\//) next
			split(name, step, "/")
			target = step[1]
			if (target == "skip") next
			if (part[1] == "kernels" && target == part[2]) next # a family and its own folder
			if (name ~ /\.\./ || !(target in row)) wrong("\"" name "\" is not written as room/file.h")
			else if (public) wrong("a public header includes \"" name "\"")
			else if (!(room in row)) wrong("room " room " has no row")
			else if (target == room) next
			else if (row[target] >= row[room]) wrong(room " (row " row[room] ") includes " target " (row " row[target] "): \"" name "\"")
			else if (room == "report" && target != "base" && target != "graph") wrong("report reads base and graph only, not \"" name "\"")
		}' "$file"
	done >"$list"
	cat "$list"
	[ ! -s "$list" ]
}

source_root=${SKIP_TEST_SOURCE:?}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
list=$work/list

mkdir -p "$work/bad/host/base" "$work/bad/host/text" "$work/bad/host/device/opencl" "$work/bad/host/device/run" "$work/bad/host/report" \
	"$work/bad/host/graph" "$work/bad/kernels/linear" "$work/bad/host/method/tune" "$work/bad/host/cli"
printf '#include "base/err.h"\n#include <stdio.h>\n' >"$work/bad/host/graph/good.c"
printf '#include <CL/cl.h>\n' >"$work/bad/host/device/opencl/good.c"
printf '#include "report/report.h"\n#include "method/metrics.h"\n#include "skip/skip.h"\n' >"$work/bad/host/cli/good.c"
printf '#include "device/family.h"\n#include "graph/graph.h"\n#include "linear/fpga.h"\n' >"$work/bad/kernels/linear/family.c"
check "$work/bad" || { echo "the checker refuses a good tree"; exit 1; }
printf '\n#include "graph/graph.h"\n' >"$work/bad/host/base/up.c"
printf '#include "model/model.h"\n' >"$work/bad/host/text/beside.h"
printf '  # include <CL/cl.h>\n#include <clblast_c.h>\n' >"$work/bad/host/device/run/opencl.c"
printf '#include "method/metrics.h"\n' >"$work/bad/host/report/down.c"
printf '#include "../graph/graph.h"\n#include "graph.h"\n' >"$work/bad/host/method/tune/crooked.c"
printf '#include "method/metrics.h"\n' >"$work/bad/kernels/linear/family.c"
check "$work/bad" >"$work/found" && { echo "the checker accepts a bad tree"; exit 1; }
cut -d: -f1,2 "$work/found" >"$work/places"
cat >"$work/wanted" <<'END'
host/base/up.c:2
host/device/run/opencl.c:1
host/device/run/opencl.c:2
host/method/tune/crooked.c:1
host/method/tune/crooked.c:2
host/report/down.c:1
host/text/beside.h:1
kernels/linear/family.c:1
END
diff "$work/wanted" "$work/places" || { echo "the checker does not name the bad lines"; exit 1; }

check "$source_root"
