/* Coefficients of the components of the pairwise objectives. */
#include <posweep/objective/components.h>

#include "objective_internal.h"
#include <math.h>
#include <posweep/objective/order.h>
#include <posweep/util/rng.h>
#include <string.h>

static const struct {
    const char *name, *help;
} COMPONENTS[PSW_N_COMPONENT] = {
    [PSW_C_TOTAL] = {"total", "the objective's own gradient"},
    [PSW_C_POS] = {"pos", "positive learning: chosen responses, or advantages >= 0"},
    [PSW_C_NEG] = {"neg", "negative learning: rejected responses, or advantages < 0"},
    [PSW_C_TOTAL_FLAT] = {"total_flat", "total with reweighting removed"},
    [PSW_C_POS_FLAT] = {"pos_flat", "pos with reweighting removed"},
    [PSW_C_NEG_FLAT] = {"neg_flat", "neg with reweighting removed"},
    [PSW_C_TOP] = {"top", "the third of the items with the largest weights"},
    [PSW_C_MID] = {"mid", "the middle third by weight"},
    [PSW_C_BOT] = {"bot", "the third of the items with the smallest weights"},
    [PSW_C_RAND1] = {"rand1", "control: first of three random groups of the same sizes"},
    [PSW_C_RAND2] = {"rand2", "control: second random group"},
    [PSW_C_RAND3] = {"rand3", "control: third random group"},
    [PSW_C_NLL] = {"nll", "the NLL term on chosen responses"},
    [PSW_C_KL] = {"kl", "the KL term of the loss"},
    [PSW_C_ENTROPY] = {"entropy", "the entropy term of the loss"},
    [PSW_C_VALUE] = {"value", "the value loss, where it shares the trunk"},
    [PSW_C_RAW] = {"raw", "control: advantages as they are before whitening"},
    [PSW_C_SHUFFLED] = {"shuffled", "control: shuffled advantages"},
    [PSW_C_SFT_CHOSEN] = {"sft_chosen", "upper reference: the likelihood of chosen responses"},
    [PSW_C_POS_MINUS_NEG] = {"pos_minus_neg",
                             "contrast of pos and neg, for its error; no part of the loss"},
};

const char *psw_component_name(enum psw_component component)
{
    return COMPONENTS[component].name;
}

const char *psw_component_help(enum psw_component component)
{
    return COMPONENTS[component].help;
}

int psw_component_find(const char *name)
{
    for (int k = 0; k < PSW_N_COMPONENT; k++)
        if (strcmp(COMPONENTS[k].name, name) == 0) return k;
    return -1;
}

uint32_t psw_components_of(int method)
{
    uint32_t bits = 0;
    for (int k = PSW_C_TOTAL; k <= PSW_C_RAND3; k++) bits |= 1u << k;
    if (psw_method_row(method)->has_nll) bits |= 1u << PSW_C_NLL;
    return bits | 1u << PSW_C_SFT_CHOSEN | 1u << PSW_C_POS_MINUS_NEG;
}

void psw_components_contrast(int64_t n, double *coef)
{
    const double *pos = coef + PSW_C_POS * n, *neg = coef + PSW_C_NEG * n;
    double *contrast = coef + PSW_C_POS_MINUS_NEG * n;
    for (int64_t i = 0; i < n; i++) contrast[i] = pos[i] - neg[i];
}

void psw_components_no_groups(int64_t n, double *coef)
{
    for (int k = PSW_C_TOP; k <= PSW_C_BOT; k++)
        for (int64_t i = 0; i < n; i++) coef[k * n + i] = NAN;
}

/** Everything one call works on. */
struct parts {
    int64_t n_pair;
    double *coef; /* [PSW_N_COMPONENT][n_pair][2] */
    double *weight, *flat, *nll, *omega;
    int64_t *order;
};

static double *coef_of(const struct parts *p, int component)
{
    return p->coef + (int64_t)component * p->n_pair * PSW_N_SIDE;
}

