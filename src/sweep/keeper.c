/* Rank 0's books. The journal is the truth: what it knows as ended is never repeated; what was
 * under way continues from its saved state. */
#include "run_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/config/schema.h>
#include <posweep/objective/components.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Attempts lost together with the whole job (kills, node failures) say little about the run. */
enum { LOST_PER_WASTED = 10 };

static psw_status open_journal(struct psw_keeper *k, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_journal_path(k->opts->out_path, path, err);
    const int64_t n = k->sweep->n_run;
    uint64_t *hash = calloc((size_t)n + 1, sizeof *hash);
    char(*text)[128] = calloc((size_t)n + 1, sizeof *text);
    const char **label = calloc((size_t)n + 1, sizeof *label);
    if (!hash || !text || !label)
        rc = psw_fail(err, PSW_ENOMEM, "journal of %lld runs", (long long)n);
    for (int64_t i = 0; rc == PSW_OK && i < n; i++) {
        const struct psw_run *r = &k->sweep->run[i];
        hash[i] = r->hash;
        snprintf(text[i], sizeof *text, "%s %s seed %lld", r->method, r->variant,
                 (long long)r->seed);
        label[i] = text[i];
    }
    char notes[4096] = "";
    for (int i = 0; i < k->opts->n_note; i++) {
        const size_t at = strlen(notes);
        snprintf(notes + at, sizeof notes - at, "%s=%s\n", k->opts->note[i].key,
                 k->opts->note[i].value);
    }
    const struct psw_journal_opts o = {.sweep_name = k->sweep->name,
                                       .spec_hash = k->sweep->hash,
                                       .spec_text = k->sweep->text,
                                       .provenance = notes,
                                       .n_run = n,
                                       .run = hash,
                                       .label = label};
    if (rc == PSW_OK) rc = psw_journal_open(path, &o, &k->journal, err);
    free(hash);
    free(text);
    free(label);
    return rc;
}

static int has_ended(const struct psw_keeper *k, enum psw_outcome outcome)
{
    if (outcome == PSW_OUTCOME_DONE) return 1;
    return !k->opts->retry_failed &&
           (outcome == PSW_OUTCOME_FAILED || outcome == PSW_OUTCOME_DIVERGED);
}

static void find_ended(struct psw_keeper *k)
{
    for (int64_t i = 0; i < k->sweep->n_run; i++)
        k->ended[i] =
            (uint8_t)has_ended(k, psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL));
}

/* Attempts of earlier starts, so that numbers go on and a run that kills every job is given up.
 */
static psw_status restore(struct psw_keeper *k, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < k->sweep->n_run && rc == PSW_OK; i++) {
        const int32_t task = k->plan.run[i].task[PSW_STAGE_POLICY];
        int32_t attempts = 0;
        const enum psw_outcome was =
            psw_journal_outcome(k->journal, k->sweep->run[i].hash, &attempts);
        if (task < 0 || attempts == 0 || psw_ledger_primary(k->ledger, task) != task) continue;
        const struct psw_task_past past = {
            .state = PSW_TASK_INTERRUPTED,
            .n_attempt = attempts,
            .n_wasted = was == PSW_OUTCOME_RUNNING ? attempts / LOST_PER_WASTED : 0};
        rc = psw_ledger_restore(k->ledger, task, &past, err);
    }
    return rc;
}

psw_status psw_keeper_open(struct psw_keeper *k, const struct psw_run_opts *opts, int size,
                           struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *k = (struct psw_keeper){.opts = opts, .snapshot_at_s = psw_clock_s()};
    PSW_TRY(psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, &k->sweep, err));
    for (int32_t i = 0; i < k->sweep->n_warning; i++)
        psw_log(PSW_LOG_WARN, "%s", k->sweep->warning[i]);
    k->ended = calloc((size_t)k->sweep->n_run + 1, sizeof *k->ended);
    k->forget = calloc((size_t)k->sweep->n_run + 1, sizeof *k->forget);
    if (!k->ended || !k->forget) PSW_TRY(psw_fail(err, PSW_ENOMEM, "sweep: books"));
    PSW_TRY(psw_path(k->work_dir, sizeof k->work_dir, err, opts->work_dir ? "%s" : "%s.work",
                     opts->work_dir ? opts->work_dir : opts->out_path));
    PSW_TRY(open_journal(k, err));
    find_ended(k);
    PSW_TRY(psw_work_plan_init(k->sweep, k->ended, &k->plan, err));
    if (k->plan.data_text[0]) psw_log(PSW_LOG_INFO, "data: %s", k->plan.data_text);
    PSW_TRY(psw_work_plan_check_memory(k->sweep, &k->plan, size > 1 ? size - 1 : 1, err));
    PSW_TRY(psw_file_make_dir(k->work_dir, err));
    PSW_TRY(psw_ledger_create(k->plan.task, k->plan.n_task, &k->ledger, err));
    rc = restore(k, err);
fail:
    return rc;
}

