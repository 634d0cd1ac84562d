/* posweep bench: how fast this build is on this machine, each number beside a yardstick that is
 * measured in the same run. */
#include "bench_internal.h"
#include "cli_internal.h"
#include <mpi.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct psw_bench BENCHES[] = {
    {"step", "a training step beside its matrix products", psw_cli_bench_step, 0},
    {"sample", "sampling and rollouts beside what the weights and FLOPs allow",
     psw_cli_bench_sample, 0},
    {"trace", "a trace checkpoint beside a training step and explicit gradients",
     psw_cli_bench_trace, 1},
    {"dpo", "DPO steps on pairs, each prompt computed once and twice", psw_cli_bench_dpo, 1},
    {"ppo", "a step of PPO of the demo's size by parts, beside its products", psw_cli_bench_ppo,
     1},
    {"ranks", "one run on all ranks over one rank (start it with mpirun)", psw_cli_bench_ranks,
     1},
    {"spectrum", "a Gram matrix and its eigenvalues over all ranks (start it with mpirun)",
     psw_cli_bench_spectrum, 1},
    {"dispatch", "what the coordinator costs per task (start it with mpirun)",
     psw_cli_bench_dispatch, 1},
    {"schedule", "makespan of a simulated sweep beside its bound, and what deciding costs",
     psw_cli_bench_makespan, 0},
    {NULL, NULL, NULL, 0},
};

struct bench_call {
    const struct psw_bench *bench;
    struct psw_bench_args args;
};

static const struct argp_option OPTIONS[] = {
    {"shape", 's', "SHAPE", 0, "only this model shape (step, sample, ppo, ranks)", 0},
    {"repeat", 'r', "N", 0, "measured repetitions", 0},
    {"threads", 't', "N", 0, "BLAS threads (default 1)", 0},
    {"batch", 'b', "N", 0,
     "sequences (sample, ranks), responses (ppo), pairs (dpo), numbers (spectrum), ranks "
     "(schedule)",
     0},
    {"items", 'n', "N", 0,
     "tasks (dispatch), pairs (trace), responses (sample), SFT steps (ppo), directions "
     "(spectrum), runs (schedule)",
     0},
    {"data", 'd', "FILE", 0, "preference pairs (dpo, trace)", 0},
    {0},
};

static void set_bench(struct argp_state *state, struct bench_call *call, const char *name)
{
    if (call->bench) argp_error(state, "one benchmark at a time: '%s' is too much", name);
    for (const struct psw_bench *b = BENCHES; b->name; b++)
        if (!strcmp(b->name, name)) call->bench = b;
    if (!call->bench) argp_error(state, "no benchmark '%s'", name);
}

static void set_shape(struct argp_state *state, struct bench_call *call, const char *name)
{
    for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++)
        if (!strcmp(s->name, name)) call->args.shape = s->name;
    if (!call->args.shape) argp_error(state, "no shape '%s'", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct bench_call *call = state->input;
    switch (key) {
    case 's':
        set_shape(state, call, arg);
        return 0;
    case 'r':
        call->args.n_rep = psw_cli_count("--repeat", arg, state);
        return 0;
    case 't':
        call->args.n_thread = psw_cli_count("--threads", arg, state);
        return 0;
    case 'b':
        call->args.batch = psw_cli_count("--batch", arg, state);
        return 0;
    case 'n':
        call->args.n_item = psw_cli_count("--items", arg, state);
        return 0;
    case 'd':
        call->args.data = psw_cli_path("--data", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        set_bench(state, call, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which benchmark?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The list of benchmarks, and the shapes, below the options. */
static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) return (char *)text;
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    if (!f) return (char *)text;
    fputs("Benchmarks:\n", f);
    for (const struct psw_bench *b = BENCHES; b->name; b++)
        fprintf(f, "  %-10s %s\n", b->name, b->help);
    fputs("Shapes:\n", f);
    for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++)
        fprintf(f,
                "  %-10s %lld layers, width %lld, %lld heads, vocabulary %lld, %lld x %lld\n",
                s->name, (long long)s->n_layer, (long long)s->width, (long long)s->n_head,
                (long long)s->n_vocab, (long long)s->B, (long long)s->T);
    fclose(f);
    return out;
}

static psw_status run(const struct psw_bench *bench, struct psw_bench_args *args,
                      struct psw_error *err)
{
    if (bench->needs_mpi) {
        int rank = 0;
        const psw_status begun = psw_cli_mpi_begin(&rank, err);
        args->rank = rank;
        if (begun != PSW_OK) return begun;
    }
    if (args->rank == 0) {
        char blas[PSW_LIBRARY_TEXT_BYTES];
        printf("# %s; %lld thread%s\n", psw_cli_blas_text(blas), (long long)args->n_thread,
               args->n_thread == 1 ? "" : "s");
        psw_cli_warn_blas();
    }
    const psw_status rc = bench->run(args, err);
    if (bench->needs_mpi) PSW_MPI(MPI_Finalize());
    return rc;
}

int psw_cmd_bench(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Measure how fast this build is here, beside a yardstick measured in the same "
               "run.\v ",
        .help_filter = help_filter};
    struct bench_call call = {.args = {.n_thread = 1}};
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &call)) return EX_USAGE;
    psw_blas_pin((int)call.args.n_thread);
    const psw_status rc = run(call.bench, &call.args, &err);
    if (rc == PSW_OK) return EX_OK;
    return call.args.rank == 0 ? psw_cli_fail(&err) : psw_status_exit(rc);
}
