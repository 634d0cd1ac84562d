/* Passes over sharded examples. The order of work inside a rank is the order of its shards. */
#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/parallel/shards.h>

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

/* Bits of what the pass gives. */
static unsigned wanted(const struct psw_shards *pass)
{
    return pass->opts.want ? pass->opts.want : PSW_WANT_LOGP;
}

static int64_t count_rows(const struct psw_shards *pass,
                          const struct psw_example *const *example, int64_t n_item)
{
    return (pass->opts.last_only ? psw_shards_n_seq : psw_shards_n_row)(example, n_item);
}

static void take_rows(struct psw_shards *pass, unsigned want, int64_t n_row, float **at,
                      float **dot)
{
    if (!(wanted(pass) & want)) return;
    *at = psw_arena_f32(pass->arena, n_row);
    *dot = psw_arena_f32(pass->arena, n_row);
}

static void pack_shard(struct psw_shards *pass, const struct psw_example *const *example,
                       int64_t n, struct psw_one_shard *out)
{
    *out = (struct psw_one_shard){0};
    const unsigned how = (pass->opts.share_prefix ? PSW_PACK_SHARE : 0u) |
                         (pass->opts.last_only ? PSW_PACK_LAST : 0u);
    psw_batch_pack(example, n, how, pass->arena, &out->batch);
    const int64_t n_row = out->batch.n_row;
    take_rows(pass, PSW_WANT_LOGP, n_row, &out->logp, &out->logp_dot);
    take_rows(pass, PSW_WANT_ENTROPY, n_row, &out->entropy, &out->entropy_dot);
    take_rows(pass, PSW_WANT_VALUE, n_row, &out->value, &out->value_dot);
    take_rows(pass, PSW_WANT_SOFT, n_row, &out->soft, &out->soft_dot);
    pass->local.n_tok += out->batch.n_tok;
    pass->local.n_row += out->batch.n_row;
    pass->local.n_seq += out->batch.n_seq;
}

void psw_shards_pack(struct psw_shards *pass, const struct psw_example *const *example,
                     int64_t n_item)
{
    const struct psw_team *team = pass->team;
    int64_t begin, end;
    psw_shard_items(n_item, team->n_shard, team->shard_begin, &begin, &end);
    pass->n_item = n_item;
    pass->n_seq = psw_shards_n_seq(example, n_item);
    pass->local.seq_begin = psw_shards_n_seq(example, begin);
    pass->n_row = count_rows(pass, example, n_item);
    pass->local.row_begin = count_rows(pass, example, begin);
    pass->local.n_seq = pass->local.n_tok = pass->local.n_row = 0;
    for (int s = team->shard_begin; s < team->shard_end; s++) {
        psw_shard_items(n_item, team->n_shard, s, &begin, &end);
        pack_shard(pass, example + begin, end - begin, &pass->shard[s - team->shard_begin]);
    }
}

/* Rows of this rank before those of a shard. */
static int64_t rows_before(const struct psw_shards *pass, const struct psw_one_shard *s)
{
    int64_t n = 0;
    for (const struct psw_one_shard *at = pass->shard; at < s; at++) n += at->batch.n_row;
    return n;
}

/* The pass of one shard, as the model takes it. */
static struct psw_pass one_pass(const struct psw_shards *pass, const struct psw_one_shard *s,
                                const float *param)
{
    struct psw_soft_target soft = pass->opts.soft;
    if (soft.x) soft.x += rows_before(pass, s) * psw_model_dims(pass->model)->width;
    return (struct psw_pass){.model = pass->model,
                             .exec = pass->exec,
                             .param = param,
                             .batch = &s->batch,
                             .temperature = pass->opts.temperature,
                             .soft = soft};
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
    return (wanted(pass) & PSW_WANT_LOGP) &&
           s->batch.n_row * psw_model_dims(pass->model)->n_vocab <= KEEP_LOGITS_FLOATS;
}

/* Activations of one shard. Where it keeps no probabilities, a smaller one may. */
static struct psw_act *take_act(const struct psw_shards *pass, const struct psw_one_shard *s)
{
    const int keeps = keep_logits(pass, s);
    if (pass->opts.covers_smaller && !keeps && (wanted(pass) & PSW_WANT_LOGP))
        psw_arena_f32(pass->arena, KEEP_LOGITS_FLOATS);
    return psw_act_create(pass->model, &s->batch, pass->arena, keeps);
}

/* What the model is asked for. A dry walk has no arrays: there `planned` stands for those that
 * are wanted. */
static struct psw_rows rows_at(const struct psw_shards *pass, const struct psw_one_shard *s,
                               float *planned)
{
    if (!psw_arena_is_measuring(pass->arena))
        return (struct psw_rows){s->logp, s->entropy, s->value, s->soft};
    const unsigned want = wanted(pass);
    return (struct psw_rows){
        want & PSW_WANT_LOGP ? planned : NULL, want & PSW_WANT_ENTROPY ? planned : NULL,
        want & PSW_WANT_VALUE ? planned : NULL, want & PSW_WANT_SOFT ? planned : NULL};
}

