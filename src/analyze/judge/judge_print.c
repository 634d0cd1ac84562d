/* Verdicts as a table: for people, and with every number for programs. */
#include <posweep/analyze/judge.h>

#include "../analyze_internal.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { W_LABEL = 32, W_SHARE = 21 };

/* ---- text ---- */

/** "0.62 [0.55, 0.70]". */
static void put_share(FILE *out, const struct psw_judge_share *s)
{
    char text[PSW_WORD_BYTES];
    if (s->n == 0)
        snprintf(text, sizeof text, "-");
    else
        snprintf(text, sizeof text, "%.2f [%.2f, %.2f]", s->mean, s->interval.lo,
                 s->interval.hi);
    fprintf(out, "%*s", W_SHARE, text);
}

static void put_ratio(FILE *out, double x)
{
    if (isnan(x))
        fprintf(out, "%7s", "-");
    else
        fprintf(out, "%7.2f", x);
}

/** "left out: 1 of 6 over-optimised": runs that are in no pair. */
static void put_left_out(FILE *out, const struct psw_cell *cell, const struct psw_run_counts *c)
{
    const struct {
        int64_t n;
        const char *what;
    } LEFT[] = {{c->n_diverged, "diverged"},
                {c->n_failed, "failed"},
                {c->n_unended, "not ended"},
                {c->n_apart, "over-optimised"}};
    int n = 0;
    for (size_t i = 0; i < sizeof LEFT / sizeof *LEFT; i++)
        if (LEFT[i].n > 0)
            fprintf(out, "%s%lld of %lld %s",
                    n++ ? ", " : "      left out: ", (long long)LEFT[i].n, (long long)c->n_run,
                    LEFT[i].what);
    if (n > 0) fprintf(out, " (%s)\n", cell->label);
}

static void put_row(FILE *out, const struct psw_judge_group *g, const struct psw_judge_row *r)
{
    const char *label = g->contrast.cell->label;
    const int is_long = strlen(label) > W_LABEL - 3;
    fprintf(out, "  %s%s%*s", label, is_long ? "\n" : "",
            W_LABEL - (is_long ? 0 : 2 + (int)strlen(label)), "");
    fprintf(out, "%5lld%6lld", (long long)r->judge.n_seed, (long long)r->judge.n);
    put_share(out, &r->judge);
    put_share(out, &r->own);
    put_ratio(out, r->agreement);
    put_ratio(out, r->kappa);
    fputc('\n', out);
    put_left_out(out, g->contrast.cell, &g->runs.of);
    if (g->contrast.baseline) put_left_out(out, g->contrast.baseline, &g->runs.against);
    if (g->n_unlike > 0)
        fprintf(out, "      %lld samples are no pair: %s\n", (long long)g->n_unlike,
                g->contrast.baseline ? "the other run had another prompt"
                                     : "the data have no such response");
}

static const char *const MEETS[] = {
    [PSW_AGAINST_SFT] = "Responses against those of the run's own SFT model to the same prompt",
    [PSW_AGAINST_CHOSEN] = "Responses against the chosen ones of the data to the same prompt",
    [PSW_AGAINST_REJECTED] =
        "Responses against the rejected ones of the data to the same prompt"};

static void put_head(FILE *out, const struct psw_judging *j)
{
    const struct psw_verdict_counts *v = &j->verdicts;
    if (j->pairing.n_contrast > 0)
        fprintf(out, "Responses against those of %s %s with the same seed and prompt",
                j->pairing.by, j->pairing.value);
    else
        fputs(MEETS[j->against], out);
    fprintf(out, ".\n%lld of %lld verdicts are there", (long long)v->n_used,
            (long long)v->n_asked);
    if (v->n_missing > 0) fprintf(out, ", %lld are missing", (long long)v->n_missing);
    fprintf(out, "; %lld more pairs say the same word by word and are ties.\n",
            (long long)j->n_same);
    if (v->n_repeated > 0)
        fprintf(out, "%lld verdicts are on pairs that had one already: the first counts.\n",
                (long long)v->n_repeated);
    if (v->n_unknown > 0)
        fprintf(out, "%lld verdicts are on none of these pairs, the first in line %lld.\n",
                (long long)v->n_unknown, (long long)v->unknown_line);
    if (j->n_cut > 0)
        fprintf(out, "%lld pairs have a text that is cut at %d bytes.\n", (long long)j->n_cut,
                PSW_JUDGE_CUT_BYTES);
    fprintf(out, "\n%*s%5s%6s%*s%*s%7s%7s\n", W_LABEL, "", "seeds", "pairs", W_SHARE,
            "judge wins", W_SHARE, "our score wins", "agree", "kappa");
}

static void put_position(FILE *out, const struct psw_judge_row *all)
{
    if (all->n_decided == 0) return;
    const double share = (double)all->n_a / (double)all->n_decided;
    fprintf(out,
            "Position: response_a won %.2f [%.2f, %.2f] of %lld verdicts that are no tie:\n",
            share, all->a.lo, all->a.hi, (long long)all->n_decided);
    if (all->a.lo <= 0.5 && all->a.hi >= 0.5)
        fputs("no sign that it matters.\n", out);
    else
        fprintf(out,
                "the judge prefers what stands %s. The order is drawn for each pair, so this "
                "favours no\nvariant, but draws every win rate towards 1/2.\n",
                share > 0.5 ? "first" : "last");
}

