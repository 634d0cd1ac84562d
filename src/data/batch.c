/* One walk over the examples decides the layout. Measuring and packing share it: a sink without
 * arrays only counts. */
#include <posweep/data/batch.h>

#include <string.h>

int psw_response_equal(const struct psw_example *a, int64_t i, const struct psw_example *b,
                       int64_t j)
{
    return a->n_response[i] == b->n_response[j] &&
           memcmp(a->response[i], b->response[j],
                  sizeof *a->response[i] * (size_t)a->n_response[i]) == 0;
}

/** Arrays being filled; NULL when only counting. */
struct batch_sink {
    int32_t *token, *position;
    struct psw_segment *segment;
    int32_t *row_source, *row_target, *row_seq;
    int64_t *seq_row;
    int32_t *seq_item;
};

/** A stretch of ids that follow one another on a path. */
struct id_run {
    const int32_t *id;
    int64_t n;
    int64_t position; /* of the first */
};

static void put_ids(struct psw_batch *b, const struct batch_sink *sink, struct id_run run)
{
    if (sink) {
        for (int64_t i = 0; i < run.n; i++) {
            sink->token[b->n_tok + i] = run.id[i];
            sink->position[b->n_tok + i] = (int32_t)(run.position + i);
        }
    }
    b->n_tok += run.n;
}

/** Close a segment that began at `start`; one without tokens is not made. */
static void put_segment(struct psw_batch *b, const struct batch_sink *sink, int64_t start,
                        int64_t parent)
{
    if (b->n_tok == start) return;
    if (sink)
        sink->segment[b->n_seg] = (struct psw_segment){
            .start = start, .length = b->n_tok - start, .parent = (int32_t)parent};
    b->n_seg++;
}

/** One response of an example. */
struct reply {
    const int32_t *id; /* [n] */
    int32_t n;
    int32_t n_input;     /* how many of its tokens are inputs */
    int64_t prompt_last; /* token of the batch */
    int64_t first;       /* its own first token in the batch */
};

static void put_row(struct psw_batch *b, const struct batch_sink *sink, int64_t source,
                    int32_t target)
{
    sink->row_source[b->n_row] = (int32_t)source;
    sink->row_target[b->n_row] = target;
    sink->row_seq[b->n_row] = (int32_t)b->n_seq;
    b->n_row++;
}

/** Rows of one response: the first is predicted from the prompt's last token, the others from
 *  the response tokens before them. Where all tokens are inputs, there is the last one's row
 *  only. */
static void put_rows(struct psw_batch *b, const struct batch_sink *sink, struct reply y)
{
    if (!sink) { /* ids are not read: a shape may have none */
        b->n_row += y.n_input == y.n ? 1 : y.n;
        b->n_seq++;
        return;
    }
    sink->seq_row[b->n_seq] = b->n_row;
    sink->seq_item[b->n_seq] = (int32_t)b->n_item;
    for (int32_t i = y.n_input == y.n ? y.n : 0; i < y.n; i++)
        put_row(b, sink, i == 0 ? y.prompt_last : y.first + i - 1, y.id[i]);
    if (y.n_input == y.n) put_row(b, sink, y.first + y.n - 1, y.id[y.n - 1]);
    b->n_seq++;
}

static void put_prompt(struct psw_batch *b, const struct batch_sink *sink,
                       const struct psw_example *e)
{
    put_ids(b, sink, (struct id_run){.id = e->prompt, .n = e->n_prompt});
}

/** The response's inputs: all of it but the last token, which is a target only; with
 *  PSW_PACK_LAST that one, too. */
static struct reply put_response(struct psw_batch *b, const struct batch_sink *sink,
                                 const struct psw_example *e, int32_t seq, unsigned how)
{
    struct reply y = {.id = e->response[seq], .n = e->n_response[seq], .first = b->n_tok};
    y.n_input = how & PSW_PACK_LAST ? y.n : y.n - 1;
    put_ids(b, sink, (struct id_run){.id = y.id, .n = y.n_input, .position = e->n_prompt});
    const int64_t path = (int64_t)e->n_prompt + y.n_input;
    if (path > b->max_path) b->max_path = path;
    return y;
}

/** The prompt once as a root, each response as its child. */
static void put_tree(struct psw_batch *b, const struct batch_sink *sink,
                     const struct psw_example *e, unsigned how)
{
    const int64_t start = b->n_tok, root = b->n_seg;
    put_prompt(b, sink, e);
    put_segment(b, sink, start, -1);
    const int64_t prompt_last = b->n_tok - 1;
    if (e->n_prompt > b->max_path) b->max_path = e->n_prompt;
    for (int32_t s = 0; s < e->n_seq; s++) {
        struct reply y = put_response(b, sink, e, s, how);
        y.prompt_last = prompt_last;
        put_segment(b, sink, y.first, root);
        put_rows(b, sink, y);
    }
}