void psw_shards_forward(struct psw_shards *pass, const float *param)
{
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        s->act = take_act(pass, s);
        const struct psw_pass one = one_pass(pass, s, param);
        float planned = 0.0f;
        psw_model_forward(&one, s->act, rows_at(pass, s, &planned));
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
        float planned = 0.0f;
        psw_model_forward(&one, act, rows_at(pass, s, &planned));
        psw_arena_rewind(pass->arena, mark);
    }
}

void psw_shards_tangent(struct psw_shards *pass, const float *param, const float *param_dot)
{
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        const struct psw_pass one = one_pass(pass, s, param);
        const struct psw_rows dot = {s->logp_dot, s->entropy_dot, s->value_dot, s->soft_dot};
        float planned = 0.0f;
        psw_model_tangent(&one, param_dot, rows_at(pass, s, &planned), dot);
    }
}

/* Weights of n rows, or of the sequences that they belong to, as the model takes them. */
static float *weights_of(struct psw_shards *pass, int64_t n, const double *weight,
                         const int32_t *row_seq)
{
    float *w = psw_arena_f32(pass->arena, n);
    float *host = psw_arena_alloc(pass->arena, sizeof *host * (size_t)n);
    if (!w) return NULL;
    for (int64_t r = 0; r < n; r++) host[r] = (float)weight[row_seq ? row_seq[r] : r];
    psw_exec_backend(pass->exec)->buffer->write(pass->exec, n, host, w);
    return w;
}

/* Spread sequence weights over rows; the sequences of local shard i follow those of shard i-1.
 */
static float *row_weights(struct psw_shards *pass, int i, const double *weight, int64_t *seq)
{
    const struct psw_batch *b = &pass->shard[i].batch;
    const double *first = weight ? weight + *seq : NULL; /* NULL: a dry walk */
    *seq += b->n_seq;
    return weights_of(pass, b->n_row, first, b->row.seq);
}

static float *tree_next(struct psw_tree *tree)
{
    return tree ? psw_tree_next(tree) : NULL;
}

static void tree_push(struct psw_tree *tree)
{
    if (tree) psw_tree_push(tree);
}

/* One shard's weights through the model and into the tree. */
static void backward_shard(struct psw_shards *pass, struct psw_one_shard *s, const float *param,
                           struct psw_row_weights weight, struct psw_tree *tree)
{
    float *grad = tree_next(tree);
    const struct psw_pass one = one_pass(pass, s, param);
    if (s->batch.n_row > 0) psw_model_backward(&one, s->act, weight, grad);
    tree_push(tree);
}

void psw_shards_backward(struct psw_shards *pass, const float *param, const double *weight,
                         struct psw_tree *tree)
{
    int64_t seq = pass->local.seq_begin;
    const float planned = 0.0f;
    for (int i = 0; i < n_local(pass); i++) {
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        const float *w = row_weights(pass, i, weight, &seq);
        backward_shard(pass, &pass->shard[i], param,
                       (struct psw_row_weights){.logp = w ? w : &planned}, tree);
        psw_arena_rewind(pass->arena, mark);
    }
}

/* One quantity's weights of n rows, or NULL for zeros. A dry walk takes room for all that is
 * wanted and returns `planned`. */
static const float *some_weights(struct psw_shards *pass, unsigned want, const double *weight,
                                 int64_t n, const float *planned)
{
    if (!(wanted(pass) & want)) {
        PSW_ASSERT(!weight);
        return NULL;
    }
    if (!weight && !psw_arena_is_measuring(pass->arena)) return NULL;
    const float *w = weights_of(pass, n, weight, NULL);
    return w ? w : planned;
}

static const double *rows_from(const double *weight, int64_t row)
{
    return weight ? weight + row : NULL;
}

void psw_shards_backward_rows(struct psw_shards *pass, const float *param,
                              struct psw_shards_weights weight, struct psw_tree *tree)
{
    int64_t row = pass->local.row_begin;
    const float planned = 0.0f;
    for (int i = 0; i < n_local(pass); i++) {
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        const int64_t n = pass->shard[i].batch.n_row;
        const struct psw_row_weights w = {
            some_weights(pass, PSW_WANT_LOGP, rows_from(weight.logp, row), n, &planned),
            some_weights(pass, PSW_WANT_ENTROPY, rows_from(weight.entropy, row), n, &planned),
            some_weights(pass, PSW_WANT_VALUE, rows_from(weight.value, row), n, &planned)};
        backward_shard(pass, &pass->shard[i], param, w, tree);
        row += n;
        psw_arena_rewind(pass->arena, mark);
    }
}

void psw_shards_hidden(struct psw_shards *pass, const float *param, float *hidden)
{
    const int64_t width = psw_model_dims(pass->model)->width;
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        if (s->batch.n_row == 0) continue;
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        struct psw_act *act = psw_act_create(pass->model, &s->batch, pass->arena, 0);
        const struct psw_pass one = one_pass(pass, s, param);
        psw_model_hidden(&one, act, hidden ? hidden + rows_before(pass, s) * width : NULL);
        psw_arena_rewind(pass->arena, mark);
    }
}

