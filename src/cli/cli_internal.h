/* What the commands share: the table that names them, how they fail, and what build this is.
 *
 * One file per command. A command is `int psw_cmd_<name>(int argc, char **argv)`: argv[0] is
 * "posweep <name>" (argp prints it), the value returned is the exit status. Commands parse with
 * argp, print results on stdout and everything else on stderr, and never call exit themselves.
 * Only here may MPI_COMM_WORLD be used; commands that need MPI start and end it themselves. */
#ifndef PSW_CLI_INTERNAL_H
#define PSW_CLI_INTERNAL_H

#include <argp.h>
#include <posweep/config/sweep_file.h>
#include <posweep/store/results.h>
#include <posweep/sweep/run.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/** A command of posweep; the table in cmd_help.c holds only commands that work. */
struct psw_cmd {
    const char *name;
    const char *group; /* heading in `posweep --help`; rows of a group stand together */
    const char *args;  /* what follows the name, for the overview */
    const char *help;  /* one line */
    int (*run)(int argc, char **argv);
};

/** The row of that name, or NULL. */
const struct psw_cmd *psw_cmd_find(const char *name);

/** The nearest name by edit distance, or NULL if none is near enough to be meant. */
const char *psw_cmd_nearest(const char *name);

int psw_cmd_bench(int argc, char **argv);
int psw_cmd_check(int argc, char **argv);
int psw_cmd_claims(int argc, char **argv);
int psw_cmd_compare(int argc, char **argv);
int psw_cmd_data(int argc, char **argv);
int psw_cmd_doctor(int argc, char **argv);
int psw_cmd_export(int argc, char **argv);
int psw_cmd_merge(int argc, char **argv);
int psw_cmd_plan(int argc, char **argv);
int psw_cmd_prune(int argc, char **argv);
int psw_cmd_report(int argc, char **argv);
int psw_cmd_rescore(int argc, char **argv);
int psw_cmd_run(int argc, char **argv);
int psw_cmd_help(int argc, char **argv);
int psw_cmd_influence(int argc, char **argv);
int psw_cmd_judge(int argc, char **argv);
int psw_cmd_sample(int argc, char **argv);
int psw_cmd_selftest(int argc, char **argv);
int psw_cmd_show(int argc, char **argv);
int psw_cmd_spectrum(int argc, char **argv);
int psw_cmd_snippet(int argc, char **argv);
int psw_cmd_status(int argc, char **argv);
int psw_cmd_submit(int argc, char **argv);
int psw_cmd_tokenize(int argc, char **argv);
int psw_cmd_why(int argc, char **argv);

/** The overview: `posweep --help`. */
void psw_cli_overview(void);

/** Print "posweep: text" on stderr and return the exit status that fits the code. */
int psw_cli_fail(const struct psw_error *err);

/** The end of a command: results that never reached their reader are a failure, as are arenas
 * that are still open. Returns the exit status. */
int psw_cli_finish(int status);

/** Run work(ctx), which reads the file and returns an exit status, in a child with limits that
 *  fit the size of the file; if it dies, say so and return 65. */
int psw_cli_guard(int (*work)(void *ctx), void *ctx, const char *path);

/** The same without a limit of time: the work also reads standard input, however much. */
int psw_cli_guard_long(int (*work)(void *ctx), void *ctx, const char *path);

/** Open the results file that a command was given; a sweep file, a journal, or the name of a
 *  file that is still to be written is met with what to do. Owns: the caller closes.
 *  Errors: those of psw_results_open. */
psw_status psw_cli_open_results(const char *command, const char *path, struct psw_results **out,
                                struct psw_error *err);

/** A command that reads one results file: in a child, since the bytes may be anybody's, open
 * it, call work, which prints, and see whether values could be read. Errors get the path in
 * front. Returns the exit status. */
int psw_cli_read(const char *command, const char *path,
                 psw_status (*work)(struct psw_results *results, void *ctx,
                                    struct psw_error *err),
                 void *ctx);

/** The end of an argp parser of such a command: FILE, once. */
error_t psw_cli_one_file(int key, char *arg, struct argp_state *state, const char **path);

/** As psw_cli_fail for a fault in the command line itself: exit status 64, with a pointer to
 * help. */
int psw_cli_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The argument of an option that names a file or folder; an empty one (an unset variable of a
 *  script) ends the command with status 64. */
const char *psw_cli_path(const char *option, const char *arg, struct argp_state *state);

/** The argument of an option that is a count from 1 to INT_MAX; another one ends the command
 *  with status 64. */
int64_t psw_cli_count(const char *option, const char *arg, struct argp_state *state);

/** The argument of an option that is a number above 0, or inf; likewise. */
double psw_cli_positive(const char *option, const char *arg, struct argp_state *state);

/** sweeps/components.yaml -> components.h5, in the working directory; returns out. */
const char *psw_cli_default_out(const char *sweep_path, char *out, size_t n_bytes);

/** The options and the argument of posweep run as a child parser; its input is what
 *  psw_cli_run_opts_create returns, which the caller frees (NULL: no memory). Without a sweep
 *  file sweep_path stays NULL, without -o out_path does. */
extern const struct argp psw_cli_run_argp;
struct psw_run_opts *psw_cli_run_opts_create(void);

