#include <store/fixture.h>

#include <math.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Canonical order of the module above; nll stands between unused ones on purpose. */
static const char *const COMPONENTS[] = {"total", "pos", "neg", "top", "nll", "kl"};
static const char *const RECORDED[FIXTURE_COMPONENTS] = {"neg", "pos", "nll", "total"};
static const double BETA[FIXTURE_RUNS] = {0.1, 0.1, 0.1, 0.05, 0.05, 0.05};
static const int64_t BATCH[FIXTURE_RUNS] = {32, 32, 32, 16, 16, 16};
static const char *const REWEIGHT[FIXTURE_RUNS] = {"on", "on", "on", "off", "off", "off"};

/* Text beside the columns, not of one length; what is in it is not for the store to judge. */
static const char *settings(void *ctx, int64_t run)
{
    (void)ctx;
    return run < 3 ? "{\"policy.beta\": 0.1}" : "{\"policy.beta\": 0.05, \"ü\": \"\"}";
}

static const struct psw_results_run RUNS[FIXTURE_RUNS] = {
    {0x00000000000000a1, 0x71, 1, 0, "dpo", "vanilla"},
    {0x00000000000000a2, 0x71, 2, 0, "dpo", "vanilla"},
    {0xf0000000000000a3, 0x71, 3, 0, "dpo", "vanilla"},
    {0x00000000000000b1, 0x72, 1, 1, "dpo", "flat"},
    {0x00000000000000b2, 0x72, 2, 1, "dpo", "flat"},
    {0x00000000000000b3, 0x72, 3, 1, "dpo", "flat"}};

static const struct psw_results_leaf LEAVES[] = {
    {.path = "policy.beta", .type = PSW_F64, .f64 = BETA, .unit = "1", .long_name = "beta"},
    {.path = "policy.batch",
     .type = PSW_I64,
     .i64 = BATCH,
     .unit = "pair",
     .long_name = "batch"},
    {.path = "policy.reweight", .type = PSW_TEXT, .str = REWEIGHT},
    {.path = "seed", .type = PSW_I64, .i64 = BATCH}}; /* has a row of its own: left out */

static const struct psw_results_note NOTES[] = {{"commit", "0123abc"}, {"dirty", "no"}};

static const char *const DIRECTIONS[] = {"final_a", "final_b", "chosen", "adam"};

const struct psw_results_layout *fixture_layout(void)
{
    static const struct psw_results_layout PLAN = {
        .name = "fixture",
        .spec_text = "name: fixture\nbase: {}  # \xc3\xbc\n",
        .spec_hash = 0xabc,
        .run = RUNS,
        .n_run = FIXTURE_RUNS,
        .leaf = LEAVES,
        .n_leaf = 4,
        .configs = {settings, NULL},
        .axes = {COMPONENTS, DIRECTIONS, 6, 4},
        .note = NOTES,
        .n_note = 2,
    };
    return &PLAN;
}

const struct psw_journal_opts *fixture_opts(void)
{
    static const uint64_t HASHES[FIXTURE_RUNS] = {0xa1, 0xa2, 0xf0000000000000a3,
                                                  0xb1, 0xb2, 0xb3};
    static const char LABELS[] = "dpo vanilla beta=0.1 seed=1\ndpo vanilla beta=0.1 seed=2\n"
                                 "dpo vanilla beta=0.1 seed=3\ndpo flat beta=0.05 seed=1\n"
                                 "dpo flat beta=0.05 seed=2\ndpo flat beta=0.05 seed=3";
    static const struct psw_journal_opts OPTS = {.sweep_name = "fixture",
                                                 .spec_hash = 0xabc,
                                                 .spec_text = "name: fixture\n",
                                                 .provenance = "slurm_job=none",
                                                 .n_run = FIXTURE_RUNS,
                                                 .run = HASHES,
                                                 .label = LABELS,
                                                 .lock_wait_s = -1};
    return &OPTS;
}

static void must(psw_status rc, const struct psw_error *err)
{
    if (rc == PSW_OK) return;
    fprintf(stderr, "fixture: %s\n", err->text);
    abort();
}

