/* The time left, as a range: what is left of the sweep is played through many times, each time
 * with durations that runs of the same kind have had, drawn with replacement. Runs of a kind
 * are those of one label without its seed; where none of a kind is done, any run's duration
 * serves. */
#include "progress_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PLAYS = 200, FEWEST_PLAYS = 20, MOST_DRAWS = 200000, MOST_SLOTS = 4096 };

int psw_progress_makespan(const double *left_s, int64_t n, double *free_s, int64_t n_slot,
                          double *out_s)
{
    double end_s = 0;
    if (n_slot < 1) return 0;
    memset(free_s, 0, (size_t)n_slot * sizeof *free_s);
    for (int64_t i = 0; i < n; i++) {
        /* a heap of the times at which slots come free, the first one at its top */
        const double at_s = free_s[0] + left_s[i];
        int64_t k = 0;
        for (int64_t child; (child = 2 * k + 1) < n_slot; k = child) {
            if (child + 1 < n_slot && free_s[child + 1] < free_s[child]) child++;
            if (free_s[child] >= at_s) break;
            free_s[k] = free_s[child];
        }
        free_s[k] = at_s;
        if (at_s > end_s) end_s = at_s;
    }
    *out_s = end_s;
    return 1;
}

/** A run that is done, or is left. */
struct item {
    const char *label;
    size_t n_kind;     /* bytes of the label that name its kind */
    double duration_s; /* done: all of it; left: the mean of its kind */
    double share;      /* left: what of it is done */
    int is_running;
    int64_t first, n;   /* left: its kind among the done ones; done, the first of a kind: n */
    double kind_mean_s; /* done, the first of a kind */
};

static size_t kind_bytes(const char *label)
{
    const char *seed = NULL;
    for (const char *at = label; (at = strstr(at, " seed")); at++) seed = at;
    return seed ? (size_t)(seed - label) : strlen(label);
}

static int by_kind(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    const size_t n = x->n_kind < y->n_kind ? x->n_kind : y->n_kind;
    const int order = memcmp(x->label, y->label, n);
    if (order) return order;
    return (x->n_kind > y->n_kind) - (x->n_kind < y->n_kind);
}

/** What runs first: what runs already, then the longest. */
static int by_turn(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->is_running != y->is_running) return y->is_running - x->is_running;
    return (x->duration_s < y->duration_s) - (x->duration_s > y->duration_s);
}

struct items {
    struct item *done, *left; /* owned */
    int64_t n_done, n_left;
};

static void collect(const struct psw_progress_whole *w, struct items *s)
{
    int64_t n_told = 0;
    /* no more than there is room for, whatever the journals of parts say */
    for (int32_t i = 0; i < w->n_view; i++)
        for (int64_t r = 0; r < w->view[i].p.n_run && s->n_done + s->n_left < w->p.n_run; r++) {
            const struct psw_progress_run *run = &w->view[i].run[r];
            if (run->is_left_out) continue;
            n_told++;
            const enum psw_outcome o = psw_progress_outcome(&w->view[i], r, NULL);
            const struct item item = {.label = run->label,
                                      .n_kind = kind_bytes(run->label),
                                      .duration_s = run->worked_s,
                                      .share = run->share,
                                      .is_running = o == PSW_OUTCOME_RUNNING};
            if (o == PSW_OUTCOME_DONE && run->worked_s > 0)
                s->done[s->n_done++] = item;
            else if (!psw_outcome_is_end(o))
                s->left[s->n_left++] = item;
        }
    /* of parts that no job has begun: of a kind that is not known */
    for (; n_told < w->p.n_run; n_told++) s->left[s->n_left++] = (struct item){.label = ""};
}

static double mean_s(const struct item *done, int64_t n)
{
    double mean = 0;
    for (int64_t i = 0; i < n; i++) mean += done[i].duration_s / (double)n;
    return mean;
}

/* Sort what is done by kind, and note at the first of each how many there are. */
static void sort_done(struct items *s)
{
    qsort(s->done, (size_t)s->n_done, sizeof *s->done, by_kind);
    for (int64_t i = 0, end; i < s->n_done; i = end) {
        for (end = i + 1; end < s->n_done && by_kind(&s->done[end], &s->done[i]) == 0; end++)
            continue;
        s->done[i].n = end - i;
        s->done[i].kind_mean_s = mean_s(&s->done[i], end - i);
    }
}

