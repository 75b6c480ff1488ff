# Packages that do not match their manifest, hold what they must not, or come from a newer program. docs/package.md, docs/cli.md.
. "$SKIP_TEST_SOURCE/tests/e2e/lib/common.sh"

make_toy head classes=3
task 1 40 | sed 's/animal$/class0/;s/plant$/class1/;s/stone$/class2/' >data.tsv
prune="prune head --data data.tsv --dev data.tsv --rate 0.3 --criterion magnitude --compensate none"
gives 0 $prune -o good.skip
gives 0 verify good.skip
files=$(cd good.skip && find . -type f | sed 's,^\./,,' | sort)
check "a package has files" test "$(printf '%s\n' "$files" | wc -l)" -ge 8

copy() {
	rm -rf bad.skip
	cp -r good.skip bad.skip
}
# refused CODE PATTERN: bad.skip is not opened; refused_by_all: by none of the verbs.
refused() {
	fails "$1" "$2" inspect bad.skip
}
refused_by_all() {
	refused "$1" "$2"
	fails "$1" "$2" verify bad.skip
	fails "$1" "$2" run bad.skip data.tsv
	fails "$1" "$2" eval bad.skip --data data.tsv
	fails "$1" "$2" report bad.skip -o out.html
	fails "$1" "$2" tokenize bad.skip data.tsv
	fails "$1" "$2" bench bad.skip
}

# Every file but the manifest: one bit changed, longer, shorter, empty, gone, a link to the same bytes, a folder in its place.
for file in $files; do
	[ "$file" = manifest.json ] && continue
	size=$(wc -c <"good.skip/$file")
	copy
	at=$((size / 2))
	byte=$(od -An -tu1 -j "$at" -N1 "good.skip/$file" | tr -d ' ')
	printf "\\$(printf '%o' $((byte ^ 1)))" | dd of="bad.skip/$file" bs=1 seek="$at" conv=notrunc 2>/dev/null
	refused 6 "bad.skip/$file: .*(sha256|hash|manifest)"
	copy && printf '\n' >>"bad.skip/$file"
	refused 6 "bad.skip/$file: "
	copy && truncate -s "$((size - 1))" "bad.skip/$file"
	refused 6 "bad.skip/$file: "
	copy && : >"bad.skip/$file"
	refused 6 "bad.skip/$file: "
	copy && rm "bad.skip/$file"
	refused 6 "bad.skip/$file: "
	copy && mv "bad.skip/$file" elsewhere && ln -s "$work/elsewhere" "bad.skip/$file"
	refused 6 "bad.skip/$file: .*link"
	rm elsewhere
	copy && rm "bad.skip/$file" && mkdir "bad.skip/$file"
	refused 6 "bad.skip/$file: "
	copy && rm "bad.skip/$file" && mkfifo "bad.skip/$file"
	refused 6 "bad.skip/$file: "
done

# Strangers.
copy && : >bad.skip/stranger
refused_by_all 6 'bad.skip/stranger: '
copy && : >bad.skip/.hidden
refused 6 'bad.skip/.hidden: '
copy && mkdir bad.skip/folder && : >bad.skip/folder/stranger
refused 6 'bad.skip/folder'
copy && ln -s /etc bad.skip/etc
refused 6 'bad.skip/etc: .*link'
copy && ln -s nowhere bad.skip/programs/lost
refused 6 'bad.skip/programs/lost: .*link'
copy && mv bad.skip/tokenizer elsewhere && ln -s ../elsewhere bad.skip/tokenizer
refused 6 'bad.skip/tokenizer: .*link'
rm -r elsewhere
ln -s good.skip by-link.skip
gives 0 verify by-link.skip
rm by-link.skip

# The manifest.
manifest=bad.skip/manifest.json
copy && rm "$manifest"
fails 3 'bad.skip' inspect bad.skip
copy && : >"$manifest"
refused_by_all 3 'bad.skip/manifest.json.*: not JSON'
for cut in 1 100 1000; do
	copy && truncate -s "$cut" "$manifest"
	refused 3 'bad.skip/manifest.json:[0-9]+: not JSON at line [0-9]+'
