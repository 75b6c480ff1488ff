# The profile view: its keys, shares that add up, work that is the model's own, on one batch and on one that runs in several chunks.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy head classes=3
for dtype in f32 int8; do
	gives 0 bench head --batch 1,200 --length 7,24 --seconds 0.02 --layers --dtype $dtype --json
	has_keys "$log/out" device peak_gflops bandwidth_gbs rows launches
	# One launch a line, its object closed: what has a kernel.
	sed 's/.*"launches":\[//' "$log/out" | tr '{' '\n' | grep '"kernel"' >launches
	for key in model batch tokens layer kernel median_ms share gflops gbs bound waste; do
		check "$dtype: every launch has a $key" test "$(grep -c "\"$key\":" launches)" -eq "$(wc -l <launches)"
	done
	check "$dtype: bound is compute or memory" test "$(grep -cE '"bound":"(compute|memory)"' launches)" -eq "$(wc -l <launches)"
	# batch, tokens, kernel, ms, share, GFLOP/s, waste
	sed 's/.*"batch":\([0-9]*\),"tokens":\([0-9]*\),"layer":[-0-9]*,"kernel":"\([^"]*\)","median_ms":\([^,]*\),"share":\([^,]*\),"gflops":\([^,]*\),.*"waste":\([^}]*\)}.*/\1 \2 \3 \4 \5 \6 \7/' \
		launches >numbers
	check "$dtype: shares of each of four cells add up to 100" awk '
		{ sum[$1, $2] += $5 }
		END { for (cell in sum) { n++; if (sum[cell] < 99.9 || sum[cell] > 100.1) { print cell, sum[cell]; exit 1 } } exit n != 4 }' numbers
	# attention: B n n H (qk + v) = B n n 48; so GFLOP/s times ms is 2e-6 of it, but for the last layer, whose one query per sequence sees n keys.
	check "$dtype: attention reports its products" awk '
		$3 ~ /^attention/ {
			n = $2 / $1; found = $6 * $4 / 2e-6; all = $1 * n * n * 48; one = $1 * n * 48
			if (found < 0.99 * one || (found > 1.01 * one && found < 0.99 * all) || found > 1.01 * all) { print; exit 1 }
			rows++
		}
		END { exit rows != 8 }' numbers
	check "$dtype: no row is computed twice over for nothing" awk '$7 < 0 || $7 > 700 { print; exit 1 }' numbers
done

gives 0 bench head --batch 3 --length 7 --seconds 0.02 --layers
check "the table has a total" grep -Eq '^ +total +[0-9.]+ +100.00 %' "$log/out"
check "and names its columns" grep -Eq 'layer kernel .*ms .*share .*GFLOP/s .*GB/s .*bound .*waste' "$log/out"
finish
