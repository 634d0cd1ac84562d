/* The ref stage: log-probabilities of every preference pair under the SFT model, once per data
 * set. Pairs go through in blocks of fixed size, each cut into the shards of the sft stage, so
 * the bits do not depend on the ranks. The result is one packed record. */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/store/record_file.h>

#include <stdlib.h>
#include <string.h>

enum { BLOCK_PAIRS = 64 };

struct ref {
    const struct psw_stage *stage;
    const struct psw_team *team;
    struct psw_exec exec;
    float *param;
    struct psw_picked picked;           /* [BLOCK_PAIRS] owned */
    const struct psw_examples *list[2]; /* training pairs, held-out pairs */
    double *logp;                       /* owned: of both, chosen first */
};

/* Log-probabilities of one block into out; out NULL only measures. */
static void block(struct ref *r, const struct psw_examples *list, int64_t begin,
                  struct psw_arena *arena, double *out)
{
    const int64_t n = list->n - begin < BLOCK_PAIRS ? list->n - begin : BLOCK_PAIRS;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {
        .model = r->stage->model,
        .team = r->team,
        .exec = &r->exec,
        .arena = arena,
        .opts = {.share_prefix = 1, .temperature = r->stage->config->policy.temperature}};
    psw_picked_put_block(&r->picked, 0, list, begin, n);
    psw_shards_pack(&pass, r->picked.at, n);
    psw_shards_evaluate(&pass, r->param);
    psw_shards_sum_logp(&pass, out);
    psw_arena_rewind(arena, mark);
}

static psw_status layout(struct psw_stage_work *w, struct psw_arena *arena,
                         struct psw_error *err)
{
    struct ref *r = w->own;
    (void)err;
    r->exec = psw_stage_exec(w, arena);
    r->param = psw_arena_f32(w->frozen, psw_model_n_param(r->stage->model));
    for (int l = 0; psw_arena_is_measuring(arena) && l < 2; l++)
        for (int64_t i = 0; i < r->list[l]->n; i += BLOCK_PAIRS)
            block(r, r->list[l], i, arena, NULL);
    return PSW_OK;
}

static psw_status write_result(const char *path, const double *logp, int64_t n_train,
                               int64_t n_heldout, struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    psw_record_put(record, "train", PSW_F64, psw_shape_2d(n_train, 2), logp);
    psw_record_put(record, "heldout", PSW_F64, psw_shape_2d(n_heldout, 2), logp + 2 * n_train);
    rc = psw_record_write(record, path, err);
    psw_record_destroy(record);
    return rc;
}

/* All blocks in order; logp holds the training pairs, then the held-out ones. */
static psw_status compute(struct ref *r, struct psw_arena *arena, double *logp,
                          struct psw_error *err)
{
    const double total = (double)(r->list[0]->n + r->list[1]->n);
    int64_t done = 0;
    for (int l = 0; l < 2; l++)
        for (int64_t i = 0; i < r->list[l]->n; i += BLOCK_PAIRS) {
            if (psw_stage_stopped(r->stage))
                return psw_fail(err, PSW_ESTOP, "stopped in ref after %lld pairs",
                                (long long)done);
            block(r, r->list[l], i, arena, logp + 2 * done);
            done += r->list[l]->n - i < BLOCK_PAIRS ? r->list[l]->n - i : BLOCK_PAIRS;
            psw_stage_progress(r->stage, (double)done, total);
        }
    return PSW_OK;
}

static psw_status run(struct psw_stage_work *w, struct psw_error *err)
{
    struct ref *r = w->own;
    psw_status rc = psw_load_sft(w, r->param, err);
    if (rc == PSW_OK) rc = compute(r, w->arena, r->logp, err);
    if (rc != PSW_OK) return rc;
    if (w->team.rank == 0)
        rc = write_result(w->place[w->kind].path, r->logp, r->list[0]->n, r->list[1]->n, err);
    return psw_agree(w->team.comm, rc, err);
}

static void close(struct psw_stage_work *w)
{
    struct ref *r = w->own;
    psw_picked_clear(&r->picked);
    free(r->logp);
    free(r);
}

static psw_status open(struct psw_stage_work *w, struct psw_error *err)
{
    const struct psw_dataset *data = w->stage->data;
    struct ref *r = w->own = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "ref: no memory");
    *r = (struct ref){
        .stage = w->stage, .team = &w->team, .list = {&data->pairs, &data->pairs_heldout}};
    const int64_t n = data->pairs.n + data->pairs_heldout.n;
    const psw_status rc = psw_picked_init(&r->picked, BLOCK_PAIRS, err);
    if (rc != PSW_OK) return rc;
    r->logp = calloc(2 * (size_t)n + 1, sizeof *r->logp);
    return r->logp ? PSW_OK : psw_fail(err, PSW_ENOMEM, "ref: %lld pairs", (long long)n);
}

const struct psw_stage_code PSW_REF = {open, close, layout, run};

static psw_status unpack(const char *path, const struct psw_dataset *data, struct psw_ref *out,
                         struct psw_error *err)
{
    struct psw_record *record = NULL;
    struct psw_ref r = {.n_train = data->pairs.n, .n_heldout = data->pairs_heldout.n};
    psw_status rc = psw_record_read(path, &record, err);
    if (rc != PSW_OK) return rc;
    const struct psw_field *train = psw_record_get(record, "train");
    const struct psw_field *heldout = psw_record_get(record, "heldout");
    if (!train || !heldout || psw_shape_count(train->shape) != 2 * r.n_train ||
        psw_shape_count(heldout->shape) != 2 * r.n_heldout)
        PSW_TRY(psw_fail(err, PSW_EDATA, "%s: does not fit the data set", path));
    r.train = calloc(2 * (size_t)(r.n_train + r.n_heldout) + 1, sizeof *r.train);
    if (!r.train) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: out of memory", path));
    r.heldout = r.train + 2 * r.n_train;
    memcpy(r.train, train->data, sizeof(double) * 2 * (size_t)r.n_train);
    memcpy(r.heldout, heldout->data, sizeof(double) * 2 * (size_t)r.n_heldout);
    *out = r;
fail:
    psw_record_destroy(record);
    return rc;
}

psw_status psw_ref_load(const struct psw_stage_work *w, struct psw_ref *out,
                        struct psw_error *err)
{
    const char *path = w->place[PSW_STAGE_REF].path;
    psw_status rc = unpack(path, w->stage->data, out, err);
    rc = psw_agree(w->team.comm, rc, err);
    return w->team.rank == 0 ? psw_file_set_aside(path, rc, err) : rc;
}
