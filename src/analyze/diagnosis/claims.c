/* The table of claims, and asking them. A number of a claim is a combination of metrics of a
 * run; what is above 0 when the claim is right. To add a claim: a row here, and in the tests a
 * file that supports it and one that contradicts it. */
#include <posweep/analyze/claims.h>

#include <posweep/analyze/cells.h>
#include <posweep/analyze/metric.h>
#include <posweep/analyze/pairing.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_METRICS = 6 };

#define DEFAULT_ALPHA 0.05
#define POWER 0.8

/* ---- combinations of metrics ---- */

static double above(const double *x)
{
    return x[0];
}

static double below(const double *x)
{
    return -x[0];
}

static double sum_above(const double *x)
{
    return x[0] + x[1];
}

static double sum_below(const double *x)
{
    return -x[0] - x[1];
}

static double over_half(const double *x)
{
    return x[0] - 0.5;
}

/** Size of the first less that of the second. */
static double larger(const double *x)
{
    return fabs(x[0]) - fabs(x[1]);
}

static double range3(const double *x)
{
    return fmax(x[0], fmax(x[1], x[2])) - fmin(x[0], fmin(x[1], x[2]));
}

/** Three groups are farther apart than three others. */
static double farther_apart(const double *x)
{
    return range3(x) - range3(x + 3);
}

/* ---- the claims ---- */

/** A number: combine(metrics). */
struct number {
    const char *what;
    double (*combine)(const double *x);
    const char *metric[MOST_METRICS];
};

/** What runs a claim is about: those of a method with its variant vanilla; or, where `variant`
 *  is given, that variant less vanilla, paired by seed. */
static const struct row {
    int number;
    const char *sentence;
    const char *method, *variant;
    struct number part[PSW_CLAIM_NUMBERS], control[PSW_CLAIM_NUMBERS];
    const char *needs;
} CLAIMS[] = {
    {1,
     "DPO: G(total) is above 0 throughout",
     "dpo",
     NULL,
     {{"G(total)/|v|, first third", above, {"Gv.total:early"}},
      {"second third", above, {"Gv.total:middle"}},
      {"last third", above, {"Gv.total:late"}}},
     {{"NLL of the chosen, the same", above, {"Gv.sft_chosen:mean"}},
      {"cosine of v and the gradient", above, {"cosine.total:mean"}}},
     "two seeds of dpo vanilla"},
    {2,
     "DPO: positive learning leads early, negative learning late",
     "dpo",
     NULL,
     {{"(G(pos) - G(neg))/|v|, first third", above, {"Gv.pos_minus_neg:early"}},
      {"G(neg) - G(pos), last third", below, {"Gv.pos_minus_neg:late"}}},
     {{"unweighted: kappa+ + kappa-, first",
       sum_above,
       {"kappa_chosen:early", "kappa_rejected:early"}},
      {"less the same, last third", sum_below, {"kappa_chosen:late", "kappa_rejected:late"}}},
     "two seeds of dpo vanilla, with pos and neg"},
    {3,
     "DPO: its weights regularise; flat over-fits sooner",
     "dpo",
     "flat",
     {{"rise of the held-out loss, flat less vanilla", above, {"trace_heldout_loss:rise"}}},
     {{"held-out accuracy", above, {"heldout_accuracy"}}, {"win rate", above, {"win_rate"}}},
     "two seeds of dpo with the variants vanilla and flat"},
    {4,
     "PPO: G(total) is near 0, its sign not known at most checkpoints",
     "ppo",
     NULL,
     {{"share of unclear checkpoints, less 1/2", over_half, {"Gv.total:open"}}},
     {{"G(total)/|v|, mean", above, {"Gv.total:mean"}},
      {"size of un-whitened less of shuffled", larger, {"Gv.raw:mean", "Gv.shuffled:mean"}}},
     "two seeds of ppo vanilla"},
    {5,
     "PPO: positive samples pull towards the end, negative ones away",
     "ppo",
     NULL,
     {{"G(pos)/|v|", above, {"Gv.pos:mean"}}, {"-G(neg)/|v|", below, {"Gv.neg:mean"}}},
     {{"tokens, A >= 0: kappa > 0, less 1/2", over_half, {"kappa_pos_positive:mean"}},
      {"tokens, A < 0: the same", over_half, {"kappa_neg_positive:mean"}}},
     "two seeds of ppo vanilla, with pos and neg"},
    {6,
     "PPO: groups by the size of the advantage play distinct roles",
     "ppo",
     NULL,
     {{"spread of top, mid, bot, less random's",
       farther_apart,
       {"Gv.top:mean", "Gv.mid:mean", "Gv.bot:mean", "Gv.rand1:mean", "Gv.rand2:mean",
        "Gv.rand3:mean"}}},
     {{"G(top)/|v|", above, {"Gv.top:mean"}},
      {"G(mid)/|v|", above, {"Gv.mid:mean"}},
      {"G(bot)/|v|", above, {"Gv.bot:mean"}}},
     "two seeds of ppo vanilla, with top, mid, bot and rand1 to 3"},
    {7,
     "no_negative_early raises DPO's win rate",
     "dpo",
     "no_negative_early",
     {{"win rate, less vanilla's", above, {"win_rate"}}},
     {{"score", above, {"score"}}, {"length", above, {"length"}}, {"KL", above, {"kl_ref"}}},
     "two seeds of dpo with the variants vanilla and no_negative_early"},
    {7,
     "cdpo raises DPO's win rate",
     "dpo",
     "cdpo",
     {{"win rate, less vanilla's", above, {"win_rate"}}},
     {{"score", above, {"score"}}, {"length", above, {"length"}}, {"KL", above, {"kl_ref"}}},
     "two seeds of dpo with the variants vanilla and cdpo"},
    {7,
     "cppo raises PPO's win rate",
     "ppo",
     "cppo",
     {{"win rate, less vanilla's", above, {"win_rate"}}},
     {{"score", above, {"score"}}, {"length", above, {"length"}}, {"KL", above, {"kl_ref"}}},
     "two seeds of ppo with the variants vanilla and cppo"},
    {7,
     "hppo raises PPO's win rate",
     "ppo",
     "hppo",
     {{"win rate, less vanilla's", above, {"win_rate"}}},
     {{"score", above, {"score"}}, {"length", above, {"length"}}, {"KL", above, {"kl_ref"}}},
     "two seeds of ppo with the variants vanilla and hppo"},
};
enum { N_CLAIM = sizeof CLAIMS / sizeof *CLAIMS };

