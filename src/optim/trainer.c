/* The trainer: reduce, clip, step the slice, gather. */
#include <posweep/kernels/backend.h>
#include <posweep/optim/divergence.h>
#include <posweep/optim/optimizer.h>
#include <posweep/optim/schedule.h>
#include <posweep/optim/state.h>
#include <posweep/optim/trainer.h>
#include <posweep/util/file.h>

#include <math.h>

void psw_trainer_init(struct psw_trainer *t, const struct psw_model *model,
                      const struct psw_config_train *train, const struct psw_team *team,
                      struct psw_exec exec)
{
    struct psw_arena *arena = exec.scratch;
    const int64_t n_param = psw_model_n_param(model);
    *t = (struct psw_trainer){.model = model,
                              .train = train,
                              .team = *team,
                              .exec = exec,
                              .arena = arena,
                              .optimizer.slice = psw_slice_of(team->rank, team->size, n_param),
                              .n_param = n_param,
                              .per_step = 1};
    const int64_t n_slice = t->optimizer.slice.end - t->optimizer.slice.begin;
    t->param = psw_arena_f32(arena, n_param);
    t->optimizer.moment1 = psw_arena_f32(arena, n_slice);
    t->optimizer.moment2 = psw_arena_f32(arena, n_slice);
    t->tree = psw_tree_create(exec, n_param, team->shard_end - team->shard_begin);
    if (!t->param) return;
    const struct psw_buffer_ops *buffer = psw_exec_backend(&exec)->buffer;
    buffer->fill(&exec, n_slice, 0.0f, t->optimizer.moment1);
    buffer->fill(&exec, n_slice, 0.0f, t->optimizer.moment2);
}

static void step_slice(struct psw_trainer *t, const float *grad, double lr, double clip_factor)
{
    const struct psw_optimizer_opts opts = psw_optimizer_opts_of(t->train);
    const struct psw_update update = {.t = t->step + 1, .lr = lr, .grad_scale = clip_factor};
    const struct psw_optimizer_arrays arrays = {.param = t->param + t->optimizer.slice.begin,
                                                .grad = grad + t->optimizer.slice.begin,
                                                .m = t->optimizer.moment1,
                                                .v = t->optimizer.moment2};
    const struct psw_slice own = {0, t->optimizer.slice.end - t->optimizer.slice.begin};
    psw_optimizer_step(&t->exec, &opts, update, own, arrays);
}

static double param_norm(struct psw_trainer *t)
{
    return sqrt(psw_slices_dot(t->team.comm, &t->exec, t->param, t->param, t->n_param));
}

void psw_trainer_begin(struct psw_trainer *t)
{
    t->start_norm = param_norm(t);
}

psw_status psw_trainer_update(struct psw_trainer *t, struct psw_step_info *out,
                              struct psw_error *err)
{
    const float *grad = psw_tree_reduce(t->team.comm, t->tree);
    const double norm = sqrt(psw_slices_dot(t->team.comm, &t->exec, grad, grad, t->n_param));
    const struct psw_lr_schedule schedule = psw_lr_schedule_of(t->train);
    struct psw_step_info info = {
        .grad_norm = norm, .lr = psw_lr_at(&schedule, t->step), .param_norm = NAN};
    if (out) *out = info;
    if (!isfinite(norm))
        return psw_fail(
            err, PSW_EDIVERGED,
            "the gradient norm at step %lld is %g: training diverged; try a smaller "
            "learning rate or more clipping",
            (long long)(t->step / t->per_step), norm);
    step_slice(t, grad, info.lr, psw_clip_factor(norm, t->train->clip));
    psw_slices_gather(t->team.comm, &t->exec, t->param, t->n_param);
    t->step++;
    info.param_norm = param_norm(t);
    if (out) *out = info;
    if (!(t->start_norm > 0)) return PSW_OK;
    return psw_divergence_check(
        PSW_DIVERGED_NORM, info.param_norm, t->start_norm,
        (struct psw_divergence_at){(t->step - 1) / t->per_step, t->train->lr}, err);
}

static struct psw_state state_of(struct psw_trainer *t, uint64_t key, void *extra,
                                 size_t n_extra_bytes)
{
    return (struct psw_state){.key = key,
                              .step = t->step,
                              .n_param = t->n_param,
                              .param = t->param,
                              .moment1 = t->optimizer.moment1,
                              .moment2 = t->optimizer.moment2,
                              .extra = extra,
                              .n_extra_bytes = n_extra_bytes};
}

/* A damaged file is out of the way of the next attempt. */
static psw_status load(struct psw_trainer *t, const char *path, struct psw_state *s,
                       struct psw_error *err)
{
    psw_status rc = psw_state_read(&t->team, &t->exec, path, s, err);
    if (t->team.rank == 0) rc = psw_file_set_aside(path, rc, err);
    if (rc == PSW_OK) t->step = s->step;
    return rc;
}

psw_status psw_trainer_save(struct psw_trainer *t, const char *path, uint64_t key, void *extra,
                            size_t n_extra_bytes, struct psw_error *err)
{
    const struct psw_state s = state_of(t, key, extra, n_extra_bytes);
    return psw_state_write(&t->team, &t->exec, path, &s, psw_tree_next(t->tree), err);
}

psw_status psw_trainer_load(struct psw_trainer *t, const char *path, uint64_t key, void *extra,
                            size_t *n_extra_bytes, struct psw_error *err)
{
    struct psw_state s = state_of(t, key, extra, extra ? *n_extra_bytes : 0);
    const psw_status rc = load(t, path, &s, err);
    if (rc == PSW_OK && extra) *n_extra_bytes = s.n_extra_bytes;
    return rc;
}

psw_status psw_trainer_save_param(struct psw_trainer *t, const char *path, uint64_t key,
                                  struct psw_error *err)
{
    struct psw_state s = state_of(t, key, NULL, 0);
    s.moment1 = s.moment2 = NULL;
    return psw_state_write(&t->team, &t->exec, path, &s, NULL, err);
}

psw_status psw_trainer_load_param(struct psw_trainer *t, const char *path, uint64_t key,
                                  struct psw_error *err)
{
    struct psw_state s = state_of(t, key, NULL, 0);
    s.moment1 = s.moment2 = NULL;
    return load(t, path, &s, err);
}
