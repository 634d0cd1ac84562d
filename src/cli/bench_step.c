/* posweep bench step: tokens per second of forward, backward and AdamW on one rank, and the
 * share of the rate that its matrix products alone reach. */
#include "bench_internal.h"
#include <posweep/bench/step.h>
#include <posweep/optim/optimizer.h>
#include <stdio.h>
#include <stdlib.h>

struct adamw_state {
    float *m, *v;
    int64_t t;
};

static void update(void *ctx, int64_t n, float *param, const float *grad)
{
    struct adamw_state *s = ctx;
    static const struct psw_optimizer_opts OPTS = {
        .kind = PSW_OPTIMIZER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    s->t++;
    psw_adamw_step(
        &(struct psw_exec){0}, &OPTS,
        (struct psw_update){.t = s->t, .lr = 1e-5, .grad_scale = 1.0}, (struct psw_slice){0, n},
        (struct psw_optimizer_arrays){.param = param, .grad = grad, .m = s->m, .v = s->v});
}

static psw_status state_init(const struct psw_model_dims *dims, struct adamw_state *s,
                             struct psw_error *err)
{
    struct psw_model *model = NULL;
    psw_status rc = psw_model_create(dims, &model, err);
    if (rc != PSW_OK) return rc;
    const size_t n = (size_t)psw_model_n_param(model);
    psw_model_destroy(model);
    *s = (struct adamw_state){.m = calloc(n, sizeof(float)), .v = calloc(n, sizeof(float))};
    if (s->m && s->v) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "bench: two moments of %zu floats", n);
}

static void print_row(const struct psw_bench_shape *shape,
                      const struct psw_bench_step_result *r)
{
    printf("%-5s %9.0f %9.1f %10.0f %6.3f %9.1f %9.1f %9.1f %9.1f %9.0f\n", shape->name,
           r->tok_per_s, r->gflop_per_s, r->gemm_tok_per_s, r->ratio, r->step_s * 1e3,
           r->forward_s * 1e3, r->tangent_s * 1e3, r->update_s * 1e3,
           (double)r->memory_bytes / 1048576.0);
    fflush(stdout);
}

static psw_status bench_shape(const struct psw_bench_args *args,
                              const struct psw_bench_shape *shape, struct psw_error *err)
{
    struct adamw_state state = {0};
    struct psw_bench_step_result result;
    struct psw_bench_step_opts opts = {.dims = psw_bench_dims(shape, shape->T),
                                       .T = shape->T,
                                       .B = shape->B,
                                       .n_rep = args->n_rep ? args->n_rep : 5,
                                       .n_thread = (int)args->n_thread,
                                       .update = update,
                                       .ctx = &state};
    psw_status rc = state_init(&opts.dims, &state, err);
    if (rc == PSW_OK) rc = psw_bench_step(&opts, &result, err);
    if (rc == PSW_OK) print_row(shape, &result);
    free(state.m);
    free(state.v);
    return rc;
}

psw_status psw_cli_bench_step(const struct psw_bench_args *args, struct psw_error *err)
{
    printf("%-5s %9s %9s %10s %6s %9s %9s %9s %9s %9s\n", "shape", "tokens/s", "GFLOP/s",
           "GEMM tok/s", "ratio", "step ms", "fwd ms", "tangent", "AdamW ms", "MiB");
    for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++) {
        if (!psw_bench_wants(args, s)) continue;
        const psw_status rc = bench_shape(args, s, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}
