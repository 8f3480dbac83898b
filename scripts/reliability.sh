#!/bin/sh
# The long forms of tests that run in a shorter one with all others; docs/reliability.md has what they gave. An hour or two.
# Fuzzing and sanitizers have scripts of their own, fuzz.sh and sanitizers.sh.
set -eu
cd "$(dirname "$0")/.."

echo "== processes killed while they save"
GRADUS_KILLS=${GRADUS_KILLS:-500} cargo test -p gradus-nn --all-features --test killed -- --nocapture
echo "== training runs interrupted by Ctrl-C"
cargo build --example interrupted
GRADUS_INTERRUPTIONS=${GRADUS_INTERRUPTIONS:-50} cargo test --test interrupted -- --nocapture
echo "== damaged files, of every format in each case"
PROPTEST_CASES=${PROPTEST_CASES:-50000} cargo test -p gradus-nn --all-features --test suite mutated -- --nocapture
echo "== a long run's memory"
GRADUS_SOAK=${GRADUS_SOAK:-200000} cargo test -p gradus-nn --all-features --test suite soak -- --nocapture
