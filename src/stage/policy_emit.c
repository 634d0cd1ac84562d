/* Results of a run as records, under the names of the schema. */
#include "policy_internal.h"

#include <posweep/store/schema.h>
#include <posweep/util/hash.h>
#include <posweep/util/interval.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Components of the method, packed side by side from arrays over all components. */
struct axis {
    int n;
    int component[PSW_N_COMPONENT];
    const char *name[PSW_N_COMPONENT];
};

static struct axis axis_of(uint32_t exists)
{
    struct axis a = {0};
    for (int k = 0; k < PSW_N_COMPONENT; k++)
        if (exists & (1u << k)) {
            a.component[a.n] = k;
            a.name[a.n++] = psw_component_name((enum psw_component)k);
        }
    return a;
}

static void put_components(struct psw_record *record, const char *name, const struct axis *a,
                           const double *value)
{
    double packed[PSW_N_COMPONENT];
    for (int i = 0; i < a->n; i++) packed[i] = value[a->component[i]];
    psw_record_put(record, name, PSW_F64, psw_shape_1d(a->n), packed);
}

/* What may not have been measured: nothing is put where total has no value. */
static void put_measured(struct psw_record *record, const struct axis *a,
                         const struct psw_trace_point *point)
{
    const struct {
        const char *name;
        const double *value;
    } rows[] = {
        {"G_soft", point->soft.at},
        {"G_soft_se", point->soft.se},
        {"G_soft_se_final", point->soft.se_final},
        {"G_se_final", point->g.se_final},
        {"grad_norm_component", point->gradient.norm},
        {"G_explicit", point->gradient.g},
        {"predicted", point->step.predicted},
        {"realised", point->step.realised},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!isnan(rows[i].value[PSW_C_TOTAL]))
            put_components(record, rows[i].name, a, rows[i].value);
    if (!isnan(point->gradient.norm[PSW_C_TOTAL]))
        put_components(record, "cosine", a, point->gradient.cosine);
}

static void put_directions(struct psw_record *record, const struct axis *a,
                           const struct psw_trace_point *point)
{
    const char *name[PSW_N_DIRECTION];
    double packed[PSW_N_DIRECTION * PSW_N_COMPONENT];
    for (int d = 0; d < PSW_N_DIRECTION; d++) {
        name[d] = psw_direction_name((enum psw_direction)d);
        for (int i = 0; i < a->n; i++) packed[d * a->n + i] = point->g_dir[d][a->component[i]];
    }
    psw_record_put_labels(record, "direction", name, PSW_N_DIRECTION);
    psw_record_put(record, "G_dir", PSW_F64, psw_shape_2d(PSW_N_DIRECTION, a->n), packed);
}

static void put_scalars(struct psw_record *record, const struct psw_trace_point *point)
{
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"v_norm", point->v.norm},
        {"v_soft_norm", point->v.soft_norm},
        {"v_halves", point->v.halves},
        {"logp_final", point->v.final_logp},
        {"kappa_chosen", point->kappa.chosen},
        {"kappa_rejected", point->kappa.rejected},
        {"kappa_chosen_positive", point->kappa.chosen_positive},
        {"kappa_rejected_positive", point->kappa.rejected_positive},
        {"omega", point->omega},
        {"kappa_pos_positive", point->kappa.pos_positive},
        {"kappa_neg_positive", point->kappa.neg_positive},
        {"probe_entropy", point->entropy},
        {"probe_loss", point->probe.loss},
        {"probe_margin", point->probe.margin},
        {"probe_accuracy", point->probe.accuracy},
        {"trace_heldout_loss", point->heldout.loss},
        {"trace_heldout_margin", point->heldout.margin},
        {"trace_heldout_accuracy", point->heldout.accuracy},
        {"eta", point->step.eta},
        {"interaction", point->step.interaction},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!isnan(rows[i].value)) psw_record_put_f64(record, rows[i].name, rows[i].value);
}

static void put_eval(struct psw_record *record, const struct psw_eval_point *eval)
{
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"trace_score", eval->quality.score},
        {"trace_reward", eval->reward},
        {"trace_length", eval->quality.length_tok},
        {"trace_eos_rate", eval->quality.eos_rate},
        {"trace_repetition_rate", eval->quality.repetition_rate},
        {"trace_kl", eval->kl},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!isnan(rows[i].value)) psw_record_put_f64(record, rows[i].name, rows[i].value);
}

/* k numbers of v, its first half, the displacement and, where they were formed, gradients. */
static psw_status put_sketch(struct psw_record *record, const struct axis *a,
                             const struct psw_trace_sketch *sketch, int has_gradients,
                             struct psw_error *err)
{
    const int64_t k = sketch->k;
    psw_record_put(record, "sketch_v", PSW_F32, psw_shape_1d(k), sketch->v);
    psw_record_put(record, "sketch_v_half", PSW_F32, psw_shape_1d(k), sketch->v_half);
    psw_record_put(record, "sketch_displacement", PSW_F32, psw_shape_1d(k),
                   sketch->displacement);
    if (!has_gradients) return PSW_OK;
    float *packed = malloc(sizeof *packed * (size_t)(a->n * k) + 1);
    if (!packed) return psw_fail(err, PSW_ENOMEM, "trace: sketches of %d components", a->n);
    for (int i = 0; i < a->n; i++)
        memcpy(packed + i * k,
               psw_trace_sketch_row(sketch, (enum psw_component)a->component[i]),
               sizeof *packed * (size_t)k);
    psw_record_put(record, "sketch_component", PSW_F32, psw_shape_2d(a->n, k), packed);
    free(packed);
    return PSW_OK;
}

