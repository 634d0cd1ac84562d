/* Facts about this build and machine that go into the results. */
#include "cli_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void add_note(struct psw_cli_notes *n, const char *key, const char *value)
{
    if (value && value[0]) n->note[n->n++] = (struct psw_results_note){key, value};
}

void psw_cli_notes_collect(struct psw_cli_notes *n)
{
    const struct psw_build *b = psw_build();
    *n = (struct psw_cli_notes){.n = 0};
    gethostname(n->host, sizeof n->host - 1);
    snprintf(n->commit, sizeof n->commit, "%s%s", b->commit, b->dirty ? " (dirty)" : "");
    add_note(n, "version", b->version);
    add_note(n, "commit", n->commit);
    add_note(n, "compiler", b->compiler);
    add_note(n, "flags", b->flags);
    add_note(n, "mpi", psw_cli_mpi_text(n->mpi));
    add_note(n, "hdf5", psw_cli_hdf5_text(n->hdf5));
    add_note(n, "blas", psw_cli_blas_text(n->blas));
    add_note(n, "blas_threads", "1"); /* psw_blas_pin */
    add_note(n, "cpu", psw_cli_cpu_text(n->cpu));
    add_note(n, "host", n->host);
    add_note(n, "slurm_job_id", getenv("SLURM_JOB_ID"));
}
