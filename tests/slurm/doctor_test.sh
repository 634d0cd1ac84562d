#!/bin/sh
# posweep doctor under mpirun: what it calls good, and what it finds bad, by lines and by exit status.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
on() { # on N COMMAND...
    n=$1
    shift
    "$MPIEXEC" -n "$n" "$@"
}
nothing_left() { [ -z "$(find . -name '.posweep-doctor*')" ]; }

# --- A sound machine -----------------------------------------------------------------------------------
expect 0 '^good  launcher   2 ranks on 1 node, as many as were started' \
    on 2 "$POSWEEP" doctor "$SWEEP" -o out.h5 --set policy.lr=1e-5
for name in cores libraries clocks sweep memory output disk; do
    check "$name is good" grep -q "^good  $name " out.txt
done
check 'the BLAS is named' grep -q '^[a-z]*  *blas ' out.txt
check 'nothing is left of what was tried' nothing_left
expect 0 'without a sweep nobody knows' "$POSWEEP" doctor
mkdir here
expect 0 '^good  work ' "$POSWEEP" doctor "$SWEEP" --work-dir here/work --retry-failed

# --- Bindings ------------------------------------------------------------------------------------------
if [ "$(nproc)" -ge 2 ]; then
    expect 78 '^bad   cores .*ranks 1, 2 share cores (0), though .*--bind-to' \
        on 3 taskset -c 0 "$POSWEEP" doctor "$SWEEP" -o out.h5
    on 3 taskset -c 0 "$POSWEEP" run "$SWEEP" -o out.h5 >run.txt 2>&1
    check 'run warns of it, too' grep -q 'warning: .*ranks 1, 2 share cores' run.txt
    check 'and goes on' grep -q '2 of 2 runs done' run.txt
    n=$(($(nproc) + 2))
    expect 0 '^note  cores .* work on the .* cores of ' on "$n" "$POSWEEP" doctor
fi

# --- Folders -------------------------------------------------------------------------------------------
expect 78 '^bad   output .*/proc: .* cannot make anything there' "$POSWEEP" doctor -o /proc/out.h5
expect 78 '^bad   work .*nowhere: ' "$POSWEEP" doctor -o out.h5 --work-dir nowhere/work

# --- Sweeps, memory, launchers -------------------------------------------------------------------------
expect 78 '^bad   sweep .*nowhere.yaml' "$POSWEEP" doctor nowhere.yaml
expect 78 '^bad   sweep .*a run wants 4 ranks, but of 2 here 1 work' \
    on 2 "$POSWEEP" doctor "$SWEEP" --ranks-per-run 4
expect 78 '^bad   memory .*a rank needs .* but .* has .* for each of 1' \
    env SLURM_MEM_PER_NODE=1 "$POSWEEP" doctor "$SWEEP"
expect 78 '^bad   launcher .*srun started 4 tasks' \
    env -u OMPI_COMM_WORLD_SIZE SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 "$POSWEEP" doctor
expect 64 'unrecognized option' "$POSWEEP" doctor --no-such

# --- For programs --------------------------------------------------------------------------------------
"$POSWEEP" doctor nowhere.yaml -o 'a"b.h5' --json >report.json 2>/dev/null
check 'the status is the same' test $? -eq 78
check 'it is JSON with verdicts' /usr/bin/python3 -c '
import json
report = json.load(open("report.json"))
verdict = {c["check"]: c["verdict"] for c in report["checks"]}
assert report["verdict"] == "bad" and verdict["sweep"] == "bad" and verdict["launcher"] == "good"'
[ "$N_BAD" -eq 0 ]
