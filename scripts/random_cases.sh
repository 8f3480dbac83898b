#!/usr/bin/env bash
# Row 127 of docs/book/rows.md: the tests of all rows with random cases, built and run on two processors, in less than ten
# minutes and without a network. tests/random_rows.rs says which rows they are, and holds this list to them.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=600
on_two=()
if command -v taskset > /dev/null && [ "$(nproc)" -gt 2 ]; then on_two=(taskset -c 0,1); fi
# A name space of its own has no network, if the system lets one have it.
alone=()
if unshare -rn true 2> /dev/null; then
    alone=(unshare -rn)
else
    echo "no name space without a network is to be had here: only cargo is told to stay offline"
fi

start=$(date +%s)
# What the workspace's tests have built is not built again; the names of the tests are those of no other.
if ! timeout $limit ${on_two[@]+"${on_two[@]}"} ${alone[@]+"${alone[@]}"} cargo test --offline \
    --workspace --test suite --test book_rows --test random_rows -- \
    every_operation_obeys_the_laws \
    row_2_every_pair_of_shapes \
    row_3_products_of_matrices \
    row_47_the_cost_and_its_gradient_agree_64_times \
    models_pass_the_gradient_check_64_times \
    row_66_sequences_in_pieces_64_times; then
    echo "the random cases failed, or took more than $limit s" >&2
    exit 1
fi
echo "the rows with random cases: $(($(date +%s) - start)) s of $limit, built and run"
