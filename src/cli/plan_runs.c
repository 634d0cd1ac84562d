/* What posweep plan says of the runs: cells (a configuration with all its seeds) first, then,
 * where there are few or all are asked for, every run. */
#include "plan_internal.h"
#include <math.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CELLS = 30, MAX_RUNS = 20 };

/** Runs [from, to) that differ in the seed alone; they stand together in a sweep. */
struct cell {
    int64_t from, to, n_done;
    double mib, tflop; /* of the largest run that is wanted; 0: none is */
};

static double mib_of(const struct psw_work_plan *plan, int64_t run, int n_rank_node)
{
    size_t most_bytes = 0;
    for (int k = 0; k < PSW_N_STAGE; k++) {
        const size_t n_bytes = psw_plan_run_bytes(plan, run, k, n_rank_node);
        if (n_bytes > most_bytes) most_bytes = n_bytes;
    }
    return (double)most_bytes / 0x1p20;
}

static double tflop_of(const struct psw_plan_run *p)
{
    return p->flops[PSW_STAGE_POLICY] / 1e12;
}

static struct cell cell_at(const struct psw_plan_view *v, int64_t from)
{
    struct cell c = {.from = from, .to = from};
    for (; c.to < v->sweep->n_run && v->sweep->run[c.to].group == v->sweep->run[from].group;
         c.to++) {
        const struct psw_plan_run *p = &v->plan->run[c.to];
        c.n_done += v->ended[c.to] == PSW_OUTCOME_DONE;
        if (!p->wanted) continue;
        c.mib = fmax(c.mib, mib_of(v->plan, c.to, v->n_rank_node));
        if (tflop_of(p) > c.tflop) c.tflop = tflop_of(p);
    }
    return c;
}

/* Widths of the columns that carry names. */
struct widths {
    int method, variant, settings;
};

static void widen(int *width, const char *text)
{
    const int n = (int)strlen(text);
    if (n > *width) *width = n;
}

static struct widths measure(const struct psw_plan_view *v)
{
    struct widths w = {.method = 6, .variant = 7, .settings = 0};
    char settings[PSW_LABEL_BYTES];
    for (int64_t i = 0; i < v->sweep->n_run; i++) {
        widen(&w.method, v->sweep->run[i].method);
        widen(&w.variant, v->sweep->run[i].variant);
        widen(&w.settings, psw_label_settings(v->labels, i, settings));
    }
    if (w.settings > 0) widen(&w.settings, "settings");
    return w;
}

static void put_names(const struct widths *w, const char *method, const char *variant,
                      const char *settings)
{
    printf("  %-*s  %-*s", w->method, method, w->variant, variant);
    if (w->settings > 0) printf("  %-*s", w->settings, settings);
}

static void put_cost(double mib, double tflop)
{
    if (tflop > 0)
        printf("  %8.1f  %9.3g", mib, tflop);
    else
        printf("  %8s  %9s", "-", "-");
}

void psw_plan_print_cells(const struct psw_plan_view *v)
{
    const struct widths w = measure(v);
    int64_t n_cell = 0;
    char settings[PSW_LABEL_BYTES];
    put_names(&w, "method", "variant", "settings");
    printf("  %5s  %4s  %8s  %9s\n", "seeds", "done", "MiB/rank", "own TFLOP");
    for (int64_t at = 0; at < v->sweep->n_run; n_cell++) {
        const struct cell c = cell_at(v, at);
        const struct psw_run *r = &v->sweep->run[at];
        at = c.to;
        if (n_cell >= MAX_CELLS && !v->all) continue;
        put_names(&w, r->method, r->variant, psw_label_settings(v->labels, c.from, settings));
        printf("  %5lld  %4lld", (long long)(c.to - c.from), (long long)c.n_done);
        put_cost(c.mib, c.tflop);
        putchar('\n');
    }
    if (n_cell > MAX_CELLS && !v->all)
        printf("  ... and %lld more; --all lists them\n", (long long)(n_cell - MAX_CELLS));
}

void psw_plan_print_runs(const struct psw_plan_view *v)
{
    const struct psw_sweep *sweep = v->sweep;
    const struct widths w = measure(v);
    if (sweep->n_run > MAX_RUNS && !v->all) {
        printf("\n--all lists the %lld runs, their seeds and hashes\n",
               (long long)sweep->n_run);
        return;
    }
    printf("\n  %-16s", "run");
    put_names(&w, "method", "variant", "settings");
    printf("  %6s  %-16s  %s\n", "seed", "shares sft", "state");
    for (int64_t i = 0; i < sweep->n_run; i++) {
        const struct psw_run *r = &sweep->run[i];
        const struct psw_plan_run *p = &v->plan->run[i];
        char hash[PSW_HASH_TEXT_BYTES], sft[PSW_HASH_TEXT_BYTES], settings[PSW_LABEL_BYTES];
        printf("  %s", psw_hash_text(r->hash, hash));
        put_names(&w, r->method, r->variant, psw_label_settings(v->labels, i, settings));
        printf("  %6lld  %-16s  %s\n", (long long)r->seed,
               p->wanted ? psw_hash_text(p->key[PSW_STAGE_SFT], sft) : "-",
               p->wanted ? "to do" : psw_outcome_name((enum psw_outcome)v->ended[i]));
    }
}
