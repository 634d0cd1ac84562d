/* Cutting a sweep into parts that several jobs share. */
#include <support/support.h>

#include <parts.h>

#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

/** A sweep of n_seed seeds with n_variant runs each, by variants as a file has them. */
static struct psw_sweep *sweep_of(int n_variant, int n_seed)
{
    struct psw_sweep *sweep = NULL;
    char text[2048] = "", item[64];
    snprintf(text, sizeof text, "name: cut\nreplicates: %d\nblocks: [{axes: {policy.beta: [0.5",
             n_seed);
    for (int i = 1; i < n_variant; i++) {
        snprintf(item, sizeof item, ", %g", 0.5 + i);
        strcat(text, item);
    }
    strcat(text, "]}}]\n");
    struct psw_error err = {0};
    if (psw_sweep_parse("x.yaml", text, strlen(text), &sweep, &err) != PSW_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sweep->n_run, n_variant * n_seed);
    return sweep;
}

static void count(const struct psw_sweep *sweep, const int32_t *part, int n_part,
                  int64_t n[MOST])
{
    memset(n, 0, sizeof *n * MOST);
    for (int64_t i = 0; i < sweep->n_run; i++) {
        if (part[i] < 0) continue;
        assert_in_range(part[i], 0, n_part - 1);
        n[part[i]]++;
    }
}

static void runs_that_share_a_start_model_stay_together(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of(3, 6); /* six start models, three runs each */
    uint8_t is_left[MOST];
    int32_t part[MOST], of_seed[8] = {0};
    int64_t n[MOST];
    memset(is_left, 1, sizeof is_left);
    assert_int_equal(psw_parts_cut(sweep, is_left, 4, part, NULL), PSW_OK);
    for (int64_t i = 0; i < sweep->n_run; i++) {
        int32_t *first = &of_seed[sweep->run[i].seed];
        if (*first == 0) *first = part[i] + 1;
        assert_int_equal(part[i] + 1, *first);
    }
    count(sweep, part, 4, n);
    for (int k = 0; k < 4; k++) assert_true(n[k] == 3 || n[k] == 6);
    psw_sweep_destroy(sweep);
}

static void too_few_start_models_are_cut_evenly(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of(10, 1);
    uint8_t is_left[MOST];
    int32_t part[MOST];
    int64_t n[MOST];
    memset(is_left, 1, sizeof is_left);
    assert_int_equal(psw_parts_cut(sweep, is_left, 4, part, NULL), PSW_OK);
    count(sweep, part, 4, n);
    for (int k = 0; k < 4; k++) assert_in_range(n[k], 1, 3);
    psw_sweep_destroy(sweep);
}

static void runs_that_have_ended_are_in_no_part(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of(2, 3);
    uint8_t is_left[MOST] = {0, 1, 1, 0, 1, 1};
    int32_t part[MOST];
    int64_t n[MOST];
    assert_int_equal(psw_parts_cut(sweep, is_left, 2, part, NULL), PSW_OK);
    for (int i = 0; i < 6; i++) assert_int_equal(part[i] < 0, !is_left[i]);
    count(sweep, part, 2, n);
    assert_int_equal(n[0] + n[1], 4);
    assert_int_equal(n[0], 2);
    psw_sweep_destroy(sweep);
}

/** A plan in a folder of its own, and who reads it. */
struct place {
    char folder[256], out[320];
    struct psw_run_opts opts;
    struct psw_parts mine, other; /* of two jobs */
};

static void open_both(struct place *p, const struct psw_sweep *sweep, int32_t n_part)
{
    *p = (struct place){0};
    support_temp_dir(p->folder);
    snprintf(p->out, sizeof p->out, "%s/out.h5", p->folder);
    p->opts.out_path = p->out;
    assert_int_equal(psw_parts_open(&p->opts, sweep, n_part, &p->mine, NULL), PSW_OK);
    assert_int_equal(psw_parts_open(&p->opts, sweep, n_part, &p->other, NULL), PSW_OK);
}

static void close_both(struct place *p)
{
    psw_parts_clear(&p->mine);
    psw_parts_clear(&p->other);
    assert_int_equal(psw_file_remove_tree(p->folder, NULL), PSW_OK);
}

static int64_t n_in(const struct psw_parts *parts, int32_t k)
{
    return parts->first[k + 1] - parts->first[k];
}

static void added_runs_are_taken_once_and_known_to_all_jobs(void **state)
{
    (void)state;
    struct place p;
    int is_there = 0;
    int64_t n_more = 0;
    struct psw_parts_taken taken;
    struct psw_sweep *few = sweep_of(1, 4), *many = sweep_of(1, 7);
    open_both(&p, few, 2);
    assert_int_equal(psw_parts_count_more(&p.mine, many, &n_more, NULL), PSW_OK);
    assert_int_equal(n_more, 3);
    /* Nobody holds a part: the share of the only job is all. */
    assert_int_equal(psw_parts_take(&p.mine, many, 1, 1, &taken, NULL), PSW_OK);
    assert_int_equal(taken.n, 3);
    assert_int_equal(n_in(&p.mine, 1), 5);
    psw_parts_taken_clear(&taken);
    assert_int_equal(psw_parts_take(&p.other, many, -1, 1, &taken, NULL), PSW_OK);
    assert_int_equal(taken.n, 0);
    psw_parts_taken_clear(&taken);
    assert_int_equal(psw_parts_renew(&p.other, &is_there, NULL), PSW_OK);
    assert_true(is_there);
    assert_int_equal(n_in(&p.other, 1), 5);
    close_both(&p);
    psw_sweep_destroy(few);
    psw_sweep_destroy(many);
}

static void runs_that_were_refused_leave_the_plan_again(void **state)
{
    (void)state;
    struct place p;
    int is_there = 1;
    struct psw_parts_taken taken;
    struct psw_sweep *few = sweep_of(1, 4), *many = sweep_of(1, 7);
    open_both(&p, few, 2);
    assert_int_equal(psw_parts_take(&p.mine, many, -1, 1, &taken, NULL), PSW_OK);
    assert_int_equal(taken.part, 2);
    assert_int_equal(p.mine.n_part, 3);
    assert_int_equal(psw_parts_give_back(&p.mine, &taken, NULL), PSW_OK);
    assert_int_equal(p.mine.n_part, 2);
    assert_int_equal(p.mine.n_run, 4);
    assert_int_equal(psw_parts_remove(&p.mine, NULL), PSW_OK);
    assert_int_equal(psw_parts_renew(&p.other, &is_there, NULL), PSW_OK);
    assert_false(is_there);
    psw_parts_taken_clear(&taken);
    close_both(&p);
    psw_sweep_destroy(few);
    psw_sweep_destroy(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_share_a_start_model_stay_together),
        cmocka_unit_test(too_few_start_models_are_cut_evenly),
        cmocka_unit_test(runs_that_have_ended_are_in_no_part),
        cmocka_unit_test(added_runs_are_taken_once_and_known_to_all_jobs),
        cmocka_unit_test(runs_that_were_refused_leave_the_plan_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
