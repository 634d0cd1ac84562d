/* Memory first, then one wrapper per function, which opens what it is given. */
#include "checking.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory ---- */

enum { MAX_BUFFER = 1024, MAX_FRAME = 16, PAGE_BYTES = 4096, SCRATCH_BYTES = 64 << 20 };
static const size_t REGION_BYTES = (size_t)4 << 30; /* pages are taken when they are touched */

/* Buffers stand one behind the other and are never given out again. */
static struct {
    char *dark, *light; /* the same memory: PROT_NONE, and readable and writable */
    size_t used_bytes;
    int n_buffer;
    struct buffer {
        size_t begin, n_bytes;
        int is_freed;
    } buffer[MAX_BUFFER];
} region;

/* Say why, and where: addr2line knows the lines. */
_Noreturn static void end(const char *text)
{
    void *frame[MAX_FRAME];
    const ssize_t unused = write(STDERR_FILENO, text, strlen(text));
    (void)unused;
    backtrace_symbols_fd(frame, backtrace(frame, MAX_FRAME), STDERR_FILENO);
    _exit(CHECKING_EXIT);
}

/* The buffer that an address is in; NULL: none. */
static const struct buffer *buffer_at(const void *p)
{
    const size_t at = (size_t)((uintptr_t)p - (uintptr_t)region.dark);
    for (int i = 0; region.dark && i < region.n_buffer; i++)
        if (at >= region.buffer[i].begin &&
            at < region.buffer[i].begin + region.buffer[i].n_bytes)
            return &region.buffer[i];
    return NULL;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    char text[200];
    const struct buffer *b = buffer_at(info->si_addr);
    (void)context;
    if (b)
        snprintf(text, sizeof text,
                 "checking backend: a pointer to buffer %d of %zu bytes was followed, at float "
                 "%zu\n",
                 (int)(b - region.buffer), b->n_bytes,
                 ((size_t)((char *)info->si_addr - region.dark) - b->begin) / sizeof(float));
    else
        snprintf(text, sizeof text, "checking backend: signal %d at %p, in no buffer\n", signal,
                 info->si_addr);
    end(text);
}

static void map_region(void)
{
    const int fd = memfd_create("buffers", 0);
    if (fd < 0 || ftruncate(fd, (off_t)REGION_BYTES) != 0) end("checking backend: no memory\n");
    region.dark = mmap(NULL, REGION_BYTES, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    region.light =
        mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (region.dark == MAP_FAILED || region.light == MAP_FAILED)
        end("checking backend: no memory\n");
    close(fd);
}

static void *dark_alloc(size_t n_bytes)
{
    /* again each time: a test may have a handler of its own */
    sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO},
              NULL);
    if (!region.dark) map_region();
    const size_t room = (n_bytes / PAGE_BYTES + 1) * PAGE_BYTES;
    if (region.n_buffer == MAX_BUFFER || REGION_BYTES - region.used_bytes < room) return NULL;
    region.buffer[region.n_buffer++] = (struct buffer){region.used_bytes, n_bytes, 0};
    region.used_bytes += room;
    return region.dark + region.used_bytes - room;
}

static void dark_free(void *p)
{
    for (int i = 0; p && i < region.n_buffer; i++) {
        struct buffer *b = &region.buffer[i];
        if ((char *)p != region.dark + b->begin) continue;
        b->is_freed = 1;
        madvise(region.light + b->begin, (b->n_bytes / PAGE_BYTES + 1) * PAGE_BYTES,
                MADV_REMOVE);
    }
}

static const struct psw_arena_memory MEMORY = {dark_alloc, dark_free, 0};

/* ---- opening ---- */

static int is_dry; /* nothing is followed in a dry walk */

/* The cpu's exec, with scratch that it can touch. */
static struct psw_exec inside(struct psw_exec *exec)
{
    static struct psw_arena *scratch;
    is_dry = exec->scratch && psw_arena_is_measuring(exec->scratch);
    if (!scratch && psw_arena_create("checking", SCRATCH_BYTES, &scratch, NULL) != PSW_OK)
        end("checking backend: no scratch\n");
    return (struct psw_exec){.n_thread = exec->n_thread,
                             .scratch = is_dry ? exec->scratch : scratch,
                             .backend = &psw_backend_cpu};
}

