/* Responses that were drawn before a stop are found again, by as many or as few ranks as go on;
 * a file that is damaged or of something else is passed over. */
#include "kept_responses.h"

#include <posweep/util/log.h>
#include <support/support.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_PROMPT = 11, N_SAMPLE = 2, STRIDE = 6, N_SHARD = 8 };

struct fixture {
    char dir[256], path[300];
};

static int setup(void **state)
{
    static struct fixture f;
    support_temp_dir(f.dir);
    snprintf(f.path, sizeof f.path, "%s/0123", f.dir);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    const struct fixture *f = *state;
    return psw_file_remove_tree(f->dir, NULL) != PSW_OK;
}

static struct psw_team team_of(int begin, int end)
{
    return (struct psw_team){.n_shard = N_SHARD, .shard_begin = begin, .shard_end = end};
}

/* Of lengths 1 to STRIDE, every token another one. */
static struct psw_responses draw(void)
{
    struct psw_responses r;
    assert_int_equal(psw_responses_init(N_PROMPT, N_SAMPLE, STRIDE, &r, NULL), PSW_OK);
    for (int64_t q = 0; q < r.n_seq; q++) {
        r.n_token[q] = 1 + (int32_t)(q * 5 % STRIDE);
        for (int64_t k = 0; k < r.n_token[q]; k++)
            r.token[q * STRIDE + k] = (int32_t)(100 * q + k);
    }
    return r;
}

/* Go through the shards as a sampler does, up to a stop; returns how many had to be drawn. */
static int sample(const struct fixture *f, struct psw_team team, int stop_before,
                  struct psw_responses *r)
{
    struct psw_kept_responses kept;
    int n_drawn = 0;
    assert_int_equal(psw_kept_responses_open(&team, f->path, r, &kept, NULL), PSW_OK);
    const struct psw_shard_keeper keeper = psw_kept_responses_keeper(&kept);
    for (int s = team.shard_begin; s < team.shard_end && s < stop_before; s++) {
        if (keeper.has(keeper.ctx, s)) continue;
        n_drawn++;
        keeper.done(keeper.ctx, s);
    }
    psw_kept_responses_close(&kept, stop_before < team.shard_end);
    return n_drawn;
}

/* A rank that goes on has the shards [from, to) of its own in place, and no others. */
static void assert_found(const struct fixture *f, struct psw_team team, int from, int to)
{
    struct psw_responses r, whole = draw();
    struct psw_kept_responses kept;
    assert_int_equal(psw_responses_init(N_PROMPT, N_SAMPLE, STRIDE, &r, NULL), PSW_OK);
    assert_int_equal(psw_kept_responses_open(&team, f->path, &r, &kept, NULL), PSW_OK);
    const struct psw_shard_keeper keeper = psw_kept_responses_keeper(&kept);
    for (int s = team.shard_begin; s < team.shard_end; s++) {
        const int64_t begin = (int64_t)N_PROMPT * s / N_SHARD * N_SAMPLE;
        const int64_t end = (int64_t)N_PROMPT * (s + 1) / N_SHARD * N_SAMPLE;
        assert_int_equal(keeper.has(keeper.ctx, s), s >= from && s < to);
        for (int64_t q = begin; q < end && s >= from && s < to; q++) {
            assert_int_equal(r.n_token[q], whole.n_token[q]);
            assert_memory_equal(r.token + q * STRIDE, whole.token + q * STRIDE,
                                sizeof *r.token * (size_t)r.n_token[q]);
        }
    }
    psw_kept_responses_close(&kept, 0);
    psw_responses_clear(&r);
    psw_responses_clear(&whole);
}

static void what_a_stop_left_is_found_by_any_number_of_ranks(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r = draw();
    assert_int_equal(sample(f, team_of(0, 8), 5, &r), 5);
    assert_found(f, team_of(0, 8), 0, 5);
    assert_found(f, team_of(4, 8), 4, 5);
    assert_found(f, team_of(6, 8), 0, 0);
    /* a second rank had begun behind the gap */
    assert_int_equal(sample(f, team_of(6, 8), 7, &r), 1);
    assert_int_equal(sample(f, team_of(0, 8), 6, &r), 1);
    assert_int_equal(sample(f, team_of(0, 8), 8, &r), 1);
    assert_found(f, team_of(0, 8), 0, 7); /* the last was drawn at once: no file */
    psw_responses_clear(&r);
}

static void responses_of_something_else_are_not_seen(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r = draw();
    sample(f, team_of(0, 8), 7, &r);
    f->path[strlen(f->path) - 1] = '4';
    assert_found(f, team_of(0, 8), 0, 0);
    psw_responses_clear(&r);
}

/* The first file, with other bytes: [from, ...) of what it has. */
static void rewrite(const struct fixture *f, size_t n_less, int flip)
{
    char path[400], *bytes = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s-000000.responses", f->path);
    assert_int_equal(psw_file_read(path, &bytes, &n, NULL), PSW_OK);
    bytes[n / 2] ^= (char)flip;
    const struct psw_file_part part = {bytes, n - n_less};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    free(bytes);
}

static void a_damaged_file_is_passed_over_and_written_anew(void **state)
{
    static const struct {
        size_t n_less;
        int flip;
    } DAMAGES[] = {{0, 4}, {1, 0}, {40, 0}};
    struct fixture *f = *state;
    struct psw_responses r = draw();
    psw_log_setup(PSW_LOG_ERROR, "");
    for (size_t i = 0; i < sizeof DAMAGES / sizeof *DAMAGES; i++) {
        assert_int_equal(sample(f, team_of(0, 8), 3, &r), i == 0 ? 3 : 0);
        rewrite(f, DAMAGES[i].n_less, DAMAGES[i].flip);
        assert_found(f, team_of(0, 8), 0, 0);
        assert_int_equal(sample(f, team_of(0, 8), 3, &r), 3);
        assert_found(f, team_of(0, 8), 0, 3);
    }
    psw_responses_clear(&r);
}

/* The settings of a run say how many prompts: a file of fewer does not fit. */
static void responses_of_other_lengths_do_not_fit(void **state)
{
    struct fixture *f = *state;
    struct psw_team team = team_of(0, 8);
    struct psw_responses r = draw(), narrow;
    struct psw_kept_responses kept;
    sample(f, team, 3, &r);
    psw_log_setup(PSW_LOG_ERROR, "");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            psw_responses_init(i ? 7 : N_PROMPT, N_SAMPLE, STRIDE - !i, &narrow, NULL), PSW_OK);
        assert_int_equal(psw_kept_responses_open(&team, f->path, &narrow, &kept, NULL), PSW_OK);
        for (int s = 0; s < N_SHARD; s++) assert_false(kept.has[s]);
        psw_kept_responses_close(&kept, 0);
        psw_responses_clear(&narrow);
    }
    psw_responses_clear(&r);
}

static void where_nothing_can_be_written_the_sampling_goes_on(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r = draw();
    psw_log_setup(PSW_LOG_ERROR, "");
    snprintf(f->path, sizeof f->path, "%s/none/0123", f->dir);
    assert_int_equal(sample(f, team_of(0, 8), 3, &r), 3);
    assert_found(f, team_of(0, 8), 0, 0);
    psw_responses_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(what_a_stop_left_is_found_by_any_number_of_ranks),
        T(responses_of_something_else_are_not_seen),
        T(a_damaged_file_is_passed_over_and_written_anew),
        T(responses_of_other_lengths_do_not_fit),
        T(where_nothing_can_be_written_the_sampling_goes_on),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
