#!/bin/sh
# The same sweep gives the same bits on 1, 2 and 4 ranks per run, with and without mpirun, and after
# any interruption, also when it goes on with another number of ranks. Compared are all datasets
# that are not marked volatile, among them the hash of the final parameters.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

COMPARE=$POSWEEP_SOURCE/tests/support/compare_h5.py
for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'

# The smallest sweep with everything measured; wide enough that each of four ranks owns a slice of
# the optimiser's state, and a clip that cuts in. A script, so that it can be sent signals.
cat >sweep <<'END'
out=$1 ranks_per_run=$2
shift 2
exec "$@" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o "$out" --set model.width=128 \
    --set model.layers=2 --set policy.steps=16 --set policy.clip=0.1 \
    --set trace.directions=true --set trace.tokens=true --set "limits.ranks_per_run=$ranks_per_run"
END
# The text of the sweep file holds the ranks asked for.
same() { "$python" "$COMPARE" "$1" "$2" provenance/spec_text; }

expect 0 '2 of 2 runs done' sh sweep one.h5 1 "$POSWEEP"
expect 0 '2 of 2 runs done' sh sweep one-mpi.h5 1 "$MPIEXEC" -n 2 "$POSWEEP"
expect 0 '2 of 2 runs done' sh sweep two.h5 2 "$MPIEXEC" -n 3 "$POSWEEP"
expect 0 '2 of 2 runs done' sh sweep four.h5 4 "$MPIEXEC" -n 5 "$POSWEEP"
expect 0 ' 0 different' same one.h5 one-mpi.h5
expect 0 ' 0 different' same one.h5 two.h5
expect 0 ' 0 different' same one.h5 four.h5
expect 1 'different' "$python" "$COMPARE" one.h5 two.h5 # it can tell
expect 0 'final_hash' "$python" -c 'import h5py, sys; print(*h5py.File("one.h5"))'

# stop_at PATTERN RANKS_PER_RUN: start, wait until a file like this is there, ask to stop.
stop_at() {
    sh sweep stopped.h5 "$2" "$MPIEXEC" -n $(($2 + 1)) "$POSWEEP" >stop.txt 2>&1 &
    running=$!
    left=600
    # shellcheck disable=SC2086 # $1 is a pattern
    until ls $1 >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ] || ! kill -0 "$running"; then break; fi
        sleep 0.05
    done
    kill -USR1 "$running"
    wait "$running"
    status=$?
    [ "$status" -eq 75 ] || sed 's/^/    /' stop.txt >&2
    [ "$status" -eq 75 ]
}

# In the first stages, in training, in the trace; each time on another number of ranks.
check 'stopped early' stop_at 'stopped.h5.work' 1
check 'stopped in training' stop_at 'stopped.h5.work/policy-*.d/ckpt-000004.state' 2
check 'stopped in the trace' stop_at 'stopped.h5.work/policy-*.d/ckpt-000016.state' 4
expect 0 '2 of 2 runs done' sh sweep stopped.h5 1 "$POSWEEP"
expect 0 ' 0 different' same one.h5 stopped.h5