/* ---- numbers of a file ---- */

/** What asking needs. */
struct asking {
    struct psw_results *results; /* borrowed */
    struct psw_traces traces;
    struct psw_cells cells;
    const int64_t *seed; /* borrowed */
    double *value;       /* owned [MOST_METRICS][n_run] */
    double alpha;
};

/** Values of a seed, over settings. */
struct of_seed {
    int64_t seed;
    double sum;
    int64_t n;
};

static int by_seed(const void *a, const void *b)
{
    const struct of_seed *x = a, *y = b;
    return x->seed < y->seed ? -1 : x->seed > y->seed;
}

/** The value of a number in every run, in the first row of a->value; 0: the file lacks a
 *  metric of it. */
static int load_number(struct asking *a, const struct number *number)
{
    const int64_t n_run = a->traces.n_run;
    double x[MOST_METRICS];
    int n = 0;
    for (; n < MOST_METRICS && number->metric[n]; n++)
        if (psw_metric_values(a->results, &a->traces, NULL, number->metric[n],
                              a->value + n * n_run, NULL) != PSW_OK)
            return 0;
    for (int64_t r = 0; r < n_run; r++) {
        for (int k = 0; k < n; k++) x[k] = a->value[k * n_run + r];
        a->value[r] = number->combine(x);
    }
    return 1;
}

static int is_cell(const struct asking *a, const struct psw_cell *cell, const char *method,
                   const char *variant)
{
    return strcmp(psw_results_text(a->results, "method", cell->run[0]), method) == 0 &&
           strcmp(psw_results_text(a->results, "variant", cell->run[0]), variant) == 0;
}

/** The run of a cell with this seed that counts and has a value; -1: none. */
static int64_t run_of_seed(const struct asking *a, const struct psw_cell *cell, int64_t seed)
{
    for (int64_t i = 0; i < cell->n_run; i++)
        if (a->seed[cell->run[i]] == seed && cell->apart[i] == PSW_APART_NOT &&
            isfinite(a->value[cell->run[i]]))
            return cell->run[i];
    return -1;
}

