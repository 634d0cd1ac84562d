/* posweep spectrum: how the directions of a sweep lie to one another. */
#include "cli_internal.h"
#include <mpi.h>
#include <posweep/analyze/spectrum.h>
#include <posweep/analyze/tensor_spectra.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct spectrum_args {
    const char *path, *out, *svg, *work_dir;
    int is_of_tensors;
    struct psw_spectrum_opts opts;
};

enum { KEY_OF = 256, KEY_SVG, KEY_GRID, KEY_MAX_KL, KEY_WORK_DIR };

static const struct argp_option OPTIONS[] = {
    {"of", KEY_OF, "WHAT", 0,
     "v (default), displacement (parameters less those of the SFT model), the name of a "
     "component, whose gradient is taken, or tensors: exact singular values of every matrix at "
     "the end less that of the SFT model, of runs whose models were kept (limits.keep)",
     0},
    {"output", 'o', "FILE", 0,
     "where the numbers go (default: beside FILE.h5, FILE.spectrum.h5, or with what --of "
     "names, "
     "FILE.displacement.h5)",
     0},
    {"svg", KEY_SVG, "FILE", 0, "draw the map and the cosines into an SVG picture, too", 0},
    {"method", 'm', "NAME", 0, "only this method", 0},
    {"variant", 'V', "NAME", 0, "only this variant", 0},
    {"dimension", 'd', "N", 0, "of the subspaces whose angles are told (default 2, at most 16)",
     0},
    {"max-kl", KEY_MAX_KL, "NAT", 0,
     "leave out runs whose KL to SFT is larger, as show does (default 5; inf: keep all)", 0},
    {"work-dir", KEY_WORK_DIR, "DIR", 0,
     "of tensors: where the models were kept (default: FILE.work)", 0},
    {"grid", KEY_GRID, "PxQ", 0, "grid of ranks (default: near-square over all of them)", 0},
    {0},
};

static void set_of(struct spectrum_args *a, const char *arg)
{
    a->is_of_tensors = strcmp(arg, "tensors") == 0;
    a->opts.of = PSW_SPECTRUM_COMPONENT;
    a->opts.component = arg;
    if (strcmp(arg, "v") == 0) a->opts.of = PSW_SPECTRUM_V;
    if (strcmp(arg, "displacement") == 0) a->opts.of = PSW_SPECTRUM_DISPLACEMENT;
}

