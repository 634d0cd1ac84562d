/* The long columns of the page, each an element of its own: a browser reads those of the first
 * figure, draws it, and reads the others then. */
#include "page_internal.h"

#include <math.h>
#include <string.h>

enum {
    MOST_LOGGED = 120,    /* points of a training curve */
    LEAST_LOGGED = 40,    /* the same in a sweep of many runs */
    LOGGED_OF_ALL = 30000 /* and of all runs together, between the two */
};

int psw_page_has_values(const double *x, int64_t n)
{
    for (int64_t i = 0; x && i < n; i++)
        if (isfinite(x[i])) return 1;
    return 0;
}

/** Any column [run][n_from], every `stride`-th element of a row. */
static psw_status put_column(const struct psw_page *page, const char *kind, const char *name,
                             const double *x, int64_t n_from, int64_t stride,
                             struct psw_error *err)
{
    struct psw_page_pack p;
    const int64_t n_run = psw_results_dim(page->results, "run");
    psw_status rc = PSW_OK;
    PSW_TRY(psw_page_begin_block(&p, n_run, (n_from + stride - 1) / stride, err));
    for (int64_t run = 0; run < n_run; run++) {
        for (int64_t i = 0; i < p.n; i++) page->scratch[i] = x[run * n_from + i * stride];
        psw_page_pack_row(&p, run, page->scratch, NULL);
    }
    rc = psw_page_put_block(page, kind, name, &p, 0, err);
fail:
    psw_page_pack_clear(&p);
    return rc;
}

/* ---- traces ---- */

int64_t psw_page_n_component(const struct psw_page *page)
{
    const struct psw_traces *t = &page->traces;
    return t->n_component + (t->pos >= 0 && t->neg >= 0 && t->pos_minus_neg < 0);
}

const char *psw_page_component(const struct psw_page *page, int64_t c)
{
    return c < page->traces.n_component ? psw_results_text(page->results, "component", c)
                                        : "pos_minus_neg";
}

int psw_page_has_along(const struct psw_page *page, enum psw_along along)
{
    const struct psw_traces *t = &page->traces;
    return t->n_checkpoint > 0 && t->along[along].g && t->along[along].norm;
}

static psw_status put_trace(const struct psw_page *page, enum psw_along along, int64_t c,
                            struct psw_error *err)
{
    const struct psw_traces *t = &page->traces;
    const int64_t n = t->n_checkpoint;
    double *x = page->scratch, *se = x + n;
    struct psw_page_pack p;
    char kind[32];
    psw_status rc = PSW_OK;
    PSW_TRY(psw_page_begin_block(&p, t->n_run, n, err));
    for (int64_t run = 0; run < t->n_run; run++) {
        for (int64_t k = 0; k < n; k++) {
            const struct psw_trace_value v =
                psw_trace_at(t, along, run, k, c < t->n_component ? c : PSW_POS_MINUS_NEG);
            x[k] = v.scaled, se[k] = v.scaled_se;
        }
        psw_page_pack_row(&p, run, x, se);
    }
    snprintf(kind, sizeof kind, "trace-%s", psw_along_name(along));
    rc = psw_page_put_block(page, kind, psw_page_component(page, c), &p, 1, err);
fail:
    psw_page_pack_clear(&p);
    return rc;
}

/** What the figure of G shows until somebody asks for more. */
static int is_first(const struct psw_page *page, enum psw_along along, int64_t c)
{
    static const char *const SHOWN[] = {"total", "pos", "neg"};
    int is_along = 0;
    for (int64_t i = 0; i < page->cells.n_cell; i++)
        is_along |= page->cells.cell[i].along == along;
    for (size_t i = 0; is_along && i < sizeof SHOWN / sizeof *SHOWN; i++)
        if (strcmp(psw_page_component(page, c), SHOWN[i]) == 0) return 1;
    return 0;
}

static psw_status put_traces(const struct psw_page *page, int first, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int a = 0; a < PSW_N_ALONG; a++) {
        if (!psw_page_has_along(page, a)) continue;
        for (int64_t c = 0; c < psw_page_n_component(page); c++)
            if (is_first(page, a, c) == first) PSW_TRY(put_trace(page, a, c, err));
        if (!first)
            PSW_TRY(put_column(page, "norm", psw_along_name(a), page->traces.along[a].norm,
                               page->traces.n_checkpoint, 1, err));
    }
fail:
    return rc;
}

/* ---- cosines: at few checkpoints, as a rule ---- */

static const double *cosine_of(const struct psw_page *page)
{
    const struct psw_traces *t = &page->traces;
    const double *cosine =
        t->n_checkpoint > 0 ? psw_results_f64(page->results, "cosine") : NULL;
    return psw_page_has_values(cosine, t->n_run * t->n_checkpoint * t->n_component) ? cosine
                                                                                    : NULL;
}

