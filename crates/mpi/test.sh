#!/usr/bin/env bash
# Trains over MPI with 1, 2 and 4 ranks, which must come to the same bits, and kills ranks. `test.sh 50` kills 50 times.
set -euo pipefail
cd "$(dirname "$0")"
kills=${1:-3}

# As root, in containers, and with more ranks than cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_mpi_yield_when_idle=1 RAYON_NUM_THREADS=1
cargo build --example distributed ${PROFILE:+--profile "$PROFILE"}
program=${CARGO_TARGET_DIR:-$PWD/target}/${PROFILE:-debug}/examples/distributed
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

run() { # ranks, then what the program is told
    timeout 240 mpirun --oversubscribe -n "$@" 2> "$dir/errors" || { cat "$dir/errors"; return 1; }
}
weights() { sed -n 's/.*weights //p'; }

sets=portable
for isa in avx2 avx512; do
    case $isa in avx2) flag=fma ;; avx512) flag=avx512f ;; esac
    if grep -qw "$flag" /proc/cpuinfo; then sets+=" $isa"; fi
done
for isa in ${ISAS:-$sets}; do
    for net in digits gpt; do
        epochs=10 # 200 steps
        if [ $net = gpt ]; then epochs=1; fi
        one=$(GRADUS_ISA=$isa run 1 $program $net --shards 4 --epochs $epochs | weights)
        for ranks in 2 4; do
            # Split on two ranks alone, to save time: nn's own tests have four.
            for split in "" $([ $ranks = 4 ] || echo --split); do
                many=$(GRADUS_ISA=$isa run $ranks $program $net --shards $((4 / ranks)) --epochs $epochs $split | weights)
                if [ -z "$one" ] || [ "$one" != "$many" ]; then
                    echo "$net on $isa: 1 rank has the weights $one, $ranks ranks $split have $many"
                    exit 1
                fi
            done
        done
        echo "$net on $isa: 1, 2 and 4 ranks have the weights $one, the optimizer's state split or not (of 2 ranks)"
    done
done

# One of four is killed, another one each time. The others say which, and the run goes on from its file to the same bits.
# --enable-recovery leaves the others alive; without it mpirun ends them, often before they can speak.
epochs=60
whole=$(run 1 $program digits --shards 4 --epochs $epochs | weights)
for ((round = 0; round < kills; round++)); do
    rm -f "$dir/run.safetensors"
    victim=$((round % 4))
    split=$([ $((round / 4 % 2)) = 0 ] || echo --split)
    mpirun --oversubscribe --enable-recovery -n 4 \
        sh -c 'echo $$ > "$1/rank$OMPI_COMM_WORLD_RANK"; exec "$2" digits --epochs "$3" $4 --file "$1/run.safetensors" 2> "$1/said$OMPI_COMM_WORLD_RANK"' \
        - "$dir" "$program" $epochs "$split" > "$dir/out" 2>&1 &
    job=$!
    until [ -e "$dir/run.safetensors" ]; do sleep 0.02; done
    sleep "0.$((RANDOM % 300 + 100))"
    kill -9 "$(cat "$dir/rank$victim")" || { echo "the run was over before rank $victim was killed"; exit 1; }
    timeout 20 tail --pid=$job -f /dev/null || { echo "the others do not end"; kill $job; exit 1; }
    for ((rank = 0; rank < 4; rank++)); do
        if [ $rank != $victim ] && ! grep -q "rank $victim is lost" "$dir/said$rank"; then
            echo "rank $victim was killed, and rank $rank says:"
            tail -n 2 "$dir/said$rank"
            exit 1
        fi
    done
    later=$(run 2 $program digits --shards 2 --epochs $epochs --file "$dir/run.safetensors" | weights)
    if [ "$later" != "$whole" ]; then
        echo "rank $victim was killed, and the run that went on has the weights $later, not $whole"
        exit 1
    fi
done
echo "$kills runs with a rank killed: the others name it, and a run from the file has the bits of one that never stopped"
