/* Weights of others: a model's parameters from a checkpoint, every tensor of the one matched
 * with one of the other by name and shape, and the other way round. */
#include <posweep/stage/weights.h>

#include <posweep/config/model_dir.h>
#include <posweep/data/safetensors.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 18 };

/* Tensors that a checkpoint may hold beside its weights: buffers that follow from the sizes,
 * and the copy of a head that is the embedding. */
static const struct {
    const char *end;
    int of_tied; /* only where the head is the embedding */
} SURPLUS[] = {
    {".rotary_emb.inv_freq", 0}, {".attention.bias", 0},  {".attention.masked_bias", 0},
    {"lm_head.weight", 1},       {"embed_out.weight", 1},
};

static int ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static int may_be_left(const struct psw_model *model, const char *name)
{
    for (size_t i = 0; i < sizeof SURPLUS / sizeof *SURPLUS; i++)
        if (ends_in(name, SURPLUS[i].end))
            return !SURPLUS[i].of_tied || psw_model_dims(model)->tied;
    return 0;
}

/* The scalar head of reward models and critics is of this program. */
static int is_own(const struct psw_tensor *t)
{
    return !strncmp(t->name, "score.", 6);
}

static char *shape_text(const struct psw_tensor *t, char *out, size_t n_bytes)
{
    const size_t at = (size_t)snprintf(out, n_bytes, "[%lld]", (long long)t->n_row);
    if (t->n_col && at < n_bytes)
        snprintf(out + at, n_bytes - at, "[%lld]", (long long)t->n_col);
    return out;
}

static int has_shape(const struct psw_stored_tensor *s, const struct psw_tensor *t)
{
    return s->n_dim == (t->n_col ? 2 : 1) && s->shape[0] == t->n_row &&
           (!t->n_col || s->shape[1] == t->n_col);
}

static psw_status check_tensor(const char *path, const struct psw_stored_tensor *s,
                               const struct psw_tensor *t, struct psw_error *err)
{
    char shape[64], found[160];
    shape_text(t, shape, sizeof shape);
    if (!s)
        return psw_fail(err, PSW_EDATA,
                        "%s: tensor %s is missing: expected F32, F16 or BF16 %s", path, t->name,
                        shape);
    if (has_shape(s, t) && s->type != PSW_STORED_OTHER) return PSW_OK;
    return psw_fail(err, PSW_EDATA,
                    "%s: tensor %s: expected F32, F16 or BF16 %s (by config.json), found %s",
                    s->file, t->name, shape, psw_stored_tensor_text(s, found, sizeof found));
}

/* Does the checkpoint hold this model, all of it and nothing else? */
static psw_status check(const char *path, const struct psw_safetensors *st,
                        const struct psw_model *model, struct psw_error *err)
{
    int64_t n_tensor, n_stored;
    char found[160];
    const struct psw_tensor *t = psw_model_table(model, &n_tensor);
    const struct psw_stored_tensor *s = psw_safetensors_table(st, &n_stored);
    for (int64_t i = 0; i < n_tensor; i++) {
        if (is_own(&t[i])) continue;
        const psw_status rc =
            check_tensor(path, psw_safetensors_find(st, t[i].name), &t[i], err);
        if (rc != PSW_OK) return rc;
    }
    for (int64_t i = 0; i < n_stored; i++)
        if (!may_be_left(model, s[i].name) && !psw_model_find(model, s[i].name))
            return psw_fail(err, PSW_EDATA,
                            "%s: tensor %.80s (%s) is none of this model: family %s with %lld "
                            "layers%s",
                            s[i].file, s[i].name,
                            psw_stored_tensor_text(&s[i], found, sizeof found),
                            psw_family_row(psw_model_dims(model)->family)->name,
                            (long long)psw_model_dims(model)->n_layer,
                            psw_model_dims(model)->tied ? " and a tied head" : "");
    return PSW_OK;
}

/* room [BLOCK] */
static psw_status read_tensor(const struct psw_stored_tensor *s, struct psw_exec *exec,
                              float *room, float *out, struct psw_error *err)
{
    for (int64_t at = 0; at < s->n_elem; at += BLOCK) {
        const int64_t n = psw_min(s->n_elem - at, BLOCK);
        const psw_status rc = psw_stored_tensor_read(s, at, n, room, err);
        if (rc != PSW_OK) return rc;
        psw_exec_backend(exec)->buffer->write(exec, n, room, out + at);
    }
    return PSW_OK;
}

/* Every element of the array is set once: tensors, and zeros where there is none. */
static psw_status read_all(const struct psw_safetensors *st, const struct psw_weights *to,
                           float *room, float *param, struct psw_error *err)
{
    int64_t n_tensor, end = 0;
    psw_status rc = PSW_OK;
    const struct psw_tensor *t = psw_model_table(to->model, &n_tensor);
    const struct psw_buffer_ops *buffer = psw_exec_backend(to->exec)->buffer;
    for (int64_t i = 0; i < n_tensor && rc == PSW_OK; i++) {
        if (is_own(&t[i])) continue;
        if (t[i].offset > end) buffer->fill(to->exec, t[i].offset - end, 0.0f, param + end);
        rc = read_tensor(psw_safetensors_find(st, t[i].name), to->exec, room,
                         param + t[i].offset, err);
        end = t[i].offset + psw_tensor_n_elem(&t[i]);
    }
    buffer->fill(to->exec, psw_model_n_param(to->model) - end, 0.0f, param + end);
    return rc;
}

psw_status psw_weights_read(const char *path, const struct psw_model *model,
                            struct psw_exec *exec, float *param, struct psw_error *err)
{
    struct psw_safetensors *st = NULL;
    const struct psw_weights to = {.model = model, .exec = exec};
    float *room = malloc(BLOCK * sizeof *room);
    psw_status rc = PSW_OK;
    if (!room) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: a block of numbers", path));
    PSW_TRY(psw_safetensors_open(path, &st, err));
    PSW_TRY(check(path, st, model, err));
    rc = read_all(st, &to, room, param, err);
fail:
    psw_safetensors_close(st);
    free(room);
    return rc;
}

psw_status psw_weights_fit(const struct psw_config *config, const struct psw_model *model,
                           struct psw_error *err)
{
    char path[PSW_CFG_PATH];
    struct psw_safetensors *st = NULL;
    if (!config->model.from[0] || !config->model.weights) return PSW_OK;
    psw_status rc = psw_model_dir_tensors(config->model.from, path, err);
    if (rc == PSW_OK) rc = psw_safetensors_open(path, &st, err);
    if (rc == PSW_OK) rc = check(path, st, model, err);
    psw_safetensors_close(st);
    return rc;
}

psw_status psw_weights_check(const struct psw_config *config, struct psw_error *err)
{
    uint64_t hash = 0;
    const psw_status rc = psw_model_dir_hash(config->model.from, &hash, err);
    if (rc != PSW_OK || hash == (uint64_t)config->model.weights) return rc;
    return psw_fail(err, PSW_EDATA,
                    "the model in %s changed while the sweep was running: its files are "
                    "%016" PRIx64 ", not %016" PRIx64
                    "; restore them, or start the sweep again",
                    config->model.from, hash, (uint64_t)config->model.weights);
}