/* total, pos and neg from the weights of both sides. */
static void split_sides(const struct parts *p, const double *weight, int total)
{
    double *all = coef_of(p, total), *pos = coef_of(p, total + PSW_C_POS),
           *neg = coef_of(p, total + PSW_C_NEG);
    for (int64_t i = 0; i < p->n_pair; i++) {
        const int64_t chosen = i * PSW_N_SIDE + PSW_CHOSEN, rejected = chosen + PSW_REJECTED;
        pos[chosen] = weight[chosen];
        neg[rejected] = weight[rejected];
        all[chosen] = weight[chosen] + p->nll[i];
        all[rejected] = weight[rejected];
    }
}

/* Three groups of the pairs in the order p->order, from component `first` on. */
static void split_groups(const struct parts *p, int first)
{
    const double *total = coef_of(p, PSW_C_TOTAL);
    for (int64_t place = 0; place < p->n_pair; place++) {
        double *group = coef_of(p, first + (int)psw_group_of_place(place, p->n_pair));
        const int64_t at = p->order[place] * PSW_N_SIDE;
        group[at + PSW_CHOSEN] = total[at + PSW_CHOSEN];
        group[at + PSW_REJECTED] = total[at + PSW_REJECTED];
    }
}

static void parts_fill(const struct parts *p, int groups_differ, struct psw_components_key key)
{
    memset(p->coef, 0,
           sizeof(double) * (size_t)PSW_N_COMPONENT * (size_t)p->n_pair * PSW_N_SIDE);
    split_sides(p, p->weight, PSW_C_TOTAL);
    split_sides(p, p->flat, PSW_C_TOTAL_FLAT);
    if (groups_differ)
        split_groups(p, PSW_C_TOP);
    else
        psw_components_no_groups(PSW_N_SIDE * p->n_pair, p->coef);
    const struct psw_rng rng = {
        .seed = key.seed, .use = PSW_RNG_GROUPS, .step = (uint32_t)key.checkpoint};
    psw_rng_permute(rng, 0, p->n_pair, p->order);
    split_groups(p, PSW_C_RAND1);
    psw_components_contrast(PSW_N_SIDE * p->n_pair, p->coef);
    double *nll = coef_of(p, PSW_C_NLL), *sft = coef_of(p, PSW_C_SFT_CHOSEN);
    for (int64_t i = 0; i < p->n_pair; i++) {
        nll[i * PSW_N_SIDE + PSW_CHOSEN] = p->nll[i];
        sft[i * PSW_N_SIDE + PSW_CHOSEN] = 1.0;
    }
}

psw_status psw_components_pairwise(const struct psw_pair_opts *opts,
                                   const struct psw_pair_in *in, struct psw_components_key key,
                                   struct psw_arena *scratch, double *coef,
                                   struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_arena_mark mark = psw_arena_mark(scratch);
    const int64_t n = in->n_pair;
    const struct parts p = {.n_pair = n,
                            .coef = coef,
                            .weight = psw_arena_f64(scratch, n * PSW_N_SIDE),
                            .flat = psw_arena_f64(scratch, n * PSW_N_SIDE),
                            .nll = psw_arena_f64(scratch, n),
                            .omega = psw_arena_f64(scratch, n),
                            .order = psw_arena_i64(scratch, n)};
    if (psw_arena_is_measuring(scratch)) goto fail;
    PSW_TRY(psw_objective_pairwise(
        opts, in, &(struct psw_pair_out){.weight = p.weight, .nll = p.nll, .omega = p.omega},
        err));
    PSW_TRY(psw_objective_flat(opts, in, &(struct psw_pair_out){.weight = p.flat}, err));
    psw_order_by_magnitude(n, p.omega, p.order);
    parts_fill(&p, psw_pair_groups_differ(opts, in, p.order), key);
fail:
    psw_arena_rewind(scratch, mark);
    return rc;
}
