#include <support/naive_model.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct naive {
    const struct psw_model *model;
    struct psw_model_dims d;
    const double *param;
    const struct psw_batch *batch;
    double *x, *qkv; /* [n_tok][width], [n_tok][3 width] */
};

static const double *tensor(const struct naive *n, int64_t layer, const char *name)
{
    char full[PSW_TENSOR_NAME_BYTES + 32];
    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "gpt_neox.layers.%d.%s", (int)layer, name);
    return n->param + psw_model_find(n->model, full)->offset;
}

static void norm(const struct naive *n, const double *w, const double *b, const double *x,
                 double *y)
{
    const int64_t width = n->d.width;
    double mean = 0.0, variance = 0.0;
    for (int64_t i = 0; i < width; i++) mean += x[i] / (double)width;
    for (int64_t i = 0; i < width; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)width;
    for (int64_t i = 0; i < width; i++)
        y[i] = (x[i] - mean) / sqrt(variance + n->d.norm_eps) * w[i] + b[i];
}

static void linear(int64_t n_in, int64_t n_out, const double *w, const double *b,
                   const double *x, double *y)
{
    for (int64_t o = 0; o < n_out; o++) {
        y[o] = b ? b[o] : 0.0;
        for (int64_t i = 0; i < n_in; i++) y[o] += w[o * n_in + i] * x[i];
    }
}

static void rotate(const struct naive *n, int64_t position, double *head)
{
    const int64_t half = n->d.rotary_dims / 2;
    for (int64_t i = 0; i < half; i++) {
        const double angle = (double)position /
                             pow(n->d.rotary_base, 2.0 * (double)i / (double)n->d.rotary_dims);
        const double a = head[i], b = head[i + half];
        head[i] = a * cos(angle) - b * sin(angle);
        head[i + half] = a * sin(angle) + b * cos(angle);
    }
}

static int64_t segment_of(const struct psw_batch *batch, int64_t t)
{
    int64_t s = 0;
    while (t >= batch->segment[s].start + batch->segment[s].length) s++;
    return s;
}

static int sees(const struct psw_batch *batch, int64_t t, int64_t key)
{
    const int64_t own = segment_of(batch, t), other = segment_of(batch, key);
    if (own == other) return key <= t;
    for (int64_t s = batch->segment[own].parent; s >= 0; s = batch->segment[s].parent)
        if (s == other) return 1;
    return 0;
}

static void attend(const struct naive *n, int64_t t, double *out)
{
    const int64_t width = n->d.width, head = width / n->d.n_head;
    for (int64_t h = 0; h < n->d.n_head; h++) {
        double sum = 0.0;
        double *mixed = out + h * head;
        memset(mixed, 0, (size_t)head * sizeof *mixed);
        for (int64_t k = 0; k < n->batch->n_tok; k++) {
            if (!sees(n->batch, t, k)) continue;
            const double *q = n->qkv + t * 3 * width + h * 3 * head;
            const double *key = n->qkv + k * 3 * width + h * 3 * head + head;
            double score = 0.0;
            for (int64_t i = 0; i < head; i++) score += q[i] * key[i];
            const double e = exp(score / sqrt((double)head));
            sum += e;
            for (int64_t i = 0; i < head; i++) mixed[i] += e * key[head + i];
        }
        for (int64_t i = 0; i < head; i++) mixed[i] /= sum;
    }
}