static void add_seed(struct of_seed *seeds, int64_t *n, int64_t seed, double value)
{
    int64_t i = 0;
    while (i < *n && seeds[i].seed != seed) i++;
    if (i == *n) seeds[(*n)++] = (struct of_seed){.seed = seed};
    seeds[i].sum += value;
    seeds[i].n++;
}

/** The runs of a cell, less their partners of the baseline if it has one. */
static void add_cell(const struct asking *a, const struct psw_cell *cell,
                     const struct psw_cell *baseline, struct of_seed *seeds, int64_t *n)
{
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t run = cell->run[i];
        if (cell->apart[i] != PSW_APART_NOT || !isfinite(a->value[run])) continue;
        const int64_t partner = baseline ? run_of_seed(a, baseline, a->seed[run]) : -1;
        if (baseline && partner < 0) continue;
        add_seed(seeds, n, a->seed[run], a->value[run] - (baseline ? a->value[partner] : 0));
    }
}

/** The cells that a row is about, each alone or with the one that it is held against. */
static void add_cells(struct asking *a, const struct row *row, struct of_seed *seeds,
                      int64_t *n)
{
    struct psw_pairing pairing = {0};
    char where[64];
    for (int64_t c = 0; !row->variant && c < a->cells.n_cell; c++)
        if (is_cell(a, &a->cells.cell[c], row->method, "vanilla"))
            add_cell(a, &a->cells.cell[c], NULL, seeds, n);
    if (!row->variant) return;
    snprintf(where, sizeof where, "method=%s", row->method);
    const struct psw_pairing_opts opts = {.baseline = "vanilla", .where = where};
    if (psw_pairing_init(a->results, &a->cells, &opts, &pairing, NULL) != PSW_OK) return;
    for (int64_t i = 0; i < pairing.n_contrast; i++) {
        const struct psw_contrast *contrast = &pairing.contrast[i];
        if (is_cell(a, contrast->cell, row->method, row->variant))
            add_cell(a, contrast->cell, contrast->baseline, seeds, n);
    }
    psw_pairing_clear(&pairing);
}

/** Test the number whose runs' values are loaded: one value per seed, by ascending seed. */
static psw_status test_number(struct asking *a, const struct row *row,
                              struct psw_signflip *test, struct psw_error *err)
{
    struct of_seed *seeds = calloc((size_t)a->traces.n_run + 1, sizeof *seeds);
    double *value = calloc((size_t)a->traces.n_run + 1, sizeof *value);
    psw_status rc = PSW_OK;
    int64_t n = 0;
    if (!seeds || !value)
        rc = psw_fail(err, PSW_ENOMEM, "claims: %lld runs", (long long)a->traces.n_run);
    if (rc == PSW_OK) add_cells(a, row, seeds, &n);
    if (n > 0) qsort(seeds, (size_t)n, sizeof *seeds, by_seed);
    for (int64_t i = 0; i < n; i++) value[i] = seeds[i].sum / (double)seeds[i].n;
    if (rc == PSW_OK && n >= 2) rc = psw_signflip_test(value, n, a->alpha, test, err);
    free(value);
    free(seeds);
    return rc;
}

static psw_status ask_numbers(struct asking *a, const struct row *row,
                              const struct number *number, struct psw_claim_number *out, int *n,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int i = 0; i < PSW_CLAIM_NUMBERS && number[i].what && rc == PSW_OK; i++) {
        out[i] = (struct psw_claim_number){.what = number[i].what};
        if (load_number(a, &number[i])) rc = test_number(a, row, &out[i].test, err);
        *n = i + 1;
    }
    return rc;
}

/* ---- judging ---- */

/** *p of the claim, and which way it points: supported or contradicted. */
static enum psw_claim_verdict lean(const struct psw_claim *c, double *p)
{
    double of_support = 0, of_contradiction = 1;
    int n_below = 0;
    for (int i = 0; i < c->n_part; i++) {
        const struct psw_signflip *t = &c->part[i].test;
        of_support = fmax(of_support, t->p);
        if (t->mean > 0) continue;
        n_below++;
        of_contradiction = fmin(of_contradiction, c->n_part * t->p);
    }
    *p = n_below ? of_contradiction : of_support;
    return n_below ? PSW_CLAIM_CONTRADICTED : PSW_CLAIM_SUPPORTED;
}