/* The first done item that does not stand before x. */
static int64_t find_first(const struct items *s, const struct item *x)
{
    int64_t lo = 0, hi = s->n_done;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        if (by_kind(&s->done[mid], x) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Of each item that is left the done ones of its kind, and their mean duration. */
static void find_kinds(struct items *s)
{
    sort_done(s);
    const double all_mean_s = mean_s(s->done, s->n_done);
    for (int64_t i = 0; i < s->n_left; i++) {
        struct item *x = &s->left[i];
        const int64_t at = find_first(s, x);
        const int is_known = at < s->n_done && by_kind(&s->done[at], x) == 0;
        x->first = is_known ? at : 0;
        x->n = is_known ? s->done[at].n : s->n_done;
        x->duration_s = is_known ? s->done[at].kind_mean_s : all_mean_s;
    }
    qsort(s->left, (size_t)s->n_left, sizeof *s->left, by_turn);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The makespans of so many plays, sorted. left_s, free_s: scratch. */
static void play(const struct items *s, int64_t n_slot, int64_t n_play, double *left_s,
                 double *free_s, double *span_s)
{
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_BOOTSTRAP};
    for (int64_t b = 0; b < n_play; b++) {
        for (int64_t i = 0; i < s->n_left; i++) {
            const struct item *x = &s->left[i];
            const uint64_t pick = psw_rng_below(rng, (uint64_t)b, (uint32_t)i, (uint64_t)x->n);
            left_s[i] = s->done[x->first + (int64_t)pick].duration_s * (1 - x->share);
        }
        psw_progress_makespan(left_s, s->n_left, free_s, n_slot, &span_s[b]);
    }
    qsort(span_s, (size_t)n_play, sizeof *span_s, ascending);
}

/* The sweep's own forecast knows the stages that runs share; the plays know how durations
 * spread. Without the former the latter serve alone. */
static void set_range(struct psw_progress *p, const double *span_s, int64_t n_play)
{
    const double low = span_s[n_play / 10], middle = span_s[n_play / 2],
                 high = span_s[n_play - 1 - n_play / 10];
    if (!(p->left_s >= 0)) p->left_s = middle;
    const double scale = middle > 0 ? p->left_s / middle : 1;
    p->left_low_s = low * scale;
    p->left_high_s = high * scale;
}

static int64_t n_slot_of(const struct psw_progress_whole *w)
{
    const int64_t n_running = w->p.n_outcome[PSW_OUTCOME_RUNNING];
    const int64_t n = n_running > 0 ? n_running : w->p.n_rank;
    return n < 1 ? 1 : n > MOST_SLOTS ? MOST_SLOTS : n;
}

void psw_progress_forecast(struct psw_progress_whole *whole)
{
    struct psw_progress *p = &whole->p;
    const size_t n = (size_t)p->n_run + 1;
    p->left_low_s = p->left_high_s = NAN;
    if (p->left_s == 0) return;
    struct items s = {.done = malloc(n * sizeof *s.done), .left = malloc(n * sizeof *s.left)};
    double *left_s = malloc(n * sizeof *left_s), *free_s = malloc(MOST_SLOTS * sizeof *free_s);
    double span_s[MOST_PLAYS];
    if (s.done && s.left && left_s && free_s) {
        collect(whole, &s);
        int64_t n_play = s.n_left > 0 ? MOST_DRAWS / s.n_left : 0;
        n_play = n_play > MOST_PLAYS     ? MOST_PLAYS
                 : n_play < FEWEST_PLAYS ? FEWEST_PLAYS
                                         : n_play;
        if (s.n_done > 1 && s.n_left > 0) {
            find_kinds(&s);
            play(&s, n_slot_of(whole), n_play, left_s, free_s, span_s);
            set_range(p, span_s, n_play);
        }
    }
    free(s.done);
    free(s.left);
    free(left_s);
    free(free_s);
}
