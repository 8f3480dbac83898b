#!/bin/sh
# Runs the tensor crate's tests under the address and leak sanitizers, on every set of instructions that the processor has.
# Needs a nightly toolchain: rustup toolchain install nightly
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
for isa in avx512 avx2 portable; do
    echo "== $isa"
    GRADUS_ISA=$isa RUSTFLAGS="-Zsanitizer=address" RUSTDOCFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=1 \
        CARGO_TARGET_DIR=target/sanitize cargo +nightly test --package gradus-tensor --lib --tests --target "$target"
done
