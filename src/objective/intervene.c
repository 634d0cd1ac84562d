/* The one parametrisation of SCIENCE section 4. */
#include <posweep/objective/intervene.h>

#include "objective_internal.h"
#include <math.h>

double psw_emphasis_at(const struct psw_config_emphasis *emphasis, int64_t step, int64_t n_step)
{
    const double s = (double)step / (double)n_step, rise = emphasis->to - emphasis->from;
    if (step < emphasis->off_until) return 0.0;
    switch (emphasis->schedule) {
    case PSW_EMPHASIS_STEP:
        return s >= emphasis->at ? emphasis->to : emphasis->from;
    case PSW_EMPHASIS_LINEAR:
        return emphasis->from + rise * s;
    case PSW_EMPHASIS_COSINE:
        return emphasis->from + rise * 0.5 * (1.0 - cos(3.14159265358979323846 * s));
    default:
        return emphasis->from;
    }
}

int psw_emphasis_depends_on_end(const struct psw_config_emphasis *emphasis)
{
    return emphasis->schedule != PSW_EMPHASIS_CONSTANT;
}

static int is_flat_at(const struct psw_config_policy *policy, int64_t step)
{
    return !policy->reweight && step >= policy->flat_from &&
           (policy->flat_until <= 0 || step < policy->flat_until);
}

static void group_drop(enum psw_group group, const struct psw_pair_opts *opts,
                       const struct psw_pair_in *in, const struct psw_pair_out *io,
                       int64_t *order)
{
    const int64_t n_pair = in->n_pair;
    psw_order_by_magnitude(n_pair, io->omega, order);
    if (!psw_pair_groups_differ(opts, in, order)) psw_order_as_it_is(n_pair, order);
    for (int64_t place = 0; place < n_pair; place++) {
        if (psw_group_of_place(place, n_pair) != group) continue;
        const int64_t i = order[place];
        io->weight[i * PSW_N_SIDE + PSW_CHOSEN] = 0.0;
        io->weight[i * PSW_N_SIDE + PSW_REJECTED] = 0.0;
        io->nll[i] = 0.0;
    }
}

void psw_intervene(const struct psw_config_policy *policy, int64_t step,
                   const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                   const struct psw_pair_out *io, int64_t *order)
{
    if (is_flat_at(policy, step)) {
        const struct psw_pair_out flat = {.weight = io->weight};
        const psw_status rc = psw_objective_flat(opts, in, &flat, NULL);
        PSW_ASSERT(rc == PSW_OK);
    }
    if (policy->drop != PSW_DROP_NONE)
        group_drop((enum psw_group)(policy->drop - PSW_DROP_TOP), opts, in, io, order);
    const double positive = psw_emphasis_at(&policy->positive, step, policy->train.steps);
    const double negative = psw_emphasis_at(&policy->negative, step, policy->train.steps);
    for (int64_t i = 0; i < in->n_pair; i++) {
        io->weight[i * PSW_N_SIDE + PSW_CHOSEN] *= positive;
        io->weight[i * PSW_N_SIDE + PSW_REJECTED] *= negative;
        io->nll[i] *= positive;
    }
}

/* The largest |A| among negatives that `below` keeps; -1 when it keeps none. */
static double damp_limit(double tau, int64_t n, const double *advantage, const int64_t *order)
{
    int64_t n_negative = 0;
    for (int64_t i = 0; i < n; i++) n_negative += advantage[i] < 0.0;
    /* (1 - 0.7) * 10 is 3.0000000000000004: what is 3 but for rounding must count as 3. */
    int64_t n_keep = (int64_t)ceil((1.0 - tau) * (double)n_negative * (1.0 - 1e-12));
    if (n_keep <= 0) return -1.0;
    for (int64_t place = n; place-- > 0;) /* order is by falling |A| */
        if (advantage[order[place]] < 0.0 && --n_keep == 0) return -advantage[order[place]];
    return -1.0;
}

void psw_damp_factors(enum psw_damp_rule rule, double tau, int64_t n, const double *advantage,
                      double *factor, int64_t *order)
{
    double limit = -1.0;
    if (rule == PSW_DAMP_BELOW) {
        psw_order_by_magnitude(n, advantage, order);
        limit = damp_limit(tau, n, advantage, order);
    }
    for (int64_t i = 0; i < n; i++) {
        factor[i] = 1.0;
        if (!(advantage[i] < 0.0)) continue;
        if (rule == PSW_DAMP_SCALE) factor[i] = 1.0 - tau;
        if (rule == PSW_DAMP_BELOW) factor[i] = -advantage[i] <= limit ? 1.0 : 0.0;
    }
}

/* Factor of every item: what damping and dropping leave of it. */
static void keep_factors(const struct psw_config_policy *policy, int64_t n,
                         const double *advantage, double *factor, int64_t *order)
{
    psw_damp_factors((enum psw_damp_rule)policy->damp, policy->tau, n, advantage, factor,
                     order);
    if (policy->drop == PSW_DROP_NONE) return;
    psw_order_by_magnitude(n, advantage, order);
    if (!psw_item_groups_differ(n, advantage, order)) psw_order_as_it_is(n, order);
    for (int64_t place = 0; place < n; place++)
        if ((int)psw_group_of_place(place, n) == policy->drop - PSW_DROP_TOP)
            factor[order[place]] = 0.0;
}

static void items_intervene(const struct psw_config_policy *policy, int64_t step, int64_t n,
                            double *advantage, const double *factor)
{
    const double positive = psw_emphasis_at(&policy->positive, step, policy->train.steps);
    const double negative = psw_emphasis_at(&policy->negative, step, policy->train.steps);
    const int is_flat = is_flat_at(policy, step);
    const double magnitude = is_flat ? psw_mean_magnitude(n, advantage) : 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double a = advantage[i];
        const double kept = is_flat ? psw_flat_magnitude(magnitude, a) : a;
        advantage[i] = kept * factor[i] * (a < 0.0 ? negative : positive);
    }
}

void psw_intervene_advantages(const struct psw_config_policy *policy, int64_t step,
                              const struct psw_rollout_rows *rows, double *advantage,
                              double *scratch, int64_t *order)
{
    const int64_t n = psw_onpolicy_n_item(policy->method, rows);
    if (psw_onpolicy_items_are_tokens((int)policy->method)) {
        keep_factors(policy, n, advantage, scratch, order);
        items_intervene(policy, step, n, advantage, scratch);
        return;
    }
    /* The rows hold the factors while the responses' advantages are in scratch. */
    psw_onpolicy_gather(policy->method, rows, advantage, scratch);
    keep_factors(policy, n, scratch, advantage, order);
    items_intervene(policy, step, n, scratch, advantage);
    psw_rows_spread(rows, scratch, advantage);
}
