/* Rotation of query and key pairs by position; values are left alone. */
#include "reference.h"

/* One head, by sign times its angles. */
static void rotate(const struct psw_rotary_dims *d, const struct psw_rotary_table *table,
                   int32_t position, double sign, float *head)
{
    const int64_t n_pair = d->n_rotated / 2;
    for (int64_t i = 0; i < n_pair; i++) {
        const double c = table->cosine[position * n_pair + i];
        const double s = sign * table->sine[position * n_pair + i];
        const double a = head[i], b = head[i + n_pair];
        head[i] = (float)(a * c - b * s);
        head[i + n_pair] = (float)(b * c + a * s);
    }
}

static void rotate_all(const struct psw_rotary_dims *d, const struct psw_rotary_table *table,
                       const int32_t *position, double sign, float *x)
{
    const struct psw_qkv *l = &d->qkv;
    for (int64_t t = 0; t < d->n_tok; t++) {
        for (int64_t h = 0; h < l->n_head; h++)
            rotate(d, table, position[t], sign, x + t * l->row + l->q + h * l->q_step);
        for (int64_t h = 0; h < l->n_kv_head; h++)
            rotate(d, table, position[t], sign, x + t * l->row + l->k + h * l->kv_step);
    }
}

static void forward(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv)
{
    (void)exec;
    rotate_all(&d, &table, position, 1.0, qkv);
}

static void backward(struct psw_exec *exec, struct psw_rotary_dims d,
                     struct psw_rotary_table table, const int32_t *position, float *qkv_bar)
{
    (void)exec;
    rotate_all(&d, &table, position, -1.0, qkv_bar);
}

static void tangent(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv)
{
    (void)exec;
    rotate_all(&d, &table, position, 1.0, qkv);
    rotate_all(&d, &table, position, 1.0, qkv + d.n_tok * d.qkv.row);
}

const struct psw_rotary_ops psw_reference_rotary = {
    .forward = forward, .backward = backward, .tangent = tangent};
