/* posweep doctor: are nodes, ranks, files and libraries fit for a sweep? */
#include "doctor_internal.h"
#include <posweep/comm/agree.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/file.h>
#include <posweep/util/log.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char *const VERDICTS[] = {"", "good", "note", "bad"};

struct doctor_args {
    struct psw_run_opts *run; /* owned */
    int is_json, is_first;    /* is_first: no line has been printed yet */
};

enum { KEY_JSON = 2000 };

static const struct argp_option OPTIONS[] = {
    {"json", KEY_JSON, NULL, 0, "the same for programs", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct doctor_args *a = state->input;
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = a->run;
        return 0;
    case KEY_JSON:
        a->is_json = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child CHILDREN[] = {
    {&psw_cli_run_argp, 0, "As of posweep run, so that the same arguments serve both:", 1},
    {&psw_cli_log_argp, 0, NULL, 2},
    {0}};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse,
    .children = CHILDREN,
    .args_doc = "[SWEEP.yaml]",
    .doc =
        "Say whether nodes, ranks, files and libraries are fit for a sweep. Alone, or started "
        "as the sweep will be: by srun or mpirun, on as many ranks, with the same arguments. "
        "A job of posweep submit, or of slurm/sweep.sbatch, begins with it.\v"
        "Each line says `good`, `note` (slower than need be, or not known) or `bad`, and then "
        "what to do. Nothing is kept of what is tried in the folders of output and work.\n\n"
        "  launcher   do all ranks form one world, as many as were started?\n"
        "  cores      has each rank that works a core of its own, or does a binding make them\n"
        "             share? The ranks are named\n"
        "  libraries  one MPI for posweep, HDF5 and ScaLAPACK, the same on all nodes\n"
        "  blas       which, is it a tuned one, one thread a rank, one CPU type\n"
        "  clocks     how far the nodes' clocks are apart\n"
        "  sweep      does it read, and find as many ranks as a run wants?\n"
        "  memory     of each node (machine, Slurm's grant, control group) against the plan\n"
        "  output     the folder is seen and written from every node; sync, rename, lock work\n"
        "  work       the same for --work-dir\n"
        "  disk       free space against the plan\n\n"
        "Exit status: 0 nothing is bad, 78 something is.\n\n"
        "  srun --mpi=pmix posweep doctor sweeps/demo.yaml -o demo.h5\n"
        "  mpirun -n 9 posweep doctor sweeps/demo.yaml -o demo.h5"};

static void put_json(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            printf("\\u%04x", c);
        else
            printf(c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    putchar('"');
}

static void print_line(struct doctor_args *a, const char *name,
                       const struct psw_doctor_line *line)
{
    char more[48] = "";
    if (line->verdict == PSW_DOCTOR_NONE) return;
    if (line->verdict > PSW_DOCTOR_GOOD && line->n_more > 0)
        snprintf(more, sizeof more, " (and so on %d more rank%s)", line->n_more,
                 line->n_more == 1 ? "" : "s");
    if (!a->is_json) {
        printf("%-5s %-10s %s%s\n", VERDICTS[line->verdict], name, line->text, more);
        return;
    }
    printf("%s\n  {\"check\": \"%s\", \"verdict\": \"%s\", \"text\": ", a->is_first ? "" : ",",
           name, VERDICTS[line->verdict]);
    put_json(line->text);
    printf(", \"n_more\": %d}", line->n_more);
    a->is_first = 0;
}

/* Rank 0 reads the sweep, everybody hears what it needs. 1: it reads. */
static int read_needs(const struct psw_doctor *d, const struct psw_run_opts *opts,
                      struct psw_sweep_needs *needs, struct psw_error *err)
{
    int ok = 0;
    if (d->place.rank == 0 && opts->sweep_path) {
        const struct psw_sweep_ask ask = {opts->sweep_path, d->out_path, opts->sets,
                                          opts->n_sets};
        const int n_work = d->place.n_rank > 1 ? d->place.n_rank - 1 : 1;
        ok = psw_cli_sweep_needs(&ask, n_work, 20e9, needs, err) == PSW_OK;
    }
    PSW_MPI(MPI_Bcast(&ok, 1, MPI_INT, 0, d->comm));
    PSW_MPI(MPI_Bcast(needs, sizeof *needs, MPI_BYTE, 0, d->comm));
    return ok;
}

/* All checks; the exit status. */
static int examine(struct psw_doctor *d, struct doctor_args *a)
{
    struct psw_sweep_needs needs = {.n_run = 0};
    struct psw_error err = {0};
    struct psw_doctor_line line = {.verdict = PSW_DOCTOR_NONE};
    const char *name;
    struct psw_error first = {.code = PSW_EINVAL}; /* that is bad */
    int is_bad = 0;
    if (read_needs(d, a->run, &needs, &err)) d->needs = &needs;
    if (d->place.rank == 0 && a->is_json) printf("{\"checks\": [");
    d->sweep_error = err.text;
    for (int i = 0; (name = psw_doctor_check(d, i, &line)) != NULL; i++) {
        if (d->place.rank == 0 && line.verdict == PSW_DOCTOR_BAD && !is_bad++)
            snprintf(first.text, sizeof first.text, "doctor: %s: %.900s", name, line.text);
        if (d->place.rank == 0) print_line(a, name, &line);
        fflush(stdout);
        line = (struct psw_doctor_line){.verdict = PSW_DOCTOR_NONE};
    }
    if (d->place.rank == 0 && a->is_json)
        printf("\n], \"verdict\": \"%s\"}\n", VERDICTS[is_bad ? 3 : 1]);
    if (is_bad && getenv("POSWEEP_EXIT_FILE")) { /* a job, which ends with this */
        psw_cli_tell_end(d->out_path, EX_CONFIG, &first);
        psw_cli_exit_tell(EX_CONFIG);
    }
    PSW_MPI(MPI_Bcast(&is_bad, 1, MPI_INT, 0, d->comm));
    return is_bad ? EX_CONFIG : EX_OK;
}

static int see_doctor(struct doctor_args *a)
{
    char out[PSW_PATH_BYTES] = "posweep.h5";
    struct psw_error err = {0};
    const struct psw_launch launch = psw_launch_read();
    struct psw_doctor d = {.comm = MPI_COMM_WORLD, .launch = &launch};
    int rank = 0;
    psw_stop_install(); /* the job's signal is not for us */
    const psw_status rc = psw_cli_mpi_begin(&rank, &err);
    if (rc != PSW_OK) {
        struct psw_doctor_line line = {.verdict = PSW_DOCTOR_BAD};
        snprintf(line.text, sizeof line.text, "%s", err.text);
        if (rank != 0) return psw_status_exit(rc);
        if (a->is_json) printf("{\"checks\": [");
        print_line(a, "launcher", &line);
        if (a->is_json) printf("\n], \"verdict\": \"bad\"}\n");
        return psw_status_exit(rc);
    }
    if (a->run->sweep_path) psw_cli_default_out(a->run->sweep_path, out, sizeof out);
    d.out_path = a->run->out_path ? a->run->out_path : out;
    d.work_dir = a->run->work.dir;
    d.sweep_path = a->run->sweep_path;
    psw_doctor_place(&d);
    const int status = examine(&d, a);
    PSW_MPI(MPI_Comm_free(&d.node));
    PSW_MPI(MPI_Finalize());
    return status;
}

int psw_cmd_doctor(int argc, char **argv)
{
    struct doctor_args a = {.is_first = 1};
    int status = EX_USAGE;
    psw_log_setup(PSW_LOG_WARN, "");
    psw_cli_exit_alone(1);
    a.run = psw_cli_run_opts_create();
    if (!a.run) return psw_cli_fail(&(struct psw_error){.code = PSW_ENOMEM});
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a) == 0) status = see_doctor(&a);
    free(a.run);
    return status;
}