static float *opened(const float *p, const char *function)
{
    if (is_dry || !p) return (float *)(uintptr_t)p;
    const struct buffer *b = buffer_at(p);
    if (!b || b->is_freed) {
        char text[200];
        snprintf(text, sizeof text, "checking backend: %s was given %p, which is %s\n",
                 function, (const void *)p, b ? "freed" : "no buffer");
        end(text);
    }
    return (float *)(void *)(region.light + ((const char *)p - region.dark));
}

#define B(p) opened(p, __func__)
#define HEAD_IN(in) ((struct psw_head_in){B((in).x), B((in).w), (in).target})
#define HEAD_GRAD(g) ((struct psw_head_grad){B((g).x_bar), B((g).w_bar)})
#define LINEAR(p) ((struct psw_linear_param){B((p).w), B((p).b)})
#define LINEAR_GRAD(g) ((struct psw_linear_grad){B((g).w_bar), B((g).b_bar)})
#define NORM(p)                                                                                \
    ((struct psw_layernorm_param){{B((p).w[0]), B((p).w[1])}, {B((p).b[0]), B((p).b[1])}})
#define NORM_SAVED(s) ((struct psw_layernorm_saved){B((s).x_hat), B((s).rstd)})
#define RMS_SAVED(s) ((struct psw_rmsnorm_saved){B((s).x_hat), B((s).rstd)})
#define SAVED(s)                                                                               \
    ((struct psw_attention_saved){B((s).qkv), B((s).out), B((s).lse), B((s).out_bar)})
#define SOFT(t) (&(struct psw_soft_target){B((t)->x), B((t)->w), (t)->draw})
#define VALUE(p) ((struct psw_value_param){B((p).w), B((p).b)})
#define VALUE_GRAD(g) ((struct psw_value_grad){B((g).x_bar), B((g).w_bar), B((g).b_bar)})

static struct psw_decode_cache cache_of(const struct psw_decode_cache *cache)
{
    struct psw_decode_cache open = *cache;
    open.data = B(cache->data);
    return open;
}

/* ---- buffers and vectors ---- */

#define WRAP_OF(table, row, fn, args, call)                                                    \
    static void row##_##fn args                                                                \
    {                                                                                          \
        struct psw_exec in = inside(exec);                                                     \
        psw_backend_cpu.table->fn call;                                                        \
    }
#define WRAP(row, fn, args, call) WRAP_OF(op.row, row, fn, args, call)
#define BUFFER(fn, args, call) WRAP_OF(buffer, buffer, fn, args, call)
#define VECTOR(fn, args, call) WRAP_OF(vector, vector, fn, args, call)

/* clang-format off */
BUFFER(read, (struct psw_exec *exec, int64_t n, const float *buffer, float *host), (&in, n, B(buffer), host))
BUFFER(write, (struct psw_exec *exec, int64_t n, const float *host, float *buffer), (&in, n, host, B(buffer)))
BUFFER(fill, (struct psw_exec *exec, int64_t n, float value, float *x), (&in, n, value, B(x)))
BUFFER(copy, (struct psw_exec *exec, int64_t n, const float *from, float *to), (&in, n, B(from), B(to)))
BUFFER(gather, (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *row, const float *from, float *to),
    (&in, n, C, row, B(from), B(to)))
BUFFER(scatter_add, (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *row, const float *from, float *to),
    (&in, n, C, row, B(from), B(to)))

VECTOR(add, (struct psw_exec *exec, int64_t n, const float *x, float *y), (&in, n, B(x), B(y)))
VECTOR(axpy, (struct psw_exec *exec, int64_t n, float a, const float *x, float *y), (&in, n, a, B(x), B(y)))
VECTOR(scale, (struct psw_exec *exec, int64_t n, float a, float *y), (&in, n, a, B(y)))
VECTOR(multiply, (struct psw_exec *exec, int64_t n, const float *x, float *y), (&in, n, B(x), B(y)))
VECTOR(dot, (struct psw_exec *exec, int64_t n, const float *x, const float *y, double *sum), (&in, n, B(x), B(y), sum))
VECTOR(adamw, (struct psw_exec *exec, const struct psw_adamw *how, int64_t n, const float *grad, float *m, float *v,
    float *param), (&in, how, n, B(grad), B(m), B(v), B(param)))