static void append_text(struct psw_journal *j, enum psw_journal_type type, uint64_t run,
                        const char *text)
{
    struct psw_error err;
    const struct psw_journal_entry what = {
        .type = type, .run = run, .attempt = 1, .n_bytes = strlen(text)};
    must(psw_journal_append(j, what, text, &err), &err);
}

/** Training log in two parts, as after a resumption. */
static void append_log(struct psw_journal *j, int run, struct psw_record *r)
{
    struct psw_error err;
    for (int half = 0; half < 2; half++) {
        enum { N = FIXTURE_LOGS / 2 };
        int64_t step[N];
        double loss[N], margin[N], speed[N];
        for (int i = 0; i < N; i++) {
            step[i] = 10 * (half * N + i);
            loss[i] = 0.69 * exp(-0.01 * (double)step[i]) + 0.001 * run;
            margin[i] = 0.02 * (double)step[i];
            speed[i] = rand();
        }
        psw_record_clear(r);
        psw_record_put_i64(r, "log_step", half * N);
        psw_record_put(r, "train_step", PSW_I64, psw_shape_1d(N), step);
        psw_record_put(r, "train_loss", PSW_F64, psw_shape_1d(N), loss);
        psw_record_put(r, "reward_margin", PSW_F64, psw_shape_1d(N), margin);
        psw_record_put(r, "tokens_per_s", PSW_F64, psw_shape_1d(N), speed);
        must(psw_journal_append_record(j, PSW_J_PIECE, RUNS[run].hash, 1, r, &err), &err);
    }
}

static void put_tokens(struct psw_record *r, int run, int checkpoint)
{
    const int64_t row_size[2] = {2 + run % 2, 1};
    const int64_t n_token = row_size[0] + row_size[1];
    const int8_t role[2] = {0, 1};
    const int32_t id[4] = {5, 6, 7, 8};
    float kappa[4];
    for (int i = 0; i < 4; i++) kappa[i] = (float)(run + 10 * checkpoint) + 0.25f * (float)i;
    psw_record_put(r, "row_size", PSW_I64, psw_shape_1d(2), row_size);
    psw_record_put(r, "sequence_role", PSW_I8, psw_shape_1d(2), role);
    psw_record_put(r, "token_id", PSW_I32, psw_shape_1d(n_token), id);
    psw_record_put(r, "token_kappa", PSW_F32, psw_shape_1d(n_token), kappa);
}

/** One checkpoint of the trace: pos falls, neg rises, they cross between steps 20 and 40. */
static void append_checkpoint(struct psw_journal *j, int run, int k, int is_soft,
                              struct psw_record *r)
{
    struct psw_error err;
    const double jitter = 0.01 * (RUNS[run].seed - 2), flat = RUNS[run].block;
    const double pos = 0.3 - 0.1 * k + jitter, neg = 0.1 + 0.05 * k + flat - jitter;
    const double nll = NAN;
    const double g[FIXTURE_COMPONENTS] = {neg, pos, nll, pos + neg};
    const double se[FIXTURE_COMPONENTS] = {0.01, 0.02, NAN, 0.03};
    const double dir[2 * 2] = {pos, neg, -pos, -neg};
    static const char *const PAIR[] = {"pos", "neg"}, *const TWO[] = {"adam", "chosen"};
    psw_record_clear(r);
    psw_record_put_i64(r, "checkpoint", k);
    psw_record_put_i64(r, "step", 20 * k);
    psw_record_put_labels(r, "component", RECORDED, FIXTURE_COMPONENTS);
    psw_record_put(r, "G", PSW_F64, psw_shape_1d(FIXTURE_COMPONENTS), g);
    psw_record_put(r, "G_se", PSW_F64, psw_shape_1d(FIXTURE_COMPONENTS), se);
    psw_record_put_f64(r, "v_norm", 2);
    if (is_soft) {
        double soft[FIXTURE_COMPONENTS];
        for (int c = 0; c < FIXTURE_COMPONENTS; c++) soft[c] = g[c] / 4;
        psw_record_put(r, "G_soft", PSW_F64, psw_shape_1d(FIXTURE_COMPONENTS), soft);
        psw_record_put_f64(r, "v_soft_norm",
                           k + 1 < FIXTURE_CHECKPOINTS); /* at last exactly 0 */
    }
    psw_record_put_f64(r, "kappa_chosen", pos / 2);
    put_tokens(r, run, k);
    must(psw_journal_append_record(j, PSW_J_PIECE, RUNS[run].hash, 1, r, &err), &err);
    if (k != 2) return;
    psw_record_clear(r);
    psw_record_put_i64(r, "checkpoint", k);
    psw_record_put_labels(r, "component", PAIR, 2);
    psw_record_put_labels(r, "direction", TWO, 2);
    psw_record_put(r, "G_dir", PSW_F64, psw_shape_2d(2, 2), dir);
    must(psw_journal_append_record(j, PSW_J_PIECE, RUNS[run].hash, 1, r, &err), &err);
}

