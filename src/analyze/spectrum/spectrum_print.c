/* The spectrum in words and tables, at most 100 columns wide. */
#include "spectrum_internal.h"

#include <posweep/analyze/stats.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 9 /* columns of the table of angles */ };

static const double KNOWN_SHARE = 0.5, STABLE = 0.9;
static const double DEGREES = 57.295779513082320877;

/** What printing needs. */
struct text {
    FILE *out;
    const struct psw_spectrum_plan *plan;
    const struct psw_spectrum_words *words;
    const struct psw_spectrum *spectrum;
    double *scratch; /* owned [n_run] */
    int width;       /* of the longest label */
};

struct psw_sketch_error psw_spectrum_error(const struct psw_spectrum_plan *plan,
                                           const struct psw_spectrum_words *words,
                                           const struct psw_spectrum *spectrum)
{
    struct psw_sketch_error e = {.promised = 1 / sqrt((double)plan->k), .realised = NAN};
    double sum = 0;
    for (int64_t i = 0; i < plan->n_run * plan->n_checkpoint; i++) {
        const double ratio = spectrum->run.norm[i] / words->norm[i];
        if (!isfinite(ratio)) continue;
        sum += (ratio * ratio - 1) * (ratio * ratio - 1) / 2;
        e.n++;
    }
    if (e.n > 0) e.realised = sqrt(sum / (double)e.n);
    return e;
}

int psw_spectrum_is_known(const struct psw_spectrum_plan *plan,
                          const struct psw_spectrum_words *words, int64_t run,
                          int64_t checkpoint)
{
    return words->signal[run * plan->n_checkpoint + checkpoint] >= KNOWN_SHARE;
}

/* ---- of the runs of a cell ---- */

/** A number of a run; NaN where it has none. */
typedef double (*run_value)(const struct text *x, int64_t run, int64_t which);

static struct psw_spread over_seeds(const struct text *x, int64_t cell, run_value value,
                                    int64_t which)
{
    int64_t n = 0;
    for (int64_t i = 0; i < x->plan->n_run; i++)
        if (x->plan->cell[i] == cell) x->scratch[n++] = value(x, i, which);
    return psw_spread_of(x->scratch, n);
}

/* The checkpoint that stands for first, middle and last of a run's. */
enum place { FIRST, MIDDLE, LAST };

/* Of those that are there; gradients are not at all. */
static int64_t checkpoint_at(const struct text *x, int64_t run, int64_t place)
{
    const int64_t C = x->plan->n_checkpoint;
    const double *norm = x->spectrum->run.norm + run * C;
    int64_t first = 0, last = C - 1, middle = 0;
    while (first < last && isnan(norm[first])) first++;
    while (last > first && isnan(norm[last])) last--;
    for (int64_t t = first; t <= last; t++)
        if (!isnan(norm[t]) && llabs(2 * t - first - last) <= llabs(2 * middle - first - last))
            middle = t;
    return place == FIRST ? first : place == LAST ? last : middle;
}

static double cosine_with_last(const struct text *x, int64_t run, int64_t place)
{
    const int64_t C = x->plan->n_checkpoint, t = checkpoint_at(x, run, place);
    return x->spectrum->run.cosine[(run * C + t) * C + checkpoint_at(x, run, LAST)];
}

static double signal_at(const struct text *x, int64_t run, int64_t place)
{
    return x->words->signal[run * x->plan->n_checkpoint + checkpoint_at(x, run, place)];
}

/* The last checkpoint up to which v is known without a gap; -1: not even at the first. */
static int64_t last_known(const struct text *x, int64_t run)
{
    int64_t t = -1;
    while (t + 1 < x->plan->n_used[run] && psw_spectrum_is_known(x->plan, x->words, run, t + 1))
        t++;
    return t;
}

static double step_known(const struct text *x, int64_t run, int64_t unused)
{
    (void)unused;
    const int64_t t = last_known(x, run);
    return t > 0 ? (double)x->words->step[run * x->plan->n_checkpoint + t] : NAN;
}

static double clean_cosine(const struct text *x, int64_t run, int64_t unused)
{
    (void)unused;
    const int64_t C = x->plan->n_checkpoint, t = last_known(x, run);
    return t > 0 ? x->spectrum->run.cosine_clean[run * C * C + t] : NAN;
}

static double entropy_at(const struct text *x, int64_t run, int64_t place)
{
    return x->spectrum->run
        .entropy_rank[run * x->plan->n_checkpoint + checkpoint_at(x, run, place)];
}

static double participation_at(const struct text *x, int64_t run, int64_t place)
{
    return x->spectrum->run
        .participation[run * x->plan->n_checkpoint + checkpoint_at(x, run, place)];
}

static double explained_by(const struct text *x, int64_t run, int64_t n_axis)
{
    const int64_t C = x->plan->n_checkpoint;
    return n_axis <= C ? x->spectrum->run.explained[run * C + n_axis - 1] : 1;
}

