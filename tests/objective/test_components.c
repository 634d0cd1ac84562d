/* Components: identities between the coefficients of every method. */
#include <support/support.h>

#include <math.h>
#include <posweep/objective/components.h>
#include <string.h>

enum { N_PAIR = 11, N_COEF = N_PAIR * 2 };

struct fixture {
    double logp[N_COEF], ref[N_COEF], coef[PSW_N_COMPONENT][N_COEF];
    int64_t n_tok[N_COEF];
    struct psw_pair_in in;
    struct psw_arena *scratch;
};

static const struct psw_components_key KEY = {.seed = 3, .checkpoint = 5};

static int setup(void **state)
{
    static struct fixture f;
    float x[N_COEF], y[N_COEF];
    support_fill(x, N_COEF, 10.0f, 1);
    support_fill(y, N_COEF, 6.0f, 2);
    for (int i = 0; i < N_COEF; i++) {
        f.logp[i] = -11.0 + (double)x[i];
        f.ref[i] = f.logp[i] + (double)y[i];
        f.n_tok[i] = 2 + i % 5;
    }
    f.in =
        (struct psw_pair_in){.n_pair = N_PAIR, .logp = f.logp, .ref = f.ref, .n_tok = f.n_tok};
    *state = &f;
    return psw_arena_create("scratch", 1 << 16, &f.scratch, NULL) == PSW_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_arena_destroy(f->scratch);
    return 0;
}

static struct psw_pair_opts opts_of(int method)
{
    return (struct psw_pair_opts){.method = method,
                                  .beta = 0.3,
                                  .gamma = 0.5,
                                  .epsilon = 0.1,
                                  .lambda = 5.0,
                                  .alpha = 0.7};
}

static void fill(struct fixture *f, int method, struct psw_components_key key)
{
    const struct psw_pair_opts opts = opts_of(method);
    assert_int_equal(psw_components_pairwise(&opts, &f->in, key, f->scratch, f->coef[0], NULL),
                     PSW_OK);
    assert_int_equal(psw_arena_used_bytes(f->scratch), 0);
}

static void assert_sum(struct fixture *f, int whole, int a, int b, int c)
{
    for (int i = 0; i < N_COEF; i++)
        assert_close(f->coef[a][i] + f->coef[b][i] + f->coef[c][i], f->coef[whole][i], 1e-15);
}

static void parts_add_up_to_the_total_for_every_method(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        fill(f, m, KEY);
        assert_sum(f, PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG, PSW_C_NLL);
        assert_sum(f, PSW_C_TOTAL_FLAT, PSW_C_POS_FLAT, PSW_C_NEG_FLAT, PSW_C_NLL);
        if (m == PSW_METHOD_HINGE || m == PSW_METHOD_SFT) /* their weights are all equal */
            assert_true(isnan(f->coef[PSW_C_TOP][0]));
        else
            assert_sum(f, PSW_C_TOTAL, PSW_C_TOP, PSW_C_MID, PSW_C_BOT);
        assert_sum(f, PSW_C_TOTAL, PSW_C_RAND1, PSW_C_RAND2, PSW_C_RAND3);
    }
}

static void the_contrast_is_pos_minus_neg(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        fill(f, m, KEY);
        assert_true(psw_components_of(m) >> PSW_C_POS_MINUS_NEG & 1);
        for (int i = 0; i < N_COEF; i++)
            assert_true(f->coef[PSW_C_POS_MINUS_NEG][i] ==
                        f->coef[PSW_C_POS][i] - f->coef[PSW_C_NEG][i]);
    }
}

static void total_is_what_training_descends(void **state)
{
    struct fixture *f = *state;
    double weight[N_COEF], nll[N_PAIR];
    const struct psw_pair_out out = {.weight = weight, .nll = nll};
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = opts_of(m);
        fill(f, m, KEY);
        assert_int_equal(psw_objective_pairwise(&opts, &f->in, &out, NULL), PSW_OK);
        for (int i = 0; i < N_COEF; i++)
            assert_true(f->coef[PSW_C_TOTAL][i] == weight[i] + (i % 2 ? 0.0 : nll[i / 2]));
    }
}

static void sides_do_not_leak_into_each_other(void **state)
{
    struct fixture *f = *state;
    fill(f, PSW_METHOD_CPO, KEY);
    for (int i = 0; i < N_PAIR; i++) {
        assert_true(f->coef[PSW_C_POS][2 * i + 1] == 0.0 && f->coef[PSW_C_NEG][2 * i] == 0.0);
        assert_true(f->coef[PSW_C_NLL][2 * i] > 0.0 && f->coef[PSW_C_NLL][2 * i + 1] == 0.0);
        assert_true(f->coef[PSW_C_SFT_CHOSEN][2 * i] == 1.0);
        assert_true(f->coef[PSW_C_SFT_CHOSEN][2 * i + 1] == 0.0);
    }
}

static void flat_is_total_at_zero_margin(void **state)
{
    struct fixture *f = *state;
    double logp[N_COEF];
    memcpy(logp, f->logp, sizeof logp);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        if (!psw_method_row(m)->has_reference) continue;
        memcpy(f->logp, logp, sizeof logp);
        fill(f, m, KEY);
        double flat[N_COEF];
        memcpy(flat, f->coef[PSW_C_TOTAL_FLAT], sizeof flat);
        memcpy(f->logp, f->ref, sizeof logp); /* the policy is its reference */
        fill(f, m, KEY);
        for (int i = 0; i < N_COEF; i++) assert_close(f->coef[PSW_C_TOTAL][i], flat[i], 1e-15);
    }
    memcpy(f->logp, logp, sizeof logp);
}

