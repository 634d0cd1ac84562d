/* Interventions: what they scale, drop and leave alone. */
#include <support/support.h>

#include <math.h>
#include <posweep/config/preset.h>
#include <posweep/objective/intervene.h>
#include <string.h>

enum { N_PAIR = 7 };

struct batch {
    double logp[N_PAIR * 2], ref[N_PAIR * 2];
    int64_t n_tok[N_PAIR * 2], order[N_PAIR];
    double weight[N_PAIR * 2], nll[N_PAIR], omega[N_PAIR];
    double weight_plain[N_PAIR * 2], nll_plain[N_PAIR], omega_plain[N_PAIR];
    struct psw_pair_opts opts;
    struct psw_config_policy policy;
};

static struct psw_pair_in in_of(const struct batch *b)
{
    return (struct psw_pair_in){
        .n_pair = N_PAIR, .logp = b->logp, .ref = b->ref, .n_tok = b->n_tok};
}

/* A batch of rpo pairs (it has an NLL term), the plain weights, and a policy without changes.
 */
static void batch_init(struct batch *b)
{
    float x[N_PAIR * 2];
    memset(b, 0, sizeof *b);
    support_fill(x, N_PAIR * 2, 20.0f, 5);
    for (int i = 0; i < N_PAIR * 2; i++) {
        b->logp[i] = -21.0 + (double)x[i];
        b->ref[i] = -20.0;
        b->n_tok[i] = 3 + i;
    }
    b->opts = (struct psw_pair_opts){.method = PSW_METHOD_RPO, .beta = 0.1, .alpha = 0.5};
    b->policy = (struct psw_config_policy){
        .train = {.steps = 100},
        .positive = {.from = 1.0, .to = 1.0, .at = 0.5},
        .negative = {.from = 1.0, .to = 1.0, .at = 0.5},
        .reweight = 1,
    };
    const struct psw_pair_in in = in_of(b);
    const struct psw_pair_out plain = {
        .weight = b->weight_plain, .nll = b->nll_plain, .omega = b->omega_plain};
    assert_int_equal(psw_objective_pairwise(&b->opts, &in, &plain, NULL), PSW_OK);
}

static void intervene_at(struct batch *b, int64_t step)
{
    memcpy(b->weight, b->weight_plain, sizeof b->weight);
    memcpy(b->nll, b->nll_plain, sizeof b->nll);
    memcpy(b->omega, b->omega_plain, sizeof b->omega);
    const struct psw_pair_in in = in_of(b);
    const struct psw_pair_out io = {.weight = b->weight, .nll = b->nll, .omega = b->omega};
    psw_intervene(&b->policy, step, &b->opts, &in, &io, b->order);
    assert_memory_equal(b->omega, b->omega_plain, sizeof b->omega);
}

static void assert_sides_scaled(const struct batch *b, double positive, double negative)
{
    for (int i = 0; i < N_PAIR; i++) {
        assert_close(b->weight[2 * i], positive * b->weight_plain[2 * i], 1e-15);
        assert_close(b->weight[2 * i + 1], negative * b->weight_plain[2 * i + 1], 1e-15);
        assert_close(b->nll[i], positive * b->nll_plain[i], 1e-15);
    }
}

static void the_default_policy_changes_no_bit(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    intervene_at(&b, 17);
    assert_memory_equal(b.weight, b.weight_plain, sizeof b.weight);
    assert_memory_equal(b.nll, b.nll_plain, sizeof b.nll);
}

static void schedules_take_their_values(void **state)
{
    (void)state;
    const struct {
        int schedule;
        int64_t off_until, step;
        double expected;
    } cases[] = {
        {PSW_EMPHASIS_CONSTANT, 0, 90, 0.25},  {PSW_EMPHASIS_CONSTANT, 30, 29, 0.0},
        {PSW_EMPHASIS_CONSTANT, 30, 30, 0.25}, {PSW_EMPHASIS_STEP, 0, 39, 0.25},
        {PSW_EMPHASIS_STEP, 0, 40, 0.75},      {PSW_EMPHASIS_STEP, 50, 45, 0.0},
        {PSW_EMPHASIS_LINEAR, 0, 0, 0.25},     {PSW_EMPHASIS_LINEAR, 0, 50, 0.5},
        {PSW_EMPHASIS_LINEAR, 0, 100, 0.75},   {PSW_EMPHASIS_COSINE, 0, 0, 0.25},
        {PSW_EMPHASIS_COSINE, 0, 50, 0.5},     {PSW_EMPHASIS_COSINE, 0, 100, 0.75},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const struct psw_config_emphasis e = {.from = 0.25,
                                              .to = 0.75,
                                              .at = 0.4,
                                              .off_until = cases[k].off_until,
                                              .schedule = cases[k].schedule};
        assert_close(psw_emphasis_at(&e, cases[k].step, 100), cases[k].expected, 1e-15);
    }
}