/** Every response behind its own copy of the prompt, one root segment each. */
static void put_copies(struct psw_batch *b, const struct batch_sink *sink,
                       const struct psw_example *e, unsigned how)
{
    for (int32_t s = 0; s < e->n_seq; s++) {
        const int64_t start = b->n_tok;
        put_prompt(b, sink, e);
        struct reply y = put_response(b, sink, e, s, how);
        y.prompt_last = y.first - 1;
        put_segment(b, sink, start, -1);
        put_rows(b, sink, y);
    }
}

static void walk(const struct psw_example *const *example, int64_t n, unsigned how,
                 const struct batch_sink *sink, struct psw_batch *out)
{
    *out = (struct psw_batch){0};
    for (int64_t i = 0; i < n; i++) {
        const struct psw_example *e = example[i];
        PSW_ASSERT(e->n_prompt >= 1 && e->n_seq >= 0 && e->n_seq <= PSW_EXAMPLE_SEQS);
        for (int32_t s = 0; s < e->n_seq; s++) PSW_ASSERT(e->n_response[s] >= 1);
        const int tree = e->n_seq == 0 || ((how & PSW_PACK_SHARE) && e->n_seq > 1);
        (tree ? put_tree : put_copies)(out, sink, e, how);
        out->n_item++;
    }
    PSW_ASSERT(out->n_tok <= INT32_MAX && out->n_row <= INT32_MAX);
    if (sink) sink->seq_row[out->n_seq] = out->n_row;
}

void psw_batch_measure(const struct psw_example *const *example, int64_t n, unsigned how,
                       struct psw_batch *out)
{
    walk(example, n, how, NULL, out);
}

static struct batch_sink take_arrays(const struct psw_batch *shape, struct psw_arena *arena)
{
    return (struct batch_sink){
        .token = psw_arena_i32(arena, shape->n_tok),
        .position = psw_arena_i32(arena, shape->n_tok),
        .segment = psw_arena_alloc(arena, (size_t)shape->n_seg * sizeof(struct psw_segment)),
        .row_source = psw_arena_i32(arena, shape->n_row),
        .row_target = psw_arena_i32(arena, shape->n_row),
        .row_seq = psw_arena_i32(arena, shape->n_row),
        .seq_row = psw_arena_i64(arena, shape->n_seq + 1),
        .seq_item = psw_arena_i32(arena, shape->n_seq),
    };
}

void psw_batch_reserve(const struct psw_batch *shape, struct psw_arena *arena)
{
    (void)take_arrays(shape, arena);
}

void psw_batch_pack(const struct psw_example *const *example, int64_t n, unsigned how,
                    struct psw_arena *arena, struct psw_batch *out)
{
    psw_batch_measure(example, n, how, out);
    const struct batch_sink sink = take_arrays(out, arena);
    if (psw_arena_is_measuring(arena)) return;
    walk(example, n, how, &sink, out);
    out->token = sink.token;
    out->position = sink.position;
    out->segment = sink.segment;
    out->row.source = sink.row_source;
    out->row.target = sink.row_target;
    out->row.seq = sink.row_seq;
    out->seq_row = sink.seq_row;
    out->seq_item = sink.seq_item;
}

static void widen(int64_t *bound, int64_t n)
{
    if (n > *bound) *bound = n;
}

void psw_batch_widen(struct psw_batch *bound, const struct psw_batch *batch)
{
    widen(&bound->n_tok, batch->n_tok);
    widen(&bound->n_seg, batch->n_seg);
    widen(&bound->n_seq, batch->n_seq);
    widen(&bound->n_row, batch->n_row);
    widen(&bound->n_item, batch->n_item);
    widen(&bound->max_path, batch->max_path);
}

void psw_batch_bound(const struct psw_example *example, int64_t n_example, int64_t n,
                     unsigned how, struct psw_batch *out)
{
    struct psw_batch bound = {0};
    for (int64_t i = 0; i < n_example; i++) {
        const struct psw_example *const one = &example[i];
        struct psw_batch shape;
        psw_batch_measure(&one, 1, how, &shape);
        psw_batch_widen(&bound, &shape);
    }
    *out = (struct psw_batch){.n_tok = n * bound.n_tok,
                              .n_seg = n * bound.n_seg,
                              .n_seq = n * bound.n_seq,
                              .n_row = n * bound.n_row,
                              .n_item = n,
                              .max_path = bound.max_path};
}
