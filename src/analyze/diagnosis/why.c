/* What a results file tells of one run. */
#include <posweep/analyze/why.h>

#include <posweep/analyze/diagnosis.h>
#include <posweep/analyze/run_find.h>
#include <posweep/config/sweep_file.h>

#include <stdlib.h>
#include <string.h>

static void put_life(FILE *out, struct psw_results *results, int64_t run, const char *name)
{
    const int64_t *status = psw_results_i64(results, "status");
    const int64_t *attempts = psw_results_i64(results, "attempts");
    const int64_t n = attempts ? attempts[run] : 0;
    const char *message = psw_results_text(results, "message", run);
    const char *hosts = psw_results_text(results, "hosts", run);
    fprintf(out, "%s  %s: %s after %lld attempt%s\n", psw_results_text(results, "run", run),
            name,
            status && status[run] >= 0 && status[run] < PSW_N_OUTCOME
                ? psw_outcome_name((enum psw_outcome)status[run])
                : "?",
            (long long)n, n == 1 ? "" : "s");
    if (hosts[0]) fprintf(out, "  on %s\n", hosts);
    if (message[0]) fprintf(out, "  %s\n", message);
}

/** The settings in the form of a sweep file, as `config` has them. Where that is of another
 *  version, or names data that are not here, they are put as they stand. */
static void put_settings(FILE *out, struct psw_results *results, int64_t run)
{
    const char *config = psw_results_text(results, "config", run);
    struct psw_sweep *sweep = NULL;
    char *text = NULL;
    size_t n_bytes = 0;
    if (!config[0]) {
        fputs("\n# settings: written by a version that kept the swept ones alone; the rest "
              "stands in the sweep file, spec_text of the group provenance\n",
              out);
        for (int i = 0; i < psw_results_n_leaf(results); i++) {
            char value[PSW_SETTING_BYTES];
            fprintf(out, "%s: %s\n", psw_results_leaf(results, i),
                    psw_results_leaf_text(results, i, run, value));
        }
        return;
    }
    FILE *base = open_memstream(&text, &n_bytes);
    if (base) fprintf(base, "base: %s\n", config);
    if (base) fclose(base);
    fputs("\n# settings\n", out);
    if (text && psw_sweep_parse("", text, n_bytes, &sweep, NULL) == PSW_OK && sweep->n_run == 1)
        psw_config_print(out, &sweep->configs.first);
    else
        fprintf(out, "%s\n", config);
    psw_sweep_destroy(sweep);
    free(text);
}

psw_status psw_why(FILE *out, struct psw_results *results, const char *words, int with_life,
                   struct psw_error *err)
{
    char name[PSW_RUN_NAME_BYTES];
    int64_t run = -1;
    psw_status rc = psw_run_find(results, words, &run, name, err);
    if (rc != PSW_OK) return rc;
    if (with_life) {
        put_life(out, results, run, name);
        put_settings(out, results, run);
    }
    return psw_diagnosis_show(out, results, run, err);
}