done
copy && printf '[]' >"$manifest"
refused 3 'bad.skip/manifest.json'
copy && printf '{}' >"$manifest"
refused 3 'bad.skip/manifest.json: "format" is missing; expected an integer'
copy && mv "$manifest" elsewhere && ln -s ../elsewhere "$manifest"
refused 6 'manifest.json.*link'
rm elsewhere
copy && sed -i 's/"format": 1/"format": 2/' "$manifest"
refused_by_all 3 'bad.skip/manifest.json: .*format.* 2.*newer'
copy && sed -i 's/"format": 1/"format": 0/' "$manifest"
refused 3 'bad.skip/manifest.json: "format"'
copy && sed -i 's/"kind": "task-package"/"kind": "kernels"/' "$manifest"
refused 3 'bad.skip/manifest.json: .*kind'
copy && sed -i 's/"class1"/"class9"/' "$manifest"
refused_by_all 6 'bad.skip/manifest.json: .*seal'
copy && sed -i 's/"max_length": 24/"max_length": 23/' "$manifest"
refused 6 'bad.skip/manifest.json: .*seal'
copy && sed -i 's/"seal": "\(.\)/"seal": "x\1/' "$manifest"
refused 6 'bad.skip/manifest.json: .*seal'
copy && tr -d '\n' <good.skip/manifest.json >"$manifest"
gives 0 inspect bad.skip

# A forger who knows the format: hashes and seal are right, what they guard is not.
seal() {
	sum=$(sed '/^  "seal": /d' "$manifest" | sha256sum | cut -d ' ' -f 1)
	sed -i "s/^  \"seal\": .*/  \"seal\": \"$sum\",/" "$manifest"
}
hash_again() {
	sum=$(sha256sum <"bad.skip/$1" | cut -d ' ' -f 1)
	sed -i "s,^\( *\"$1\": \"\)[0-9a-f]*,\1$sum," "$manifest"
	seal
}
copy && seal
check "the seal can be made again" cmp "$manifest" good.skip/manifest.json
copy && truncate -s -4 bad.skip/weights.safetensors && hash_again weights.safetensors
refused_by_all 3 'bad.skip/weights.safetensors: offset [0-9]+: '
copy && sed -i 's/"max_length": 24/"max_length": 2400/' "$manifest" && seal
refused 3 'bad.skip.*maximum length of 2400 tokens; the graph has 24 positions'
copy && sed -i 's/^    "class1",$/    "class1", "class3",/' "$manifest" && sed -i 's/"class1", "class3",/"class1",\n    "class3",/' "$manifest" && seal
refused 3 'bad.skip.*(labels|classes)'
copy && printf 'zebra\n' >>bad.skip/tokenizer/vocab.txt && hash_again tokenizer/vocab.txt
refused 3 'bad.skip.*tokenizer of 41 tokens for 40 embedded ones'
copy && sed -i 's,"weights.safetensors": ",&0,' "$manifest" && seal
refused 6 'bad.skip/weights.safetensors: sha256 is [0-9a-f]*; the manifest says'
copy && sed -i 's|^  "files": {$|&\n    "../data.tsv": "0",|' "$manifest" && hash_again ../data.tsv
refused 3 'bad.skip/manifest.json: .*\.\./data.tsv'
copy && sed -i 's/"op": "linear"/"op": "linera"/' "$manifest" && seal
refused 3 "bad.skip.*linera"
copy && sed -i 's/"cols": 24/"cols": 25/' "$manifest" && seal
refused 3 'bad.skip.*2[45].*2[45]'

# --against reads packages too.
copy && : >bad.skip/stranger
fails 6 'bad.skip/stranger' eval good.skip --data data.tsv --against bad.skip
fails 6 'bad.skip/stranger' bench good.skip --against bad.skip
fails 6 'bad.skip/stranger' prune bad.skip --data data.tsv --dev data.tsv -o out.skip
fails 6 'bad.skip/stranger' attribute bad.skip --data data.tsv -o out

# A damaged package is replaced whole by a new one.
gives 0 $prune -o bad.skip
gives 0 verify bad.skip

finish
