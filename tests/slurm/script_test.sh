#!/bin/sh
# posweep submit without Slurm: the script that it writes, and what it refuses.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
unset SLURM_CONF POSWEEP_LAUNCH

# script OPTION...: into job.sh, what is said into said.txt; as where there is no Slurm.
mkdir empty && BIN=$PWD/empty
script() { PATH=$BIN "$POSWEEP" submit "$@" >job.sh 2>said.txt; }
has() { grep -qxF -e "$1" job.sh; }
n_of() { [ "$(grep -c -e "$2" job.sh)" -eq "$1" ]; }

# --- What is asked for stands in it ------------------------------------------------------------------
script "$SWEEP" -o 'two words.h5' --nodes 2 --ntasks-per-node 3 --time 1-2:30 -p long -A mine --qos low \
    --signal USR2 --sbatch=--constraint=zen --set 'policy.lr=1e-5' -- --retry-failed
check 'it is written' test $? -eq 0
for line in --nodes=2 --ntasks-per-node=3 --cpus-per-task=1 --time=1-02:30:00 --partition=long \
    --account=mine --qos=low --signal=B:USR2@120 --constraint=zen --requeue --open-mode=append \
    "--chdir=$PWD"; do
    check "$line stands in it" has "#SBATCH $line"
done
check 'the arguments of run stand in it' \
    has "set -- $SWEEP -o 'two words.h5' --set policy.lr=1e-5 --retry-failed"
check 'the program is named' has "export POSWEEP=$(realpath "$POSWEEP")"
check 'nothing is submitted, and that is said' grep -q 'nothing was submitted' said.txt
check 'a shell can read it' bash -n job.sh
sed '1,/^set -- /d' job.sh >body.txt
sed '1,/^#SBATCH --output=/d' "$POSWEEP_SOURCE/slurm/sweep.sbatch" >hand.txt
check 'its body is that of sweep.sbatch' cmp -s body.txt hand.txt
check 'which is not empty' grep -q '^ *start run "\$@"$' body.txt

# --- What is not said is taken from the plan ----------------------------------------------------------
script "$SWEEP"
check 'memory is asked for' grep -q '^#SBATCH --mem-per-cpu=[1-9][0-9]*M$' job.sh
check 'a time is' grep -q '^#SBATCH --time=0:[1-5]0:00$' job.sh
check 'the results file is that of run' has "set -- $SWEEP -o smallest.h5"
check 'the runs are told' n_of 1 '^# smallest: 2 of 2 runs to do'
script "$SWEEP" --mem-per-cpu 0
check 'no memory is asked for if told' n_of 0 'mem-per-cpu'
script "$SWEEP" --chain 3
check 'a chain does not requeue' has '#SBATCH --no-requeue'
check 'and counts what follows' has 'export POSWEEP_CHAIN_LEFT=2'
script "$SWEEP" --jobs 4 --nodes 1
check 'jobs that share a sweep are an array' has '#SBATCH --array=0-3'
check 'told to share it' has "set -- $SWEEP -o smallest.h5 --shared"
script "$SWEEP" --set limits.stop_s=200
check 'the lead of the signal covers limits.stop_s' has '#SBATCH --signal=B:USR1@260'
check 'so does the patience of the script' has 'export POSWEEP_STOP_S=230'
"$POSWEEP" run "$SWEEP" -o done.h5 >/dev/null 2>&1
script "$SWEEP" -o done.h5 --yes
check 'a sweep that is done is not submitted' grep -q 'nothing to submit' said.txt

# --- Refused ------------------------------------------------------------------------------------------
expect 64 "USR3' is none of USR1, USR2, HUP" "$POSWEEP" submit "$SWEEP" --signal USR3
expect 64 "'soon' is no limit such as" "$POSWEEP" submit "$SWEEP" --time soon
expect 64 "'1:2:3:4' is no limit" "$POSWEEP" submit "$SWEEP" --time 1:2:3:4
expect 64 "'other.yaml' is too much" "$POSWEEP" submit "$SWEEP" other.yaml
expect 64 'no long option' "$POSWEEP" submit "$SWEEP" --sbatch -x
expect 78 'too short: the job stops 120 s before its end.* expected more than 180 s' \
    "$POSWEEP" submit "$SWEEP" --time 2
expect 78 'a run wants 8 ranks, but of 4 ranks .* 3 work' \
    "$POSWEEP" submit "$SWEEP" --ranks-per-run 8 --nodes 2 --ntasks-per-node 2
expect 78 'cannot stand in a #SBATCH line' "$POSWEEP" submit "$SWEEP" --account 'my group'
expect 78 'exclude each other' "$POSWEEP" submit "$SWEEP" --jobs 2 --chain 2
expect 66 'nowhere.yaml' "$POSWEEP" submit nowhere.yaml
expect 69 'sbatch is not here' env PATH="$BIN" "$POSWEEP" submit "$SWEEP" --yes
[ "$N_BAD" -eq 0 ]
