/* Checks of the machine against the plan: does the sweep read, do its runs find ranks and
 * memory?
 */
#include "doctor_internal.h"
#include <posweep/util/machine.h>
#include <posweep/util/text.h>

void psw_doctor_sweep(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    const struct psw_sweep_needs *needs = d->needs;
    const int n_work = d->place.n_rank > 1 ? d->place.n_rank - 1 : 1;
    if (d->place.rank == 0 && d->sweep_error[0])
        psw_doctor_say(line, PSW_DOCTOR_BAD, "%.1000s", d->sweep_error);
    if (!needs || d->place.rank != 0) return;
    if (needs->widest > n_work)
        psw_doctor_say(line, PSW_DOCTOR_BAD,
                       "%s: a run wants %d ranks, but of %d here %d work: start more, or use "
                       "fewer --ranks-per-run",
                       d->sweep_path, needs->widest, d->place.n_rank, n_work);
    else if (n_work > needs->n_left * needs->widest && needs->n_left > 0)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%s: %lld runs are left for %d ranks that work: some will be idle",
                       d->sweep_path, (long long)needs->n_left, n_work);
    else
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "%s: %lld of %lld runs to do", d->sweep_path,
                       (long long)needs->n_left, (long long)needs->n_run);
}

/* Each node against what it has; the first rank of a node speaks for it. */
void psw_doctor_memory(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    const int n = d->place.n_work > 0 ? d->place.n_work : 1;
    const double have = psw_machine_bytes(), each = have / n;
    char all[PSW_SIZE_BYTES], share[PSW_SIZE_BYTES], needs[PSW_SIZE_BYTES];
    if (d->place.rank_node != 0) return;
    if (!d->needs) {
        if (d->place.rank == 0)
            psw_doctor_say(
                line, PSW_DOCTOR_GOOD,
                "%s on %s, %s for each of %d that work; without a sweep nobody knows "
                "whether that is enough",
                psw_size_text(have, all), d->place.host, psw_size_text(each, share), n);
        return;
    }
    psw_size_text((double)d->needs->rank_bytes, needs);
    psw_size_text(each, share);
    if ((double)d->needs->rank_bytes > each)
        psw_doctor_say(line, PSW_DOCTOR_BAD,
                       "a rank needs %s, but %s has %s for each of %d that work "
                       "(the least of machine, Slurm's grant and control group): fewer ranks a "
                       "node, --mem-per-cpu, or more --ranks-per-run",
                       needs, d->place.host, share, n);
    else if (d->place.rank == 0)
        psw_doctor_say(line, PSW_DOCTOR_GOOD,
                       "a rank needs %s; %s has %s for each of %d that work", needs,
                       d->place.host, share, n);
}
