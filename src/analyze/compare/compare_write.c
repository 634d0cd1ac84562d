/* A comparison as a file beside the results: rows of store/schema_compare.c. */
#include "compare_internal.h"

#include <posweep/store/derived.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/** Columns as the writer takes them. */
struct made {
    const char **text[PSW_COMPARE_N_TEXT];  /* owned [n_row]; the texts are borrowed */
    void *number[PSW_COMPARE_MOST_COLUMNS]; /* owned [n_row]: double or int64_t */
};

static void made_clear(struct made *m)
{
    for (int i = 0; i < PSW_COMPARE_N_TEXT; i++) free(m->text[i]);
    for (int i = 0; i < PSW_COMPARE_MOST_COLUMNS; i++) free(m->number[i]);
}

static int make(const struct psw_comparison *c, struct made *m)
{
    for (int i = 0; i < PSW_COMPARE_N_TEXT; i++) {
        m->text[i] = calloc((size_t)c->n_row + 1, sizeof *m->text[i]);
        for (int64_t r = 0; m->text[i] && r < c->n_row; r++)
            m->text[i][r] = psw_compare_text_cell(c, &c->row[r], i);
        if (!m->text[i]) return 0;
    }
    for (int i = 0; i < psw_compare_n_column(); i++) {
        double *real = calloc((size_t)c->n_row + 1, sizeof *real);
        int64_t *whole = (int64_t *)(void *)real;
        for (int64_t r = 0; real && r < c->n_row; r++) {
            const double x = psw_compare_number(&c->row[r], i);
            if (psw_compare_is_real(i))
                real[r] = isfinite(x) ? x : NAN;
            else
                whole[r] = (int64_t)x;
        }
        m->number[i] = real;
        if (!real) return 0;
    }
    return 1;
}

psw_status psw_compare_write(const char *path, const char *source, struct psw_results *results,
                             const struct psw_comparison *c, struct psw_error *err)
{
    struct psw_derived_set set[PSW_COMPARE_N_TEXT + PSW_COMPARE_MOST_COLUMNS];
    char alpha[32], hash[64];
    struct made m = {.text = {NULL}};
    int n = 0;
    const struct psw_derived_dim dim = {"row", c->n_row};
    snprintf(alpha, sizeof alpha, "%g", c->alpha);
    snprintf(hash, sizeof hash, "%s", psw_results_attr(results, "/", "spec_hash"));
    const struct psw_results_note note[] = {{"by", c->pairing.by},
                                            {"baseline", c->pairing.value},
                                            {"alpha", alpha},
                                            {"results", source},
                                            {"spec_hash", hash}};
    psw_status rc =
        make(c, &m) ? PSW_OK
                    : psw_fail(err, PSW_ENOMEM, "comparison of %lld rows", (long long)c->n_row);
    for (int i = 0; i < PSW_COMPARE_N_TEXT; i++)
        set[n++] = (struct psw_derived_set){psw_compare_text_name(i), m.text[i]};
    for (int i = 0; i < psw_compare_n_column(); i++)
        set[n++] = (struct psw_derived_set){psw_compare_column_name(i), m.number[i]};
    const struct psw_derived what = {.kind = PSW_SCHEMA_COMPARE,
                                     .kind_name = "compare",
                                     .version = PSW_COMPARE_VERSION,
                                     .dim = &dim,
                                     .n_dim = 1,
                                     .set = set,
                                     .n_set = n,
                                     .note = note,
                                     .n_note = sizeof note / sizeof *note};
    if (rc == PSW_OK) rc = psw_derived_write(path, &what, err);
    made_clear(&m);
    return rc;
}
