#!/usr/bin/env bash
# Fuzzes every reader of files, one after the other: scripts/fuzz.sh [seconds for each, 600] [targets].
#
# It needs a nightly compiler and cargo-fuzz (cargo install cargo-fuzz). Inputs that were found and the logs are kept in
# fuzz/corpus and fuzz/logs; what made a reader fail is in fuzz/artifacts, and ends the script with an error.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(torch npz png csv safetensors state npy idx history)

cargo run --quiet --bin seeds
cargo +nightly fuzz build
mkdir -p logs
failed=()
for target in "${targets[@]}"; do
    # One allocation of more than 640 MB is none that the limits of docs/files.md allow for files of this length; the targets
    # hold the sum of all to the file's own length.
    if cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=10 \
        -rss_limit_mb=2560 -malloc_limit_mb=640 -print_final_stats=1 > "logs/$target.log" 2>&1; then
        result=held
    else
        result=FAILED
        failed+=("$target")
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "logs/$target.log")
    most=$(sed -n 's/^stat::peak_rss_mb: *//p' "logs/$target.log")
    echo "$target: $result; ${runs:-?} runs, at most ${most:-?} MB"
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "look into fuzz/logs and fuzz/artifacts: ${failed[*]}"
    exit 1
fi
