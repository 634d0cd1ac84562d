/* Passes over sharded examples. The order of work inside a rank is the order of its shards. */
#include <posweep/comm/agree.h>
#include <posweep/model/shards.h>

#include <string.h>

psw_status psw_team_init(MPI_Comm comm, int n_shard, struct psw_team *out,
                         struct psw_error *err)
{
    struct psw_team t = {.comm = comm,
                         .rank = psw_comm_rank(comm),
                         .size = psw_comm_size(comm),
                         .n_shard = n_shard};
    psw_status rc = psw_shard_range(t.rank, t.size, n_shard, &t.shard_begin, &t.shard_end, err);
    if (rc == PSW_OK) *out = t;
    return rc;
}

psw_status psw_team_pretend(int size, int n_shard, struct psw_team *out, struct psw_error *err)
{
    struct psw_team t = {.comm = MPI_COMM_NULL, .size = size, .n_shard = n_shard};
    psw_status rc = psw_shard_range(0, size, n_shard, &t.shard_begin, &t.shard_end, err);
    if (rc == PSW_OK) *out = t;
    return rc;
}

int64_t psw_shards_n_seq(const struct psw_example *const *example, int64_t n_item)
{
    int64_t n_seq = 0;
    for (int64_t i = 0; i < n_item; i++) n_seq += example[i]->n_seq;
    return n_seq;
}

int64_t psw_shards_n_row(const struct psw_example *const *example, int64_t n_item)
{
    int64_t n_row = 0;
    for (int64_t i = 0; i < n_item; i++)
        for (int s = 0; s < example[i]->n_seq; s++) n_row += example[i]->n_response[s];
    return n_row;
}

static void pack_shard(struct psw_shards *pass, const struct psw_example *const *example,
                       int64_t n, struct psw_one_shard *out)
{
    *out = (struct psw_one_shard){0};
    psw_batch_pack(example, n, pass->opts.share_prefix, pass->arena, &out->batch);
    out->logp = psw_arena_f32(pass->arena, out->batch.n_row);
    out->logp_dot = psw_arena_f32(pass->arena, out->batch.n_row);
    pass->n_tok_local += out->batch.n_tok;
    pass->n_row_local += out->batch.n_row;
    pass->n_seq_local += out->batch.n_seq;
}

void psw_shards_pack(struct psw_shards *pass, const struct psw_example *const *example,
                     int64_t n_item)
{
    const struct psw_team *team = pass->team;
    int64_t begin, end;
    psw_shard_items(n_item, team->n_shard, team->shard_begin, &begin, &end);
    pass->n_item = n_item;
    pass->n_seq = psw_shards_n_seq(example, n_item);
    pass->seq_begin = psw_shards_n_seq(example, begin);
    pass->n_seq_local = pass->n_tok_local = pass->n_row_local = 0;
    for (int s = team->shard_begin; s < team->shard_end; s++) {
        psw_shard_items(n_item, team->n_shard, s, &begin, &end);
        pack_shard(pass, example + begin, end - begin, &pass->shard[s - team->shard_begin]);
    }
}

/* The pass of one shard, as the model takes it. */
static struct psw_pass one_pass(const struct psw_shards *pass, const struct psw_one_shard *s,
                                const float *param)
{
    return (struct psw_pass){.model = pass->model,
                             .exec = pass->exec,
                             .param = param,
                             .batch = &s->batch,
                             .temperature = pass->opts.temperature};
}

static int n_local(const struct psw_shards *pass)
{
    return pass->team->shard_end - pass->team->shard_begin;
}

/* Probabilities are kept for the backward pass where they are small (byte and word
 * vocabularies). */
enum { KEEP_LOGITS_FLOATS = 1 << 22 };

static int keep_logits(const struct psw_shards *pass, const struct psw_one_shard *s)
{
    return s->batch.n_row * psw_model_dims(pass->model)->n_vocab <= KEEP_LOGITS_FLOATS;
}

void psw_shards_forward(struct psw_shards *pass, const float *param)
{
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        s->act = psw_act_create(pass->model, &s->batch, pass->arena, keep_logits(pass, s));
        const struct psw_pass one = one_pass(pass, s, param);
        psw_model_forward(&one, s->act, s->logp);
    }
}

void psw_shards_evaluate(struct psw_shards *pass, const float *param)
{
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        struct psw_act *act = psw_act_create(pass->model, &s->batch, pass->arena, 0);
        const struct psw_pass one = one_pass(pass, s, param);
        psw_model_forward(&one, act, s->logp);
        psw_arena_rewind(pass->arena, mark);
    }
}