static void layer(struct naive *n, int64_t l)
{
    const int64_t width = n->d.width, hidden = n->d.hidden;
    double *y = calloc((size_t)(2 * width + hidden), sizeof *y), *mixed = y + width;
    double *up = mixed + width;
    for (int64_t t = 0; t < n->batch->n_tok; t++) {
        double *qkv = n->qkv + t * 3 * width;
        norm(n, tensor(n, l, "input_layernorm.weight"), tensor(n, l, "input_layernorm.bias"),
             n->x + t * width, y);
        linear(width, 3 * width, tensor(n, l, "attention.query_key_value.weight"),
               tensor(n, l, "attention.query_key_value.bias"), y, qkv);
        for (int64_t h = 0; h < n->d.n_head; h++)
            for (int64_t which = 0; which < 2; which++)
                rotate(n, n->batch->position[t], qkv + (h * 3 + which) * (width / n->d.n_head));
    }
    for (int64_t t = 0; t < n->batch->n_tok; t++) {
        double *x = n->x + t * width;
        norm(n, tensor(n, l, "post_attention_layernorm.weight"),
             tensor(n, l, "post_attention_layernorm.bias"), x, y);
        linear(width, hidden, tensor(n, l, "mlp.dense_h_to_4h.weight"),
               tensor(n, l, "mlp.dense_h_to_4h.bias"), y, up);
        for (int64_t i = 0; i < hidden; i++) up[i] *= 0.5 * (1.0 + erf(up[i] / sqrt(2.0)));
        linear(hidden, width, tensor(n, l, "mlp.dense_4h_to_h.weight"),
               tensor(n, l, "mlp.dense_4h_to_h.bias"), up, y);
        for (int64_t i = 0; i < width; i++) x[i] += y[i];
        attend(n, t, mixed);
        linear(width, width, tensor(n, l, "attention.dense.weight"),
               tensor(n, l, "attention.dense.bias"), mixed, y);
        for (int64_t i = 0; i < width; i++) x[i] += y[i];
    }
    free(y);
}

static void row_of(const struct naive *n, int64_t r, double temperature, double out[NAIVE_N])
{
    const int64_t width = n->d.width, n_vocab = n->d.n_vocab;
    const double *w = n->d.tied ? tensor(n, -1, "gpt_neox.embed_in.weight")
                                : tensor(n, -1, "embed_out.weight");
    double *y = calloc((size_t)(width + n_vocab), sizeof *y), *logit = y + width, sum = 0.0;
    norm(n, tensor(n, -1, "gpt_neox.final_layer_norm.weight"),
         tensor(n, -1, "gpt_neox.final_layer_norm.bias"),
         n->x + n->batch->row.source[r] * width, y);
    linear(width, n_vocab, w, NULL, y, logit);
    for (int64_t v = 0; v < n_vocab; v++) sum += exp(logit[v] / temperature);
    out[NAIVE_LOGP] = logit[n->batch->row.target[r]] / temperature - log(sum);
    out[NAIVE_ENTROPY] = out[NAIVE_VALUE] = 0.0;
    for (int64_t v = 0; v < n_vocab; v++) {
        const double logp = logit[v] / temperature - log(sum);
        out[NAIVE_ENTROPY] -= exp(logp) * logp;
    }
    if (n->d.value)
        linear(width, 1, tensor(n, -1, "score.weight"), tensor(n, -1, "score.bias"), y,
               &out[NAIVE_VALUE]);
    free(y);
}

void naive_model_rows(const struct psw_model *model, const double *param,
                      const struct psw_batch *batch, double temperature, double *out)
{
    struct naive n = {
        .model = model, .d = *psw_model_dims(model), .param = param, .batch = batch};
    const int64_t width = n.d.width;
    n.x = calloc((size_t)(batch->n_tok * 4 * width), sizeof *n.x);
    n.qkv = n.x + batch->n_tok * width;
    const double *embed = tensor(&n, -1, "gpt_neox.embed_in.weight");
    for (int64_t t = 0; t < batch->n_tok; t++)
        memcpy(n.x + t * width, embed + batch->token[t] * width, (size_t)width * sizeof *n.x);
    for (int64_t l = 0; l < n.d.n_layer; l++) layer(&n, l);
    for (int64_t r = 0; r < batch->n_row; r++) {
        double row[NAIVE_N];
        row_of(&n, r, temperature, row);
        for (int q = 0; q < NAIVE_N; q++) out[q * batch->n_row + r] = row[q];
    }
    free(n.x);
}
