# shellcheck shell=sh
# For scenarios on a throw-away Slurm cluster of two pretend nodes, behind scenario.sh: starts it, or
# leaves the scenario out where it cannot be; takes it down at the end. Jobs inherit what is exported.
#
# Needs Slurm and a script that starts such a cluster: $POSWEEP_SLURM_UP, or
# ../shared/cluster/slurm-up beside the source; slurm-down lies beside it.

UP=${POSWEEP_SLURM_UP:-$POSWEEP_SOURCE/../shared/cluster/slurm-up}
[ -x "$UP" ] || skip 'no slurm-up'
for tool in munged slurmctld slurmd sbatch scancel scontrol; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
done

# Ports that nobody else's cluster uses: the process number spreads them.
port=$((20000 + $$ % 10000))
take_down() {
    status=$?
    "${UP%slurm-up}slurm-down" "$SCRATCH/slurm"
    (exit "$status")
    finish_scenario
}
trap take_down EXIT
up=$("$UP" -n 2 -c 2 -p "$port" "$SCRATCH/slurm") || skip 'the pretend cluster did not start'
eval "$up"

# Between nodes ranks speak TCP, and four of them share two cores.
unset OMPI_MCA_btl
export OMPI_MCA_mpi_yield_when_idle=1