/** Child parser with -v/--verbose and -q/--quiet, which set the level of the log. */
extern const struct argp psw_cli_log_argp;

/** The plan of the sweep file to add seeds (batch 0: none). Errors: those of psw_sweep_read. */
psw_status psw_cli_seed_plan(const struct psw_run_opts *opts, struct psw_seed_plan *out,
                             struct psw_error *err);

/** Replicates to begin with: the first batch, or what an earlier start had come to in `path`.
 */
int64_t psw_cli_seeds_before(const struct psw_seed_plan *plan, const char *path);

/** Replicates to go on with after the runs of a results file have ended; 0: all is decided, or
 * no more may be added. Says on stdout how the comparisons stand. Errors: those of psw_compare.
 */
psw_status psw_cli_seeds_next(const struct psw_seed_plan *plan, const char *path, int64_t *next,
                              struct psw_error *err);

/** What the environment says of how this process was started. Plain data. */
struct psw_launch {
    int row;         /* of the launcher in launch.c; -1: none */
    long n_promised; /* tasks that it started; 0: unknown */
    long rank;       /* of this task */
    long n_alone;    /* tasks that a batch job could start, where no launcher did */
};

/** MPI: Local; before MPI_Init, which may change the environment. */
struct psw_launch psw_launch_read(void);

/** Errors: PSW_EINVAL with both numbers, cause and cure when MPI has fewer ranks than promised.
 */
psw_status psw_launch_check(const struct psw_launch *launch, int n_rank, struct psw_error *err);

/** Warn in the log of rank 0 of what posweep doctor calls bad and sees at once: ranks that a
 *  binding makes share cores, clocks that disagree. MPI: Collective (MPI_COMM_WORLD). */
void psw_cli_quick_checks(void);

/** Start MPI and refuse a world that is smaller than the launcher promised; then MPI is ended
 *  again, and *rank is 0 on the one task that should say so.
 *  MPI: Collective (MPI_COMM_WORLD). Errors: those of psw_launch_check. */
psw_status psw_cli_mpi_begin(int *rank, struct psw_error *err);

/** For the job script, which cannot rely on what its launcher ends with: the file that
 *  $POSWEEP_EXIT_FILE names says "begun KEPT", and at the end "STATUS KEPT KEPT", where KEPT
 *  counts what the journal keeps of work done (stages, measurements, ends, advances), at the
 *  start and at the end. Without the variable nothing is done. Returns KEPT.
 *  MPI: Local (rank 0). Errors: none; a file that cannot be written counts as a lost run there.
 */
int64_t psw_cli_exit_begin(const char *out_path);
void psw_cli_exit_end(const char *out_path, int64_t kept_before, int status);

/** The same file says "STATUS" where a start ends before that. psw_cli_exit_alone(1): at once
 * when this process ends with an error, as for a wrong command line, which all ranks find, and
 * the launcher kills those that are slower; psw_cli_mpi_begin turns it off. MPI: Local. */
void psw_cli_exit_tell(int status);
void psw_cli_exit_alone(int on);

/** Tell `posweep status` how a start of `posweep run` ended, in OUT.ended; after a good end
 * there is no such file. What cannot be written is not told. */
void psw_cli_tell_end(const char *out_path, int status, const struct psw_error *err);

/** What this program was built from. */
struct psw_build {
    const char *version, *commit /* or "unknown" */, *compiler, *flags;
    int dirty; /* 1 if tracked files differed from the commit */
};
const struct psw_build *psw_build(void);

enum { PSW_LIBRARY_TEXT_BYTES = 256 };

/** One line each, e.g. "Open MPI v4.1.4", "HDF5 1.10.8", "OpenBLAS 0.3.21 ... (path)"; return
 * out. Work before MPI_Init. */
const char *psw_cli_mpi_text(char out[PSW_LIBRARY_TEXT_BYTES]);
const char *psw_cli_hdf5_text(char out[PSW_LIBRARY_TEXT_BYTES]);
const char *psw_cli_blas_text(char out[PSW_LIBRARY_TEXT_BYTES]);

/** Facts about this build and machine that go into the results. */
struct psw_cli_notes {
    char mpi[PSW_LIBRARY_TEXT_BYTES], hdf5[PSW_LIBRARY_TEXT_BYTES],
        blas[PSW_LIBRARY_TEXT_BYTES], cpu[PSW_LIBRARY_TEXT_BYTES];
    char host[256], commit[128];
    struct psw_results_note note[16]; /* borrows the others */
    int n;
};

/** For a process whose BLAS is pinned to one thread. */
void psw_cli_notes_collect(struct psw_cli_notes *notes);

/** A line of progress on a terminal; psw_run_opts.progress. */
void psw_cli_show_progress(const struct psw_sweep_view *view,
                           const struct psw_run_summary *runs);

/** Warn in the log if the BLAS is none of the tuned ones. */
void psw_cli_warn_blas(void);

/** The type of the CPU, as the system names it, e.g. "AMD EPYC 7543 32-Core Processor". */
const char *psw_cli_cpu_text(char out[PSW_LIBRARY_TEXT_BYTES]);

/** `posweep --version`. */
void psw_cli_version(void);

#endif
