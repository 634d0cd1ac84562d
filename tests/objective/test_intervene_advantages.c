/* Interventions on advantages: per token for ppo, per response for grpo and dapo. */
#include <support/support.h>

#include "rollouts.h"
#include <math.h>
#include <posweep/objective/intervene.h>
#include <string.h>

enum { FIRST = PSW_METHOD_PPO, LAST = PSW_METHOD_DAPO };

struct batch {
    struct rollouts r;
    double advantage[N_ROW], scratch[N_ROW]; /* advantage: what came out */
    int64_t order[N_ROW];
    struct psw_config_policy policy;
};

/* A policy without changes. */
static void batch_init(struct batch *b, int method)
{
    rollouts_init(&b->r, method);
    b->policy = (struct psw_config_policy){
        .train = {.steps = 100},
        .positive = {.from = 1.0, .to = 1.0, .at = 0.5},
        .negative = {.from = 1.0, .to = 1.0, .at = 0.5},
        .reweight = 1,
        .method = method,
    };
}

static void intervene_at(struct batch *b, int64_t step)
{
    memcpy(b->advantage, b->r.advantage, sizeof b->advantage);
    psw_intervene_advantages(&b->policy, step, &b->r.rows, b->advantage, b->scratch, b->order);
}

static int n_item(const struct batch *b)
{
    return b->policy.method == PSW_METHOD_PPO ? N_ROW : N_SEQ;
}

static double plain_of(const struct batch *b, int64_t item)
{
    return b->r.advantage[b->policy.method == PSW_METHOD_PPO ? item : b->r.seq_row[item]];
}

/* Mean of |A| over the items. */
static double mean_magnitude(const struct batch *b)
{
    double sum = 0.0;
    for (int i = 0; i < n_item(b); i++) sum += fabs(plain_of(b, i));
    return sum / n_item(b);
}

/* Third of the items that row t belongs to, by falling |A|. */
static int group_of(const struct batch *b, int64_t t)
{
    int place = 0;
    for (int i = 0; i < n_item(b); i++) place += fabs(plain_of(b, i)) > fabs(b->r.advantage[t]);
    return 3 * place / n_item(b);
}

/* 1 when `below` keeps row t: at most ceil((1 - tau) m) of the m negatives are of its size or
 * smaller, counted without it. */
static int is_below(const struct batch *b, double tau, int64_t t)
{
    int n_negative = 0, n_smaller = 0;
    for (int i = 0; i < n_item(b); i++) {
        n_negative += plain_of(b, i) < 0.0;
        n_smaller += plain_of(b, i) < 0.0 && plain_of(b, i) > b->r.advantage[t];
    }
    return n_smaller < (int)ceil((1.0 - tau) * n_negative - 1e-9);
}

static void assert_scaled(const struct batch *b, double positive, double negative)
{
    for (int t = 0; t < N_ROW; t++) {
        const double a = b->r.advantage[t];
        assert_close(b->advantage[t], a * (a < 0.0 ? negative : positive), 1e-15);
    }
}

static void the_default_policy_changes_no_bit_of_any_method(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        intervene_at(&b, 17);
        assert_memory_equal(b.advantage, b.r.advantage, sizeof b.advantage);
    }
}

static void emphasis_scales_each_sign_at_its_step(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        b.policy.positive = (struct psw_config_emphasis){
            .from = 1.5, .to = 0.5, .schedule = PSW_EMPHASIS_LINEAR};
        b.policy.negative = (struct psw_config_emphasis){
            .from = 0.5, .to = 1.5, .off_until = 20, .schedule = PSW_EMPHASIS_LINEAR};
        intervene_at(&b, 0);
        assert_scaled(&b, 1.5, 0.0);
        intervene_at(&b, 75);
        assert_scaled(&b, 0.75, 1.25);
    }
}

static void flat_keeps_signs_and_zero_inside_its_interval_only(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        b.policy.reweight = 0;
        b.policy.flat_from = 10;
        b.policy.flat_until = 20;
        intervene_at(&b, 9);
        assert_memory_equal(b.advantage, b.r.advantage, sizeof b.advantage);
        intervene_at(&b, 20);
        assert_memory_equal(b.advantage, b.r.advantage, sizeof b.advantage);
        intervene_at(&b, 10);
        const double mean = mean_magnitude(&b);
        int n_zero = 0;
        for (int t = 0; t < N_ROW; t++) {
            const double a = b.r.advantage[t];
            n_zero += a == 0.0;
            assert_close(b.advantage[t], a > 0.0 ? mean : a < 0.0 ? -mean : 0.0, 1e-15);
        }
        assert_int_equal(n_zero, 1); /* item 1, a single token in each case */
    }
}

