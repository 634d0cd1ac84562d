#!/bin/sh
# What starts the ranks under Slurm: srun with PMIx, or what POSWEEP_LAUNCH says; an srun that MPI does not
# understand ends the job with a word on what to do, and no task does the sweep alone.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/slurm.sh
. "$POSWEEP_SOURCE/tests/support/slurm.sh"
start_slurm 2 2

# job NAME: its log is NAME.log, its exit status that of the job.
job() {
    sbatch -W --nodes=2 --ntasks-per-node=2 --time=10 --output="$SCRATCH/$1.log" \
        "$POSWEEP_SOURCE/slurm/sweep.sbatch" "$POSWEEP_SOURCE/sweeps/smallest.yaml" \
        -o "$SCRATCH/$1.h5" >/dev/null 2>&1
}
# Nothing but the word on how it ended.
nothing_of() { test -z "$(find . -name "$1*" ! -name '*.ended')"; }

unset POSWEEP_LAUNCH
check 'srun with PMIx is chosen where there is one' job plain
check 'and the sweep is done' grep -q '2 of 2 runs done' plain.log
# A command line that is wrong is the user's error, also when srun kills a rank before it finds it.
cat >late <<END_OF_FILE
#!/bin/sh
[ "\$SLURM_PROCID" != 3 ] || sleep 3
exec $POSWEEP "\$@"
END_OF_FILE
chmod +x late
POSWEEP=$SCRATCH/late sbatch -W --nodes=2 --ntasks-per-node=2 --time=10 --output="$SCRATCH/wrong.log" \
    "$POSWEEP_SOURCE/slurm/sweep.sbatch" "$POSWEEP_SOURCE/sweeps/smallest.yaml" --snapshot soon >/dev/null 2>&1
check "a wrong option ends the job with 64, not $?" test $? -eq 64
check 'with its message' grep -q "snapshot: 'soon' is no time" wrong.log
POSWEEP_LAUNCH='srun --mpi=none' job none
check 'an srun without PMI fails the job' test $? -ne 0
check 'saying what to do' grep -q 'POSWEEP_LAUNCH="srun --mpi=pmix"' none.log
check 'and nothing was begun' nothing_of none.h5
check 'but that it ended so is told' test -s none.h5.ended
POSWEEP_LAUNCH=true POSWEEP_MAX_LOST=0 job false
check 'a launcher that ends with 0 and started nothing fails the job' test $? -ne 0
check 'saying so' grep -q 'ended with 0, but posweep did not end' false.log
export POSWEEP_LAUNCH=mpirun
check 'mpirun serves, too' job mpirun
check 'on all tasks of the job' grep -q '2 of 2 runs done' mpirun.log
[ "$N_BAD" -eq 0 ] || sed 's/^/    log: /' ./*.log >&2
[ "$N_BAD" -eq 0 ]
