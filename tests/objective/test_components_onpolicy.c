/* Components of the on-policy methods: identities, and controls that keep what they claim. */
#include <support/support.h>

#include "rollouts.h"
#include <math.h>
#include <posweep/objective/components.h>
#include <posweep/util/rng.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = PSW_METHOD_PPO, LAST = PSW_METHOD_DAPO };

struct fixture {
    struct rollouts r;
    double coef[PSW_N_COMPONENT][N_ROW];
    struct psw_arena *scratch;
};

static const struct psw_components_key KEY = {.seed = 3, .checkpoint = 5};

static int setup(void **state)
{
    static struct fixture f;
    *state = &f;
    return psw_arena_create("scratch", 1 << 16, &f.scratch, NULL) == PSW_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_arena_destroy(f->scratch);
    return 0;
}

static struct psw_onpolicy_probe probe_of(const struct fixture *f)
{
    return (struct psw_onpolicy_probe){.rows = &f->r.rows,
                                       .advantage = f->r.advantage,
                                       .raw = f->r.raw,
                                       .logp = f->r.logp,
                                       .ref = f->r.ref};
}

static void fill(struct fixture *f, int method, struct psw_components_key key)
{
    const struct psw_onpolicy_opts opts = rollouts_opts(method);
    rollouts_init(&f->r, method);
    const struct psw_onpolicy_probe probe = probe_of(f);
    assert_int_equal(psw_components_onpolicy(&opts, &probe, key, f->scratch, f->coef[0], NULL),
                     PSW_OK);
    assert_int_equal(psw_arena_used_bytes(f->scratch), 0);
}

static int n_item(int method)
{
    return method == PSW_METHOD_PPO ? N_ROW : N_SEQ;
}

/* First row of an item. The bound is for gcc 14, which takes an item of PPO for a sequence. */
static int64_t row_of(const struct fixture *f, int method, int64_t item)
{
    return method == PSW_METHOD_PPO ? item : f->r.seq_row[item < N_SEQ ? item : N_SEQ];
}

static void parts_add_up_to_the_total_for_every_method(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        for (int t = 0; t < N_ROW; t++) {
            const double surrogate = f->coef[PSW_C_POS][t] + f->coef[PSW_C_NEG][t];
            const double *g = &f->coef[PSW_C_TOP][t], *x = &f->coef[PSW_C_RAND1][t];
            assert_close(surrogate + f->coef[PSW_C_KL][t], f->coef[PSW_C_TOTAL][t], 0.0);
            assert_close(f->coef[PSW_C_POS_FLAT][t] + f->coef[PSW_C_NEG_FLAT][t] +
                             f->coef[PSW_C_KL][t],
                         f->coef[PSW_C_TOTAL_FLAT][t], 0.0);
            assert_close(g[0] + g[N_ROW] + g[2 * N_ROW], surrogate, 0.0);
            assert_close(x[0] + x[N_ROW] + x[2 * N_ROW], surrogate, 0.0);
        }
    }
}

static void total_is_what_training_descends_on_fresh_rollouts(void **state)
{
    struct fixture *f = *state;
    double weight[N_ROW], kl[N_ROW];
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        fill(f, m, KEY);
        const struct psw_onpolicy_in in = {.rows = &f->r.rows,
                                           .logp = f->r.logp,
                                           .old = f->r.logp,
                                           .ref = f->r.ref,
                                           .advantage = f->r.advantage};
        struct psw_onpolicy_out out = {.weight = weight, .kl = kl};
        assert_int_equal(psw_objective_onpolicy(&opts, &in, &out, NULL), PSW_OK);
        for (int t = 0; t < N_ROW; t++) {
            assert_true(f->coef[PSW_C_TOTAL][t] == weight[t] + kl[t]);
            assert_true(f->coef[PSW_C_KL][t] == kl[t]);
        }
    }
}

