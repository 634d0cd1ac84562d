/* The script of a Slurm job: what `posweep submit` knows at the head, and below it the body
 * that slurm/sweep.sbatch has, so that those who submit that file by hand run the same. */
#include "job_script.h"
#include "submit_internal.h"
#include <ctype.h>
#include <math.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The body begins behind the last of its own #SBATCH lines. */
static const char *body(void)
{
    const char *at = HELP_SWEEP;
    for (const char *next; (next = strstr(at, "\n#SBATCH ")) != NULL;) at = next + 1;
    return strchr(at, '\n') + 1;
}

/* As a shell reads it back, whatever stands in it. */
static void quote(FILE *out, const char *text)
{
    const size_t n_plain = strspn(
        text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+-@%");
    if (*text && text[n_plain] == 0) {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; text++) fputs(*text == '\'' ? "'\\''" : (char[]){*text, 0}, out);
    fputc('\'', out);
}

static void export_text(FILE *out, const char *name, const char *value)
{
    if (!value || !value[0]) return;
    fprintf(out, "export %s=", name);
    quote(out, value);
    fputc('\n', out);
}

/* #SBATCH lines end at the end of the line, and quoting in them is that of sbatch: refuse what
 * would need it. */
static psw_status option(FILE *out, const char *name, const char *value, struct psw_error *err)
{
    if (!value) return PSW_OK;
    for (const char *c = value; *c; c++)
        if (iscntrl((unsigned char)*c) || isspace((unsigned char)*c) || strchr("'\"\\#", *c))
            return psw_fail(err, PSW_EINVAL,
                            "%s%s: a blank, quote, backslash or # cannot stand in a #SBATCH "
                            "line; write the script to a file and give it to sbatch by hand",
                            name, value);
    fprintf(out, "#SBATCH %s%s\n", name, value);
    return PSW_OK;
}

static psw_status count(FILE *out, const char *name, int64_t n, const char *unit,
                        struct psw_error *err)
{
    char text[48];
    snprintf(text, sizeof text, "%lld%s", (long long)n, unit);
    return n > 0 ? option(out, name, text, err) : PSW_OK;
}

static void limit_text(double time_s, char *out, size_t n_bytes)
{
    const long long s = (long long)ceil(time_s);
    if (s >= 86400)
        snprintf(out, n_bytes, "%lld-%02lld:%02lld:%02lld", s / 86400, s / 3600 % 24,
                 s / 60 % 60, s % 60);
    else
        snprintf(out, n_bytes, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

static psw_status head(FILE *out, const struct psw_slurm_job *job, const char *chain,
                       struct psw_error *err)
{
    char name[80], limit[48], signal[48], array[48], folder[PSW_PATH_BYTES];
    const int is_array = job->size.n_job > 1;
    psw_status rc = PSW_OK;
    snprintf(name, sizeof name, "posweep-%s", chain ? chain : "");
    limit_text(job->size.time_s, limit, sizeof limit);
    snprintf(signal, sizeof signal, "B:%s@%d", job->end.signal, job->end.lead_s);
    if (!getcwd(folder, sizeof folder))
        return psw_fail(err, PSW_EIO, "the working directory cannot be found");
    PSW_TRY(option(out, "--job-name=", chain ? name : job->name, err));
    PSW_TRY(count(out, "--nodes=", job->size.n_node, "", err));
    PSW_TRY(count(out, "--ntasks-per-node=", job->size.n_task, "", err));
    PSW_TRY(count(out, "--cpus-per-task=", 1, "", err));
    PSW_TRY(count(out, "--mem-per-cpu=", job->size.mem_mib, "M", err));
    PSW_TRY(option(out, "--time=", limit, err));
    PSW_TRY(option(out, "--partition=", job->place.partition, err));
    PSW_TRY(option(out, "--account=", job->place.account, err));
    PSW_TRY(option(out, "--qos=", job->place.qos, err));
    PSW_TRY(option(out, "--signal=", signal, err));
    PSW_TRY(option(out, job->end.n_chain > 1 ? "--no-requeue" : "--requeue", "", err));
    PSW_TRY(option(out, "--open-mode=append", "", err));
    snprintf(array, sizeof array, "0-%lld", (long long)job->size.n_job - 1);
    PSW_TRY(option(out, "--array=", is_array ? array : NULL, err));
    PSW_TRY(option(out, "--output=",
                   is_array ? "posweep-%A_%a.log"
                   : chain  ? "%x-%j.log"
                            : "posweep-%j.log",
                   err));
    PSW_TRY(option(out, "--chdir=", folder, err));
    /* Last, so that they may overrule. */
    for (int i = 0; i < job->place.n_extra; i++)
        PSW_TRY(option(out, "", job->place.extra[i], err));
fail:
    return rc;
}

psw_status psw_slurm_script(FILE *out, const struct psw_slurm_job *job, const char *chain,
                            int64_t n_after, struct psw_error *err)
{
    char number[32], program[PSW_PATH_BYTES] = "";
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    fprintf(out, "#!/bin/bash\n# %s\n# Written by posweep submit.\n", job->about);
    const psw_status rc = head(out, job, chain, err);
    if (rc != PSW_OK) return rc;
    fputc('\n', out);
    export_text(out, "POSWEEP", program);
    export_text(out, "POSWEEP_DATA", getenv("POSWEEP_DATA"));
    export_text(out, "POSWEEP_LAUNCH", getenv("POSWEEP_LAUNCH"));
    snprintf(number, sizeof number, "%d", job->end.stop_s);
    export_text(out, "POSWEEP_STOP_S", number);
    export_text(out, "POSWEEP_CHAIN", chain);
    snprintf(number, sizeof number, "%lld", (long long)n_after);
    if (job->end.n_chain > 1) export_text(out, "POSWEEP_CHAIN_LEFT", number);
    fputs("set --", out);
    for (int i = 0; i < job->n_arg; i++) {
        fputc(' ', out);
        quote(out, job->arg[i]);
    }
    fprintf(out, "\n%s", body());
    return PSW_OK;
}