void psw_keeper_close(struct psw_keeper *k)
{
    psw_ledger_destroy(k->ledger);
    psw_journal_close(k->journal);
    psw_work_plan_clear(&k->plan);
    psw_sweep_destroy(k->sweep);
    free(k->ended);
    free(k->forget);
    *k = (struct psw_keeper){0};
}

/* Swept settings as typed columns. */
struct columns {
    struct psw_results_leaf *leaf;
    double *f64;
    int64_t *i64;
    char (*text)[PSW_LEAF_TEXT_BYTES];
    const char **str;
};

static void columns_clear(struct columns *c)
{
    free(c->leaf);
    free(c->f64);
    free(c->i64);
    free(c->text);
    free(c->str);
}

static void fill_column(const struct psw_sweep *sweep, int s, struct columns *c)
{
    int n_leaf = 0;
    const struct psw_leaf *leaf = &psw_schema(&n_leaf)[sweep->swept[s]];
    const int64_t n = sweep->n_run, at = s * n;
    const int whole = leaf->type == PSW_LEAF_INT || leaf->type == PSW_LEAF_BOOL;
    for (int64_t i = 0; i < n; i++) {
        c->f64[at + i] = psw_leaf_number(leaf, &sweep->run[i].config);
        c->i64[at + i] = whole ? (int64_t)c->f64[at + i] : 0;
        c->str[at + i] = psw_leaf_text(leaf, &sweep->run[i].config, c->text[at + i]);
    }
    c->leaf[s] = (struct psw_results_leaf){.path = leaf->path,
                                           .type = whole                         ? PSW_I64
                                                   : leaf->type == PSW_LEAF_REAL ? PSW_F64
                                                                                 : PSW_TEXT,
                                           .f64 = c->f64 + at,
                                           .i64 = c->i64 + at,
                                           .str = c->str + at,
                                           .unit = leaf->unit,
                                           .long_name = leaf->help};
}

static psw_status columns_init(const struct psw_sweep *sweep, struct columns *c,
                               struct psw_error *err)
{
    const size_t n = (size_t)(sweep->n_swept * sweep->n_run) + 1;
    *c = (struct columns){.leaf = calloc((size_t)sweep->n_swept + 1, sizeof *c->leaf),
                          .f64 = calloc(n, sizeof *c->f64),
                          .i64 = calloc(n, sizeof *c->i64),
                          .text = calloc(n, sizeof *c->text),
                          .str = calloc(n, sizeof *c->str)};
    if (!c->leaf || !c->f64 || !c->i64 || !c->text || !c->str) {
        columns_clear(c);
        return psw_fail(err, PSW_ENOMEM, "columns of the results");
    }
    for (int s = 0; s < sweep->n_swept; s++) fill_column(sweep, s, c);
    return PSW_OK;
}

static psw_status write_with(struct psw_keeper *k, const struct columns *c,
                             struct psw_error *err)
{
    const struct psw_sweep *s = k->sweep;
    struct psw_results_run *run = calloc((size_t)s->n_run + 1, sizeof *run);
    if (!run) return psw_fail(err, PSW_ENOMEM, "results: %lld runs", (long long)s->n_run);
    for (int64_t i = 0; i < s->n_run; i++)
        run[i] = (struct psw_results_run){.hash = s->run[i].hash,
                                          .group = s->run[i].group,
                                          .seed = s->run[i].seed,
                                          .block = s->run[i].block,
                                          .method = s->run[i].method,
                                          .variant = s->run[i].variant};
    const char *component[PSW_N_COMPONENT];
    for (int i = 0; i < PSW_N_COMPONENT; i++)
        component[i] = psw_component_name((enum psw_component)i);
    const struct psw_results_plan plan = {.name = s->name,
                                          .spec_text = s->text,
                                          .spec_hash = s->hash,
                                          .run = run,
                                          .n_run = s->n_run,
                                          .leaf = c->leaf,
                                          .n_leaf = s->n_swept,
                                          .component = component,
                                          .n_component = PSW_N_COMPONENT,
                                          .note = k->opts->note,
                                          .n_note = k->opts->n_note};
    const psw_status rc = psw_results_write(k->opts->out_path, &plan, k->journal, err);
    free(run);
    return rc;
}

psw_status psw_keeper_write(struct psw_keeper *k, struct psw_error *err)
{
    struct columns c;
    psw_status rc = columns_init(k->sweep, &c, err);
    if (rc != PSW_OK) return rc;
    rc = write_with(k, &c, err);
    columns_clear(&c);
    k->changed = 0;
    k->snapshot_at_s = psw_clock_s();
    return rc;
}

void psw_keeper_summary(const struct psw_keeper *k, struct psw_run_summary *out)
{
    *out = (struct psw_run_summary){.n_run = k->sweep->n_run};
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL);
        out->n_done += o == PSW_OUTCOME_DONE;
        out->n_failed += o == PSW_OUTCOME_FAILED;
        out->n_diverged += o == PSW_OUTCOME_DIVERGED;
        out->n_before += k->ended[i];
    }
}
