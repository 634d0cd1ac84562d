/* Runs that were added to a sweep file while it was performed: they are performed, too. A file
 * that lost some of its runs is somebody's next sweep, and left alone. */
#include "cli_internal.h"
#include <posweep/store/results.h>
#include <posweep/sweep/asked.h>
#include <posweep/util/log.h>
#include <stdlib.h>

/** A sweep beside a results file. */
struct difference {
    int64_t n_left; /* runs of the sweep that have not ended there */
    int64_t n_lost; /* runs that the sweep does not ask for */
};

static psw_status compare(const struct psw_sweep *sweep, const char *path,
                          struct difference *out, struct psw_error *err)
{
    struct psw_results *results = NULL;
    uint64_t *asked = psw_sweep_asked(sweep);
    psw_status rc = asked ? psw_results_open(path, &results, err)
                          : psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)sweep->n_run);
    const int64_t n = rc == PSW_OK ? psw_results_dim(results, "run") : 0;
    const int64_t *status = rc == PSW_OK ? psw_results_i64(results, "status") : NULL;
    *out = (struct difference){.n_left = sweep->n_run};
    for (int64_t i = 0; i < n; i++) {
        const uint64_t hash = strtoull(psw_results_text(results, "run", i), NULL, 16);
        if (!psw_hashes_have(asked, sweep->n_run, hash))
            out->n_lost++;
        else if (status && psw_outcome_is_end((enum psw_outcome)status[i]))
            out->n_left--;
    }
    psw_results_close(results);
    free(asked);
    return rc;
}

int64_t psw_cli_runs_added(const struct psw_run_opts *opts)
{
    struct psw_error err = {0};
    struct psw_sweep *sweep = NULL;
    struct difference d = {0};
    psw_status rc = psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, &sweep, &err);
    if (rc == PSW_OK) rc = compare(sweep, opts->out_path, &d, &err);
    psw_sweep_destroy(sweep);
    if (rc != PSW_OK)
        psw_log(PSW_LOG_WARN, "whether runs were added cannot be told: %s", err.text);
    else if (d.n_left > 0 && d.n_lost > 0)
        psw_log(PSW_LOG_NOTE,
                "%s asks for other runs by now: the same command computes the difference",
                opts->sweep_path);
    else if (d.n_left > 0)
        psw_log(PSW_LOG_NOTE, "%s asks for %lld more run%s by now", opts->sweep_path,
                (long long)d.n_left, d.n_left == 1 ? "" : "s");
    return rc == PSW_OK && d.n_lost == 0 ? d.n_left : 0;
}
