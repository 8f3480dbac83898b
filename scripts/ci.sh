#!/usr/bin/env bash
# All that a change must pass, in one command: formatting, lints and docs without a warning, the README's test command, all
# features, the kernels under every instruction set and on one thread, and crates that can be packed.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is built once needs no parts kept for a second time.
export CARGO_INCREMENTAL=0

step() { printf '\n== %s\n' "$1"; }

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

# The workspace's tests have all features of nn on: the facade's examples ask for them.
step "what the other features bring, and nn without any"
cargo test -p gradus-check --all-features
for part in --lib --doc; do
    cargo test -p gradus-tensor --features ndarray $part --config profile.dev.package.gradus-tensor.opt-level=0 ndarray
done
cargo check -p gradus-nn

step "the kernels under each instruction set, and on one thread"
for isa in portable avx2 avx512; do
    case $isa in avx2) flag=fma ;; avx512) flag=avx512f ;; *) flag=fpu ;; esac
    if grep -qw "$flag" /proc/cpuinfo 2>/dev/null; then
        GRADUS_ISA=$isa cargo test -p gradus-tensor --tests
        # What is compared with PyTorch, in the programs that all tests were in before.
        GRADUS_ISA=$isa cargo test --workspace --test suite golden
    else
        echo "this processor has no $isa"
    fi
done
RAYON_NUM_THREADS=1 cargo test -p gradus-tensor --tests

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
