#!/bin/sh
# Runs tests under the address and leak sanitizers, and the portable kernels under valgrind: scripts/sanitizers.sh [address]
# [thread] [valgrind], all of them by default; address-tensor and address-nn are the two parts of address.
#
# Needs a nightly toolchain (rustup toolchain install nightly), for threads with the standard library's source (rustup
# component add rust-src --toolchain nightly), and valgrind.
set -eu
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
[ $# -gt 0 ] || set -- address thread valgrind

for_addresses() {
    export RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address
    # What no memory is there for is an error that tests ask for, and ends no process.
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
    export CARGO_TARGET_DIR=target/sanitize
}

# On every set of instructions that the processor has.
address_tensor() {
    for_addresses
    for isa in avx512 avx2 portable; do
        case $isa in avx2) flag=fma ;; avx512) flag=avx512f ;; *) flag=fpu ;; esac
        if ! grep -qw "$flag" /proc/cpuinfo; then
            echo "== this processor has no $isa"
            continue
        fi
        echo "== addresses and leaks: tensor, $isa"
        GRADUS_ISA=$isa cargo +nightly test --package gradus-tensor --lib --tests --target "$target"
    done
}

# On the best.
address_nn() {
    for_addresses
    echo "== addresses and leaks: nn"
    # Under the sanitizer a process has terabytes of addresses, of which a limit leaves nothing, and keeps what was freed;
    # and leaks are not looked for where another program traces.
    cargo +nightly test --package gradus-nn --all-features --lib --test suite --target "$target" -- --skip no_memory_is_there \
        --skip takes_the_memory --skip flat_memory --skip soak::steps --skip on_the_disk_when_it_is_saved
}

threads() {
    if [ ! -d "$(rustc +nightly --print sysroot)/lib/rustlib/src" ]; then
        echo "== threads: left out, the standard library's source is not installed"
        return
    fi
    echo "== threads: tensor, and what trains on many of them"
    export RUSTFLAGS=-Zsanitizer=thread RUSTDOCFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=target/sanitize-threads
    # fence is not understood: a buffer's last owner seems to race with the one before.
    suppressions=$PWD/target/thread-suppressions
    echo 'race:gradus_tensor::memory::buffer' > "$suppressions"
    export TSAN_OPTIONS="suppressions=$suppressions"
    cargo +nightly test -Zbuild-std --package gradus-tensor --lib --tests --target "$target"
    cargo +nightly test -Zbuild-std --package gradus-nn --test suite --target "$target" -- concurrency shards groups
}

# Valgrind knows no AVX-512, and is slow: the kernels' own tests, and layers that are compared with PyTorch's.
valgrind_() {
    export GRADUS_ISA=portable RAYON_NUM_THREADS=2 PROPTEST_CASES=4
    runner=CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_RUNNER
    export "$runner=valgrind --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite"
    echo "== valgrind: tensor, portable"
    cargo test --package gradus-tensor --lib -- --test-threads=1
    echo "== valgrind: nn, portable"
    cargo test --package gradus-nn --all-features --test suite -- --test-threads=1 golden shards buffers
}

for part in "$@"; do
    case $part in
    address) (address_tensor); (address_nn) ;;
    address-tensor) (address_tensor) ;;
    address-nn) (address_nn) ;;
    thread) (threads) ;;
    valgrind) (valgrind_) ;;
    *) echo "no part $part: address, address-tensor, address-nn, thread, valgrind" && exit 1 ;;
    esac
done