/* Forward and backward of weights that are known beforehand. */
static void forward_and_back(struct psw_shards *pass, const float *param, const double *weight,
                             int soft, struct psw_tree *tree)
{
    int64_t seq = pass->local.seq_begin;
    for (int i = 0; i < n_local(pass); i++) {
        struct psw_one_shard *s = &pass->shard[i];
        const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
        const float *w = row_weights(pass, i, weight, &seq);
        float *grad = tree_next(tree);
        if (s->batch.n_row > 0) {
            struct psw_act *act = psw_act_create(pass->model, &s->batch, pass->arena, 0);
            const struct psw_pass one = one_pass(pass, s, param);
            if (soft)
                psw_model_soft_nll(&one, act, w, s->soft, grad);
            else
                psw_model_nll(&one, act, w, s->logp, grad);
        }
        tree_push(tree);
        psw_arena_rewind(pass->arena, mark);
    }
}

void psw_shards_nll(struct psw_shards *pass, const float *param, const double *weight,
                    struct psw_tree *tree)
{
    PSW_ASSERT(wanted(pass) & PSW_WANT_LOGP);
    forward_and_back(pass, param, weight, 0, tree);
}

void psw_shards_soft_nll(struct psw_shards *pass, const float *param, const double *weight,
                         struct psw_tree *tree)
{
    PSW_ASSERT(wanted(pass) & PSW_WANT_SOFT);
    forward_and_back(pass, param, weight, 1, tree);
}

/* A quantity of the rows of a shard, in host memory of the arena; NULL in a dry walk. */
static const float *read_rows(struct psw_shards *pass, const struct psw_one_shard *s,
                              enum psw_row_value what)
{
    const int64_t n = s->batch.n_row;
    const float *const arrays[] = {
        [PSW_ROW_LOGP] = s->logp,       [PSW_ROW_LOGP_DOT] = s->logp_dot,
        [PSW_ROW_ENTROPY] = s->entropy, [PSW_ROW_ENTROPY_DOT] = s->entropy_dot,
        [PSW_ROW_VALUE] = s->value,     [PSW_ROW_VALUE_DOT] = s->value_dot,
        [PSW_ROW_SOFT] = s->soft,       [PSW_ROW_SOFT_DOT] = s->soft_dot};
    float *host = psw_arena_alloc(pass->arena, sizeof *host * (size_t)n);
    if (!host || n == 0) return host;
    PSW_ASSERT(arrays[what]); /* else it was not wanted */
    psw_exec_backend(pass->exec)->buffer->read(pass->exec, n, arrays[what], host);
    return host;
}

/* Sums over sequences of x, or of [x < 0] where `count` is set. */
static void sum_rows(struct psw_shards *pass, enum psw_row_value what, int count, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *local = psw_arena_f64(pass->arena, pass->local.n_seq), *at = local;
    for (int i = 0; i < n_local(pass); i++) {
        const struct psw_one_shard *s = &pass->shard[i];
        const float *x = read_rows(pass, s, what);
        for (int64_t q = 0; x && q < s->batch.n_seq; q++) {
            double sum = 0;
            for (int64_t r = s->batch.seq_row[q]; r < s->batch.seq_row[q + 1]; r++)
                sum += count ? (double)(x[r] < 0) : (double)x[r];
            *at++ = sum;
        }
    }
    if (local) {
        PSW_CHECK_SAME(pass->team->comm, pass->n_seq);
        psw_items_gather(pass->team->comm, local, pass->local.n_seq, out);
    }
    psw_arena_rewind(pass->arena, mark);
}

void psw_shards_sum_logp(struct psw_shards *pass, double *out)
{
    sum_rows(pass, PSW_ROW_LOGP, 0, out);
}

void psw_shards_sum_logp_dot(struct psw_shards *pass, double *out)
{
    sum_rows(pass, PSW_ROW_LOGP_DOT, 0, out);
}

void psw_shards_sum_soft_dot(struct psw_shards *pass, double *out)
{
    sum_rows(pass, PSW_ROW_SOFT_DOT, 0, out);
}

void psw_shards_count_falling(struct psw_shards *pass, double *out)
{
    sum_rows(pass, PSW_ROW_LOGP_DOT, 1, out);
}

void psw_shards_gather(struct psw_shards *pass, enum psw_row_value what, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *local = psw_arena_f64(pass->arena, pass->local.n_row), *at = local;
    for (int i = 0; i < n_local(pass); i++) {
        const float *x = read_rows(pass, &pass->shard[i], what);
        for (int64_t r = 0; x && r < pass->shard[i].batch.n_row; r++) *at++ = x[r];
    }
    if (local) {
        PSW_CHECK_SAME(pass->team->comm, pass->n_row);
        psw_items_gather(pass->team->comm, local, pass->local.n_row, out);
    }
    psw_arena_rewind(pass->arena, mark);
}