/* ---- paragraphs ---- */

static void print_head(const struct text *x)
{
    const struct psw_spectrum_plan *p = x->plan;
    const struct psw_sketch_error e = psw_spectrum_error(p, x->words, x->spectrum);
    fprintf(x->out,
            "%s: the geometry of %s, from sketches of %lld numbers\n"
            "%lld runs: %lld methods, variants and settings, %lld seeds%s\n",
            x->words->title, x->words->of, (long long)p->k, (long long)p->n_run,
            (long long)p->n_cell, (long long)p->n_seed,
            p->of == PSW_SPECTRUM_V ? "; the last checkpoint is left out" : "");
    if (x->words->left_out[0]) fprintf(x->out, "left out: %s\n", x->words->left_out);
    fprintf(x->out, "sketch error of a cosine: about %.3f (1/sqrt(k))", e.promised);
    if (e.n > 0)
        fprintf(x->out, "; realised, from %lld norms that are known exactly: %.3f",
                (long long)e.n, e.realised);
    fputs("\nNumbers are medians over seeds.\n", x->out);
}

/* A line of the table. */
static void print_target(const struct text *x, int64_t cell)
{
    struct psw_spread s[3], c[2];
    for (int i = 0; i < 3; i++) s[i] = over_seeds(x, cell, signal_at, i);
    for (int i = 0; i < 2; i++) c[i] = over_seeds(x, cell, cosine_with_last, i);
    const struct psw_spread known = over_seeds(x, cell, step_known, 0);
    const struct psw_spread clean = over_seeds(x, cell, clean_cosine, 0);
    fprintf(x->out, "  %-*s  %5.2f  %6.2f   %3.0f %3.0f %3.0f %%  ", x->width,
            x->words->cell[cell], c[0].median, c[1].median, 100 * fmax(0, s[0].median),
            100 * fmax(0, s[1].median), 100 * fmax(0, s[2].median));
    if (clean.n == 0)
        fputs("not known\n", x->out);
    else
        fprintf(x->out, "%5.2f [%.2f..%.2f] to step %.0f, %lld seeds\n", clean.median,
                clean.least, clean.most, known.median, (long long)clean.n);
}

/* The word that a label begins with. */
static int same_method(const struct text *x, int64_t a, int64_t b)
{
    const char *p = x->words->cell[a], *q = x->words->cell[b];
    const size_t n = strcspn(p, " ");
    return n == strcspn(q, " ") && memcmp(p, q, n) == 0;
}

/* The sentence about a method, whose cells stand together from this one. */
static void print_sentence(const struct text *x, int64_t cell)
{
    int64_t n = 0, n_stable = 0, n_run = 0;
    for (int64_t i = 0; i < x->plan->n_run; i++) {
        if (!same_method(x, cell, x->plan->cell[i])) continue;
        const double cosine = clean_cosine(x, i, 0);
        n_run++;
        n_stable += cosine >= STABLE;
        if (!isnan(cosine)) x->scratch[n++] = cosine;
    }
    const char *name = x->words->cell[cell];
    fprintf(x->out, "  %.*s: ", (int)strcspn(name, " "), name);
    if (n == 0) {
        fprintf(x->out, "not known: in no run is half of |v|^2 signal at two checkpoints\n");
        return;
    }
    const struct psw_spread c = psw_spread_of(x->scratch, n);
    fprintf(x->out,
            "%s: v keeps a cosine of %.1f with its start in %lld of %lld runs (median %.2f)",
            2 * n_stable > n ? "a stable target" : "the target turns", STABLE,
            (long long)n_stable, (long long)n, c.median);
    if (n < n_run) fprintf(x->out, "; not known of %lld", (long long)(n_run - n));
    fputc('\n', x->out);
}

static void print_targets(const struct text *x)
{
    fprintf(
        x->out,
        "\nIs the target stable? Cosine of v with v at the last checkpoint, raw; share of "
        "|v|^2 that is not\nnoise of D' (v_halves / v_norm^2) at the first, middle and last; "
        "and, from v's two halves, the\ncosine without that noise between the first "
        "checkpoint and the last at which half of |v|^2 is signal.\n"
        "  %-*s  first  middle   signal f/m/l  without noise [seeds]\n",
        x->width, "");
    for (int64_t c = 0; c < x->plan->n_cell; c++) print_target(x, c);
    fputs("  All checkpoints share the noise of one D': where it is most of v, raw cosines say "
          "little.\n  While half of |v|^2 is signal:\n",
          x->out);
    for (int64_t c = 0; c < x->plan->n_cell; c++)
        if (c == 0 || !same_method(x, c - 1, c)) print_sentence(x, c);
}

static void print_cosines(const struct text *x)
{
    fprintf(x->out, "\nCosine with the last checkpoint\n  %-*s  first  middle\n", x->width, "");
    for (int64_t c = 0; c < x->plan->n_cell; c++)
        fprintf(x->out, "  %-*s  %5.2f  %6.2f\n", x->width, x->words->cell[c],
                over_seeds(x, c, cosine_with_last, FIRST).median,
                over_seeds(x, c, cosine_with_last, MIDDLE).median);
}