VECTOR(sgd, (struct psw_exec *exec, float keep, float step, int64_t n, const float *grad, float *param),
    (&in, keep, step, n, B(grad), B(param)))
VECTOR(precondition, (struct psw_exec *exec, float root, float eps, int64_t n, const float *v, const float *x, float *out),
    (&in, root, eps, n, B(v), B(x), B(out)))

/* ---- operations ---- */

WRAP(embedding, forward, (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *w, float *x),
    (&in, n, C, token, B(w), B(x)))
WRAP(embedding, backward, (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *x_bar,
    float *w_bar), (&in, n, C, token, B(x_bar), B(w_bar)))
WRAP(embedding, tangent, (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *w,
    const float *w_dot, float *x), (&in, n, C, token, B(w), B(w_dot), B(x)))

WRAP(layernorm, forward, (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p,
    const float *x, struct psw_layernorm_saved s, float *const *y),
    (&in, d, NORM(p), B(x), NORM_SAVED(s), (float *[]){B(y[0]), d.n_out > 1 ? B(y[1]) : NULL}))
WRAP(layernorm, backward, (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p,
    struct psw_layernorm_saved s, const float *const *y_bar, float *x_bar, struct psw_layernorm_grad g),
    (&in, d, NORM(p), NORM_SAVED(s), (const float *[]){B(y_bar[0]), d.n_out > 1 ? B(y_bar[1]) : NULL}, B(x_bar),
     (struct psw_layernorm_grad){{B(g.w_bar[0]), B(g.w_bar[1])}, {B(g.b_bar[0]), B(g.b_bar[1])}}))
WRAP(layernorm, tangent, (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p,
    struct psw_layernorm_param p_dot, const float *x, float *const *y),
    (&in, d, NORM(p), NORM(p_dot), B(x), (float *[]){B(y[0]), d.n_out > 1 ? B(y[1]) : NULL}))

WRAP(rmsnorm, forward, (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, const float *x,
    struct psw_rmsnorm_saved s, float *y), (&in, d, B(w), B(x), RMS_SAVED(s), B(y)))
WRAP(rmsnorm, backward, (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, struct psw_rmsnorm_saved s,
    const float *y_bar, float *x_bar, float *w_bar), (&in, d, B(w), RMS_SAVED(s), B(y_bar), B(x_bar), B(w_bar)))
WRAP(rmsnorm, tangent, (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, const float *w_dot,
    const float *x, float *y), (&in, d, B(w), B(w_dot), B(x), B(y)))

#define MAP(fn)                                                                                                        \
    WRAP(linear, fn, (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p, const float *x,      \
        float *y), (&in, d, LINEAR(p), B(x), B(y)))
MAP(forward)
MAP(forward_add)
MAP(decode)
MAP(decode_add)
WRAP(linear, backward, (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p, const float *x,
    const float *y_bar, float *x_bar, struct psw_linear_grad g),
    (&in, d, LINEAR(p), B(x), B(y_bar), B(x_bar), LINEAR_GRAD(g)))
WRAP(linear, tangent, (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
    struct psw_linear_param p_dot, const float *x, float *y), (&in, d, LINEAR(p), LINEAR(p_dot), B(x), B(y)))
WRAP(linear, tangent_add, (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
    struct psw_linear_param p_dot, const float *x, float *y), (&in, d, LINEAR(p), LINEAR(p_dot), B(x), B(y)))

#define HEADNORM(p) ((struct psw_headnorm_param){B((p).q), B((p).k)})
WRAP(headnorm, forward, (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
    struct psw_rmsnorm_saved s, float *qkv), (&in, d, HEADNORM(p), RMS_SAVED(s), B(qkv)))
WRAP(headnorm, backward, (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
    struct psw_rmsnorm_saved s, float *qkv_bar, struct psw_headnorm_grad g),
    (&in, d, HEADNORM(p), RMS_SAVED(s), B(qkv_bar), (struct psw_headnorm_grad){B(g.q_bar), B(g.k_bar)}))