/** Seeds that could decide an undecided claim: to support it all its numbers have to be seen,
 *  to contradict it one of those below 0. */
static int64_t needed_of(const struct psw_claim *c, enum psw_claim_verdict lean, double alpha)
{
    int64_t needed = -1;
    for (int i = 0; i < c->n_part; i++) {
        const struct psw_signflip *t = &c->part[i].test;
        const int supports = lean == PSW_CLAIM_SUPPORTED;
        if (!supports && t->mean > 0) continue;
        const int64_t n = psw_signflip_pairs_for(t->mean / t->sd,
                                                 supports ? alpha : alpha / c->n_part, POWER);
        if (supports && n < 0) return -1;
        if (n >= 0 && (needed < 0 || (supports ? n > needed : n < needed))) needed = n;
    }
    return needed;
}

static int is_asked(const struct psw_claim *c)
{
    for (int i = 0; i < c->n_part; i++)
        if (c->part[i].test.n < 2) return 0;
    return c->n_part > 0;
}

static psw_status judge(struct psw_claim *claim, int n, double alpha, struct psw_error *err)
{
    double p[PSW_MAX_CLAIMS], holm[PSW_MAX_CLAIMS];
    enum psw_claim_verdict way[PSW_MAX_CLAIMS];
    int64_t n_family = 0;
    for (int i = 0; i < n; i++) {
        p[i] = NAN;
        way[i] = PSW_CLAIM_NOT_ASKED;
        if (!is_asked(&claim[i])) continue;
        way[i] = lean(&claim[i], &p[i]);
        n_family++;
    }
    const psw_status rc = psw_holm(p, n, holm, err);
    for (int i = 0; i < n && rc == PSW_OK; i++) {
        const int asked = way[i] != PSW_CLAIM_NOT_ASKED;
        const enum psw_claim_verdict open = asked ? PSW_CLAIM_UNDECIDED : PSW_CLAIM_NOT_ASKED;
        struct psw_claim_judgement *j = &claim[i].judged;
        *j = (struct psw_claim_judgement){.verdict = holm[i] <= alpha ? way[i] : open,
                                          .alone = p[i] <= alpha ? way[i] : open,
                                          .p = p[i],
                                          .holm = holm[i],
                                          .n_family = n_family};
        if (j->verdict == PSW_CLAIM_UNDECIDED)
            j->n_needed = needed_of(&claim[i], way[i], alpha / (double)n_family);
    }
    return rc;
}

psw_status psw_claims_ask(struct psw_results *results, int number, double alpha,
                          struct psw_claim *out, int *n, struct psw_error *err)
{
    const struct psw_selection all = {0};
    struct asking a = {.results = results, .alpha = alpha > 0 ? alpha : DEFAULT_ALPHA};
    int n_claim = 0;
    psw_status rc = psw_traces_init(results, &a.traces, err);
    if (rc == PSW_OK) rc = psw_cells_init(results, &a.traces, &all, &a.cells, err);
    if (rc != PSW_OK) return rc;
    a.seed = psw_results_i64(results, "seed");
    a.value = malloc(sizeof *a.value * MOST_METRICS * (size_t)(a.traces.n_run + 1));
    if (!a.value || !a.seed) rc = psw_fail(err, PSW_ENOMEM, "claims: no memory");
    for (int i = 0; i < N_CLAIM && rc == PSW_OK; i++) {
        if (number && CLAIMS[i].number != number) continue;
        struct psw_claim *c = &out[n_claim++];
        *c = (struct psw_claim){.number = CLAIMS[i].number,
                                .sentence = CLAIMS[i].sentence,
                                .needs = CLAIMS[i].needs};
        rc = ask_numbers(&a, &CLAIMS[i], CLAIMS[i].part, c->part, &c->n_part, err);
        if (rc == PSW_OK)
            rc = ask_numbers(&a, &CLAIMS[i], CLAIMS[i].control, c->control, &c->n_control, err);
    }
    if (rc == PSW_OK && n_claim == 0)
        rc = psw_fail(err, PSW_EINVAL, "no claim %d: there are 1 to %d", number,
                      CLAIMS[N_CLAIM - 1].number);
    if (rc == PSW_OK) rc = judge(out, n_claim, a.alpha, err);
    if (rc == PSW_OK) *n = n_claim;
    free(a.value);
    psw_cells_clear(&a.cells);
    return rc;
}
