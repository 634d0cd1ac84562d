/* The ref stage: log-probabilities of every preference pair under the SFT model, once per data
 * set. Pairs go through in blocks of fixed size, each cut into the shards of the sft stage, so
 * the bits do not depend on the ranks. The result is one packed record. */
#include "stage_internal.h"

#include <posweep/comm/agree.h>

#include <stdlib.h>
#include <string.h>

enum { BLOCK_PAIRS = 64 };

struct ref_work {
    const struct psw_stage *stage;
    struct psw_team team;
    struct psw_exec exec;
    float *param;
    const struct psw_example *picked[BLOCK_PAIRS];
    const struct psw_examples *list[2]; /* training pairs, held-out pairs */
};

/* Log-probabilities of one block into out; out NULL only measures. */
static void block(struct ref_work *w, const struct psw_examples *list, int64_t begin,
                  struct psw_arena *arena, double *out)
{
    const int64_t n = list->n - begin < BLOCK_PAIRS ? list->n - begin : BLOCK_PAIRS;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {
        .model = w->stage->model,
        .team = &w->team,
        .exec = &w->exec,
        .arena = arena,
        .opts = {.share_prefix = 1, .temperature = w->stage->config->policy.temperature}};
    for (int64_t i = 0; i < n; i++) w->picked[i] = &list->item[begin + i];
    psw_shards_pack(&pass, w->picked, n);
    psw_shards_evaluate(&pass, w->param);
    psw_shards_sum_logp(&pass, out);
    psw_arena_rewind(arena, mark);
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct ref_work *w = ctx;
    w->exec = (struct psw_exec){.n_thread = 1, .scratch = arena};
    w->param = psw_arena_f32(arena, psw_model_n_param(w->stage->model));
    for (int l = 0; psw_arena_is_measuring(arena) && l < 2; l++)
        for (int64_t i = 0; i < w->list[l]->n; i += BLOCK_PAIRS)
            block(w, w->list[l], i, arena, NULL);
}

static psw_status write_result(const char *path, const double *logp, int64_t n_train,
                               int64_t n_heldout, struct psw_error *err)
{
    struct psw_record *record = NULL;
    const void *bytes = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    psw_record_put(record, "train", PSW_F64, psw_shape_2d(n_train, 2), logp);
    psw_record_put(record, "heldout", PSW_F64, psw_shape_2d(n_heldout, 2), logp + 2 * n_train);
    PSW_TRY(psw_record_pack(record, &bytes, &n_bytes, err));
    const struct psw_file_part part = {bytes, n_bytes};
    PSW_TRY(psw_file_write(path, &part, 1, err));
fail:
    psw_record_destroy(record);
    return rc;
}

/* All blocks in order; logp holds the training pairs, then the held-out ones. */
static psw_status compute(struct ref_work *w, struct psw_arena *arena, double *logp,
                          struct psw_error *err)
{
    const double total = (double)(w->list[0]->n + w->list[1]->n);
    int64_t done = 0;
    for (int l = 0; l < 2; l++)
        for (int64_t i = 0; i < w->list[l]->n; i += BLOCK_PAIRS) {
            if (psw_stage_stopped(w->stage))
                return psw_fail(err, PSW_ESTOP, "stopped in ref after %lld pairs",
                                (long long)done);
            block(w, w->list[l], i, arena, logp + 2 * done);
            done += w->list[l]->n - i < BLOCK_PAIRS ? w->list[l]->n - i : BLOCK_PAIRS;
            psw_stage_progress(w->stage, (double)done, total);
        }
    return PSW_OK;
}

static void ref_work_init(struct ref_work *w, const struct psw_stage *stage)
{
    *w = (struct ref_work){.stage = stage,
                           .list = {&stage->data->pairs, &stage->data->pairs_heldout}};
}

psw_status psw_stage_ref(const struct psw_stage *stage, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, PSW_STAGE_REF, path, err);
    if (rc != PSW_OK || psw_stage_have(stage->comm, path)) return rc;
    struct psw_arena *arena = NULL;
    struct ref_work w;
    ref_work_init(&w, stage);
    size_t peak_bytes = 0;
    const int64_t n = w.list[0]->n + w.list[1]->n;
    double *logp = calloc(2 * (size_t)n + 1, sizeof *logp);
    rc = psw_agree(stage->comm,
                   logp ? PSW_OK : psw_fail(err, PSW_ENOMEM, "ref: %lld pairs", (long long)n),
                   err);
    if (rc != PSW_OK) goto fail;
    PSW_TRY(psw_stage_team(stage, stage->config->sft.shards, &w.team, err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_plan(layout, &w, &peak_bytes, err), err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_create("ref", peak_bytes, &arena, err), err));
    layout(&w, arena);
    PSW_TRY(psw_load_sft(stage, &w.team, w.param, err));
    PSW_TRY(compute(&w, arena, logp, err));
    PSW_TRY(psw_agree(
        stage->comm,
        w.team.rank == 0 ? write_result(path, logp, w.list[0]->n, w.list[1]->n, err) : PSW_OK,
        err));
fail:
    psw_stage_memory(stage, peak_bytes, arena);
    psw_arena_destroy(arena);
    free(logp);
    return rc;
}

psw_status psw_ref_peak(const struct psw_stage *stage, const struct psw_team *team,
                        size_t *n_bytes, struct psw_error *err)
{
    struct ref_work w;
    ref_work_init(&w, stage);
    w.team = *team;
    return psw_arena_plan(layout, &w, n_bytes, err);
}

static psw_status unpack(const char *path, const struct psw_dataset *data, struct psw_ref *out,
                         struct psw_error *err)
{
    char *bytes = NULL;
    size_t n_bytes = 0;
    struct psw_record *record = NULL;
    struct psw_ref r = {.n_train = data->pairs.n, .n_heldout = data->pairs_heldout.n};
    psw_status rc = psw_file_read(path, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(psw_record_unpack(bytes, n_bytes, &record, err));
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
    free(bytes);
    return rc;
}

psw_status psw_ref_load(const struct psw_stage *stage, struct psw_ref *out,
                        struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, PSW_STAGE_REF, path, err);
    if (rc == PSW_OK) rc = unpack(path, stage->data, out, err);
    rc = psw_agree(stage->comm, rc, err);
    return psw_comm_rank(stage->comm) == 0 ? psw_file_set_aside(path, rc, err) : rc;
}
