/* The vocabulary head, a row at a time. With p = softmax(logit), logit = x W' / t:
 *   forward   logp = logit[target] - log sum exp(logit)
 *   backward  of weight (-logp):  logit_bar = weight (p - onehot(target))
 *   tangent   logp_dot = logit_dot[target] - sum_v p[v] logit_dot[v]
 * and against a distribution p_T (head_soft.h):
 *   forward   soft = sum_v p_T[v] logit[v] - log sum exp(logit)
 *   backward  of weight (-soft):  logit_bar = weight (p - p_T)
 *   tangent   soft_dot = sum_v (p_T[v] - p[v]) logit_dot[v] */
#include "reference.h"

#include <math.h>
#include <posweep/util/status.h>

static const struct psw_draw_opts PLAIN = {.temperature = 1.0, .top_p = 1.0};

/* Scratch of a row. */
struct row {
    double *logit, *other; /* [V] each */
};

static struct row row_alloc(struct psw_exec *exec, int64_t V)
{
    double *logit = psw_arena_f64(exec->scratch, V);
    return (struct row){logit, psw_arena_f64(exec->scratch, V)};
}

/* Rows to work on: none with a measuring scratch. */
static int64_t n_row_of(const struct psw_exec *exec, const struct psw_head_dims *d)
{
    return psw_arena_is_measuring(exec->scratch) ? 0 : d->n_row;
}

static void forward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *logp, float *prob)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const struct row row = row_alloc(exec, d.V);
    const int64_t n_row = n_row_of(exec, &d);
    for (int64_t r = 0; r < n_row; r++) {
        psw_reference_logits(&d, in.x + r * d.C, in.w, row.logit);
        const double log_sum = psw_reference_log_sum(d.V, row.logit);
        logp[r] = (float)(row.logit[in.target[r]] - log_sum);
        for (int64_t v = 0; v < d.V && prob; v++)
            prob[r * d.V + v] = (float)exp(row.logit[v] - log_sum);
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void backward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, const float *prob, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const struct row row = row_alloc(exec, d.V);
    const int64_t n_row = n_row_of(exec, &d);
    for (int64_t r = 0; r < n_row; r++) {
        psw_reference_logits(&d, in.x + r * d.C, in.w, row.logit);
        const double log_sum = psw_reference_log_sum(d.V, row.logit);
        for (int64_t v = 0; v < d.V; v++) {
            const double p = prob ? prob[r * d.V + v] : exp(row.logit[v] - log_sum);
            row.other[v] = weight[r] * (p - (v == in.target[r]));
        }
        psw_reference_logits_back(&d, row.other, in.x + r * d.C, in.w, grad.x_bar + r * d.C,
                                  grad.w_bar);
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                const float *weight, float *logp, struct psw_head_grad grad)
{
    forward(exec, d, in, logp, NULL);
    backward(exec, d, in, weight, NULL, grad);
}

static void tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *logp)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const struct row row = row_alloc(exec, d.V);
    const int64_t n_row = n_row_of(exec, &d);
    for (int64_t r = 0; r < n_row; r++) {
        const float *x = in.x + r * d.C, *x_dot = x + d.n_row * d.C;
        psw_reference_logits(&d, x, in.w, row.logit);
        psw_reference_logits_dot(&d, x, x_dot, in.w, w_dot, row.other);
        const double log_sum = psw_reference_log_sum(d.V, row.logit);
        double dot = row.other[in.target[r]];
        for (int64_t v = 0; v < d.V; v++) dot -= exp(row.logit[v] - log_sum) * row.other[v];
        logp[r] = (float)(row.logit[in.target[r]] - log_sum);
        logp[d.n_row + r] = (float)dot;
    }
    psw_arena_rewind(exec->scratch, mark);
}

/* Row r against its soft target. */
struct soft {
    double *logit, *bar; /* [V] each */
    float *p, *p_target; /* [V] each */
    double log_sum, quantity;
};

static struct soft soft_alloc(struct psw_exec *exec, int64_t V)
{
    const struct row row = row_alloc(exec, V);
    return (struct soft){.logit = row.logit,
                         .bar = row.other,
                         .p = psw_arena_f32(exec->scratch, V),
                         .p_target = psw_arena_f32(exec->scratch, V)};
}

static void soft_take(struct soft *s, const struct psw_head_dims *d, struct psw_head_in in,
                      const struct psw_soft_target *target, int64_t r)
{
    struct psw_head_dims plain = *d;
    plain.temperature = 1.0; /* the target's is applied where its tokens are drawn */
    psw_reference_logits(&plain, target->x + r * d->C, target->w, s->logit);
    for (int64_t v = 0; v < d->V; v++) s->p_target[v] = (float)s->logit[v];
    (void)psw_reference_distribution(&target->draw, d->V, s->p_target, s->p_target);
    psw_reference_logits(d, in.x + r * d->C, in.w, s->logit);
    for (int64_t v = 0; v < d->V; v++) s->p[v] = (float)s->logit[v];
    (void)psw_reference_distribution(&PLAIN, d->V, s->p, s->p);
    s->log_sum = psw_reference_log_sum(d->V, s->logit);
    s->quantity = -s->log_sum;
    for (int64_t v = 0; v < d->V; v++) s->quantity += s->p_target[v] * s->logit[v];
}

static void soft_nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const struct psw_soft_target *target, const float *weight, float *soft,
                     struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct soft s = soft_alloc(exec, d.V);
    const int64_t n_row = n_row_of(exec, &d);
    for (int64_t r = 0; r < n_row; r++) {
        soft_take(&s, &d, in, target, r);
        soft[r] = (float)s.quantity;
        for (int64_t v = 0; v < d.V; v++) s.bar[v] = weight[r] * (s.p[v] - s.p_target[v]);
        psw_reference_logits_back(&d, s.bar, in.x + r * d.C, in.w, grad.x_bar + r * d.C,
                                  grad.w_bar);
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void soft_tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                         const struct psw_soft_target *target, const float *w_dot, float *logp,
                         float *soft)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct soft s = soft_alloc(exec, d.V);
    const int64_t n_row = n_row_of(exec, &d);
    for (int64_t r = 0; r < n_row; r++) {
        const float *x = in.x + r * d.C, *x_dot = x + d.n_row * d.C;
        soft_take(&s, &d, in, target, r);
        logp[r] = (float)(s.logit[in.target[r]] - s.log_sum);
        soft[r] = (float)s.quantity;
        psw_reference_logits_dot(&d, x, x_dot, in.w, w_dot, s.logit);
        double mean = 0.0, mean_target = 0.0;
        for (int64_t v = 0; v < d.V; v++) {
            mean += s.p[v] * s.logit[v];
            mean_target += s.p_target[v] * s.logit[v];
        }
        logp[d.n_row + r] = (float)(s.logit[in.target[r]] - mean);
        soft[d.n_row + r] = (float)(mean_target - mean);
    }
    psw_arena_rewind(exec->scratch, mark);
}

const struct psw_head_ops psw_reference_head = {.forward = forward,
                                                .backward = backward,
                                                .nll = nll,
                                                .tangent = tangent,
                                                .soft_nll = soft_nll,
                                                .soft_tangent = soft_tangent};