static void dropped_groups_are_whole_items_and_follow_the_untouched_magnitude(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        for (int flat = 0; flat < 2; flat++) {
            for (int drop = PSW_DROP_TOP; drop <= PSW_DROP_BOT; drop++) {
                b.policy.reweight = !flat;
                b.policy.drop = drop;
                intervene_at(&b, 0);
                const double mean = mean_magnitude(&b);
                for (int t = 0; t < N_ROW; t++) {
                    const double a = b.r.advantage[t];
                    const double kept = !flat ? a : a == 0.0 ? 0.0 : copysign(mean, a);
                    const int gone = group_of(&b, t) == drop - PSW_DROP_TOP;
                    assert_close(b.advantage[t], gone ? 0.0 : kept, 1e-15);
                }
            }
        }
    }
}

static void damping_is_vanilla_at_0_and_no_negative_at_1(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        for (int rule = PSW_DAMP_BELOW; rule <= PSW_DAMP_SCALE; rule++) {
            b.policy.damp = rule;
            b.policy.tau = 0.0;
            intervene_at(&b, 0);
            assert_memory_equal(b.advantage, b.r.advantage, sizeof b.advantage);
            b.policy.tau = 1.0;
            intervene_at(&b, 0);
            assert_scaled(&b, 1.0, 0.0);
        }
    }
}

static void hppo_drops_the_largest_negatives_counted_in_items(void **state)
{
    (void)state;
    const double taus[] = {0.2, 0.5, 0.9};
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        b.policy.damp = PSW_DAMP_BELOW;
        for (size_t k = 0; k < sizeof taus / sizeof *taus; k++) {
            int n_dropped = 0;
            b.policy.tau = taus[k];
            intervene_at(&b, 0);
            for (int t = 0; t < N_ROW; t++) {
                const double a = b.r.advantage[t];
                const int kept = a >= 0.0 || is_below(&b, taus[k], t);
                n_dropped += !kept;
                assert_close(b.advantage[t], kept ? a : 0.0, 0.0);
            }
            assert_true(n_dropped > 0);
        }
    }
}

static void everything_at_once_is_the_product_of_its_parts(void **state)
{
    (void)state;
    struct batch b;
    for (int m = FIRST; m <= LAST; m++) {
        batch_init(&b, m);
        b.policy.reweight = 0;
        b.policy.drop = PSW_DROP_MID;
        b.policy.damp = PSW_DAMP_BELOW;
        b.policy.tau = 0.4;
        b.policy.positive.from = 0.5;
        b.policy.negative.from = 2.0;
        intervene_at(&b, 50);
        const double mean = mean_magnitude(&b);
        for (int t = 0; t < N_ROW; t++) {
            const double a = b.r.advantage[t];
            double expected = a == 0.0 ? 0.0 : copysign(mean, a);
            if (group_of(&b, t) == PSW_GROUP_MID) expected = 0.0;
            if (a < 0.0 && !is_below(&b, 0.4, t)) expected = 0.0;
            assert_close(b.advantage[t], expected * (a < 0.0 ? 2.0 : 0.5), 1e-15);
        }
    }
}

static void scaling_an_advantage_scales_its_weight_and_not_its_clip(void **state)
{
    (void)state;
    struct batch b;
    double weight[2][N_ROW];
    struct psw_onpolicy_out out[2] = {{.weight = weight[0]}, {.weight = weight[1]}};
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        batch_init(&b, m);
        b.policy.positive.from = 0.25;
        b.policy.negative.from = 4.0;
        intervene_at(&b, 0);
        for (int k = 0; k < 2; k++) {
            const struct psw_onpolicy_in in = {.rows = &b.r.rows,
                                               .logp = b.r.logp,
                                               .old = b.r.old,
                                               .ref = b.r.ref,
                                               .advantage = k ? b.advantage : b.r.advantage};
            assert_int_equal(psw_objective_onpolicy(&opts, &in, &out[k], NULL), PSW_OK);
        }
        assert_true(out[0].clip_fraction == out[1].clip_fraction);
        for (int t = 0; t < N_ROW; t++)
            assert_close(weight[1][t], weight[0][t] * (b.r.advantage[t] < 0.0 ? 4.0 : 0.25),
                         1e-15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_policy_changes_no_bit_of_any_method),
        cmocka_unit_test(emphasis_scales_each_sign_at_its_step),
        cmocka_unit_test(flat_keeps_signs_and_zero_inside_its_interval_only),
        cmocka_unit_test(dropped_groups_are_whole_items_and_follow_the_untouched_magnitude),
        cmocka_unit_test(damping_is_vanilla_at_0_and_no_negative_at_1),
        cmocka_unit_test(hppo_drops_the_largest_negatives_counted_in_items),
        cmocka_unit_test(everything_at_once_is_the_product_of_its_parts),
        cmocka_unit_test(scaling_an_advantage_scales_its_weight_and_not_its_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
