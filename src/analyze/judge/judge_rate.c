/* What verdicts come to: win rates over seeds and prompts, and how far the judge and our own
 * score agree. */
#include <posweep/analyze/judge.h>

#include <posweep/analyze/stats.h>
#include <posweep/analyze/twolevel.h>

#include <math.h>
#include <stdlib.h>

/** Some pairs, and what of them is looked at. Borrowed. */
struct pairs {
    const struct psw_judge_pair *pair;
    int64_t n;
};

static double verdict_of(const struct psw_judge_pair *p)
{
    return p->verdict;
}

/** Our score where the judge has one too, so that both are of the same pairs. */
static double score_of(const struct psw_judge_pair *p)
{
    return isnan(p->verdict) ? NAN : p->score;
}

/** Of one seed. Shapes: value [n]. */
static struct psw_interval of_prompts(const double *value, int64_t n, double level)
{
    int64_t n_win = 0, n_tie = 0;
    for (int64_t i = 0; i < n; i++) {
        n_win += value[i] == 1;
        n_tie += value[i] == 0.5;
        if (value[i] != 0 && value[i] != 0.5 && value[i] != 1)
            return psw_stat_interval(psw_stat_of(value, n, 1), level);
    }
    return psw_tied_interval((double)n_win, (double)n_tie, (double)n, level);
}

/** Shapes: value, scratch [n]; first, scratch [n + 1]. */
static psw_status share(struct pairs of, double (*what)(const struct psw_judge_pair *),
                        double alpha, double *value, int64_t *first,
                        struct psw_judge_share *out, struct psw_error *err)
{
    struct psw_twolevel t;
    struct psw_judge_share s = {.n = 0};
    int64_t run = -1;
    for (int64_t i = 0; i < of.n; i++) {
        const double x = what(&of.pair[i]);
        if (isnan(x)) continue;
        if (of.pair[i].run != run) first[s.n_seed++] = s.n;
        run = of.pair[i].run;
        value[s.n++] = x;
    }
    first[s.n_seed] = s.n;
    const psw_status rc = psw_twolevel_interval(value, first, s.n_seed, alpha, &t, err);
    if (rc != PSW_OK) return rc;
    s.mean = t.mean;
    s.interval = s.n_seed == 1 ? of_prompts(value, s.n, 1 - alpha) : t.interval;
    if (s.n_seed == 0) s.interval = (struct psw_interval){NAN, NAN};
    if (s.interval.lo < 0) s.interval.lo = 0;
    if (s.interval.hi > 1) s.interval.hi = 1;
    *out = s;
    return PSW_OK;
}

/** Lost, tie, won as 0, 1, 2. */
static int outcome(double x)
{
    return x < 0.5 ? 0 : x > 0.5 ? 2 : 1;
}

static void agree(struct pairs of, struct psw_judge_row *row)
{
    double n_of[3][3] = {{0}}, n_same = 0, n_chance = 0;
    for (int64_t i = 0; i < of.n; i++) {
        const struct psw_judge_pair *p = &of.pair[i];
        if (p->is_same || isnan(p->verdict) || isnan(p->score)) continue;
        n_of[1 + p->winner][outcome(p->score)] += 1;
        row->n_both++;
    }
    const double n = (double)row->n_both;
    for (int k = 0; k < 3; k++) {
        n_same += n_of[k][k];
        n_chance +=
            (n_of[k][0] + n_of[k][1] + n_of[k][2]) * (n_of[0][k] + n_of[1][k] + n_of[2][k]) / n;
    }
    row->agreement = n > 0 ? n_same / n : NAN;
    row->kappa = n_chance < n ? (n_same - n_chance) / (n - n_chance) : NAN;
}

static void count(struct pairs of, double alpha, struct psw_judge_row *row)
{
    for (int64_t i = 0; i < of.n; i++) {
        const struct psw_judge_pair *p = &of.pair[i];
        row->n_pair++;
        row->n_same += p->is_same;
        row->n_missing += isnan(p->verdict);
        if (p->is_same || isnan(p->verdict) || p->winner == 0) continue;
        row->n_decided++;
        row->n_a += p->is_swapped == (p->winner < 0);
    }
    row->a = psw_wilson_interval((double)row->n_a, (double)row->n_decided, 1 - alpha);
}

psw_status psw_judging_rate(const struct psw_judging *judging, int64_t i, double alpha,
                            struct psw_judge_row *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_judge_row row = {.n_pair = 0};
    struct pairs of = {judging->pair, judging->n_pair};
    if (i >= 0)
        of = (struct pairs){judging->pair + judging->group[i].first, judging->group[i].n};
    double *value = calloc((size_t)of.n + 1, sizeof *value);
    int64_t *first = calloc((size_t)of.n + 2, sizeof *first);
    if (!value || !first) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%lld verdicts", (long long)of.n));
    PSW_TRY(share(of, verdict_of, alpha, value, first, &row.judge, err));
    PSW_TRY(share(of, score_of, alpha, value, first, &row.own, err));
    agree(of, &row);
    count(of, alpha, &row);
    *out = row;
fail:
    free(value);
    free(first);
    return rc;
}