static int is_measured_at(const struct psw_traces *t, const double *cosine, int64_t k)
{
    for (int64_t i = 0; i < t->n_run * t->n_component; i++) {
        const int64_t run = i / t->n_component, c = i % t->n_component;
        if (isfinite(cosine[(run * t->n_checkpoint + k) * t->n_component + c])) return 1;
    }
    return 0;
}

json_t *psw_page_cosine_at(const struct psw_page *page)
{
    const double *cosine = cosine_of(page);
    json_t *at = cosine ? json_array() : json_null();
    for (int64_t k = 0; cosine && k < page->traces.n_checkpoint; k++)
        if (is_measured_at(&page->traces, cosine, k))
            json_array_append_new(at, json_integer(k));
    return at;
}

static psw_status put_cosine(const struct psw_page *page, const double *cosine,
                             const json_t *at, int64_t c, struct psw_error *err)
{
    const struct psw_traces *t = &page->traces;
    struct psw_page_pack p;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_page_begin_block(&p, t->n_run, (int64_t)json_array_size(at), err));
    for (int64_t run = 0; run < t->n_run; run++) {
        for (int64_t i = 0; i < p.n; i++) {
            const int64_t k = json_integer_value(json_array_get(at, (size_t)i));
            page->scratch[i] = k < psw_trace_length(t, run)
                                   ? cosine[(run * t->n_checkpoint + k) * t->n_component + c]
                                   : NAN;
        }
        psw_page_pack_row(&p, run, page->scratch, NULL);
    }
    rc = psw_page_put_block(page, "cosine", psw_page_component(page, c), &p, 0, err);
fail:
    psw_page_pack_clear(&p);
    return rc;
}

static psw_status put_cosines(const struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const double *cosine = cosine_of(page);
    json_t *at = psw_page_cosine_at(page);
    for (int64_t c = 0; cosine && c < page->traces.n_component; c++)
        PSW_TRY(put_cosine(page, cosine, at, c, err));
fail:
    json_decref(at);
    return rc;
}

/* ---- curves: what is logged along training, and what at checkpoints ---- */

const struct psw_page_curve PSW_PAGE_CURVES[] = {
    {"train_score", "score of the rollouts", 0},
    {"reward_margin", "margin of the implicit rewards", 0},
    {"reward_chosen", "implicit reward, chosen", 0},
    {"reward_rejected", "implicit reward, rejected", 0},
    {"reward_accuracy", "accuracy of the implicit rewards", 0},
    {"logp_chosen", "log-probability, chosen", 0},
    {"logp_rejected", "log-probability, rejected", 0},
    {"train_loss", "loss", 0},
    {"train_kl", "KL to SFT", 0},
    {"train_entropy", "entropy", 0},
    {"train_length", "length of the rollouts", 0},
    {"clip_fraction", "share of clipped tokens", 0},
    {"value_loss", "loss of the critic", 0},
    {"grad_norm", "norm of the gradient", 0},
    {"trace_score", "score of the evaluation", 1},
    {"trace_reward", "reward of the evaluation", 1},
    {"trace_length", "length of the evaluation", 1},
    {"trace_kl", "KL to SFT on the evaluation", 1},
    {"trace_heldout_loss", "held-out loss", 1},
    {"trace_heldout_accuracy", "held-out accuracy", 1},
    {"trace_heldout_margin", "held-out margin", 1},
    {NULL, NULL, 0}};

static int64_t points_of(const struct psw_page *page, const struct psw_page_curve *curve)
{
    return psw_results_dim(page->results, curve->at_checkpoint ? "checkpoint" : "log_step");
}

int psw_page_has_curve(const struct psw_page *page, const struct psw_page_curve *curve)
{
    return psw_page_has_values(psw_results_f64(page->results, curve->name),
                               psw_results_dim(page->results, "run") * points_of(page, curve));
}

int64_t psw_page_stride(const struct psw_page *page, int64_t n_log)
{
    const int64_t n_run = psw_results_dim(page->results, "run");
    int64_t most = n_run > 0 ? LOGGED_OF_ALL / n_run : MOST_LOGGED;
    most = most < LEAST_LOGGED ? LEAST_LOGGED : most > MOST_LOGGED ? MOST_LOGGED : most;
    return (n_log + most - 1) / most;
}

static psw_status put_curves(const struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (const struct psw_page_curve *c = PSW_PAGE_CURVES; c->name; c++) {
        const int64_t n = points_of(page, c);
        if (!psw_page_has_curve(page, c)) continue;
        PSW_TRY(put_column(page, "curve", c->name, psw_results_f64(page->results, c->name), n,
                           c->at_checkpoint ? 1 : psw_page_stride(page, n), err));
    }
fail:
    return rc;
}

psw_status psw_page_first_blocks(const struct psw_page *page, struct psw_error *err)
{
    return put_traces(page, 1, err);
}

psw_status psw_page_other_blocks(const struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    PSW_TRY(put_traces(page, 0, err));
    PSW_TRY(put_cosines(page, err));
    if (page->traces.n_checkpoint > 0) PSW_TRY(psw_page_put_bands(page, err));
    PSW_TRY(put_curves(page, err));
fail:
    return rc;
}
