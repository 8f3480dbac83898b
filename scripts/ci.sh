#!/usr/bin/env bash
# All that a change must pass, in one command: formatting, lints and docs without a warning, the README's test command, all
# features, the kernels under every instruction set and on one thread, and crates that can be packed.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is built once needs no parts kept for a second time, no lines for a debugger, and few pieces to be built beside each other.
export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_CODEGEN_UNITS=4

step() { printf '\n== %s (after %s s)\n' "$1" "$SECONDS"; }

step "formatting, lints, docs"
cargo fmt --all --check
cargo fmt --check --manifest-path crates/mpi/Cargo.toml
cargo fmt --check --manifest-path crates/onnx/tests/second_runtime/Cargo.toml
cargo fmt --check --manifest-path fuzz/Cargo.toml
cargo clippy --workspace --all-targets --all-features -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features

step "the tests"
cargo test --workspace
scripts/random_cases.sh

# The workspace's tests have all features on: the crates' development dependencies ask for them.
step "the crates without their features"
cargo check -p gradus-nn -p gradus-check

# By name cargo would build the tensor crate for itself alone, with other features of its dependencies: the programs that all
# tests were in are run.
step "the kernels under the other instruction sets, and on one thread"
programs=$(cargo test --workspace --no-run --message-format=json 2> /dev/null |
    sed -n 's/.*crates\/tensor#.*"executable":"\([^"]*\)".*/\1/p')
[ "$(wc -w <<< "$programs")" = 3 ] || { echo "the tensor crate's tests are not the three programs that they were"; exit 1; }
tensor() { for program in $programs; do (cd crates/tensor && "$program" --quiet); done; }
has() { grep -qw "$1" /proc/cpuinfo 2>/dev/null; }
# Without GRADUS_ISA all ran under the best.
others=
if has fma; then others=portable; fi
if has avx512f; then others="portable avx2"; fi
for isa in $others; do
    echo "$isa"
    GRADUS_ISA=$isa tensor
    GRADUS_ISA=$isa cargo test --workspace --test suite golden # what is compared with PyTorch
done
RAYON_NUM_THREADS=1 tensor

# An MPI and libclang are not what gradus needs: installed where it may be, left out where not.
step "ranks over MPI"
if ! command -v mpirun > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    { timeout 60 apt-get -qq update && DEBIAN_FRONTEND=noninteractive timeout 90 apt-get -qq install -y \
        --no-install-recommends libopenmpi-dev openmpi-bin libclang-dev; } > /dev/null 2>&1 || true
fi
if command -v mpirun > /dev/null && command -v mpicc > /dev/null; then
    # In the workspace's folder of what is built, and with a profile of its own.
    CARGO_TARGET_DIR=$PWD/target timeout 420 crates/mpi/test.sh 1
else
    echo "no MPI here, and none to be installed: gradus-mpi is not tested"
fi

step "the crates as they are published"
cargo package --workspace --no-verify --allow-dirty

# Where it is installed; what is known of dependencies' faults is fetched, and asked for by hand: cargo deny check.
if command -v cargo-deny > /dev/null; then
    step "licences and sources of dependencies"
    cargo deny check licenses bans sources
fi

# The version that Cargo.toml promises, where it is installed.
promised=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
toolchain=$(rustup toolchain list 2>/dev/null | grep -oE "^$promised[^ ]*" | head -n 1 || true)
if [ -n "$toolchain" ]; then
    step "Rust $promised"
    cargo "+$toolchain" check --workspace
else
    step "Rust $promised is not installed: not checked"
fi
