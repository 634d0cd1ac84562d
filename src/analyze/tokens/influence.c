/* Contributions to G: which run, checkpoint and component, the weights, and groups of tokens.
 */
#include <posweep/analyze/influence.h>

#include "rescore_internal.h"

#include <posweep/analyze/traces.h>
#include <posweep/config/nearest.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

static int64_t n_checkpoint_with_tokens(const struct psw_influence *f)
{
    int64_t n = 0;
    for (int64_t k = 0; k < psw_results_dim(f->results, "checkpoint"); k++) {
        const struct psw_token_span s = psw_token_span_of(&f->table, f->run, k);
        n += s.begin < s.end;
    }
    return n;
}

static psw_status choose_run(const struct psw_influence_opts *opts, struct psw_influence *f,
                             struct psw_error *err)
{
    const char *words = opts->run;
    if (!words) { /* sequences stand by run */
        f->run = f->table.run[0];
        for (int64_t s = 1; s < f->table.n_sequence; s++)
            f->n_other += f->table.run[s] != f->table.run[s - 1];
        words = psw_results_text(f->results, "run", f->run);
    }
    const psw_status rc = psw_run_find(f->results, words, &f->run, f->name, err);
    if (rc != PSW_OK || n_checkpoint_with_tokens(f) > 0) return rc;
    return psw_fail(err, PSW_EDATA,
                    "\"%s\" has no tokens in the file: it has not come so far, or `trace: "
                    "{tokens: on}` is not among its settings",
                    f->name);
}

static psw_status choose_component(const char *name, struct psw_influence *f,
                                   struct psw_error *err)
{
    const char *names[PSW_N_COMPONENT];
    char did[PSW_DID_BYTES], all[PSW_OBJECTIVE_BYTES] = "";
    size_t used = 0;
    int n = 0;
    f->component = name ? name : "total";
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        const char *own = psw_component_name((enum psw_component)k);
        if (psw_results_component(f->results, own) < 0) continue;
        if (strcmp(own, f->component) == 0) {
            f->component = own;
            return PSW_OK;
        }
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "", own);
        names[n++] = own;
    }
    psw_did_you_mean(psw_nearest(f->component, names, n), did);
    return psw_fail(err, PSW_EINVAL, "no component \"%.60s\"%s There are %s", f->component,
                    did[0] ? did : ".", all);
}

/** G of the component at a checkpoint of the run. */
static double stored_g(const struct psw_influence *f, int64_t checkpoint)
{
    const double *g = psw_results_f64(f->results, "G");
    const int64_t c = psw_results_component(f->results, f->component);
    const int64_t n = psw_results_dim(f->results, "checkpoint");
    return g ? g[(f->run * n + checkpoint) * psw_results_dim(f->results, "component") + c]
             : NAN;
}

/** Where |G| over the norm of v is largest; the last is taken only where it is the only one. */
static int64_t strongest(const struct psw_influence *f, int64_t n)
{
    const double *norm = psw_results_f64(f->results, "v_norm");
    const int64_t n_checkpoint = psw_results_dim(f->results, "checkpoint");
    int64_t best = 0;
    double most = -1;
    for (int64_t k = 0; norm && k < n - 1; k++) {
        const double x = fabs(stored_g(f, k)) / norm[f->run * n_checkpoint + k];
        if (!(x > most)) continue;
        most = x;
        best = k;
    }
    return best;
}

static psw_status choose_checkpoint(int64_t wanted, struct psw_influence *f,
                                    struct psw_error *err)
{
    const int64_t n = n_checkpoint_with_tokens(f);
    f->checkpoint = wanted < 0 ? strongest(f, n) : wanted;
    f->span = psw_token_span_of(&f->table, f->run, f->checkpoint);
    if (f->span.begin == f->span.end)
        return psw_fail(err, PSW_EINVAL,
                        "checkpoint %lld of \"%s\" has no tokens; there are 0 to %lld",
                        (long long)f->checkpoint, f->name, (long long)n - 1);
    f->g = stored_g(f, f->checkpoint);
    f->text = f->span;
    const struct psw_token_span start = psw_token_span_of(&f->table, f->run, 0);
    const int64_t n_seq = f->span.end - f->span.begin;
    if (!psw_results_text(f->results, "sequence_prompt", f->span.begin)[0] &&
        start.end - start.begin == n_seq)
        f->text = start; /* pairs stay the same */
    return PSW_OK;
}

/* ---- weights ---- */

static psw_status fill_weights(struct psw_influence *f, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_objective_request own;
    struct psw_config config;
    struct psw_arena *arena = NULL;
    char text[PSW_OBJECTIVE_BYTES];
    const int64_t first = f->table.first[f->span.begin];
    const int64_t n_token = f->table.first[f->span.end] - first;
    f->weight = calloc((size_t)n_token + 1, sizeof *f->weight);
    if (!f->weight) return psw_fail(err, PSW_ENOMEM, "%lld weights", (long long)n_token);
    if (strcmp(f->component, "total") == 0) {
        memcpy(f->weight, f->table.weight + first, sizeof *f->weight * (size_t)n_token);
        return PSW_OK;
    }
    const char *method = psw_results_text(f->results, "method", f->run);
    snprintf(text, sizeof text, "%.60s", method);
    PSW_TRY(psw_objective_request_parse(text, &own, err));
    PSW_TRY(psw_objective_for_run(&own, f->results, f->run, &config, text, err));
    config.policy.entropy_coef = config.policy.value_coef = 0; /* in no part but their own */
    PSW_TRY(psw_rescore_check(f->results, &f->table, f->run, &config, err));
    PSW_TRY(psw_weigh_arena(&f->table, &arena, err));
    struct psw_weigh_task task =
        psw_weigh_task_of(f->results, &f->table, &config, f->run, f->checkpoint);
    task.component = psw_component_find(f->component);
    task.weight = f->weight;
    PSW_TRY(psw_weigh(&task, arena, err));
fail:
    psw_arena_destroy(arena);
    return rc;
}

