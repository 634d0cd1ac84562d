/* See respond.h. */
#include <posweep/stage/respond.h>

#include <posweep/config/model_dir.h>
#include <posweep/kernels/blas.h>
#include <posweep/stage/stage.h>
#include <posweep/stage/weights.h>
#include <posweep/util/minmax.h>

#include <stdlib.h>

struct psw_responder {
    struct psw_model *model; /* owned */
    struct psw_arena *arena; /* owned: of param */
    float *param;
};

static psw_status read_param(struct psw_responder *r, const char *dir, struct psw_error *err)
{
    char path[PSW_CFG_PATH];
    struct psw_exec exec = {.n_thread = 1};
    const int64_t n = psw_model_n_param(r->model);
    psw_status rc = psw_model_dir_tensors(dir, path, err);
    if (rc == PSW_OK)
        rc = psw_arena_create("parameters", (size_t)n * sizeof *r->param, &r->arena, err);
    if (rc != PSW_OK) return rc;
    r->param = psw_arena_f32(r->arena, n);
    return psw_weights_read(path, r->model, &exec, r->param, err);
}

psw_status psw_responder_open(const char *dir, int32_t n_vocab, struct psw_responder **out,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_config config;
    struct psw_model_dims dims;
    struct psw_responder *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "%s: %zu bytes", dir, sizeof *r);
    psw_blas_pin(1); /* as a rank of a sweep, whose bits are wanted */
    psw_config_default(&config);
    PSW_TRY(psw_model_dir_read(dir, &config.model, err));
    PSW_TRY(psw_stage_model_dims(&config, n_vocab, &dims, err));
    PSW_TRY(psw_model_create(&dims, &r->model, err));
    PSW_TRY(read_param(r, dir, err));
    *out = r;
    return PSW_OK;
fail:
    psw_responder_close(r);
    return rc;
}

void psw_responder_close(struct psw_responder *responder)
{
    if (!responder) return;
    psw_model_destroy(responder->model);
    psw_arena_destroy(responder->arena);
    free(responder);
}

int64_t psw_responder_context(const struct psw_responder *responder)
{
    return psw_model_dims(responder->model)->context;
}

psw_status psw_responder_draw(const struct psw_responder *responder,
                              const struct psw_sample_in *in, const struct psw_sample_out *out,
                              struct psw_error *err)
{
    size_t n_bytes = 0;
    struct psw_exec exec = {.n_thread = 1};
    struct psw_sample_shape shape = {.n_seq = in->n_prompt * in->n_sample,
                                     .max_new = in->opts->max_new};
    for (int64_t i = 0; i < in->n_prompt; i++)
        shape.max_prompt = psw_max(shape.max_prompt, in->prompt[i]->n_prompt);
    psw_status rc = psw_model_sample_bytes(responder->model, &shape, &n_bytes, err);
    if (rc == PSW_OK) rc = psw_arena_create("sampling", n_bytes, &exec.scratch, err);
    if (rc == PSW_OK)
        rc = psw_model_sample(responder->model, &exec, responder->param, in, out, err);
    psw_arena_destroy(exec.scratch);
    return rc;
}
