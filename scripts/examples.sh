#!/usr/bin/env bash
# Runs the examples of the book's chapters without options and holds their last lines to docs/book/expected.txt. Says how
# long each took; one that is named is run alone: scripts/examples.sh ch02_gates
set -euo pipefail
cd "$(dirname "$0")/.."

expected=docs/book/expected.txt
names=${*:-$(awk '!/^#/ && NF { print $1 }' $expected | uniq)}
flags=$(printf -- '--example %s ' $names)
# shellcheck disable=SC2086 # the flags are words
cargo build --release $flags

failed=0
for name in $names; do
    start=$(date +%s)
    if ! last=$("target/release/examples/$name" | tail -n 1); then
        echo "$name: ended with an error"
        failed=1
        continue
    fi
    seconds=$(($(date +%s) - start))
    # The last line is "ok NAME key=value ...", or "accuracy VALUE".
    if printf '%s\n' "$last" | awk -v name="$name" '
        NR == FNR {
            for (i = 1; i <= NF; i++) if (split($i, pair, "=") == 2) found[pair[1]] = pair[2]
            if ($1 == "accuracy") found["accuracy"] = $2
            next
        }
        $1 == name {
            if (!($2 in found)) { print name ": no " $2; bad = 1; next }
            off = found[$2] - $3
            if (off != off || off > $4 + 0 || -off > $4 + 0) {
                print name ": " $2 " is " found[$2] ", not " $3 " within " $4
                bad = 1
            }
            count++
        }
        END { if (!count) { print name ": nothing is expected of it"; bad = 1 } exit bad }
    ' - $expected; then
        echo "$name: ok, $seconds s"
    else
        failed=1
    fi
done
# After all examples, each picture of the pages is there.
if [ $# = 0 ]; then
    for picture in $(grep -oh '\.\./book/[a-z0-9_]*\.[a-z]*' docs/book/*.md | sort -u); do
        if [ ! -s "target/book/$(basename "$picture")" ]; then
            echo "no example wrote ${picture#../book/}, which a page shows"
            failed=1
        fi
    done
fi
exit $failed
