/* Claims as text and as JSON. */
#include <posweep/analyze/claims.h>

#include "../analyze_internal.h"

#include <math.h>
#include <string.h>

enum { NAME_WIDTH = 44, MOST_NEEDED = 100 };

const char *psw_claim_verdict_name(enum psw_claim_verdict verdict)
{
    static const char *const NAMES[] = {[PSW_CLAIM_NOT_ASKED] = "not asked",
                                        [PSW_CLAIM_UNDECIDED] = "undecided",
                                        [PSW_CLAIM_SUPPORTED] = "supported",
                                        [PSW_CLAIM_CONTRADICTED] = "contradicted"};
    return NAMES[verdict];
}

/** "     +0.652  [+0.580, +0.710]  p 0.031  6 seeds". */
static void put_number(FILE *out, const char *before, const struct psw_claim_number *x)
{
    const struct psw_signflip *t = &x->test;
    fprintf(out, "     %-9s%-*s", before, NAME_WIDTH, x->what);
    if (t->n == 0) {
        fputs(" not in this file\n", out);
        return;
    }
    if (t->mean == 0 && !(t->sd > 0)) {
        fputs(" 0 in every seed\n", out);
        return;
    }
    const int digits = psw_wording_digits(fabs(t->mean), 3);
    fprintf(out, " %+.*f ", digits, t->mean);
    if (isfinite(t->interval.lo) && isfinite(t->interval.hi))
        fprintf(out, "[%+.*f, %+.*f]", digits, t->interval.lo, digits, t->interval.hi);
    else
        fputs("[no interval]", out);
    fprintf(out, " p %.2g\n", t->p);
}

/** The verdict in words, with what would decide it. */
static void put_verdict(FILE *out, const struct psw_claim *c)
{
    const struct psw_claim_judgement *j = &c->judged;
    char needed[64] = "";
    if (j->verdict == PSW_CLAIM_NOT_ASKED) {
        fprintf(out, "     cannot be asked here: needs %s\n", c->needs);
        return;
    }
    if (j->n_needed > MOST_NEEDED)
        snprintf(needed, sizeof needed, "; over %d seeds could decide", MOST_NEEDED);
    else if (j->n_needed > 0)
        snprintf(needed, sizeof needed, "; %lld seeds could decide", (long long)j->n_needed);
    fprintf(out, "     %s (n = %lld): p %.2g", psw_claim_verdict_name(j->verdict),
            (long long)c->part[0].test.n, j->p);
    if (j->n_family > 1)
        fprintf(out, ", %.2g among %lld claims", j->holm, (long long)j->n_family);
    if (j->verdict == PSW_CLAIM_UNDECIDED && j->alone != PSW_CLAIM_UNDECIDED)
        fprintf(out, "; asked alone %s", psw_claim_verdict_name(j->alone));
    fprintf(out, "%s\n", needed);
}

psw_status psw_claims_text(FILE *out, const struct psw_claim *claim, int n,
                           struct psw_error *err)
{
    int n_of[4] = {0};
    for (int i = 0; i < n; i++) {
        const struct psw_claim *c = &claim[i];
        n_of[c->judged.verdict]++;
        fprintf(out, "%s%2d   %s\n", i ? "\n" : "", c->number, c->sentence);
        put_verdict(out, c);
        if (c->judged.verdict == PSW_CLAIM_NOT_ASKED) continue;
        for (int k = 0; k < c->n_part; k++) put_number(out, "", &c->part[k]);
        for (int k = 0; k < c->n_control; k++) put_number(out, "control", &c->control[k]);
    }
    fprintf(
        out,
        "\n%d supported, %d contradicted, %d undecided, %d cannot be asked. Means over seeds "
        "with 95 %%\nintervals and p of the exact sign-flip test; a claim has all its "
        "numbers above 0.\n",
        n_of[PSW_CLAIM_SUPPORTED], n_of[PSW_CLAIM_CONTRADICTED], n_of[PSW_CLAIM_UNDECIDED],
        n_of[PSW_CLAIM_NOT_ASKED]);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the claims") : PSW_OK;
}

/* ---- JSON ---- */

static void put_real(FILE *out, const char *name, double x)
{
    if (isfinite(x))
        fprintf(out, ", \"%s\": %.17g", name, x);
    else
        fprintf(out, ", \"%s\": null", name);
}

/** Names here are of this program alone: letters, digits and signs that need no escape. */
static void put_numbers(FILE *out, const char *name, const struct psw_claim_number *x, int n)
{
    fprintf(out, ", \"%s\": [", name);
    for (int i = 0; i < n; i++) {
        const struct psw_signflip *t = &x[i].test;
        fprintf(out, "%s{\"what\": \"%s\", \"n\": %lld", i ? ", " : "", x[i].what,
                (long long)t->n);
        put_real(out, "mean", t->n ? t->mean : NAN);
        put_real(out, "sd", t->n ? t->sd : NAN);
        put_real(out, "low", t->n ? t->interval.lo : NAN);
        put_real(out, "high", t->n ? t->interval.hi : NAN);
        put_real(out, "p", t->n ? t->p : NAN);
        fputc('}', out);
    }
    fputc(']', out);
}

psw_status psw_claims_json(FILE *out, const struct psw_claim *claim, int n,
                           struct psw_error *err)
{
    for (int i = 0; i < n; i++) {
        const struct psw_claim *c = &claim[i];
        const struct psw_claim_judgement *j = &c->judged;
        fprintf(out,
                "%s{\"number\": %d, \"claim\": \"%s\", \"verdict\": \"%s\", \"alone\": \"%s\", "
                "\"n_family\": %lld, \"n_needed\": ",
                i ? ",\n " : "[", c->number, c->sentence, psw_claim_verdict_name(j->verdict),
                psw_claim_verdict_name(j->alone), (long long)j->n_family);
        if (j->n_needed > 0)
            fprintf(out, "%lld", (long long)j->n_needed);
        else
            fputs("null", out);
        put_real(out, "p", j->p);
        put_real(out, "holm", j->holm);
        if (j->verdict == PSW_CLAIM_NOT_ASKED) fprintf(out, ", \"needs\": \"%s\"", c->needs);
        put_numbers(out, "numbers", c->part, c->n_part);
        put_numbers(out, "controls", c->control, c->n_control);
        fputc('}', out);
    }
    fputs("]\n", out);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the claims") : PSW_OK;
}