static void the_schedules_that_depend_on_the_end_say_so(void **state)
{
    (void)state;
    for (int schedule = PSW_EMPHASIS_CONSTANT; schedule <= PSW_EMPHASIS_COSINE; schedule++) {
        const struct psw_config_emphasis e = {
            .schedule = schedule, .from = 0.25, .to = 0.75, .at = 0.4, .off_until = 2};
        int differ = 0;
        for (int64_t step = 0; step < 10; step++)
            differ |= psw_emphasis_at(&e, step, 10) != psw_emphasis_at(&e, step, 20);
        assert_int_equal(psw_emphasis_depends_on_end(&e), differ);
    }
}

static void no_negative_early_removes_only_the_rejected_side_until_its_step(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    b.policy.negative.off_until = 20;
    intervene_at(&b, 19);
    assert_sides_scaled(&b, 1.0, 0.0);
    intervene_at(&b, 20);
    assert_sides_scaled(&b, 1.0, 1.0);
}

static void cdpo_moves_emphasis_and_the_nll_term_goes_with_the_chosen_side(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    b.policy.positive =
        (struct psw_config_emphasis){.from = 1.5, .to = 0.5, .schedule = PSW_EMPHASIS_LINEAR};
    b.policy.negative =
        (struct psw_config_emphasis){.from = 0.5, .to = 1.5, .schedule = PSW_EMPHASIS_LINEAR};
    intervene_at(&b, 0);
    assert_sides_scaled(&b, 1.5, 0.5);
    intervene_at(&b, 75);
    assert_sides_scaled(&b, 0.75, 1.25);
}

static void flat_holds_inside_its_interval_only(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    b.policy.reweight = 0;
    b.policy.flat_from = 10;
    b.policy.flat_until = 20;
    intervene_at(&b, 9);
    assert_sides_scaled(&b, 1.0, 1.0);
    intervene_at(&b, 20);
    assert_sides_scaled(&b, 1.0, 1.0);
    intervene_at(&b, 10);
    for (int i = 0; i < N_PAIR * 2; i++) assert_close(b.weight[i], i % 2 ? -0.05 : 0.05, 1e-15);
    assert_memory_equal(b.nll, b.nll_plain, sizeof b.nll);
    b.policy.flat_until = 0;
    intervene_at(&b, 99);
    assert_close(b.weight[0], 0.05, 1e-15);
}

static void dropped_groups_follow_the_true_weight_also_when_flat(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    b.policy.reweight = 0;
    for (int drop = PSW_DROP_TOP; drop <= PSW_DROP_BOT; drop++) {
        b.policy.drop = drop;
        intervene_at(&b, 0);
        int n_dropped = 0;
        for (int i = 0; i < N_PAIR; i++) {
            int64_t place = 0;
            for (int j = 0; j < N_PAIR; j++) place += b.omega_plain[j] > b.omega_plain[i];
            const int gone = (int)(3 * place / N_PAIR) == drop - PSW_DROP_TOP;
            n_dropped += gone;
            assert_close(b.weight[2 * i], gone ? 0.0 : 0.05, 1e-15);
            assert_close(b.weight[2 * i + 1], gone ? 0.0 : -0.05, 1e-15);
            assert_close(b.nll[i], gone ? 0.0 : b.nll_plain[i], 1e-15);
        }
        assert_true(n_dropped == 2 || n_dropped == 3);
    }
}

/* The policy is the reference but for the last bits of float32: the groups are places. */
static void equal_weights_are_dropped_by_place(void **state)
{
    (void)state;
    for (int scramble = 0; scramble < 3; scramble++) {
        struct batch b;
        batch_init(&b);
        b.policy.drop = PSW_DROP_MID;
        for (int i = 0; i < N_PAIR * 2; i++)
            b.logp[i] = b.ref[i] * (1.0 + 1e-7 * (double)((i * 5 + scramble) % 7 - 3));
        const struct psw_pair_in in = in_of(&b);
        const struct psw_pair_out plain = {
            .weight = b.weight_plain, .nll = b.nll_plain, .omega = b.omega_plain};
        assert_int_equal(psw_objective_pairwise(&b.opts, &in, &plain, NULL), PSW_OK);
        intervene_at(&b, 3);
        for (int i = 0; i < N_PAIR; i++)
            assert_int_equal(b.weight[2 * i] == 0.0, 3 * i / N_PAIR == 1);
    }
}

/* The batch under a preset of the configuration; a run of 100 steps. */
static void preset_at(struct batch *b, const char *name, int64_t step)
{
    struct psw_config config;
    psw_config_default(&config);
    config.policy.train.steps = 100;
    const struct psw_preset *preset = name ? psw_preset_find(name) : NULL;
    for (int i = 0; preset && preset->setting[i].path; i++)
        assert_int_equal(
            psw_config_set(&config, preset->setting[i].path, preset->setting[i].value, NULL),
            PSW_OK);
    assert_true(!name || preset);
    b->policy = config.policy;
    intervene_at(b, step);
}