static void the_sign_of_the_advantage_decides_the_side(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        for (int t = 0; t < N_ROW; t++) {
            const double weight = f->r.advantage[t] * rollouts_norm(&f->r, m, t);
            const int is_negative = f->r.advantage[t] < 0.0;
            assert_close(f->coef[PSW_C_POS][t], is_negative ? 0.0 : weight, 1e-16);
            assert_close(f->coef[PSW_C_NEG][t], is_negative ? weight : 0.0, 1e-16);
        }
    }
}

static void flat_has_the_mean_magnitude_of_the_items_and_keeps_signs_and_zero(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        double mean = 0.0;
        for (int i = 0; i < n_item(m); i++)
            mean += fabs(f->r.advantage[row_of(f, m, i)]) / n_item(m);
        for (int t = 0; t < N_ROW; t++) {
            const double a = f->r.advantage[t];
            const double flat = a > 0.0 ? mean : a < 0.0 ? -mean : 0.0;
            const double norm = rollouts_norm(&f->r, m, t);
            assert_close(f->coef[PSW_C_POS_FLAT][t], a < 0.0 ? 0.0 : norm * flat, 1e-15);
            assert_close(f->coef[PSW_C_NEG_FLAT][t], a < 0.0 ? norm * flat : 0.0, 1e-15);
        }
    }
}

/* 1 when the rows of item i are in the component; they must be all or none. */
static int is_member(const struct fixture *f, int method, int component, int64_t i)
{
    const int64_t begin = row_of(f, method, i);
    const int64_t end = method == PSW_METHOD_PPO ? i + 1 : f->r.seq_row[i + 1];
    const int in = f->coef[component][begin] != 0.0;
    for (int64_t t = begin; t < end; t++) assert_int_equal(f->coef[component][t] != 0.0, in);
    return in;
}

static void groups_hold_whole_items_by_magnitude(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        for (int i = 0; i < n_item(m); i++) {
            const double a = fabs(f->r.advantage[row_of(f, m, i)]);
            int place = 0;
            for (int j = 0; j < n_item(m); j++)
                place += fabs(f->r.advantage[row_of(f, m, j)]) > a;
            for (int k = 0; k < 3; k++)
                assert_int_equal(is_member(f, m, PSW_C_TOP + k, i),
                                 a > 0.0 && 3 * place / n_item(m) == k);
        }
    }
}

static void random_groups_have_the_sizes_of_the_groups_and_depend_on_their_key(void **state)
{
    struct fixture *f = *state;
    double first[N_ROW];
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        int n_member = 0;
        for (int k = 0; k < 3; k++) {
            int n = 0;
            for (int i = 0; i < n_item(m); i++) n += is_member(f, m, PSW_C_RAND1 + k, i);
            assert_in_range(n, n_item(m) / 3 - 1, n_item(m) / 3); /* item 1 has no weight */
            n_member += n;
        }
        assert_int_equal(n_member, n_item(m) - 1);
        memcpy(first, f->coef[PSW_C_RAND1], sizeof first);
        fill(f, m, KEY);
        assert_memory_equal(first, f->coef[PSW_C_RAND1], sizeof first);
        fill(f, m, (struct psw_components_key){.seed = 3, .checkpoint = 6});
        assert_memory_not_equal(first, f->coef[PSW_C_RAND1], sizeof first);
        fill(f, m, (struct psw_components_key){.seed = 4, .checkpoint = 5});
        assert_memory_not_equal(first, f->coef[PSW_C_RAND1], sizeof first);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void shuffled_has_the_same_advantages_in_another_order(void **state)
{
    struct fixture *f = *state;
    const struct psw_rng rng = {.seed = 3, .use = PSW_RNG_SHUFFLE, .step = 5};
    double plain[N_ROW], shuffled[N_ROW], first[N_ROW];
    int64_t order[N_ROW];
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        int n_moved = 0;
        for (int i = 0; i < n_item(m); i++) {
            const int64_t t = row_of(f, m, i);
            plain[i] = f->r.advantage[t];
            shuffled[i] = f->coef[PSW_C_SHUFFLED][t] / rollouts_norm(&f->r, m, t);
            n_moved += fabs(plain[i] - shuffled[i]) > 1e-9;
        }
        assert_true(n_moved > n_item(m) / 2);
        psw_rng_permute(rng, 0, n_item(m), order); /* not the order of the random groups */
        for (int i = 0; i < n_item(m); i++) assert_close(shuffled[i], plain[order[i]], 1e-14);
        qsort(plain, (size_t)n_item(m), sizeof *plain, compare_numbers);
        qsort(shuffled, (size_t)n_item(m), sizeof *shuffled, compare_numbers);
        for (int i = 0; i < n_item(m); i++) assert_close(shuffled[i], plain[i], 1e-14);
        for (int i = 0; i < n_item(m); i++) (void)is_member(f, m, PSW_C_SHUFFLED, i);
        memcpy(first, f->coef[PSW_C_SHUFFLED], sizeof first);
        fill(f, m, (struct psw_components_key){.seed = 3, .checkpoint = 6});
        assert_memory_not_equal(first, f->coef[PSW_C_SHUFFLED], sizeof first);
    }
}