void psw_shards_tangent(struct psw_shards *pass, const float *param, const float *param_dot)
{
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        const struct psw_pass one = one_pass(pass, s, param);
        psw_model_tangent(&one, param_dot, s->logp, s->logp_dot);
    }
}

/* Spread sequence weights over rows; the sequences of local shard i follow those of shard i-1.
 */
static float *row_weights(struct psw_shards *pass, int i, const double *weight, int64_t *seq)
{
    const struct psw_batch *b = &pass->shard[i].batch;
    float *w = psw_arena_f32(pass->arena, b->n_row);
    if (w)
        for (int64_t r = 0; r < b->n_row; r++) w[r] = (float)weight[*seq + b->row_seq[r]];
    *seq += b->n_seq;
    return w;
}

static float *tree_next(struct psw_tree *tree)
{
    return tree ? psw_tree_next(tree) : NULL;
}

static void tree_push(struct psw_tree *tree)
{
    if (tree) psw_tree_push(tree);
}

void psw_shards_backward(struct psw_shards *pass, const float *param, const double *weight,
                         struct psw_tree *tree)
{
    int64_t seq = pass->seq_begin;
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        const float *w = row_weights(pass, i, weight, &seq);
        float *grad = tree_next(tree);
        const struct psw_pass one = one_pass(pass, s, param);
        if (s->batch.n_row > 0) psw_model_backward(&one, s->act, w, grad);
        tree_push(tree);
        psw_arena_rewind(pass->arena, mark);
    }
}

void psw_shards_nll(struct psw_shards *pass, const float *param, const double *weight,
                    struct psw_tree *tree)
{
    int64_t seq = pass->seq_begin;
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        const float *w = row_weights(pass, i, weight, &seq);
        float *grad = tree_next(tree);
        if (s->batch.n_row > 0) {
            struct psw_act *act = psw_act_create(pass->model, &s->batch, pass->arena, 0);
            const struct psw_pass one = one_pass(pass, s, param);
            psw_model_nll(&one, act, w, s->logp, grad);
        }
        tree_push(tree);
        psw_arena_rewind(pass->arena, mark);
    }
}

enum row_value { ROW_LOGP, ROW_LOGP_DOT, ROW_FALLS };

static double row_value(const struct psw_one_shard *s, enum row_value what, int64_t r)
{
    if (what == ROW_FALLS) return s->logp_dot[r] < 0;
    return what == ROW_LOGP ? s->logp[r] : s->logp_dot[r];
}

static void sum_rows(struct psw_shards *pass, enum row_value what, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *local = psw_arena_f64(pass->arena, pass->n_seq_local);
    if (local) {
        int64_t at = 0;
        for (int i = 0; i < n_local(pass); i++) {
            const struct psw_one_shard *s = &pass->shard[i];
            for (int64_t q = 0; q < s->batch.n_seq; q++) {
                double sum = 0;
                for (int64_t r = s->batch.seq_row[q]; r < s->batch.seq_row[q + 1]; r++)
                    sum += row_value(s, what, r);
                local[at++] = sum;
            }
        }
        psw_items_gather(pass->team->comm, local, pass->n_seq_local, out);
    }
    psw_arena_rewind(pass->arena, mark);
}

void psw_shards_sum_logp(struct psw_shards *pass, double *out)
{
    sum_rows(pass, ROW_LOGP, out);
}

void psw_shards_sum_logp_dot(struct psw_shards *pass, double *out)
{
    sum_rows(pass, ROW_LOGP_DOT, out);
}

void psw_shards_count_falling(struct psw_shards *pass, double *out)
{
    sum_rows(pass, ROW_FALLS, out);
}

static void gather_rows(struct psw_shards *pass, enum row_value what, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *local = psw_arena_f64(pass->arena, pass->n_row_local);
    if (local) {
        int64_t at = 0;
        for (int i = 0; i < n_local(pass); i++) {
            const struct psw_one_shard *s = &pass->shard[i];
            for (int64_t r = 0; r < s->batch.n_row; r++) local[at++] = row_value(s, what, r);
        }
        psw_items_gather(pass->team->comm, local, pass->n_row_local, out);
    }
    psw_arena_rewind(pass->arena, mark);
}

void psw_shards_gather_logp(struct psw_shards *pass, double *out)
{
    gather_rows(pass, ROW_LOGP, out);
}

void psw_shards_gather_logp_dot(struct psw_shards *pass, double *out)
{
    gather_rows(pass, ROW_LOGP_DOT, out);
}
