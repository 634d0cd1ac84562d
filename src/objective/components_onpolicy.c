/* Coefficients of the components of the on-policy objectives: the same weight rule as training,
 * at a ratio of 1, split over items (tokens for ppo, responses for grpo and dapo). */
#include <posweep/objective/components.h>

#include "objective_internal.h"
#include <posweep/objective/order.h>
#include <posweep/util/rng.h>
#include <string.h>

uint32_t psw_components_onpolicy_of(const struct psw_onpolicy_opts *opts)
{
    uint32_t bits = 1u << PSW_C_RAW | 1u << PSW_C_SHUFFLED | 1u << PSW_C_POS_MINUS_NEG;
    for (int k = PSW_C_TOTAL; k <= PSW_C_RAND3; k++) bits |= 1u << k;
    if (opts->loss_kl_coef > 0.0) bits |= 1u << PSW_C_KL;
    if (opts->entropy_coef > 0.0) bits |= 1u << PSW_C_ENTROPY;
    if (opts->shared_critic) bits |= 1u << PSW_C_VALUE;
    return bits;
}

/** Everything one call works on. */
struct parts {
    int method;
    const struct psw_rollout_rows *rows;
    int64_t n_item;
    double *coef;      /* [PSW_N_COMPONENT][n_row] */
    double *surrogate; /* [n_row] w of the clipped surrogate: pos + neg */
    double *item;      /* [n_item] advantages */
    int64_t *order;    /* [n_item] */
};

static double *coef_of(const struct parts *p, int component)
{
    return p->coef + (int64_t)component * p->rows->n_row;
}

/** Rows of one item. */
struct span {
    int64_t begin, end;
};

static struct span span_of(const struct parts *p, int64_t item)
{
    if (psw_onpolicy_items_are_tokens(p->method)) return (struct span){item, item + 1};
    return (struct span){p->rows->seq_row[item], p->rows->seq_row[item + 1]};
}

/* total, pos and neg from w of the surrogate, by the sign of the advantage. */
static void split_signs(const struct parts *p, const double *weight, const double *advantage,
                        int total)
{
    const double *kl = coef_of(p, PSW_C_KL);
    double *all = coef_of(p, total), *pos = coef_of(p, total + PSW_C_POS),
           *neg = coef_of(p, total + PSW_C_NEG);
    for (int64_t t = 0; t < p->rows->n_row; t++) {
        *(advantage[t] < 0.0 ? neg + t : pos + t) = weight[t];
        all[t] = weight[t] + kl[t];
    }
}

/* Three groups of the items in the order p->order, from component `first` on. */
static void split_groups(const struct parts *p, int first)
{
    for (int64_t place = 0; place < p->n_item; place++) {
        double *group = coef_of(p, first + (int)psw_group_of_place(place, p->n_item));
        const struct span s = span_of(p, p->order[place]);
        for (int64_t t = s.begin; t < s.end; t++) group[t] = p->surrogate[t];
    }
}

/* w of every row at a ratio of 1 where item i has advantage item[from ? from[i] : i]. */
static void weights_at(const struct parts *p, const int64_t *from, double *weight)
{
    const int is_token = psw_onpolicy_items_are_tokens(p->method);
    for (int64_t s = 0; s < p->rows->n_seq; s++) {
        const double norm = psw_onpolicy_norm(p->method, p->rows, s);
        for (int64_t t = p->rows->seq_row[s]; t < p->rows->seq_row[s + 1]; t++) {
            const int64_t i = is_token ? t : s;
            weight[t] = norm * p->item[from ? from[i] : i];
        }
    }
}

/* The order of an on-policy control is drawn anew at every checkpoint. */
static void draw_order(const struct parts *p, struct psw_components_key key,
                       enum psw_rng_use use)
{
    const struct psw_rng rng = {.seed = key.seed, .use = use, .step = (uint32_t)key.checkpoint};
    psw_rng_permute(rng, 0, p->n_item, p->order);
}

static void parts_fill(const struct parts *p, const double *advantage,
                       struct psw_components_key key)
{
    split_signs(p, p->surrogate, advantage, PSW_C_TOTAL);
    psw_components_contrast(p->rows->n_row, p->coef);
    psw_order_by_magnitude(p->n_item, p->item, p->order);
    if (psw_item_groups_differ(p->n_item, p->item, p->order))
        split_groups(p, PSW_C_TOP);
    else
        psw_components_no_groups(p->rows->n_row, p->coef);
    draw_order(p, key, PSW_RNG_GROUPS);
    split_groups(p, PSW_C_RAND1);
    draw_order(p, key, PSW_RNG_SHUFFLE);
    weights_at(p, p->order, coef_of(p, PSW_C_SHUFFLED));
    const double magnitude = psw_mean_magnitude(p->n_item, p->item);
    for (int64_t i = 0; i < p->n_item; i++)
        p->item[i] = psw_flat_magnitude(magnitude, p->item[i]);
    weights_at(p, NULL, p->surrogate); /* w of the plain surrogate is no longer needed */
    split_signs(p, p->surrogate, advantage, PSW_C_TOTAL_FLAT);
}

psw_status psw_components_onpolicy(const struct psw_onpolicy_opts *opts,
                                   const struct psw_onpolicy_probe *probe,
                                   struct psw_components_key key, struct psw_arena *scratch,
                                   double *coef, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_arena_mark mark = psw_arena_mark(scratch);
    const int64_t n_row = probe->rows->n_row;
    const struct parts p = {.method = opts->method,
                            .rows = probe->rows,
                            .n_item = psw_onpolicy_n_item(opts->method, probe->rows),
                            .coef = coef,
                            .surrogate = psw_arena_f64(scratch, n_row),
                            .item = psw_arena_f64(scratch, n_row),
                            .order = psw_arena_i64(scratch, n_row)};
    if (psw_arena_is_measuring(scratch)) goto fail;
    struct psw_onpolicy_in in = {.rows = probe->rows,
                                 .logp = probe->logp,
                                 .old = probe->logp, /* fresh: nothing is clipped */
                                 .ref = probe->ref,
                                 .advantage = probe->raw};
    struct psw_onpolicy_out out = {.weight = p.item}; /* only checked, not yet kept */
    PSW_TRY(psw_objective_onpolicy(opts, &in, &out, err));
    in.advantage = probe->advantage;
    out.weight = p.surrogate;
    PSW_TRY(psw_objective_onpolicy(opts, &in, &out, err));
    memset(coef, 0, sizeof(double) * (size_t)PSW_N_COMPONENT * (size_t)n_row);
    memcpy(coef_of(&p, PSW_C_RAW), p.item, sizeof(double) * (size_t)n_row);
    out = (struct psw_onpolicy_out){.kl = coef_of(&p, PSW_C_KL)};
    PSW_TRY(psw_objective_onpolicy(opts, &in, &out, err));
    psw_onpolicy_gather(opts->method, probe->rows, probe->advantage, p.item);
    parts_fill(&p, probe->advantage, key);
fail:
    psw_arena_rewind(scratch, mark);
    return rc;
}