static void raw_is_the_surrogate_of_the_raw_advantages(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        for (int t = 0; t < N_ROW; t++)
            assert_close(f->coef[PSW_C_RAW][t], f->r.raw[t] * rollouts_norm(&f->r, m, t),
                         1e-16);
    }
}

static void the_contrast_is_pos_minus_neg(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        fill(f, m, KEY);
        for (int t = 0; t < N_ROW; t++)
            assert_true(f->coef[PSW_C_POS_MINUS_NEG][t] ==
                        f->coef[PSW_C_POS][t] - f->coef[PSW_C_NEG][t]);
    }
}

static void options_decide_which_components_exist_and_the_others_are_zero(void **state)
{
    struct fixture *f = *state;
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        const uint32_t exists = psw_components_onpolicy_of(&opts);
        fill(f, m, KEY);
        for (int k = 0; k < PSW_N_COMPONENT; k++) {
            double sum = 0.0;
            for (int t = 0; t < N_ROW; t++) sum += fabs(f->coef[k][t]);
            assert_int_equal(sum != 0.0, (exists >> k) & 1);
        }
        assert_int_equal((exists >> PSW_C_KL) & 1, m == PSW_METHOD_GRPO);
    }
    const struct psw_onpolicy_opts more = {
        .method = PSW_METHOD_PPO, .entropy_coef = 0.1, .shared_critic = 1};
    const uint32_t exists = psw_components_onpolicy_of(&more);
    assert_true(exists & 1u << PSW_C_ENTROPY && exists & 1u << PSW_C_VALUE);
    assert_false(exists & (1u << PSW_C_NLL | 1u << PSW_C_SFT_CHOSEN | 1u << PSW_C_KL));
}

/* The policy is its reference but for the last bits: no KL, and no gradient of it. */
static void rounding_is_no_kl(void **state)
{
    struct fixture *f = *state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    rollouts_init(&f->r, PSW_METHOD_GRPO);
    for (int t = 0; t < N_ROW; t++)
        f->r.ref[t] = f->r.logp[t] * (1.0 + 1e-7 * (double)(t % 3 - 1));
    f->r.ref[2] = f->r.logp[2] + 1e-3;
    const struct psw_onpolicy_probe probe = probe_of(f);
    assert_int_equal(psw_components_onpolicy(&opts, &probe, KEY, f->scratch, f->coef[0], NULL),
                     PSW_OK);
    for (int t = 0; t < N_ROW; t++) assert_int_equal(f->coef[PSW_C_KL][t] != 0.0, t == 2);
}

/* Advantages of one magnitude, but for what float32 scores cannot tell: there is no top third.
 * A difference between the first and the last third makes groups, whatever ties there are. */