static psw_status put_point(const struct psw_policy *p, const struct psw_policy_point *at,
                            struct psw_record *record, struct psw_error *err)
{
    const struct axis a = axis_of(at->components);
    const struct psw_trace_point *point = &at->point;
    psw_record_put_i64(record, "checkpoint", at->checkpoint);
    psw_record_put_i64(record, "step", at->step);
    psw_record_put_labels(record, "component", a.name, a.n);
    put_components(record, "G", &a, point->g.at);
    put_components(record, "G_se", &a, point->g.se);
    put_measured(record, &a, point);
    if (p->work->stage->config->trace.directions) put_directions(record, &a, point);
    put_scalars(record, point);
    if (!isnan(at->logp_greedy_sft))
        psw_record_put_f64(record, "logp_greedy_sft", at->logp_greedy_sft);
    if (at->eval) put_eval(record, at->eval);
    if (at->sketch) {
        const int has_gradients = !isnan(point->gradient.norm[PSW_C_TOTAL]);
        const psw_status rc = put_sketch(record, &a, at->sketch, has_gradients, err);
        if (rc != PSW_OK) return rc;
    }
    return at->tokens ? psw_policy_put_tokens(p, record, at, err) : PSW_OK;
}

static psw_status put_log(const struct psw_policy *p, struct psw_record *record,
                          struct psw_error *err)
{
    const struct psw_train_log *log = &p->log;
    const int64_t n_row = (log->n_step + log->every - 1) / log->every;
    int64_t *step = calloc((size_t)n_row + 1, sizeof *step);
    double *metric = calloc((size_t)n_row + 1, sizeof *metric);
    psw_status rc = PSW_OK;
    if (!step || !metric)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "training log: %lld steps", (long long)n_row));
    for (int64_t i = 0; i < n_row; i++) step[i] = i * log->every;
    psw_record_put(record, "train_step", PSW_I64, psw_shape_1d(n_row), step);
    for (int k = 0; k < log->n_metric; k++) {
        for (int64_t i = 0; i < n_row; i++) metric[i] = psw_train_log_at(log, i, k);
        psw_record_put(record, log->name[k], PSW_F64, psw_shape_1d(n_row), metric);
    }
fail:
    free(step);
    free(metric);
    return rc;
}

/* A share of n trials, ties counted half, with its 95 % interval. */
static void put_share(struct psw_record *record, const char *name, double share, double tie,
                      double n)
{
    char low[PSW_FIELD_BYTES], high[PSW_FIELD_BYTES];
    if (!isfinite(share) || n < 1) return;
    const struct psw_interval i = psw_tied_interval((share - tie / 2) * n, tie * n, n, 0.95);
    snprintf(low, sizeof low, "%s_low", name);
    snprintf(high, sizeof high, "%s_high", name);
    psw_record_put_f64(record, name, share);
    psw_record_put_f64(record, low, i.lo);
    psw_record_put_f64(record, high, i.hi);
}

/* D' is a sample of the final policy only when it is drawn as the policy is: then the mean of
 * log pi(y') - log pi_sft(y') over it estimates the KL. */
static double kl_of(const struct psw_config *c, const struct psw_policy_end *end)
{
    if (!psw_final_is_policy(c) || c->final.norm != PSW_NORM_SEQUENCE) return NAN;
    return end->kl_sft;
}

int psw_policy_findings(const struct psw_config *c, const struct psw_final_quality *final,
                        char *text, size_t n_bytes)
{
    const int is_cut = final->cut_rate > PSW_FINAL_TOO_MANY;
    const int repeats = final->repetition_rate > PSW_FINAL_TOO_MANY;
    char at[64] = "the end of the context", cut[128] = "", same[128] = "";
    if (c->final.max_new > 0)
        snprintf(at, sizeof at, "final.max_new %lld", (long long)c->final.max_new);
    if (is_cut)
        snprintf(cut, sizeof cut, "%.0f %% of D' was cut at %s", 100 * final->cut_rate, at);
    if (repeats)
        snprintf(same, sizeof same, "D' repeats itself (%.0f %% of responses)",
                 100 * final->repetition_rate);
    snprintf(text, n_bytes, "%s%s%s", cut, is_cut && repeats ? "; " : "", same);
    return (is_cut ? PSW_FINDING_CUT : 0) | (repeats ? PSW_FINDING_REPEATS : 0);
}

static void put_findings(const struct psw_policy *p, const struct psw_final_quality *final,
                         struct psw_record *record)
{
    char text[256];
    const struct psw_config *c = p->work->stage->config;
    const int findings = psw_policy_findings(c, final, text, sizeof text);
    psw_record_put_i64(record, "final_degenerate", findings);
    if (findings)
        psw_log(PSW_LOG_WARN, "%s seed %lld: %s", psw_config_method(c), (long long)c->seed,
                text);
}

