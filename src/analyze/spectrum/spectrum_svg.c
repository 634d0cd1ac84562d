/* The spectrum as a picture: the map of trajectories, and for every cell the cosines between
 * its checkpoints. Written as text with fixed digits, so the same results give the same bytes.
 */
#include "../show/picture_internal.h"
#include "spectrum_internal.h"

#include <posweep/util/file.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARGIN = 24,
    MAP_W = 560,
    MAP_H = 440,
    LEGEND_W = 300,
    PAGE_W = MARGIN + MAP_W + LEGEND_W + MARGIN,
    HEAD_H = 112,
    MATRIX = 168,   /* side of a matrix */
    MATRIX_W = 224, /* with its labels */
    MATRIX_H = 228,
    PER_ROW = 4,
    MOST_MATRICES = 16,
    N_TICK = 4
};

/* Okabe and Ito's colours, which colour-blind readers tell apart, with dashes for more cells.
 */
static const char *const COLOURS[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#222222"};
static const char *const DASHES[] = {"none", "6 3", "2 3"};
enum { N_COLOUR = sizeof COLOURS / sizeof *COLOURS, N_DASH = sizeof DASHES / sizeof *DASHES };

/** What drawing needs. */
struct canvas {
    FILE *out;
    const struct psw_spectrum_plan *plan;
    const struct psw_spectrum_words *words;
    const struct psw_spectrum *spectrum;
    double *scratch; /* owned [n_run] */
    double lo[2], scale, left, top;
};

static const char *colour_of(int64_t cell)
{
    return COLOURS[cell % N_COLOUR];
}

static const char *dash_of(int64_t cell)
{
    return DASHES[cell / N_COLOUR % N_DASH];
}

/* ---- the map ---- */

/* One unit is as long on both axes. */
static void set_scale(struct canvas *c)
{
    double lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
    const int64_t n = c->plan->n_cell * c->plan->n_checkpoint;
    for (int64_t i = 0; i < n * 2; i++) {
        if (!isfinite(c->spectrum->map.cell[i])) continue;
        lo[i % 2] = fmin(lo[i % 2], c->spectrum->map.cell[i]);
        hi[i % 2] = fmax(hi[i % 2], c->spectrum->map.cell[i]);
    }
    const double pad = 0.12 * fmax(hi[0] - lo[0], hi[1] - lo[1]);
    const double span[2] = {hi[0] - lo[0] + 2 * pad, hi[1] - lo[1] + 2 * pad};
    const double side[2] = {MAP_W, MAP_H};
    c->scale = fmin(side[0] / span[0], side[1] / span[1]);
    if (!isfinite(c->scale)) c->scale = 1; /* all in one place */
    for (int d = 0; d < 2; d++) c->lo[d] = 0.5 * (lo[d] + hi[d]) - 0.5 * side[d] / c->scale;
}

static double x_of(const struct canvas *c, const double *at)
{
    return c->left + (at[0] - c->lo[0]) * c->scale;
}

static double y_of(const struct canvas *c, const double *at)
{
    return c->top + MAP_H - (at[1] - c->lo[1]) * c->scale;
}

static void draw_path(const struct canvas *c, const double *point, int64_t cell, int is_run)
{
    int n = 0;
    fprintf(c->out,
            "<path fill='none' stroke='%s' stroke-width='%s' stroke-opacity='%s' "
            "stroke-dasharray='%s' stroke-linejoin='round' d='",
            colour_of(cell), is_run ? "0.8" : "2.4", is_run ? "0.35" : "1",
            is_run ? "none" : dash_of(cell));
    for (int64_t t = 0; t < c->plan->n_checkpoint; t++)
        if (isfinite(point[2 * t]))
            fprintf(c->out, "%s%.1f %.1f", n++ ? "L" : "M", x_of(c, point + 2 * t),
                    y_of(c, point + 2 * t));
    fputs("'/>\n", c->out);
}

/* A point per checkpoint: hollow at the start, large at the end. */
static void draw_points(const struct canvas *c, const double *point, int64_t cell)
{
    int64_t first = -1, last = -1;
    for (int64_t t = 0; t < c->plan->n_checkpoint; t++)
        if (isfinite(point[2 * t])) first = first < 0 ? t : first, last = t;
    for (int64_t t = first; t >= 0 && t <= last; t++)
        if (isfinite(point[2 * t]))
            fprintf(c->out,
                    "<circle cx='%.1f' cy='%.1f' r='%s' fill='%s' stroke='%s' "
                    "stroke-width='1.4'/>\n",
                    x_of(c, point + 2 * t), y_of(c, point + 2 * t), t == last ? "6" : "3",
                    t == first ? "#ffffff" : colour_of(cell), colour_of(cell));
}

static void draw_ticks(const struct canvas *c)
{
    const struct psw_ticks across =
        psw_ticks_over(c->lo[0], c->lo[0] + MAP_W / c->scale, N_TICK);
    const struct psw_ticks up = psw_ticks_over(c->lo[1], c->lo[1] + MAP_H / c->scale, N_TICK);
    for (long i = across.first; i <= across.last; i++) {
        const double at[2] = {psw_tick(&across, i), c->lo[1]};
        const double x = x_of(c, at);
        if (x < c->left || x > c->left + MAP_W) continue;
        fprintf(c->out,
                "<path d='M%.1f %.1fv%d' stroke='#ececec'/><text x='%.1f' y='%.1f' "
                "text-anchor='middle'>%.*f</text>\n",
                x, c->top, MAP_H, x, c->top + MAP_H + 16, across.digits, at[0]);
    }
    for (long i = up.first; i <= up.last; i++) {
        const double at[2] = {c->lo[0], psw_tick(&up, i)};
        const double y = y_of(c, at);
        if (y < c->top || y > c->top + MAP_H) continue;
        fprintf(c->out,
                "<path d='M%.1f %.1fh%d' stroke='#ececec'/><text x='%.1f' y='%.1f' "
                "text-anchor='end'>%.*f</text>\n",
                c->left, y, MAP_W, c->left - 6, y + 4, up.digits, at[1]);
    }
    fprintf(
        c->out,
        "<text x='%.1f' y='%.1f' text-anchor='middle'>axis 1: %.0f %% of the variance</text>"
        "<text x='%.1f' y='%.1f' text-anchor='middle' transform='rotate(-90 %.1f %.1f)'>"
        "axis 2: %.0f %%</text>\n",
        c->left + MAP_W / 2, c->top + MAP_H + 36, 100 * c->spectrum->map.share[0], c->left - 40,
        c->top + MAP_H / 2, c->left - 40, c->top + MAP_H / 2, 100 * c->spectrum->map.share[1]);
}

static void draw_legend(const struct canvas *c)
{
    const double x = c->left + MAP_W + 24;
    for (int64_t i = 0; i < c->plan->n_cell && i < 20; i++) {
        const double y = c->top + 14 + 20 * (double)i;
        fprintf(c->out,
                "<path d='M%.0f %.0fh26' stroke='%s' stroke-width='2.4' "
                "stroke-dasharray='%s'/><text x='%.0f' y='%.0f'>",
                x, y - 4, colour_of(i), dash_of(i), x + 34, y);
        psw_panel_text(c->out, c->words->cell[i], 34);
        fputs("</text>\n", c->out);
    }
}

static void draw_map(struct canvas *c)
{
    const int64_t C = c->plan->n_checkpoint;
    c->left = MARGIN + 44;
    c->top = HEAD_H;
    if (!c->spectrum->map.cell) {
        fprintf(c->out, "<text x='%.0f' y='%.0f'>No map: no seed is common to all.</text>\n",
                c->left, c->top + 40);
        return;
    }
    set_scale(c);
    draw_ticks(c);
    fprintf(c->out,
            "<clipPath id='map'><rect x='%.1f' y='%.1f' width='%d' height='%d'/></clipPath>\n"
            "<g clip-path='url(#map)'>\n",
            c->left, c->top, MAP_W, MAP_H);
    for (int64_t i = 0; i < c->plan->n_run; i++)
        draw_path(c, c->spectrum->map.run + i * C * 2, c->plan->cell[i], 1);
    for (int64_t i = 0; i < c->plan->n_cell; i++)
        draw_path(c, c->spectrum->map.cell + i * C * 2, i, 0);
    for (int64_t i = 0; i < c->plan->n_cell; i++)
        draw_points(c, c->spectrum->map.cell + i * C * 2, i);
    fputs("</g>\n", c->out);
    fprintf(c->out,
            "<rect x='%.1f' y='%.1f' width='%d' height='%d' fill='none' stroke='#888888'/>\n",
            c->left, c->top, MAP_W, MAP_H);
    draw_legend(c);
}

/* ---- matrices ---- */

/* Median over the seeds; of v without the noise of D' where that is asked for and known. */
static double cosine_at(const struct canvas *c, int64_t cell, int64_t s, int64_t t, int clean)
{
    const struct psw_spectrum_plan *p = c->plan;
    const int64_t C = p->n_checkpoint;
    const double *from = clean ? c->spectrum->run.cosine_clean : c->spectrum->run.cosine;
    int64_t n = 0;
    for (int64_t i = 0; i < p->n_run; i++) {
        if (p->cell[i] != cell) continue;
        const int known = psw_spectrum_is_known(p, c->words, i, s) &&
                          psw_spectrum_is_known(p, c->words, i, t);
        if (!clean || known) c->scratch[n++] = from[(i * C + s) * C + t];
    }
    return psw_spread_of(c->scratch, n).median;
}

/* White at 0, blue towards 1, vermilion towards -1. */
static void put_colour(FILE *out, double cosine)
{
    static const double BLUE[3] = {0, 114, 178}, RED[3] = {213, 94, 0};
    const double a = fmin(1, fabs(cosine)), *end = cosine < 0 ? RED : BLUE;
    fprintf(out, "#%02x%02x%02x", (unsigned)lround(255 + a * (end[0] - 255)),
            (unsigned)lround(255 + a * (end[1] - 255)),
            (unsigned)lround(255 + a * (end[2] - 255)));
}

/* A run of the cell that has the most checkpoints, for its steps. */
static int64_t example_of(const struct canvas *c, int64_t cell)
{
    int64_t best = -1;
    for (int64_t i = 0; i < c->plan->n_run; i++)
        if (c->plan->cell[i] == cell &&
            (best < 0 || c->plan->n_used[i] > c->plan->n_used[best]))
            best = i;
    return best;
}

/* The k-th checkpoint of a run that was measured; -1: it has not so many. */
static int64_t measured(const struct canvas *c, int64_t run, int64_t k)
{
    const int64_t C = c->plan->n_checkpoint;
    for (int64_t t = 0; t < C; t++)
        if (isfinite(c->spectrum->run.norm[run * C + t]) && k-- == 0) return t;
    return -1;
}

static void draw_cell_of(const struct canvas *c, int64_t cell, int64_t s, int64_t t)
{
    const int is_v = c->plan->of == PSW_SPECTRUM_V;
    const double x = cosine_at(c, cell, s, t, is_v && t > s);
    if (isnan(x))
        fputs("#e4e4e4'/>\n", c->out);
    else
        put_colour(c->out, x), fprintf(c->out, "'><title>%.2f</title></rect>\n", x);
}

static void draw_matrix(const struct canvas *c, int64_t cell, double left, double top)
{
    const int64_t run = example_of(c, cell);
    const int64_t *step = c->words->step + run * c->plan->n_checkpoint;
    int64_t n = 0;
    while (measured(c, run, n) >= 0) n++;
    const double side = (double)MATRIX / (double)n;
    fprintf(c->out, "<text x='%.1f' y='%.1f' font-weight='600'>", left, top - 8);
    psw_panel_text(c->out, c->words->cell[cell], 30);
    fputs("</text>\n<g shape-rendering='crispEdges'>\n", c->out);
    for (int64_t s = 0; s < n; s++)
        for (int64_t t = 0; t < n; t++) {
            fprintf(c->out, "<rect x='%.2f' y='%.2f' width='%.2f' height='%.2f' fill='",
                    left + side * (double)t, top + side * (double)s, side, side);
            draw_cell_of(c, cell, measured(c, run, s), measured(c, run, t));
        }
    fprintf(c->out,
            "</g><rect x='%.1f' y='%.1f' width='%d' height='%d' fill='none' stroke='#888888'/>"
            "<text x='%.1f' y='%.1f'>step %lld</text>"
            "<text x='%.1f' y='%.1f' text-anchor='end'>%lld</text>\n",
            left, top, MATRIX, MATRIX, left, top + MATRIX + 15,
            (long long)step[measured(c, run, 0)], left + MATRIX, top + MATRIX + 15,
            (long long)step[measured(c, run, n - 1)]);
}

static void draw_scale(const struct canvas *c, double top)
{
    enum { N_STEP = 40, W = 200 };
    const double left = PAGE_W - MARGIN - W - 30;
    for (int i = 0; i < N_STEP; i++) {
        fprintf(c->out, "<rect x='%.1f' y='%.1f' width='%.1f' height='10' fill='",
                left + W * (double)i / N_STEP, top - 10, (double)W / N_STEP + 0.1);
        put_colour(c->out, 2 * (i + 0.5) / N_STEP - 1);
        fputs("'/>\n", c->out);
    }
    fprintf(c->out,
            "<text x='%.1f' y='%.1f' text-anchor='end'>cosine -1</text>"
            "<text x='%.1f' y='%.1f'>1</text>\n",
            left - 6, top, left + W + 6, top);
}

/* Returns the height of the page. */
static double draw_matrices(const struct canvas *c)
{
    const double top = HEAD_H + MAP_H + 112;
    const int64_t n = c->plan->n_cell < MOST_MATRICES ? c->plan->n_cell : MOST_MATRICES;
    fprintf(c->out,
            "<text x='%d' y='%.0f' font-size='14' font-weight='600'>Cosine between "
            "checkpoints, median over seeds</text>\n",
            MARGIN, top - 44);
    draw_scale(c, top - 44);
    fprintf(c->out, "<text x='%d' y='%.0f' fill='#444444'>%s</text>\n", MARGIN, top - 26,
            c->plan->of == PSW_SPECTRUM_V
                ? "Below the diagonal as measured, with the noise that all checkpoints share; "
                  "above it without that noise, grey where noise is more than half of v."
                : "Of the checkpoints at which it was measured.");
    for (int64_t i = 0; i < n; i++)
        draw_matrix(c, i, MARGIN + (double)(i % PER_ROW) * MATRIX_W,
                    top + 16 + (double)(i / PER_ROW) * MATRIX_H);
    return top + 16 + (double)((n + PER_ROW - 1) / PER_ROW) * MATRIX_H - 20;
}

/* ---- the whole ---- */

static void draw_head(const struct canvas *c)
{
    fprintf(c->out, "<text x='%d' y='32' font-size='17' font-weight='600'>", MARGIN);
    psw_panel_text(c->out, c->words->title, 40);
    fputs(": how ", c->out);
    psw_panel_text(c->out, c->words->of, 40);
    fprintf(
        c->out,
        " moves along training</text>\n"
        "<text x='%d' y='54' fill='#444444'>A line is a trajectory, from the hollow mark "
        "to the large one. Bold: %lld seeds side by side; thin: single seeds, whose mean is "
        "the bold line.</text>\n"
        "<text x='%d' y='72' fill='#444444'>Distances are those of the first two principal "
        "coordinates of %s, from sketches of %lld numbers (a cosine is within %.3f).</text>"
        "\n",
        MARGIN, (long long)c->spectrum->map.n_seed, MARGIN,
        c->plan->of == PSW_SPECTRUM_DISPLACEMENT ? "displacements"
                                                 : "directions of unit length",
        (long long)c->plan->k, 1 / sqrt((double)c->plan->k));
    if (c->plan->of == PSW_SPECTRUM_V)
        fprintf(
            c->out,
            "<text x='%d' y='90' fill='#444444'>The last checkpoint is left out: there v is "
            "noise.</text>\n",
            MARGIN);
}

psw_status psw_spectrum_svg(const char *path, const struct psw_spectrum_plan *plan,
                            const struct psw_spectrum_words *words,
                            const struct psw_spectrum *spectrum, struct psw_error *err)
{
    struct canvas c = {.plan = plan, .words = words, .spectrum = spectrum};
    char *body = NULL, *head = NULL;
    size_t n_body = 0, n_head = 0;
    psw_status rc = psw_fail(err, PSW_ENOMEM, "%s: picture", path);
    c.scratch = malloc(sizeof *c.scratch * (size_t)plan->n_run + 1);
    FILE *top = open_memstream(&head, &n_head);
    c.out = open_memstream(&body, &n_body);
    if (c.scratch && top && c.out) {
        draw_head(&c);
        draw_map(&c);
        const double height = draw_matrices(&c);
        fputs("</svg>\n", c.out);
        fprintf(top,
                "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %.0f' width='%d' "
                "height='%.0f' font-family='system-ui, sans-serif' font-size='12' "
                "fill='#222222'>\n<rect width='100%%' height='100%%' fill='#ffffff'/>\n",
                PAGE_W, height, PAGE_W, height);
    }
    const int is_whole = top && c.out && fflush(top) == 0 && fflush(c.out) == 0;
    if (is_whole && c.scratch) {
        const struct psw_file_part part[] = {{head, n_head}, {body, n_body}};
        rc = psw_file_write(path, part, 2, err);
    }
    if (top) fclose(top);
    if (c.out) fclose(c.out);
    free(head);
    free(body);
    free(c.scratch);
    return rc;
}