static void equal_magnitudes_make_no_groups(void **state)
{
    struct fixture *f = *state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_PPO);
    for (int distinct = 0; distinct < 2; distinct++) {
        rollouts_init(&f->r, PSW_METHOD_PPO);
        for (int t = 0; t < N_ROW; t++)
            f->r.advantage[t] = (t % 2 ? -1.0 : 1.0) * (1.0 + 1e-7 * (t % 5)) *
                                (distinct && t >= N_ROW / 2 ? 2.0 : 1.0);
        const struct psw_onpolicy_probe probe = probe_of(f);
        assert_int_equal(
            psw_components_onpolicy(&opts, &probe, KEY, f->scratch, f->coef[0], NULL), PSW_OK);
        for (int k = PSW_C_TOP; k <= PSW_C_BOT; k++)
            assert_int_equal(isnan(f->coef[k][0]), !distinct);
        assert_true(isfinite(f->coef[PSW_C_RAND1][0]) && isfinite(f->coef[PSW_C_TOTAL][0]));
    }
}

static void advantages_that_are_all_0_have_no_components(void **state)
{
    struct fixture *f = *state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_DAPO);
    rollouts_init(&f->r, PSW_METHOD_DAPO);
    memset(f->r.advantage, 0, sizeof f->r.advantage);
    const struct psw_onpolicy_probe probe = probe_of(f);
    assert_int_equal(psw_components_onpolicy(&opts, &probe, KEY, f->scratch, f->coef[0], NULL),
                     PSW_OK);
    for (int k = 0; k < PSW_N_COMPONENT; k++)
        for (int t = 0; t < N_ROW; t++) {
            if (k >= PSW_C_TOP && k <= PSW_C_BOT) /* no weight exceeds another: no groups */
                assert_true(isnan(f->coef[k][t]));
            else
                assert_true(k == PSW_C_RAW || f->coef[k][t] == 0.0);
        }
}

static void a_value_that_is_not_finite_is_refused_and_nothing_is_written(void **state)
{
    struct fixture *f = *state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    double *const arrays[] = {f->r.advantage, f->r.raw, f->r.logp, f->r.ref};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) {
        struct psw_error err = {0};
        rollouts_init(&f->r, PSW_METHOD_GRPO);
        arrays[k][9] = NAN;
        f->coef[0][0] = 7.0;
        const struct psw_onpolicy_probe probe = probe_of(f);
        assert_int_equal(
            psw_components_onpolicy(&opts, &probe, KEY, f->scratch, f->coef[0], &err),
            PSW_EDIVERGED);
        assert_non_null(strstr(err.text, "row 9"));
        assert_true(f->coef[0][0] == 7.0);
        assert_int_equal(psw_arena_used_bytes(f->scratch), 0);
    }
}

static void planning_needs_what_the_work_takes(void **state)
{
    struct fixture *f = *state;
    struct psw_arena *plan = NULL;
    const struct psw_rollout_rows rows = {.n_row = N_ROW};
    const struct psw_onpolicy_probe shape = {.rows = &rows};
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
        assert_int_equal(psw_components_onpolicy(&opts, &shape, KEY, plan, NULL, NULL), PSW_OK);
        fill(f, m, KEY);
        assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(f->scratch));
        psw_arena_destroy(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up_to_the_total_for_every_method),
        cmocka_unit_test(the_contrast_is_pos_minus_neg),
        cmocka_unit_test(total_is_what_training_descends_on_fresh_rollouts),
        cmocka_unit_test(the_sign_of_the_advantage_decides_the_side),
        cmocka_unit_test(flat_has_the_mean_magnitude_of_the_items_and_keeps_signs_and_zero),
        cmocka_unit_test(groups_hold_whole_items_by_magnitude),
        cmocka_unit_test(random_groups_have_the_sizes_of_the_groups_and_depend_on_their_key),
        cmocka_unit_test(shuffled_has_the_same_advantages_in_another_order),
        cmocka_unit_test(raw_is_the_surrogate_of_the_raw_advantages),
        cmocka_unit_test(options_decide_which_components_exist_and_the_others_are_zero),
        cmocka_unit_test(rounding_is_no_kl),
        cmocka_unit_test(equal_magnitudes_make_no_groups),
        cmocka_unit_test(advantages_that_are_all_0_have_no_components),
        cmocka_unit_test(a_value_that_is_not_finite_is_refused_and_nothing_is_written),
        cmocka_unit_test(planning_needs_what_the_work_takes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
