/* A sweep file of a stranger: it is read and expanded. What is refused is refused with its
 * place; what is taken gives the same runs again from the text that a results file keeps, and
 * the settings of a run, as they are kept, are those of the same run. */
#include "fuzz.h"

#include <posweep/config/sweep_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char PATH[] = FUZZ_SWEEPS "/x.yaml"; /* relative paths start beside the seeds' */

/** libfyaml 0.7.12 loses 4 KiB in making the text of a quoted scalar with dozens of escapes.
 * That what we make of it is freed, the tests of config see. The name is the sanitizer's. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static void require(int holds, const char *what, const char *text)
{
    if (holds) return;
    fprintf(stderr, "fuzz_sweep: %s: %s\n", what, text);
    abort();
}

static int is_same(const struct psw_sweep *a, const struct psw_sweep *b)
{
    if (a->n_run != b->n_run || a->hash != b->hash) return 0;
    for (int64_t i = 0; i < a->n_run; i++)
        if (a->run[i].hash != b->run[i].hash || strcmp(a->run[i].variant, b->run[i].variant))
            return 0;
    return 1;
}

static void check_kept(const struct psw_sweep *sweep)
{
    struct psw_sweep *again = NULL;
    struct psw_error err = {0};
    if (sweep->n_text_bytes != strlen(sweep->text)) return; /* a NUL: not kept as text */
    require(psw_sweep_reread(PATH, sweep->text, &again, &err) == PSW_OK, "not read again",
            err.text);
    require(is_same(sweep, again), "other runs when read again", sweep->text);
    psw_sweep_destroy(again);
}

static void check_run(const struct psw_config *config, uint64_t hash)
{
    char *text = NULL;
    size_t n_bytes = 0;
    struct psw_sweep *again = NULL;
    struct psw_error err = {0};
    FILE *out = open_memstream(&text, &n_bytes);
    if (!out) return;
    fputs("base: ", out);
    psw_config_json(out, config);
    fclose(out);
    require(psw_sweep_parse(PATH, text, n_bytes, &again, &err) == PSW_OK,
            "its settings are refused", err.text);
    require(again->n_run == 1 && again->run[0].hash == hash, "its settings are another's",
            text);
    psw_sweep_destroy(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    char *text = malloc(n ? n : 1); /* of this very size, so that a read beyond it is seen */
    if (!text) return 0;
    memcpy(text, data, n);
    if (psw_sweep_parse(PATH, text, n, &sweep, &err) == PSW_OK) {
        require(sweep->n_run > 0, "no run", "");
        check_kept(sweep);
        struct psw_config_reader reader = {0};
        const int64_t last = sweep->n_run - 1;
        check_run(psw_sweep_config(sweep, 0, &reader), sweep->run[0].hash);
        check_run(psw_sweep_config(sweep, last, &reader), sweep->run[last].hash);
    } else {
        require(!sweep && strstr(err.text, "x.yaml") != NULL, "refused without a place",
                err.text);
    }
    psw_sweep_destroy(sweep);
    free(text);
    return 0;
}