WRAP(headnorm, tangent, (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
    struct psw_headnorm_param p_dot, float *qkv), (&in, d, HEADNORM(p), HEADNORM(p_dot), B(qkv)))

#define ROTARY(fn)                                                                                                     \
    WRAP(rotary, fn, (struct psw_exec *exec, struct psw_rotary_dims d, struct psw_rotary_table table,                  \
        const int32_t *position, float *qkv), (&in, d, table, position, B(qkv)))
ROTARY(forward)
ROTARY(backward)
ROTARY(tangent)

WRAP(attention, forward, (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch, const float *qkv,
    float *out, float *lse), (&in, layout, batch, B(qkv), B(out), B(lse)))
WRAP(attention, backward, (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
    struct psw_attention_saved s, float *qkv_bar), (&in, layout, batch, SAVED(s), B(qkv_bar)))
WRAP(attention, tangent, (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch, const float *qkv,
    float *out), (&in, layout, batch, B(qkv), B(out)))
WRAP(attention, cache_put, (struct psw_exec *exec, const struct psw_decode_cache *cache, struct psw_decode_rows rows,
    struct psw_qkv layout, const float *qkv), (&in, (struct psw_decode_cache[]){cache_of(cache)}, rows, layout, B(qkv)))
WRAP(attention, cache_copy, (struct psw_exec *exec, const struct psw_decode_cache *cache, int64_t from, int64_t n,
    int64_t to), (&in, (struct psw_decode_cache[]){cache_of(cache)}, from, n, to))
WRAP(attention, decode, (struct psw_exec *exec, const struct psw_decode_cache *cache, struct psw_decode_rows rows,
    struct psw_qkv layout, const float *qkv, float *score, float *out),
    (&in, (struct psw_decode_cache[]){cache_of(cache)}, rows, layout, B(qkv), B(score), B(out)))

WRAP(gelu, forward, (struct psw_exec *exec, int64_t n, int64_t n_col, const float *x, float *y, float *slope),
    (&in, n, n_col, B(x), B(y), B(slope)))
WRAP(gelu, backward, (struct psw_exec *exec, int64_t n, int64_t n_col, const float *slope, float *bar, float *b_bar),
    (&in, n, n_col, B(slope), B(bar), B(b_bar)))
WRAP(gelu, tangent, (struct psw_exec *exec, int64_t n, int64_t n_col, float *x), (&in, n, n_col, B(x)))

WRAP(swiglu, forward, (struct psw_exec *exec, int64_t n, int64_t F, const float *gate_up, float *y),
    (&in, n, F, B(gate_up), B(y)))
WRAP(swiglu, backward, (struct psw_exec *exec, int64_t n, int64_t F, const float *gate_up, const float *y_bar,
    float *gate_up_bar), (&in, n, F, B(gate_up), B(y_bar), B(gate_up_bar)))
WRAP(swiglu, tangent, (struct psw_exec *exec, int64_t n, int64_t F, const float *gate_up, float *y),
    (&in, n, F, B(gate_up), B(y)))

WRAP(head, forward, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, float *logp, float *prob),
    (&in, d, HEAD_IN(i), B(logp), B(prob)))
WRAP(head, backward, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, const float *weight,
    const float *prob, struct psw_head_grad g), (&in, d, HEAD_IN(i), B(weight), B(prob), HEAD_GRAD(g)))
WRAP(head, nll, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, const float *weight, float *logp,
    struct psw_head_grad g), (&in, d, HEAD_IN(i), B(weight), B(logp), HEAD_GRAD(g)))
WRAP(head, tangent, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, const float *w_dot,
    float *logp), (&in, d, HEAD_IN(i), B(w_dot), B(logp)))
WRAP(head, soft_nll, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i,
    const struct psw_soft_target *t, const float *weight, float *soft, struct psw_head_grad g),
    (&in, d, HEAD_IN(i), SOFT(t), B(weight), B(soft), HEAD_GRAD(g)))
WRAP(head, soft_tangent, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i,
    const struct psw_soft_target *t, const float *w_dot, float *logp, float *soft),
    (&in, d, HEAD_IN(i), SOFT(t), B(w_dot), B(logp), B(soft)))