static void put_heldout(const struct psw_policy_end *end, struct psw_record *record)
{
    const struct psw_heldout_end *h = &end->heldout;
    if (h->n < 0) return;
    psw_record_put_i64(record, "heldout_pairs", h->n);
    if (h->n > 0) put_share(record, "heldout_accuracy", h->accuracy, h->tie, (double)h->n);
}

static int64_t resident_bytes(void)
{
    struct rusage used = {0};
    return getrusage(RUSAGE_SELF, &used) == 0 ? (int64_t)used.ru_maxrss * 1024 : -1;
}

/* Figures that may not be known. */
static void put_figures(const struct psw_policy *p, const struct psw_policy_end *end,
                        struct psw_record *record)
{
    const struct psw_final_quality *f = &end->final, *e = &end->eval, *s = &end->sft;
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"score", e->score},
        {"score_sft", s->score},
        {"tie_rate", end->duel.tie},
        {"loss_rate", end->duel.loss},
        {"length", e->length_tok},
        {"length_sft", s->length_tok},
        {"eos_rate", e->eos_rate},
        {"eos_rate_sft", s->eos_rate},
        {"repetition_rate", e->repetition_rate},
        {"repetition_rate_sft", s->repetition_rate},
        {"final_score", f->score},
        {"final_eos_rate", f->eos_rate},
        {"final_distinct_1", f->distinct_1},
        {"final_distinct_2", f->distinct_2},
        {"final_length", f->length_tok},
        {"final_cut_rate", f->cut_rate},
        {"final_repetition_rate", f->repetition_rate},
        {"heldout_loss", end->heldout.loss},
        {"kl_ref", kl_of(p->work->stage->config, end)},
        {"sft_loss", end->heldout.sft_loss},
        {"reward_final", end->reward},
        {"reward_sft", end->reward_sft},
        {"reward_model_accuracy", end->reward_model.accuracy},
        {"reward_model_loss", end->reward_model.loss},
        {"reward_model_calibration", end->reward_model.calibration},
        {"reward_model_shift", end->reward_model.shift},
        {"train_s", p->train_s},
        {"sample_s", p->sample_s},
        {"trace_s", p->trace_s},
        {"energy_j", end->energy_j},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!isnan(rows[i].value)) psw_record_put_f64(record, rows[i].name, rows[i].value);
}

static void put_end(const struct psw_policy *p, const struct psw_policy_end *end,
                    struct psw_record *record)
{
    char hash[PSW_HASH_TEXT_BYTES];
    put_share(record, "win_rate", end->duel.win + end->duel.tie / 2, end->duel.tie,
              (double)end->n_eval);
    put_figures(p, end, record);
    put_heldout(end, record);
    psw_record_put_text(record, "final_hash", psw_hash_text(end->param_hash, hash));
    put_findings(p, &end->final, record);
    psw_record_put_i64(record, "final_prompts", end->n_final);
    psw_record_put_i64(record, "eval_prompts", end->n_eval);
    psw_record_put_i64(record, "peak_bytes", resident_bytes());
    psw_record_put_i64(record, "n_param", psw_model_n_weight(p->work->stage->model));
}

/* A fresh record on rank 0 that somebody wants; NULL elsewhere. */
static psw_status begin(const struct psw_policy *p, struct psw_record **out,
                        struct psw_error *err)
{
    *out = NULL;
    if (p->trainer.team.rank != 0 || !p->work->stage->hooks.emit) return PSW_OK;
    return psw_record_create(out, err);
}

static void emit(const struct psw_policy *p, struct psw_record *record)
{
    if (record) p->work->stage->hooks.emit(p->work->stage->hooks.ctx, record);
    psw_record_destroy(record);
}

psw_status psw_policy_emit_point(const struct psw_policy *p, const struct psw_policy_point *at,
                                 struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = begin(p, &record, err);
    if (record) rc = put_point(p, at, record, err);
    if (rc == PSW_OK)
        emit(p, record);
    else
        psw_record_destroy(record);
    return rc;
}

psw_status psw_policy_emit_log(const struct psw_policy *p, struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = begin(p, &record, err);
    if (record) rc = put_log(p, record, err);
    if (rc == PSW_OK)
        emit(p, record);
    else
        psw_record_destroy(record);
    return rc;
}

psw_status psw_policy_emit_answers(const struct psw_policy *p,
                                   const struct psw_policy_answers *a, struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = begin(p, &record, err);
    if (record) rc = psw_policy_put_answers(p, record, a, err);
    if (rc == PSW_OK)
        emit(p, record);
    else
        psw_record_destroy(record);
    return rc;
}

psw_status psw_policy_emit_end(const struct psw_policy *p, const struct psw_policy_end *end,
                               struct psw_error *err)
{
    struct psw_record *record = NULL;
    const psw_status rc = begin(p, &record, err);
    if (record) put_end(p, end, record);
    emit(p, record);
    return rc;
}