static void set_grid(struct spectrum_args *a, const char *arg, struct argp_state *state)
{
    char rest;
    if (sscanf(arg, "%dx%d%c", &a->opts.n_grid_row, &a->opts.n_grid_column, &rest) != 2 ||
        a->opts.n_grid_row < 1 || a->opts.n_grid_column < 1)
        argp_error(state, "--grid: '%s' is no grid such as 2x3", arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct spectrum_args *a = state->input;
    switch (key) {
    case KEY_OF:
        set_of(a, arg);
        return 0;
    case 'o':
        a->out = psw_cli_path("--output", arg, state);
        return 0;
    case KEY_SVG:
        a->svg = psw_cli_path("--svg", arg, state);
        return 0;
    case 'm':
        a->opts.selection.method = arg;
        return 0;
    case 'V':
        a->opts.selection.variant = arg;
        return 0;
    case 'd':
        a->opts.n_dim = psw_cli_count("--dimension", arg, state);
        if (a->opts.n_dim > PSW_SPECTRUM_MAX_DIM)
            argp_error(state, "--dimension: '%s' is more than %d", arg, PSW_SPECTRUM_MAX_DIM);
        return 0;
    case KEY_MAX_KL:
        a->opts.selection.max_kl = psw_cli_positive("--max-kl", arg, state);
        return 0;
    case KEY_GRID:
        set_grid(a, arg, state);
        return 0;
    case KEY_WORK_DIR:
        a->work_dir = psw_cli_path("--work-dir", arg, state);
        return 0;
    case ARGP_KEY_END:
        if (a->is_of_tensors && a->svg)
            argp_error(state, "--svg: there is no picture of tensors");
        if (a->work_dir && !a->is_of_tensors)
            argp_error(state, "--work-dir: models are read with --of tensors alone");
        return psw_cli_one_file(key, arg, state, &a->path);
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

/* In a child, before MPI is there: the bytes may be anybody's. Everything that is read later is
 * read here once. */
static int look(void *ctx)
{
    const struct spectrum_args *a = ctx;
    struct psw_results *results = NULL;
    struct psw_spectrum_plan plan = {0};
    struct psw_spectrum_words words = {0};
    struct psw_tensor_spectra tensors = {0};
    struct psw_error err = {0};
    psw_status rc = psw_cli_open_results("spectrum", a->path, &results, &err);
    if (rc == PSW_OK) {
        if (a->is_of_tensors)
            rc = psw_tensor_spectra_init(results, a->path, a->work_dir, &a->opts.selection,
                                         &tensors, &err);
        else
            rc = psw_spectrum_plan_init(results, &a->opts, &plan, &words, &err);
        if (rc == PSW_OK && !a->is_of_tensors) rc = psw_spectrum_try(results, &plan, &err);
        if (psw_results_fault(results, &err) != PSW_OK) rc = err.code;
        if (rc != PSW_OK) psw_error_prefix(&err, "%s", a->path);
    }
    psw_tensor_spectra_clear(&tensors);
    psw_spectrum_plan_clear(&plan);
    psw_spectrum_words_clear(&words);
    psw_results_close(results);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

/* demo.h5 -> demo.spectrum.h5, demo.displacement.h5, demo.pos.h5, beside it. */
static psw_status default_out(const struct spectrum_args *a, char out[PSW_PATH_BYTES],
                              struct psw_error *err)
{
    const size_t n = strlen(a->path);
    const int n_stem = (int)(n > 3 && strcmp(a->path + n - 3, ".h5") == 0 ? n - 3 : n);
    const char *of = a->is_of_tensors                          ? "tensors"
                     : a->opts.of == PSW_SPECTRUM_V            ? "spectrum"
                     : a->opts.of == PSW_SPECTRUM_DISPLACEMENT ? "displacement"
                                                               : a->opts.component;
    return psw_path(out, PSW_PATH_BYTES, err, "%.*s.%s.h5", n_stem, a->path, of);
}

/* On rank 0: the text, and the file. */
static psw_status tell(const struct spectrum_args *a, struct psw_results *results,
                       const struct psw_spectrum_plan *plan, struct psw_spectrum_words *words,
                       const struct psw_spectrum *spectrum, struct psw_error *err)
{
    char out[PSW_PATH_BYTES];
    const char *name = strrchr(a->path, '/');
    psw_status rc = PSW_OK;
    snprintf(words->source, sizeof words->source, "%.255s", name ? name + 1 : a->path);
    PSW_TRY(psw_spectrum_print(stdout, plan, words, spectrum, err));
    PSW_TRY(a->out ? psw_path(out, sizeof out, err, "%s", a->out) : default_out(a, out, err));
    PSW_TRY(psw_spectrum_write(out, results, plan, words, spectrum, err));
    if (a->svg) PSW_TRY(psw_spectrum_svg(a->svg, plan, words, spectrum, err));
    printf("\nAll numbers are in %s (posweep help geometry lists them)\n", out);
fail:
    return rc;
}

static psw_status work(const struct spectrum_args *a, int rank, struct psw_error *err)
{
    struct psw_results *results = NULL;
    struct psw_spectrum_plan plan = {0};
    struct psw_spectrum_words words = {0};
    struct psw_spectrum spectrum = {0};
    psw_status rc = psw_results_open(a->path, &results, err);
    if (rc == PSW_OK && rank == 0)
        rc = psw_spectrum_plan_init(results, &a->opts, &plan, &words, err);
    PSW_TRY(psw_agree(MPI_COMM_WORLD, rc, err));
    PSW_TRY(psw_spectrum_plan_share(MPI_COMM_WORLD, &plan, err));
    PSW_TRY(psw_spectrum_compute(MPI_COMM_WORLD, results, &plan, &a->opts, &spectrum, err));
    if (rank == 0) rc = tell(a, results, &plan, &words, &spectrum, err);
    rc = psw_agree(MPI_COMM_WORLD, rc, err);
fail:
    psw_spectrum_clear(&spectrum);
    psw_spectrum_words_clear(&words);
    psw_spectrum_plan_clear(&plan);
    psw_results_close(results);
    return rc;
}

/* Of tensors: every rank reads the models. */
static psw_status work_tensors(const struct spectrum_args *a, int rank, struct psw_error *err)
{
    char out[PSW_PATH_BYTES];
    const char *name = strrchr(a->path, '/');
    struct psw_results *results = NULL;
    struct psw_tensor_spectra s = {0};
    psw_status rc = psw_results_open(a->path, &results, err);
    if (rc == PSW_OK)
        rc =
            psw_tensor_spectra_init(results, a->path, a->work_dir, &a->opts.selection, &s, err);
    PSW_TRY(psw_agree(MPI_COMM_WORLD, rc, err));
    PSW_TRY(psw_tensor_spectra_compute(MPI_COMM_WORLD, results, &s, err));
    if (rank == 0) {
        rc = psw_tensor_spectra_print(stdout, &s, err);
        if (rc == PSW_OK)
            rc = a->out ? psw_path(out, sizeof out, err, "%s", a->out)
                        : default_out(a, out, err);
        if (rc == PSW_OK)
            rc = psw_tensor_spectra_write(out, name ? name + 1 : a->path, results, &s, err);
        if (rc == PSW_OK)
            printf("\nAll numbers are in %s (posweep help geometry lists them)\n", out);
    }
    rc = psw_agree(MPI_COMM_WORLD, rc, err);
fail:
    psw_tensor_spectra_clear(&s);
    psw_results_close(results);
    return rc;
}

int psw_cmd_spectrum(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Say how the directions of a sweep lie to one another, from the sketches that "
               "trace.sketch keeps: is v a stable target, how many directions does training "
               "take, how far apart are the subspaces of variants, methods and seeds?\vStart "
               "it with mpirun to use several ranks; each reads its share of the runs."};
    struct spectrum_args a = {0};
    struct psw_error err = {0};
    int rank = 0, looked = EX_OK;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    psw_blas_pin(1);
    if (psw_launch_read().rank == 0) looked = psw_cli_guard(look, &a, a.path);
    psw_status rc = psw_cli_mpi_begin(&rank, &err);
    if (rc != PSW_OK) return rank == 0 ? psw_cli_fail(&err) : psw_status_exit(rc);
    PSW_MPI(MPI_Bcast(&looked, 1, MPI_INT, 0, MPI_COMM_WORLD));
    if (looked == EX_OK) rc = (a.is_of_tensors ? work_tensors : work)(&a, rank, &err);
    PSW_MPI(MPI_Finalize());
    if (looked != EX_OK) return looked;
    if (rc != PSW_OK && rank == 0) return psw_cli_fail(&err);
    return psw_status_exit(rc);
}