static void put_words(FILE *out, const struct psw_judge_row *all, double alpha)
{
    fprintf(
        out,
        "\nwins: share of pairs, ties half, both columns of the same pairs, with the %.4g %% "
        "interval of a\ntwo-level bootstrap over seeds and prompts (of one seed: over its "
        "prompts).\nagree, kappa: of lost, tie and won as the judge and our score have it, "
        "without pairs that say\nthe same; kappa is what is left after chance. All variants "
        "together: ",
        100 * (1 - alpha));
    if (all->n_both > 0)
        fprintf(out, "agree %.2f, kappa %.2f,\nof %lld pairs.\n", all->agreement, all->kappa,
                (long long)all->n_both);
    else
        fputs("no pair has both.\n", out);
    put_position(out, all);
}

psw_status psw_judging_text(FILE *out, const struct psw_judging *judging, double alpha,
                            struct psw_error *err)
{
    struct psw_judge_row row;
    put_head(out, judging);
    for (int64_t i = 0; i < judging->n_group; i++) {
        const psw_status rc = psw_judging_rate(judging, i, alpha, &row, err);
        if (rc != PSW_OK) return rc;
        put_row(out, &judging->group[i], &row);
    }
    const psw_status rc = psw_judging_rate(judging, -1, alpha, &row, err);
    if (rc != PSW_OK) return rc;
    put_words(out, &row, alpha);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

/* ---- data ---- */

#define ROW(member) offsetof(struct psw_judge_row, member)

/** Numbers of a row. */
static const struct {
    const char *name;
    size_t offset;
    int is_real; /* 0: a count */
} COLUMNS[] = {
    {"n_seed", ROW(judge.n_seed), 0},
    {"n_pair", ROW(n_pair), 0},
    {"n_same", ROW(n_same), 0},
    {"n_missing", ROW(n_missing), 0},
    {"judge_win_rate", ROW(judge.mean), 1},
    {"judge_low", ROW(judge.interval.lo), 1},
    {"judge_high", ROW(judge.interval.hi), 1},
    {"own_n_pair", ROW(own.n), 0},
    {"own_win_rate", ROW(own.mean), 1},
    {"own_low", ROW(own.interval.lo), 1},
    {"own_high", ROW(own.interval.hi), 1},
    {"n_both", ROW(n_both), 0},
    {"agreement", ROW(agreement), 1},
    {"kappa", ROW(kappa), 1},
    {"n_decided", ROW(n_decided), 0},
    {"n_response_a", ROW(n_a), 0},
};
enum { N_COLUMN = sizeof COLUMNS / sizeof *COLUMNS };

static void put_number(FILE *out, const struct psw_judge_row *row, int i, const char *unknown)
{
    const char *at = (const char *)row + COLUMNS[i].offset;
    double x;
    int64_t n;
    if (!COLUMNS[i].is_real) {
        memcpy(&n, at, sizeof n);
        fprintf(out, "%lld", (long long)n);
        return;
    }
    memcpy(&x, at, sizeof x);
    if (isfinite(x))
        fprintf(out, "%.17g", x);
    else
        fputs(unknown, out);
}

static const char *against(const struct psw_judging *j, const struct psw_judge_group *g)
{
    return g->contrast.baseline ? g->contrast.baseline->label
                                : psw_judge_against_name(j->against);
}

psw_status psw_judging_csv(FILE *out, const struct psw_judging *judging, double alpha,
                           struct psw_error *err)
{
    fputs("cell,against", out);
    for (int k = 0; k < N_COLUMN; k++) fprintf(out, ",%s", COLUMNS[k].name);
    fputs("\r\n", out);
    for (int64_t i = 0; i < judging->n_group; i++) {
        struct psw_judge_row row;
        const psw_status rc = psw_judging_rate(judging, i, alpha, &row, err);
        if (rc != PSW_OK) return rc;
        psw_compare_csv_text(out, judging->group[i].contrast.cell->label);
        fputc(',', out);
        psw_compare_csv_text(out, against(judging, &judging->group[i]));
        for (int k = 0; k < N_COLUMN; k++) {
            fputc(',', out);
            put_number(out, &row, k, "");
        }
        fputs("\r\n", out);
    }
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

static void put_members(FILE *out, const struct psw_judge_row *row)
{
    for (int k = 0; k < N_COLUMN; k++) {
        fprintf(out, "%s\"%s\": ", k ? ", " : "", COLUMNS[k].name);
        put_number(out, row, k, "null");
    }
}

psw_status psw_judging_json(FILE *out, const struct psw_judging *judging, double alpha,
                            struct psw_error *err)
{
    const struct psw_verdict_counts *v = &judging->verdicts;
    struct psw_judge_row row;
    psw_status rc = psw_judging_rate(judging, -1, alpha, &row, err);
    if (rc != PSW_OK) return rc;
    fprintf(out,
            "{\"alpha\": %.17g, \"n_verdict\": %lld, \"n_repeated\": %lld, \"n_unknown\": "
            "%lld, \"all\": {",
            alpha, (long long)v->n_verdict, (long long)v->n_repeated, (long long)v->n_unknown);
    put_members(out, &row);
    fputs("}, \"rows\": [", out);
    for (int64_t i = 0; i < judging->n_group; i++) {
        rc = psw_judging_rate(judging, i, alpha, &row, err);
        if (rc != PSW_OK) return rc;
        fprintf(out, "%s\n  {\"cell\": ", i ? "," : "");
        psw_compare_json_text(out, judging->group[i].contrast.cell->label);
        fputs(", \"against\": ", out);
        psw_compare_json_text(out, against(judging, &judging->group[i]));
        fputs(", ", out);
        put_members(out, &row);
        fputc('}', out);
    }
    fputs("\n]}\n", out);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}
