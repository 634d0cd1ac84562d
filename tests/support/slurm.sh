# shellcheck shell=sh
# For scenarios on a throw-away Slurm cluster, behind scenario.sh: start_slurm NODES CPUS [CONFIG-LINE...]
# starts one, or leaves the scenario out where it cannot be; it is taken down at the end. Jobs inherit
# what is exported.

for tool in munged slurmctld slurmd sbatch scancel scontrol; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || skip 'Slurm is not installed'
done

take_down() {
    status=$?
    "$POSWEEP_SOURCE/tests/slurm/cluster" down "$SCRATCH/slurm"
    (exit "$status")
    finish_scenario
}

start_slurm() {
    trap take_down EXIT
    # Ports that nobody else's cluster uses: the process number spreads them, five for each.
    "$POSWEEP_SOURCE/tests/slurm/cluster" up "$SCRATCH/slurm" $((20000 + $$ % 2000 * 5)) "$@" ||
        skip 'the pretend cluster did not start'
    SLURM_CONF=$SCRATCH/slurm/slurm.conf
    export SLURM_CONF POSWEEP
    # Between nodes ranks speak TCP, on the interface that all of them have, and four share two cores.
    unset OMPI_MCA_btl OMPI_MCA_ess_singleton_isolated
    export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_tcp_if_include=lo
    export SLURM_PMIX_FENCE=ring # for a bare srun, as sweep.sbatch does
}

# field JOB NAME: what Slurm knows of a job.
field() { scontrol --oneliner show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1; }
has() { [ "$(field "$1" "$2")" = "$3" ]; }
is_over() { has "$1" JobState COMPLETED || has "$1" JobState FAILED || has "$1" JobState TIMEOUT; }

# wait_until SECONDS COMMAND...
wait_until() {
    left=$(($1 * 4))
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.25
    done
}
