/* Asking Slurm: one program, one answer, no polling. What an outer job or MPI launcher left in
 * the environment stays here: a job that inherits SLURM_CPU_BIND or a rank's number runs slowly
 * or not at all, and nobody sees why. */
#include "submit_internal.h"
#include <errno.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { NO_PROGRAM = 127, N_TRY = 4, ANSWER_BYTES = 4096 };

/* Is this variable (NAME=VALUE) one that describes another job or another MPI program? */
static int is_left_over(const char *variable)
{
    static const char *const BEGINNINGS[] = {
        "SLURM_",      "OMPI_COMM_WORLD_", "OMPI_MCA_orte_",  "OMPI_MCA_ess",
        "PMIX_SERVER", "PMIX_RANK=",       "PMIX_NAMESPACE=", "PMI_"};
    if (!strncmp(variable, "SLURM_CONF=", 11)) return 0;
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        if (!strncmp(variable, BEGINNINGS[i], strlen(BEGINNINGS[i]))) return 1;
    return 0;
}

static void scrub_environment(void)
{
    for (char **at = environ; *at;) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*at, "="), *at);
        if (is_left_over(*at) && unsetenv(name) == 0)
            at = environ;
        else
            at++;
    }
}

static void be_program(const char *const *argv, FILE *in, FILE *out)
{
    char *copy[64];
    int n = 0;
    for (; argv[n] && n < 63; n++) copy[n] = strdup(argv[n]);
    copy[n] = NULL;
    if (in) {
        rewind(in);
        dup2(fileno(in), STDIN_FILENO);
    }
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(out), STDERR_FILENO);
    scrub_environment();
    execvp(copy[0], copy);
    _exit(NO_PROGRAM);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

psw_status psw_slurm_ask(const char *const *argv, FILE *in, char *out, size_t n_bytes,
                         struct psw_error *err)
{
    FILE *said = tmpfile();
    if (!said) return psw_fail(err, PSW_EIO, "a temporary file: %s", strerror(errno));
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) be_program(argv, in, said);
    const int status = pid > 0 ? wait_for(pid) : -1;
    rewind(said);
    out[fread(out, 1, n_bytes - 1, said)] = 0;
    fclose(said);
    if (status == 0) return PSW_OK;
    if (status == NO_PROGRAM)
        return psw_fail(err, PSW_EUNSUP, "%s is not here: this machine cannot submit jobs",
                        argv[0]);
    out[strcspn(out, "\n")] = 0;
    return psw_fail(err, PSW_EIO, "%s ended with %d: %s", argv[0], status, out);
}

int64_t psw_slurm_config(const char *text, const char *key)
{
    const size_t n_key = strlen(key);
    for (const char *at = text; at && *at;
         at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, key, n_key) != 0 || !strchr(" =", at[n_key])) continue;
        char *end = NULL;
        const char *value = at + n_key + strspn(at + n_key, " =");
        const long long n = strtoll(value, &end, 10);
        return end == value ? -1 : n;
    }
    return -1;
}

/* Busy controllers refuse what they would take a moment later. */
static int may_pass(const char *text)
{
    static const char *const SAYINGS[] = {"Socket timed out", "Unable to contact",
                                          "temporarily", "Connection refused", "try again"};
    for (size_t i = 0; i < sizeof SAYINGS / sizeof *SAYINGS; i++)
        if (strstr(text, SAYINGS[i])) return 1;
    return 0;
}

/* A line that begins with a number, perhaps behind warnings: "123" or "123;cluster". */
static psw_status read_id(const char *answer, char id[64], struct psw_error *err)
{
    for (const char *at = answer; at && *at;
         at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const size_t n = strspn(at, "0123456789");
        if (n == 0 || n >= 64) continue;
        snprintf(id, 64, "%.*s", (int)n, at);
        return PSW_OK;
    }
    return psw_fail(err, PSW_EIO, "sbatch said no job id, but: %.200s", answer);
}

/* id: "" or the job that this one follows; then the new job's. */
static psw_status submit_one(const struct psw_slurm_job *job, const char *chain,
                             int64_t n_after, char id[64], struct psw_error *err)
{
    char after[96], answer[ANSWER_BYTES];
    const char *argv[] = {"sbatch", "--parsable", NULL, NULL};
    snprintf(after, sizeof after, "--dependency=afterany:%s", id);
    if (chain) argv[2] = after;
    FILE *script = tmpfile();
    if (!script) return psw_fail(err, PSW_EIO, "a temporary file: %s", strerror(errno));
    psw_status rc = psw_slurm_script(script, job, chain, n_after, err);
    if (rc == PSW_OK && (fflush(script) != 0 || ferror(script)))
        rc = psw_fail(err, PSW_EIO, "a temporary file: %s", strerror(errno));
    for (int i = 0; rc == PSW_OK && i < N_TRY; i++) {
        if (i > 0) psw_clock_sleep_s(1 << (2 * i - 2)); /* 1, 4, 16 s */
        rc = psw_slurm_ask(argv, script, answer, sizeof answer, err);
        if (rc == PSW_OK || !may_pass(err->text) || i + 1 == N_TRY) break;
        psw_log(PSW_LOG_WARN, "%s; tried again", err->text);
        rc = PSW_OK;
    }
    fclose(script);
    if (rc != PSW_OK) return rc;
    return read_id(answer, id, err);
}

psw_status psw_slurm_submit(const struct psw_slurm_job *job, struct psw_error *err)
{
    char id[64] = "", first[64] = "";
    for (int64_t i = 0; i < job->end.n_chain; i++) {
        const psw_status rc =
            submit_one(job, i > 0 ? first : NULL, job->end.n_chain - 1 - i, id, err);
        if (rc != PSW_OK) {
            if (i > 0)
                psw_error_prefix(err, "%lld of %lld jobs were submitted, the last is %s",
                                 (long long)i, (long long)job->end.n_chain, id);
            return rc;
        }
        if (i == 0) {
            snprintf(first, sizeof first, "%s", id);
            printf("Submitted job %s; it logs to posweep-%s%s.log\n", id, id,
                   job->size.n_job > 1 ? "_0" : "");
        } else {
            printf("Submitted job %s, which follows if the sweep is not done by then\n", id);
        }
    }
    if (job->end.n_chain > 1)
        printf("To cancel all: scancel %s; scancel --name=posweep-%s\n", first, first);
    return PSW_OK;
}

double psw_slurm_time_s(const char *text)
{
    /* Slurm's forms: how many parts follow an optional "DAYS-", and the seconds of each. */
    static const int UNIT_S[2][4][3] = {{{0}, {60}, {60, 1}, {3600, 60, 1}},
                                        {{0}, {3600}, {3600, 60}, {3600, 60, 1}}};
    long part[3] = {0}, n_day = 0;
    int n = 0;
    char *end = NULL;
    const char *dash = strchr(text, '-'), *at = dash ? dash + 1 : text;
    if (dash) {
        n_day = strtol(text, &end, 10);
        if (end != dash || n_day < 0) return 0;
    }
    for (; n < 3; at = end + 1) {
        part[n] = strtol(at, &end, 10);
        if (end == at || part[n] < 0 || *at == '-' || *at == '+') return 0;
        n++;
        if (*end != ':') break;
    }
    if (*end) return 0;
    double s = 86400.0 * (double)n_day;
    for (int i = 0; i < n; i++) s += (double)UNIT_S[dash != NULL][n][i] * (double)part[i];
    return s;
}
