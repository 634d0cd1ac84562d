/* Trace points in the journal: what an attempt has measured is not measured again, nothing is
 * in the results twice, and points of other content are not used. On 1 and 3 ranks; with 3 a
 * group of two measures, and the coordinator is no member of it. */
#include "run_internal.h"

#include <support/support.h>

#include <posweep/store/schema.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_POINT = 3, MOST_POINTS = 16 };

static const char SWEEP[] = "name: points\n"
                            "seeds: [1]\n"
                            "base:\n"
                            "  task: lists\n"
                            "  lists: {sft: 64, pairs: 16}\n"
                            "  model: {layers: 1, width: 16, heads: 2, context: 64}\n"
                            "  sft: {steps: 2, batch: 8}\n"
                            "  policy: {method: dpo, steps: 4, batch: 8, lr: 1e-2}\n"
                            "  final: {prompts: 4, max_new: 4}\n"
                            "  eval: {prompts: 4}\n"
                            "  trace: {every: 2, probe: 8, cosine_every: 0, tokens: true}\n"
                            "  limits: {ranks_per_run: %d}\n";

/* The points of the only run, in order of the journal. */
struct points {
    int n;
    int64_t end[MOST_POINTS];               /* where the record behind each begins */
    struct psw_record *record[MOST_POINTS]; /* owned */
    int counts[MOST_POINTS];
};

struct place {
    char folder[256], sweep[320], out[320], journal[PSW_PATH_BYTES];
    struct psw_run_opts opts;
    struct points before; /* of a start that was left alone; on rank 0 */
};

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int64_t checkpoint_of(const struct psw_record *r)
{
    return psw_record_i64(r, "checkpoint", 0, -1);
}

static void read_points(const struct place *p, struct points *out)
{
    struct psw_journal *j = NULL;
    *out = (struct points){0};
    assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK);
    for (int64_t i = 0; i < psw_journal_n_entry(j); i++) {
        struct psw_record *r = NULL;
        if (psw_journal_entry_at(j, i)->type != PSW_J_PIECE) continue;
        assert_int_equal(psw_journal_record(j, i, &r, NULL), PSW_OK);
        if (checkpoint_of(r) < 0) {
            psw_record_destroy(r);
            continue;
        }
        assert_true(out->n < MOST_POINTS);
        out->end[out->n] =
            i + 1 < psw_journal_n_entry(j) ? psw_journal_entry_at(j, i + 1)->offset : -1;
        out->counts[out->n] = psw_journal_point_counts(j, i);
        out->record[out->n++] = r;
    }
    psw_journal_close(j);
}

static void points_clear(struct points *s)
{
    for (int i = 0; i < s->n; i++) psw_record_destroy(s->record[i]);
    s->n = 0;
}

