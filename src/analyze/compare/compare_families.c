/* Which tests are adjusted together, and Holm's adjustment with the verdicts that follow. */
#include "compare_internal.h"

#include <posweep/config/family_plan.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

psw_status psw_compare_families_init(struct psw_results *results,
                                     enum psw_compare_family wanted, struct psw_comparison *c,
                                     struct psw_error *err)
{
    c->family = wanted;
    if (wanted != PSW_FAMILY_FILE) return PSW_OK;
    char *text = strcmp(c->pairing.by, "variant") == 0 ? psw_results_spec_text(results) : NULL;
    psw_status rc = PSW_OK;
    if (text) rc = psw_family_plan_parse("spec_text", text, strlen(text), &c->plan, err);
    free(text);
    if (c->plan.n == 0) c->family = PSW_FAMILY_TABLE;
    return rc;
}

void psw_compare_place_row(struct psw_results *results, struct psw_comparison *c, int64_t i)
{
    struct psw_compare_row *row = &c->row[i];
    int *family = &row->judged.family;
    row->metric = c->metric[i / c->pairing.n_contrast];
    row->contrast = &c->pairing.contrast[i % c->pairing.n_contrast];
    *family = 0;
    if (c->family == PSW_FAMILY_METRIC) *family = (int)(i / c->pairing.n_contrast);
    if (c->family != PSW_FAMILY_FILE) return;
    const char *variant = psw_results_text(results, "variant", row->contrast->cell->run[0]);
    *family = psw_family_plan_find(&c->plan, row->metric, variant);
    if (*family < 0) *family = c->plan.n; /* the others */
}

int64_t psw_compare_family_size(const struct psw_comparison *c, int family)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n_row; i++) n += c->row[i].judged.family == family;
    return n;
}

const char *psw_compare_family_name(const struct psw_comparison *c,
                                    const struct psw_compare_row *row)
{
    if (c->family != PSW_FAMILY_FILE) return "";
    return row->judged.family < c->plan.n ? c->plan.family[row->judged.family].name : "others";
}

/* ---- verdicts ---- */

/** Pairs that could show the effect that is seen, within the family. */
static int64_t pairs_needed(const struct psw_compare_row *row, double alpha)
{
    const struct psw_signflip *t = &row->test;
    const double effect = isnan(t->effect) && t->mean != 0 ? INFINITY : t->effect;
    const int64_t n =
        psw_signflip_pairs_for(effect, alpha / (double)row->judged.n_family, PSW_COMPARE_POWER);
    return n < 0 ? -1 : n > t->n ? n : t->n + 1;
}

static void judge_row(const struct psw_comparison *c, double holm, int64_t n_family,
                      struct psw_compare_row *row)
{
    struct psw_compare_judgement *j = &row->judged;
    j->holm = holm;
    j->n_family = n_family;
    if (j->verdict != PSW_COMPARE_OPEN || c->batch > 0) return;
    if (row->test.p <= c->alpha) j->verdict = PSW_COMPARE_ALONE;
    if (j->holm <= c->alpha) j->verdict = PSW_COMPARE_DIFFERS;
    if (j->verdict != PSW_COMPARE_DIFFERS) j->n_needed = pairs_needed(row, c->alpha);
}

/** Shapes: p, holm [n_row], scratch. */
static psw_status judge_family(struct psw_comparison *c, int family, double *p, double *holm,
                               struct psw_error *err)
{
    int64_t n_family = 0;
    for (int64_t i = 0; i < c->n_row; i++) {
        p[i] = c->row[i].judged.family == family ? c->row[i].test.p : NAN;
        n_family += !isnan(p[i]);
    }
    const psw_status rc = psw_holm(p, c->n_row, holm, err);
    for (int64_t i = 0; rc == PSW_OK && i < c->n_row; i++)
        if (c->row[i].judged.family == family) judge_row(c, holm[i], n_family, &c->row[i]);
    return rc;
}

psw_status psw_compare_judge(struct psw_comparison *c, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    int n = 0;
    double *p = calloc(2 * (size_t)c->n_row + 1, sizeof *p);
    if (!p) return psw_fail(err, PSW_ENOMEM, "comparison of %lld rows", (long long)c->n_row);
    for (int64_t i = 0; i < c->n_row; i++)
        if (c->row[i].judged.family >= n) n = c->row[i].judged.family + 1;
    for (int f = 0; f < n && rc == PSW_OK; f++) rc = judge_family(c, f, p, p + c->n_row, err);
    free(p);
    return rc;
}