static int n_members(const struct fixture *f, int component)
{
    int n = 0;
    for (int i = 0; i < N_PAIR; i++) n += f->coef[component][2 * i] != 0.0;
    return n;
}

static void top_holds_the_largest_weights(void **state)
{
    struct fixture *f = *state;
    fill(f, PSW_METHOD_IPO, KEY);
    assert_int_equal(n_members(f, PSW_C_TOP), 4);
    assert_int_equal(n_members(f, PSW_C_BOT), 3);
    double least = INFINITY, rest = 0.0;
    for (int i = 0; i < N_PAIR; i++) {
        const double magnitude = fabs(f->coef[PSW_C_TOTAL][2 * i]);
        if (f->coef[PSW_C_TOP][2 * i] != 0.0)
            least = fmin(least, magnitude);
        else
            rest = fmax(rest, magnitude);
    }
    assert_true(least >= rest);
}

/* At the reference all weights are equal but for the last bits, which must not choose. */
static void equal_weights_make_no_groups(void **state)
{
    struct fixture *f = *state;
    double logp[N_COEF];
    memcpy(logp, f->logp, sizeof logp);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        if (!psw_method_row(m)->has_reference) continue;
        for (int i = 0; i < N_COEF; i++)
            f->logp[i] = f->ref[i] * (1.0 + 2e-7 * (double)(i % 3 - 1));
        fill(f, m, KEY);
        for (int k = PSW_C_TOP; k <= PSW_C_BOT; k++)
            for (int i = 0; i < N_COEF; i++) assert_true(isnan(f->coef[k][i]));
        assert_sum(f, PSW_C_TOTAL, PSW_C_RAND1, PSW_C_RAND2, PSW_C_RAND3);
    }
    memcpy(f->logp, logp, sizeof logp);
}

static void random_groups_have_the_sizes_of_the_groups_and_depend_on_their_key(void **state)
{
    struct fixture *f = *state;
    double first[N_COEF], coef[N_COEF];
    fill(f, PSW_METHOD_DPO, KEY);
    for (int k = 0; k < 3; k++)
        assert_int_equal(n_members(f, PSW_C_RAND1 + k), n_members(f, PSW_C_TOP + k));
    memcpy(first, f->coef[PSW_C_RAND1], sizeof first);
    fill(f, PSW_METHOD_DPO, KEY);
    assert_memory_equal(first, f->coef[PSW_C_RAND1], sizeof first);
    fill(f, PSW_METHOD_DPO, (struct psw_components_key){.seed = 3, .checkpoint = 6});
    memcpy(coef, f->coef[PSW_C_RAND1], sizeof coef);
    assert_memory_not_equal(first, coef, sizeof first);
    fill(f, PSW_METHOD_DPO, (struct psw_components_key){.seed = 4, .checkpoint = 5});
    assert_memory_not_equal(first, f->coef[PSW_C_RAND1], sizeof first);
}

static void a_component_that_a_method_lacks_is_zero(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        fill(f, m, KEY);
        const uint32_t exists = psw_components_of(m);
        for (int k = 0; k < PSW_N_COMPONENT; k++) {
            double sum = 0.0;
            for (int i = 0; i < N_COEF; i++) sum += fabs(f->coef[k][i]);
            if (!(exists & (1u << k))) assert_true(sum == 0.0);
        }
        assert_true(((exists >> PSW_C_NLL) & 1) == (unsigned)psw_method_row(m)->has_nll);
    }
}

static void names_are_canonical_and_find_their_component(void **state)
{
    (void)state;
    assert_string_equal(psw_component_name(PSW_C_TOTAL), "total");
    assert_string_equal(psw_component_name(PSW_C_RAND3), "rand3");
    assert_string_equal(psw_component_name(PSW_C_SFT_CHOSEN), "sft_chosen");
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        assert_int_equal(psw_component_find(psw_component_name((enum psw_component)k)), k);
        assert_true(strlen(psw_component_help((enum psw_component)k)) > 10);
    }
    assert_int_equal(psw_component_find("Total"), -1);
}

static void planning_needs_what_the_work_takes(void **state)
{
    struct fixture *f = *state;
    struct psw_arena *plan = NULL;
    const struct psw_pair_opts opts = opts_of(PSW_METHOD_DPO);
    const struct psw_pair_in shape = {.n_pair = N_PAIR};
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    assert_int_equal(psw_components_pairwise(&opts, &shape, KEY, plan, NULL, NULL), PSW_OK);
    fill(f, PSW_METHOD_DPO, KEY);
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(f->scratch));
    psw_arena_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up_to_the_total_for_every_method),
        cmocka_unit_test(the_contrast_is_pos_minus_neg),
        cmocka_unit_test(total_is_what_training_descends),
        cmocka_unit_test(sides_do_not_leak_into_each_other),
        cmocka_unit_test(flat_is_total_at_zero_margin),
        cmocka_unit_test(top_holds_the_largest_weights),
        cmocka_unit_test(equal_weights_make_no_groups),
        cmocka_unit_test(random_groups_have_the_sizes_of_the_groups_and_depend_on_their_key),
        cmocka_unit_test(a_component_that_a_method_lacks_is_zero),
        cmocka_unit_test(names_are_canonical_and_find_their_component),
        cmocka_unit_test(planning_needs_what_the_work_takes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
