/* One point of a trace. Everything lives between two marks of the arena; a measuring arena
 * walks through the same allocations. Collective calls are skipped then (psw_pass does so,
 * too). */
#include "trace_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/trace/point.h>

#include <math.h>

/* How the probe of a tracer is measured. */
static const struct psw_trace_kind *kind_of(const struct psw_tracer *t)
{
    return t->rollouts ? &PSW_TRACE_ROLLOUTS : &PSW_TRACE_PAIRS;
}

static void fill_nan(struct psw_trace_point *out)
{
    double *x = (double *)out;
    for (size_t i = 0; i < sizeof *out / sizeof *x; i++) x[i] = NAN;
}

static void precondition(const struct psw_tracer *t, const struct psw_trace_at *at,
                         const float *v, float *u)
{
    const struct psw_backend *backend = psw_exec_backend(t->exec);
    const int64_t n_param = psw_model_n_param(t->model);
    backend->buffer->copy(t->exec, n_param, v, u);
    backend->vector->multiply(t->exec, n_param, at->preconditioner, u);
}

static void measure_directions(const struct psw_tracer *t, const struct psw_trace_at *at,
                               const float *v, struct psw_probe *p, struct psw_trace_point *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_trace_kind *kind = kind_of(t);
    const int64_t n_param = psw_model_n_param(t->model), half = t->final.n / 2;
    float *u = psw_arena_f32(t->arena, n_param);
    double unused[PSW_N_COMPONENT];
    const struct psw_trace_set sets[] = {
        [PSW_DIR_FINAL_A] = {t->final.example, half},
        [PSW_DIR_FINAL_B] = {t->final.example + half, t->final.n - half},
        [PSW_DIR_CHOSEN] = t->chosen};
    for (int d = 0; d < PSW_N_DIRECTION; d++) {
        if (d == PSW_DIR_ADAM) {
            if (!at->preconditioner && !psw_trace_is_dry(t)) continue;
            if (u) precondition(t, at, v, u);
        } else {
            if (sets[d].n == 0) continue;
            psw_trace_direction(t, sets[d], d == PSW_DIR_CHOSEN, at->param, u);
        }
        kind->tangent(t, at->param, u, p, NULL);
        if (!psw_trace_is_dry(t)) kind->reduce(t, p, out->g_dir[d], unused);
    }
    psw_arena_rewind(t->arena, mark);
}

/* G along v_soft. Where that is exactly 0, so is G. */
static psw_status measure_soft(const struct psw_tracer *t, const struct psw_trace_at *at,
                               struct psw_probe *p, struct psw_trace_point *out,
                               struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_trace_kind *kind = kind_of(t);
    const int64_t n_param = psw_model_n_param(t->model);
    psw_status rc = PSW_OK;
    float *v_soft = psw_arena_f32(t->arena, n_param);
    psw_trace_v_soft(t, at->param, v_soft);
    if (!psw_trace_is_dry(t))
        out->v.soft_norm =
            sqrt(psw_slices_dot(t->team->comm, t->exec, v_soft, v_soft, n_param));
    if (out->v.soft_norm == 0) {
        for (int k = 0; k < PSW_N_COMPONENT; k++)
            out->soft.at[k] = out->soft.se[k] = isnan(out->g.at[k]) ? NAN : 0;
    } else {
        kind->tangent(t, at->param, v_soft, p, NULL);
        if (!psw_trace_is_dry(t)) kind->reduce(t, p, out->soft.at, out->soft.se);
    }
    if (!psw_trace_is_dry(t) && !isfinite(out->soft.at[PSW_C_TOTAL]))
        rc = psw_fail(err, PSW_EDIVERGED,
                      "trace of checkpoint %lld: |v_soft| is %g and G_soft(total) %g; the run "
                      "diverged",
                      (long long)at->checkpoint, out->v.soft_norm, out->soft.at[PSW_C_TOTAL]);
    psw_arena_rewind(t->arena, mark);
    return rc;
}

uint32_t psw_trace_components(const struct psw_tracer *t)
{
    return kind_of(t)->components(t);
}

static psw_status check_finite(const struct psw_trace_at *at, const struct psw_trace_point *out,
                               struct psw_error *err)
{
    if (isfinite(out->v.norm) && isfinite(out->g.at[PSW_C_TOTAL])) return PSW_OK;
    return psw_fail(err, PSW_EDIVERGED,
                    "trace of checkpoint %lld: |v| is %g and G(total) %g; the run diverged",
                    (long long)at->checkpoint, out->v.norm, out->g.at[PSW_C_TOTAL]);
}

psw_status psw_trace_measure(const struct psw_tracer *t, const struct psw_trace_at *at,
                             struct psw_trace_point *out, struct psw_error *err)
{
    const struct psw_trace_kind *kind = kind_of(t);
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_param = psw_model_n_param(t->model);
    psw_status rc = PSW_OK;
    struct psw_probe p;
    fill_nan(out);
    float *v = psw_arena_f32(t->arena, n_param);
    kind->init(t, &p);
    psw_trace_v(t, at, v, out);
    kind->tangent(t, at->param, v, &p, at->tokens);
    PSW_TRY(kind->coefficients(t, at, &p, out, err));
    if (!psw_trace_is_dry(t)) {
        kind->reduce(t, &p, out->g.at, out->g.se);
        kind->summarise(t, at, &p, out);
        PSW_TRY(check_finite(at, out, err));
    }
    PSW_TRY(kind->heldout(t, at->param, out, err));
    if (t->soft) PSW_TRY(measure_soft(t, at, &p, out, err));
    if (at->cosine || at->error_final) psw_trace_explicit(t, kind, at, v, &p, out);
    if (at->directions) measure_directions(t, at, v, &p, out);
    psw_trace_sketch_move(t, at->sketch, at->param);
fail:
    psw_arena_rewind(t->arena, mark);
    return rc;
}