/** All records of a run with that many checkpoints, if it is done. */
static void append_run(struct psw_journal *journal, int run, enum psw_journal_type outcome,
                       int n_checkpoint, int is_soft)
{
    struct psw_record *r = NULL;
    struct psw_error err;
    must(psw_record_create(&r, &err), &err);
    append_text(journal, PSW_J_STARTED, RUNS[run].hash, "node1,node2");
    append_log(journal, run, r);
    if (outcome == PSW_J_DONE) {
        for (int k = 0; k < n_checkpoint; k++) append_checkpoint(journal, run, k, is_soft, r);
        psw_record_clear(r);
        psw_record_put_f64(r, "score", 1.5 + 0.1 * run);
        psw_record_put_f64(r, "win_rate", 0.6);
        psw_record_put_i64(r, "final_degenerate", run == 1 ? 3 : 0);
        psw_record_put_f64(r, "length", 395 + 0.1 * run);
        psw_record_put_f64(r, "length_sft", 8 + 1e-7 * run);
        psw_record_put_text(r, "final_hash", "00ff00ff00ff00ff");
        psw_record_put_f64(r, "wall_s", 3.5 + (double)rand() / RAND_MAX);
        must(psw_journal_append_record(journal, PSW_J_DONE, RUNS[run].hash, 1, r, &err), &err);
    } else {
        append_text(journal, outcome, RUNS[run].hash, "step 31: the loss is not a number");
    }
    psw_record_destroy(r);
    must(psw_journal_sync(journal, &err), &err);
}

void fixture_run(struct psw_journal *journal, int run, enum psw_journal_type outcome)
{
    append_run(journal, run, outcome, FIXTURE_CHECKPOINTS - (run == 1), 0);
}

void fixture_write_whole(const char *path)
{
    char journal_path[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_error err;
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, fixture_opts(), &j, &err), &err);
    for (int run = 0; run < FIXTURE_RUNS; run++)
        append_run(j, run, PSW_J_DONE, FIXTURE_CHECKPOINTS, 1);
    must(psw_results_write(path, fixture_layout(), j, &err), &err);
    psw_journal_close(j);
}

void fixture_write_begun(const char *path)
{
    char journal_path[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_error err;
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, fixture_opts(), &j, &err), &err);
    append_run(j, 0, PSW_J_FAILED, 0, 0);
    must(psw_results_write(path, fixture_layout(), j, &err), &err);
    psw_journal_close(j);
}

void fixture_write(const char *path, const int *order)
{
    char journal_path[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_error err;
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, fixture_opts(), &j, &err), &err);
    for (int i = 0; i < FIXTURE_RUNS; i++) {
        const int run = order ? order[i] : i;
        fixture_run(j, run, run == FIXTURE_RUNS - 1 ? PSW_J_DIVERGED : PSW_J_DONE);
    }
    must(psw_results_write(path, fixture_layout(), j, &err), &err);
    psw_journal_close(j);
}