static void print_ranks(const struct text *x)
{
    const struct psw_spectrum *s = x->spectrum;
    int64_t n90 = 0, n99 = 0;
    fprintf(x->out,
            "\nEffective rank of the directions of a run up to its middle and its end, by "
            "entropy (by participation),\nand share of the variance on the leading axes\n"
            "  %-*s  %13s  %13s   1 axis  2 axes  3 axes\n",
            x->width, "", "middle", "end");
    for (int64_t c = 0; c < x->plan->n_cell; c++) {
        fprintf(x->out, "  %-*s", x->width, x->words->cell[c]);
        for (int64_t i = MIDDLE; i <= LAST; i++)
            fprintf(x->out, "  %5.2f (%5.2f)", over_seeds(x, c, entropy_at, i).median,
                    over_seeds(x, c, participation_at, i).median);
        fputs("  ", x->out);
        for (int64_t n = 1; n <= 3; n++)
            fprintf(x->out, "  %4.0f %%", 100 * over_seeds(x, c, explained_by, n).median);
        fputc('\n', x->out);
    }
    while (n90 < s->all.n && s->all.explained[n90] < 0.9) n90++;
    while (n99 < s->all.n && s->all.explained[n99] < 0.99) n99++;
    fprintf(x->out,
            "  all directions together: %.1f (%.1f); 90 %% of the variance on %lld axes, 99 %% "
            "on %lld\n",
            s->all.entropy_rank, s->all.participation, (long long)n90 + 1, (long long)n99 + 1);
}

static void print_angle(const struct text *x, const double *cosine)
{
    const int64_t D = x->plan->n_dim;
    if (isnan(cosine[0]))
        fprintf(x->out, "  %7s", "-");
    else
        fprintf(x->out, "  %3.0f/%-3.0f", DEGREES * acos(cosine[0]),
                DEGREES * acos(cosine[D - 1]));
}

static void print_angles(const struct text *x)
{
    const int64_t n = x->plan->n_cell, D = x->plan->n_dim;
    const double floor = fmin(1, 2 * sqrt((double)D / (double)x->plan->k));
    fprintf(x->out,
            "\nSubspaces of the %lld leading axes of a run: smallest and largest principal "
            "angle, in degrees, of the\nmean cosine. Between rows: runs of one seed; on the "
            "diagonal: seeds of one row. Unrelated ones\nare above %.0f apart.\n",
            (long long)D, DEGREES * acos(floor));
    if (n > MOST_CELLS) {
        fprintf(x->out, "  (%lld rows are too many for this page: see the file)\n",
                (long long)n);
        return;
    }
    fprintf(x->out, "  %-*s", x->width + 4, "");
    for (int64_t b = 0; b < n; b++) fprintf(x->out, "  %6lld.", (long long)b + 1);
    fputc('\n', x->out);
    for (int64_t a = 0; a < n; a++) {
        fprintf(x->out, "  %2lld. %-*s", (long long)a + 1, x->width, x->words->cell[a]);
        for (int64_t b = 0; b <= a; b++)
            print_angle(x, a == b ? x->spectrum->angle.other_seed + a * D
                                  : x->spectrum->angle.same_seed + (a * n + b) * D);
        fputc('\n', x->out);
    }
}

static void print_map(const struct text *x)
{
    const struct psw_spectrum *s = x->spectrum;
    if (s->map.n_seed == 0)
        fputs("\nNo map: the rows have no seed in common.\n", x->out);
    else
        fprintf(x->out,
                "\nMap (--svg draws it): the two axes hold %.0f %% and %.0f %% of the variance "
                "over rows and checkpoints,\n%lld seeds side by side.\n",
                100 * s->map.share[0], 100 * s->map.share[1], (long long)s->map.n_seed);
}

psw_status psw_spectrum_print(FILE *out, const struct psw_spectrum_plan *plan,
                              const struct psw_spectrum_words *words,
                              const struct psw_spectrum *spectrum, struct psw_error *err)
{
    struct text x = {.out = out, .plan = plan, .words = words, .spectrum = spectrum};
    x.scratch = malloc(sizeof *x.scratch * (size_t)plan->n_run + 1);
    if (!x.scratch) return psw_fail(err, PSW_ENOMEM, "spectrum: text");
    for (int64_t c = 0; c < plan->n_cell; c++) {
        const int n = (int)strlen(words->cell[c]);
        if (n > x.width) x.width = n;
    }
    print_head(&x);
    if (plan->of == PSW_SPECTRUM_V)
        print_targets(&x);
    else
        print_cosines(&x);
    print_ranks(&x);
    print_angles(&x);
    print_map(&x);
    free(x.scratch);
    return PSW_OK;
}
