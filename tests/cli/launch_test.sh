#!/bin/sh
# A launcher that started more tasks than MPI has ranks: each would do the whole sweep alone, so none
# begins. Who works alone on purpose is let be.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
unset SLURM_STEP_NUM_TASKS SLURM_PROCID SLURM_NTASKS PMI_SIZE PMI_RANK OMPI_COMM_WORLD_SIZE \
    OMPI_COMM_WORLD_RANK MV2_COMM_WORLD_SIZE MV2_COMM_WORLD_RANK
run() { "$POSWEEP" run "$SWEEP" -o "$@"; }
nothing_of() { ! ls -d "$1"* >/dev/null 2>&1; }

# --- Refused, with both numbers, the cause and the cure ----------------------------------------------
singleton() { env SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 "$@"; }
expect 78 'srun started 4 tasks (SLURM_STEP_NUM_TASKS), but MPI has 1 rank.*POSWEEP_LAUNCH' \
    singleton "$POSWEEP" run "$SWEEP" -o alone.h5
expect 78 'srun started 4 tasks' singleton "$POSWEEP" bench dispatch
for size in PMI_SIZE OMPI_COMM_WORLD_SIZE MV2_COMM_WORLD_SIZE; do
    expect 78 "started 3 tasks ($size), but MPI has 1 rank" env "$size=3" "$POSWEEP" run "$SWEEP" \
        -o alone.h5
done
check 'nothing was begun' nothing_of alone.h5
env SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=2 "$POSWEEP" run "$SWEEP" -o alone.h5 >second.txt 2>&1
check 'every task ends with 78' test $? -eq 78
check 'but one speaks for all' test ! -s second.txt

# --- Let be --------------------------------------------------------------------------------------------
expect 0 '2 of 2 runs done' run first.h5
check 'without a launcher nothing is said' test -z "$(grep -i 'task' out.txt)"
# By hand in an allocation, or in a batch script: the job's tasks are no promise, but worth a word.
expect 0 'the job has 8 tasks' env SLURM_NTASKS=8 SLURM_PROCID=0 "$POSWEEP" run "$SWEEP" -o hand.h5
expect 0 '2 done of 2' env SLURM_NTASKS=8 SLURM_PROCID=0 "$POSWEEP" status hand.h5
# One task of srun; mpirun for two ranks in a larger job; mpirun whose helpers srun started.
expect 0 '(2 before)' env SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 "$POSWEEP" run "$SWEEP" -o hand.h5
expect 0 '(2 before)' env SLURM_NTASKS=8 SLURM_PROCID=0 "$MPIEXEC" -n 2 \
    "$POSWEEP" run "$SWEEP" -o hand.h5
expect 0 '(2 before)' "$MPIEXEC" -n 2 -x SLURM_STEP_NUM_TASKS=7 -x SLURM_PROCID=3 \
    "$POSWEEP" run "$SWEEP" -o hand.h5
[ "$N_BAD" -eq 0 ]