/** Components whose quantities are not in the table, or that the run does not have. */
static psw_status check_component(const struct psw_influence *f, struct psw_error *err)
{
    static const char *const ELSEWHERE[] = {"entropy", "value", "raw"};
    for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++)
        if (strcmp(f->component, ELSEWHERE[i]) == 0)
            return psw_fail(
                err, PSW_EINVAL,
                "what %s is made of is not in the token table; no setting stores it",
                f->component);
    if (isfinite(f->g)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "\"%s\" has no %s at checkpoint %lld", f->name,
                    f->component, (long long)f->checkpoint);
}

psw_status psw_influence_init(struct psw_results *results,
                              const struct psw_influence_opts *opts, struct psw_influence *out,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_influence f = {.results = results};
    PSW_TRY(psw_token_table_init(results, &f.table, err));
    PSW_TRY(choose_component(opts->component, &f, err));
    PSW_TRY(choose_run(opts, &f, err));
    PSW_TRY(choose_checkpoint(opts->checkpoint, &f, err));
    PSW_TRY(check_component(&f, err));
    PSW_TRY(fill_weights(&f, err));
    *out = f;
    return PSW_OK;
fail:
    psw_influence_clear(&f);
    return rc;
}

void psw_influence_clear(struct psw_influence *influence)
{
    psw_token_table_clear(&influence->table);
    free(influence->weight);
    *influence = (struct psw_influence){0};
}

double psw_influence_of(const struct psw_influence *f, int64_t token)
{
    return f->weight[token] * f->table.kappa[f->table.first[f->span.begin] + token];
}

/* ---- groups ---- */

/** A token and what it belongs to. */
struct member {
    int64_t key, token;
};

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

static int by_size(const void *a, const void *b)
{
    const struct psw_influence_group *x = a, *y = b;
    const double p = isnan(x->sum) ? -1 : fabs(x->sum), q = isnan(y->sum) ? -1 : fabs(y->sum);
    if (p != q) return p > q ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int64_t key_of(const struct psw_influence *f, enum psw_influence_by by, int64_t sequence,
                      int64_t token)
{
    const struct psw_token_table *t = &f->table;
    if (by == PSW_BY_ID) return t->id[t->first[f->span.begin] + token];
    return by == PSW_BY_CLUSTER && t->cluster ? t->cluster[sequence] : t->item[sequence];
}

psw_status psw_influence_groups(const struct psw_influence *f, enum psw_influence_by by,
                                struct psw_influence_group **out, int64_t *n,
                                struct psw_error *err)
{
    const struct psw_token_table *t = &f->table;
    const int64_t first = t->first[f->span.begin], n_token = t->first[f->span.end] - first;
    struct member *member = calloc((size_t)n_token + 1, sizeof *member);
    struct psw_influence_group *group = calloc((size_t)n_token + 1, sizeof *group);
    int64_t n_group = 0;
    if (!member || !group) {
        free(member);
        free(group);
        return psw_fail(err, PSW_ENOMEM, "groups of %lld tokens", (long long)n_token);
    }
    for (int64_t s = f->span.begin; s < f->span.end; s++)
        for (int64_t r = t->first[s] - first; r < t->first[s + 1] - first; r++)
            member[r] = (struct member){key_of(f, by, s, r), r};
    qsort(member, (size_t)n_token, sizeof *member, by_key);
    for (int64_t i = 0; i < n_token; i++) {
        if (i == 0 || member[i].key != member[i - 1].key)
            group[n_group++] =
                (struct psw_influence_group){.key = member[i].key, .first = member[i].token};
        struct psw_influence_group *g = &group[n_group - 1];
        const double x = psw_influence_of(f, member[i].token);
        g->n_token++;
        g->sum += x;
        g->magnitude += fabs(x);
    }
    qsort(group, (size_t)n_group, sizeof *group, by_size);
    free(member);
    *out = group;
    *n = n_group;
    return PSW_OK;
}

/* ---- texts ---- */

/** The sequence of a token, counted from the first of the span. */
static int64_t sequence_of(const struct psw_influence *f, int64_t token)
{
    const int64_t at = f->table.first[f->span.begin] + token;
    int64_t lo = f->span.begin, hi = f->span.end - 1;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        if (f->table.first[mid + 1] <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo - f->span.begin;
}

char *psw_influence_text(const struct psw_influence *f, int64_t token, char *out,
                         size_t n_bytes)
{
    const struct psw_token_table *t = &f->table;
    const int64_t q = sequence_of(f, token), *end = psw_results_i64(f->results, "token_end");
    const char *text = psw_results_text(f->results, "sequence_response", f->text.begin + q);
    const int64_t n_text = (int64_t)strlen(text);
    const int64_t place = t->first[f->span.begin] + token - t->first[f->span.begin + q];
    const int64_t at = t->first[f->text.begin + q] + place;
    out[0] = 0;
    if (!end || at >= t->first[f->text.begin + q + 1]) return out;
    const int64_t from = place > 0 ? end[at - 1] : 0, to = end[at];
    if (from < 0 || to < from || to > n_text) return out;
    const size_t n = (size_t)(to - from) < n_bytes ? (size_t)(to - from) : n_bytes - 1;
    memcpy(out, text + from, n);
    out[n] = 0;
    return out;
}