WRAP(entropy, forward, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, float *entropy),
    (&in, d, HEAD_IN(i), B(entropy)))
WRAP(entropy, backward, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, const float *weight,
    struct psw_head_grad g), (&in, d, HEAD_IN(i), B(weight), HEAD_GRAD(g)))
WRAP(entropy, tangent, (struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in i, const float *w_dot,
    float *entropy), (&in, d, HEAD_IN(i), B(w_dot), B(entropy)))

WRAP(value, forward, (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p, const float *x,
    float *y), (&in, d, VALUE(p), B(x), B(y)))
WRAP(value, backward, (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p, const float *x,
    const float *weight, struct psw_value_grad g), (&in, d, VALUE(p), B(x), B(weight), VALUE_GRAD(g)))
WRAP(value, tangent, (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
    struct psw_value_param p_dot, const float *x, float *y), (&in, d, VALUE(p), VALUE(p_dot), B(x), B(y)))

WRAP(draw, tokens, (struct psw_exec *exec, const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
    struct psw_draw_rows rows, float *weight), (&in, opts, n_vocab, B(logit), rows, B(weight)))
/* clang-format on */

/* ---- the rows ---- */

static int64_t cache_capacity(int64_t n_position)
{
    return psw_backend_cpu.op.attention->cache_capacity(n_position);
}

static int64_t cache_n_elem(int64_t n_kv_head, int64_t head_width, int64_t capacity)
{
    return psw_backend_cpu.op.attention->cache_n_elem(n_kv_head, head_width, capacity);
}

#define FN(row, fn) .fn = row##_##fn
#define TRIPLE(row)                                                                            \
    static const struct psw_##row##_ops row##_row = {FN(row, forward), FN(row, backward),      \
                                                     FN(row, tangent)}
TRIPLE(embedding);
TRIPLE(layernorm);
TRIPLE(rmsnorm);
TRIPLE(headnorm);
TRIPLE(rotary);
TRIPLE(gelu);
TRIPLE(swiglu);
TRIPLE(entropy);
TRIPLE(value);
static const struct psw_draw_ops draw_row = {FN(draw, tokens)};
static const struct psw_buffer_ops buffer_row = {.memory = &MEMORY,
                                                 FN(buffer, read),
                                                 FN(buffer, write),
                                                 FN(buffer, fill),
                                                 FN(buffer, copy),
                                                 FN(buffer, gather),
                                                 FN(buffer, scatter_add)};
static const struct psw_vector_ops vector_row = {
    FN(vector, add), FN(vector, axpy),  FN(vector, scale), FN(vector, multiply),
    FN(vector, dot), FN(vector, adamw), FN(vector, sgd),   FN(vector, precondition)};
static const struct psw_linear_ops linear_row = {
    FN(linear, forward),   FN(linear, forward_add), FN(linear, backward),
    FN(linear, tangent),   FN(linear, tangent_add), FN(linear, decode),
    FN(linear, decode_add)};
static const struct psw_attention_ops attention_row = {
    FN(attention, forward),           FN(attention, backward),      FN(attention, tangent),
    .cache_capacity = cache_capacity, .cache_n_elem = cache_n_elem, FN(attention, cache_put),
    FN(attention, cache_copy),        FN(attention, decode)};
static const struct psw_head_ops head_row = {FN(head, forward),  FN(head, backward),
                                             FN(head, nll),      FN(head, tangent),
                                             FN(head, soft_nll), FN(head, soft_tangent)};

const struct psw_backend checking_backend = {.name = "checking",
                                             .buffer = &buffer_row,
                                             .vector = &vector_row,
                                             .queue = &psw_queue_immediate,
                                             .op = {.embedding = &embedding_row,
                                                    .layernorm = &layernorm_row,
                                                    .rmsnorm = &rmsnorm_row,
                                                    .linear = &linear_row,
                                                    .headnorm = &headnorm_row,
                                                    .rotary = &rotary_row,
                                                    .attention = &attention_row,
                                                    .gelu = &gelu_row,
                                                    .swiglu = &swiglu_row,
                                                    .head = &head_row,
                                                    .entropy = &entropy_row,
                                                    .value = &value_row,
                                                    .draw = &draw_row}};