static void presets_do_what_they_are_named_for(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b);
    preset_at(&b, NULL, 50);
    assert_memory_equal(b.weight, b.weight_plain, sizeof b.weight);
    preset_at(&b, "no_positive", 50);
    assert_sides_scaled(&b, 0.0, 1.0);
    preset_at(&b, "no_negative", 50);
    assert_sides_scaled(&b, 1.0, 0.0);
    preset_at(&b, "no_negative_early", 50);
    assert_sides_scaled(&b, 1.0, 0.0);
    preset_at(&b, "cdpo", 0); /* lambda = 0.25 */
    assert_sides_scaled(&b, 1.5, 0.5);
    preset_at(&b, "cdpo", 50);
    assert_sides_scaled(&b, 1.0, 1.0);
    preset_at(&b, "flat", 50);
    for (int i = 0; i < N_PAIR * 2; i++) assert_close(b.weight[i], i % 2 ? -0.05 : 0.05, 1e-15);
}

static const double ADVANTAGE[10] = {1.0, -1.0, -2.0, 0.0, -3.0, -4.0, -5.0, 2.0, -3.0, 9.0};

static void damping_keeps_what_is_not_negative(void **state)
{
    (void)state;
    double factor[10];
    int64_t order[10];
    for (int rule = PSW_DAMP_NONE; rule <= PSW_DAMP_SCALE; rule++) {
        psw_damp_factors((enum psw_damp_rule)rule, 1.0, 10, ADVANTAGE, factor, order);
        for (int i = 0; i < 10; i++)
            if (ADVANTAGE[i] >= 0.0) assert_true(factor[i] == 1.0);
    }
}

static void damping_is_vanilla_at_0_and_no_negative_at_1(void **state)
{
    (void)state;
    double factor[10];
    int64_t order[10];
    for (int rule = PSW_DAMP_BELOW; rule <= PSW_DAMP_SCALE; rule++) {
        psw_damp_factors((enum psw_damp_rule)rule, 0.0, 10, ADVANTAGE, factor, order);
        for (int i = 0; i < 10; i++) assert_true(factor[i] == 1.0);
        psw_damp_factors((enum psw_damp_rule)rule, 1.0, 10, ADVANTAGE, factor, order);
        for (int i = 0; i < 10; i++) assert_true(factor[i] == (ADVANTAGE[i] < 0.0 ? 0.0 : 1.0));
    }
}

static void damping_below_keeps_negatives_up_to_their_quantile(void **state)
{
    (void)state;
    /* |A| of the six negatives: 1 2 3 3 4 5. */
    const struct {
        double tau, limit;
    } cases[] = {{0.1, 5.0}, {1.0 / 6.0, 4.0}, {0.34, 3.0}, {0.5, 3.0}, {0.7, 2.0}, {0.9, 1.0}};
    double factor[10];
    int64_t order[10];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        psw_damp_factors(PSW_DAMP_BELOW, cases[k].tau, 10, ADVANTAGE, factor, order);
        for (int i = 0; i < 10; i++)
            assert_true(factor[i] == (ADVANTAGE[i] >= -cases[k].limit ? 1.0 : 0.0));
    }
}

static void damping_by_scale_multiplies_every_negative(void **state)
{
    (void)state;
    double factor[10];
    int64_t order[10];
    psw_damp_factors(PSW_DAMP_SCALE, 0.8, 10, ADVANTAGE, factor, order);
    for (int i = 0; i < 10; i++) assert_close(factor[i], ADVANTAGE[i] < 0.0 ? 0.2 : 1.0, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_policy_changes_no_bit),
        cmocka_unit_test(schedules_take_their_values),
        cmocka_unit_test(the_schedules_that_depend_on_the_end_say_so),
        cmocka_unit_test(no_negative_early_removes_only_the_rejected_side_until_its_step),
        cmocka_unit_test(cdpo_moves_emphasis_and_the_nll_term_goes_with_the_chosen_side),
        cmocka_unit_test(flat_holds_inside_its_interval_only),
        cmocka_unit_test(equal_weights_are_dropped_by_place),
        cmocka_unit_test(dropped_groups_follow_the_true_weight_also_when_flat),
        cmocka_unit_test(presets_do_what_they_are_named_for),
        cmocka_unit_test(damping_keeps_what_is_not_negative),
        cmocka_unit_test(damping_is_vanilla_at_0_and_no_negative_at_1),
        cmocka_unit_test(damping_below_keeps_negatives_up_to_their_quantile),
        cmocka_unit_test(damping_by_scale_multiplies_every_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
