/* Scores of a model with a scalar head, and the gradients of Bradley-Terry. */
#include <posweep/rollout/reward_model.h>

#include <posweep/objective/pairwise.h>

psw_status psw_value_model(const struct psw_model *base, struct psw_model **out,
                           struct psw_error *err)
{
    struct psw_model_dims dims = *psw_model_dims(base);
    dims.value = 1;
    return psw_model_create(&dims, out, err);
}

static struct psw_shards pass_of(const struct psw_reward_pass *with)
{
    return (struct psw_shards){
        .model = with->model,
        .team = with->team,
        .exec = with->exec,
        .arena = with->arena,
        .opts = {.share_prefix = 1, .last_only = 1, .want = PSW_WANT_VALUE}};
}

void psw_reward_evaluate(const struct psw_reward_pass *with,
                         const struct psw_example *const *example, int64_t n, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(with->arena);
    struct psw_shards pass = pass_of(with);
    psw_shards_pack(&pass, example, n);
    psw_shards_evaluate(&pass, with->param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, out);
    psw_arena_rewind(with->arena, mark);
}

/* -dL/d(score) for the mean over the batch. */
static void weigh(const struct psw_reward_batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        const double sign = b->is_flipped && b->is_flipped[i] ? -1 : 1;
        const double margin =
            sign * (b->score[2 * i + PSW_CHOSEN] - b->score[2 * i + PSW_REJECTED]);
        const double slope = sign * psw_sigmoid(-margin) / (double)b->n;
        b->weight[2 * i + PSW_CHOSEN] = slope;
        b->weight[2 * i + PSW_REJECTED] = -slope;
    }
}

void psw_reward_gradient(const struct psw_reward_pass *with,
                         const struct psw_reward_batch *batch, struct psw_tree *tree)
{
    const struct psw_arena_mark mark = psw_arena_mark(with->arena);
    struct psw_shards pass = pass_of(with);
    psw_shards_pack(&pass, batch->pair, batch->n);
    psw_shards_forward(&pass, with->param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, batch->score);
    if (!psw_arena_is_measuring(with->arena)) weigh(batch);
    const struct psw_shards_weights weight = {.value = batch->weight};
    psw_shards_backward_rows(&pass, with->param, weight, tree);
    psw_arena_rewind(with->arena, mark);
}