static void run(const struct place *p)
{
    struct psw_run_summary s;
    struct psw_error err = {0};
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (psw_sweep_run(MPI_COMM_WORLD, &p->opts, &s, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_int_equal(s.n_done, 1);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char text[sizeof SWEEP + 16];
    if (rank() == 0) support_temp_dir(p->folder);
    PSW_MPI(MPI_Bcast(p->folder, sizeof p->folder, MPI_CHAR, 0, MPI_COMM_WORLD));
    snprintf(p->sweep, sizeof p->sweep, "%s/points.yaml", p->folder);
    snprintf(p->out, sizeof p->out, "%s/points.h5", p->folder);
    assert_int_equal(psw_journal_path(p->out, p->journal, NULL), PSW_OK);
    p->opts = (struct psw_run_opts){.sweep_path = p->sweep, .out_path = p->out};
    snprintf(text, sizeof text, SWEEP, psw_comm_size(MPI_COMM_WORLD) > 2 ? 2 : 1);
    const struct psw_file_part part = {text, strlen(text)};
    if (rank() == 0) assert_int_equal(psw_file_write(p->sweep, &part, 1, NULL), PSW_OK);
    run(p);
    if (rank() == 0) {
        read_points(p, &p->before);
        assert_int_equal(p->before.n, N_POINT);
    }
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    points_clear(&p->before);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    const psw_status rc = rank() == 0 ? psw_file_remove_tree(p->folder, NULL) : PSW_OK;
    free(p);
    return rc != PSW_OK;
}

/* As after a kill behind the second point; the work folder is gone, too. */
static void cut(const struct place *p)
{
    assert_int_equal(truncate(p->journal, p->before.end[1]), 0);
    assert_int_equal(unlink(p->out), 0);
}

static int same(const struct psw_record *a, const struct psw_record *b)
{
    for (int64_t i = 0; i < psw_record_n_field(a); i++) {
        const struct psw_field *x = psw_record_field(a, i), *y = psw_record_get(b, x->name);
        const size_t n = (size_t)psw_shape_count(x->shape) * psw_type_bytes(x->type);
        if (!y || psw_shape_count(y->shape) != psw_shape_count(x->shape) ||
            memcmp(x->data, y->data, n) != 0)
            return 0;
    }
    return psw_record_n_field(a) == psw_record_n_field(b);
}

/* Every checkpoint has one point that counts, with the bits of before. */
static void assert_as_before(const struct place *p, const struct points *now)
{
    int n_counted = 0;
    for (int i = 0; i < now->n; i++) {
        if (!now->counts[i]) continue;
        assert_int_equal(checkpoint_of(now->record[i]), n_counted);
        assert_true(same(now->record[i], p->before.record[n_counted]));
        n_counted++;
    }
    assert_int_equal(n_counted, N_POINT);
}

/* Something that no measurement gives, for the last checkpoint, of this content. */
static void append_point(const struct place *p, uint64_t content)
{
    struct psw_recorder k;
    struct psw_record *r = NULL;
    const double g = 123;
    const char *const name = "total";
    assert_int_equal(psw_recorder_open(&k, &p->opts, 2, 2, NULL), PSW_OK);
    const uint64_t hash = k.sweep->run[0].hash;
    const struct psw_journal_entry e = {
        .type = PSW_J_CONTENT, .run = hash, .attempt = 1, .n_bytes = sizeof content};
    if (content) assert_int_equal(psw_journal_append(k.journal, e, &content, NULL), PSW_OK);
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put_i64(r, "checkpoint", N_POINT - 1);
    psw_record_put_i64(r, "step", 4);
    psw_record_put_labels(r, "component", &name, 1);
    psw_record_put(r, "G", PSW_F64, psw_shape_1d(1), &g);
    assert_int_equal(psw_journal_append_record(k.journal, PSW_J_PIECE, hash, 1, r, NULL),
                     PSW_OK);
    assert_int_equal(psw_journal_sync(k.journal, NULL), PSW_OK);
    psw_record_destroy(r);
    psw_recorder_close(&k);
}

static void a_trace_that_was_cut_goes_on_behind_its_last_point(void **state)
{
    const struct place *p = *state;
    struct points now;
    if (rank() == 0) cut(p);
    run(p);
    if (rank() != 0) return;
    read_points(p, &now);
    assert_int_equal(now.n, N_POINT);
    assert_as_before(p, &now);
    points_clear(&now);
}

static void a_point_that_is_there_is_not_measured_again(void **state)
{
    const struct place *p = *state;
    struct points now;
    if (rank() == 0) cut(p);
    if (rank() == 0) append_point(p, 0);
    run(p);
    if (rank() != 0) return;
    read_points(p, &now);
    assert_int_equal(now.n, N_POINT);
    assert_true(now.counts[2] && psw_record_f64(now.record[2], "G", 0) == 123);
    points_clear(&now);
}

static void points_of_other_content_are_measured_again_and_count_no_more(void **state)
{
    const struct place *p = *state;
    struct points now;
    if (rank() == 0) cut(p);
    if (rank() == 0) append_point(p, 0x1234);
    run(p);
    if (rank() != 0) return;
    read_points(p, &now);
    assert_int_equal(now.n, 2 + 1 + N_POINT); /* before the cut, made up, measured again */
    assert_as_before(p, &now);
    points_clear(&now);
}

static void points_of_a_run_that_is_not_done_do_not_count(void **state)
{
    const struct place *p = *state;
    struct points now;
    if (rank() == 0) {
        cut(p);
        read_points(p, &now);
        assert_int_equal(now.n, 2);
        assert_true(!now.counts[0] && !now.counts[1]);
        points_clear(&now);
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int mpi_test_main(void);
int mpi_test_main(void)
{
    psw_log_setup(PSW_LOG_ERROR, ""); /* what a sweep says of itself: not here */
    const struct CMUnitTest tests[] = {
        TEST(a_trace_that_was_cut_goes_on_behind_its_last_point),
        TEST(a_point_that_is_there_is_not_measured_again),
        TEST(points_of_other_content_are_measured_again_and_count_no_more),
        TEST(points_of_a_run_that_is_not_done_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
