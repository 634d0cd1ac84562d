/* One panel of the picture: axes with round ticks, a thin line per seed, a bold one for their
 * median, and a point at each checkpoint that is filled only where most seeds have a sign that
 * is there. */
#include "picture_internal.h"

#include <math.h>
#include <string.h>

enum { MOST_POINTS = 30, MOST_NAMED = 2, N_TICK = 5 };

/* Colours that colour-blind readers tell apart (Okabe and Ito), and dashes beside them. */
#define BLACK "#222222"
#define BLUE "#0072b2"
#define VERMILION "#d55e00"
#define GREEN "#009e73"
#define ORANGE "#e69f00"
#define SKY "#56b4e9"
#define PURPLE "#cc79a7"
#define GREY "#999999"

const struct psw_panel_group PSW_PANEL_GROUPS[PSW_N_PANEL_GROUP] = {
    {"the loss",
     {{"total", BLACK, "none", "total: the whole loss"},
      {"pos", BLUE, "none", "pos: chosen responses (on-policy: A \xe2\x89\xa5 0)"},
      {"neg", VERMILION, "7 3", "neg: rejected responses (A &lt; 0)"}}},
    {"weights made equal",
     {{"total_flat", BLACK, "none", "total_flat"},
      {"pos_flat", BLUE, "none", "pos_flat"},
      {"neg_flat", VERMILION, "7 3", "neg_flat"}}},
    {"thirds by weight, and at random",
     {{"top", GREEN, "none", "top"},
      {"mid", ORANGE, "none", "mid"},
      {"bot", SKY, "7 3", "bot"},
      {"rand1", GREY, "none", "rand1"},
      {"rand2", GREY, "7 3", "rand2"},
      {"rand3", GREY, "2 2", "rand3"}}},
    {"further terms and controls",
     {{"nll", PURPLE, "none", "nll"},
      {"kl", ORANGE, "none", "kl"},
      {"entropy", SKY, "none", "entropy"},
      {"value", VERMILION, "2 2", "value"},
      {"raw", GREEN, "none", "raw"},
      {"shuffled", GREY, "7 3", "shuffled"},
      {"pos_minus_neg", BLACK, "2 2", "pos - neg"}}},
    {"upper reference", {{"sft_chosen", BLUE, "7 3", "sft_chosen: NLL of chosen"}}}};

int64_t psw_panel_component(const struct psw_painter *p, const struct psw_panel_line *line)
{
    return line->component ? psw_results_component(p->results, line->component) : -1;
}

void psw_panel_text(FILE *out, const char *text, int n_most)
{
    for (int n = 0; *text; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
        if (n > n_most) {
            fputs("\xe2\x80\xa6", out);
            return;
        }
        const char *entity = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;";
        if (*text == '<' || *text == '>' || *text == '&')
            fputs(entity, out);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

/* ---- scales ---- */

/** Widen limits by the points of single seeds, or by medians. */
static int widen(const struct psw_painter *p, const struct psw_cell *cell, int64_t component,
                 struct psw_panel_scale *seeds, struct psw_panel_scale *medians)
{
    int any = 0;
    for (int64_t k = 0; k < p->traces.n_checkpoint; k++) {
        const struct psw_replicates r =
            psw_replicates_at(&p->traces, cell, component, k, p->scratch);
        if (r.middle.n == 0) continue;
        any = 1;
        seeds->lo = fmin(seeds->lo, r.middle.least);
        seeds->hi = fmax(seeds->hi, r.middle.most);
        medians->lo = fmin(medians->lo, r.middle.median);
        medians->hi = fmax(medians->hi, r.middle.median);
    }
    return any;
}

/** The step of the last checkpoint, which has no point but ends the axis. */
static double last_step(const struct psw_painter *p, const struct psw_cell *cell)
{
    double last = 0;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t k = psw_trace_length(&p->traces, cell->run[i]);
        if (cell->apart[i] == PSW_APART_NOT && k < p->traces.n_checkpoint)
            last =
                fmax(last, (double)p->traces.step[cell->run[i] * p->traces.n_checkpoint + k]);
    }
    return last;
}

struct psw_panel_scale psw_panel_limits(const struct psw_painter *p,
                                        const struct psw_cell *cell,
                                        const struct psw_panel_group *group)
{
    struct psw_panel_scale seeds = {0}, medians = {0};
    int any = 0;
    for (int l = 0; l < PSW_MAX_GROUP_LINE && group->line[l].component; l++) {
        const int64_t component = psw_panel_component(p, &group->line[l]);
        if (component >= 0) any |= widen(p, cell, component, &seeds, &medians);
    }
    const double room = medians.hi - medians.lo; /* a seed may leave the panel beyond that */
    seeds.lo = fmax(seeds.lo, medians.lo - room);
    seeds.hi = fmin(seeds.hi, medians.hi + room);
    seeds.x_max = last_step(p, cell);
    if (!any) seeds.hi = seeds.lo - 1;
    return seeds;
}

static double width(void)
{
    return PSW_PANEL_W - PSW_PANEL_LEFT - PSW_PANEL_RIGHT;
}

static double height(void)
{
    return PSW_PANEL_H - PSW_PANEL_TOP - PSW_PANEL_BOTTOM;
}

static double x_of(const struct psw_panel *panel, double step)
{
    return panel->left + PSW_PANEL_LEFT + width() * step / panel->scale.x_max;
}

static double y_of(const struct psw_panel *panel, double g)
{
    const double share = (g - panel->scale.lo) / (panel->scale.hi - panel->scale.lo);
    return panel->top + PSW_PANEL_TOP + height() * (1 - share);
}

/* ---- axes ---- */

static void draw_y_axis(const struct psw_painter *p, const struct psw_panel *panel,
                        const struct psw_ticks *ticks, double unit)
{
    const double left = x_of(panel, 0), right = x_of(panel, panel->scale.x_max);
    for (long i = ticks->first; i <= ticks->last; i++) {
        const double y = y_of(panel, psw_tick(ticks, i) * unit);
        fprintf(p->out, "<path d='M%.1f %.1fH%.1f' stroke='%s'/>\n", left, y, right,
                i == 0 ? "#666666" : "#e6e6e6");
        fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='end'%s>%.*f</text>\n", left - 7,
                y + 4, i == 0 ? " font-weight='700'" : "", i == 0 ? 0 : ticks->digits,
                psw_tick(ticks, i));
    }
    const double x = panel->left + 16, y = panel->top + PSW_PANEL_TOP + 0.5 * height();
    fprintf(p->out,
            "<text x='%.1f' y='%.1f' text-anchor='middle' transform='rotate(-90 %.1f %.1f)'>"
            "G/\xe2\x80\x96v\xe2\x80\x96, nat per unit step",
            x, y, x, y);
    if (unit != 1) fprintf(p->out, " \xc3\x97 %g", unit);
    fputs("</text>\n", p->out);
}

static void draw_x_axis(const struct psw_painter *p, const struct psw_panel *panel)
{
    const struct psw_ticks ticks = psw_ticks_over(0, panel->scale.x_max, N_TICK);
    const double bottom = y_of(panel, panel->scale.lo);
    for (long i = 0; i <= ticks.last; i++) {
        const double step = psw_tick(&ticks, i);
        if (step > panel->scale.x_max * 1.0001) break;
        fprintf(p->out, "<path d='M%.1f %.1fv4' stroke='#888888'/>\n", x_of(panel, step),
                bottom);
        fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%.*f</text>\n",
                x_of(panel, step), bottom + 17, ticks.digits, step);
    }
    fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='middle'>training step</text>\n",
            x_of(panel, 0.5 * panel->scale.x_max), bottom + 34);
}

/** Which runs stand behind the panel. */
static void draw_title(const struct psw_painter *p, const struct psw_panel *panel)
{
    const struct psw_cell *cell = panel->cell;
    const double x = panel->left + PSW_PANEL_LEFT;
    const double *kl = psw_results_f64(p->results, "kl_ref");
    const int64_t *seed = psw_results_i64(p->results, "seed");
    int64_t n_apart = 0;
    fprintf(p->out, "<text x='%.1f' y='%.1f' font-weight='600'>", x, panel->top + 22);
    psw_panel_text(p->out, p->opts->all ? panel->group->title : cell->label, 52);
    fprintf(p->out, "</text>\n<text x='%.1f' y='%.1f' font-size='11' fill='#555555'>", x,
            panel->top + 38);
    fprintf(p->out, "%lld of %lld seeds", (long long)cell->n_used, (long long)cell->n_run);
    for (int64_t i = 0; i < cell->n_run; i++) {
        if (cell->apart[i] == PSW_APART_NOT || cell->apart[i] == PSW_APART_UNENDED) continue;
        if (n_apart++ < MOST_NAMED)
            fprintf(p->out, "%s%lld (%.2g)",
                    n_apart == 1 ? "; over-optimised (KL, nat): seed " : ", ",
                    (long long)(seed ? seed[cell->run[i]] : i), kl ? kl[cell->run[i]] : NAN);
    }
    if (n_apart > MOST_NAMED)
        fprintf(p->out, " and %lld more", (long long)(n_apart - MOST_NAMED));
    fputs("</text>\n", p->out);
}

/* ---- lines ---- */

/** Line of one replicate. */
static void draw_seed(const struct psw_painter *p, const struct psw_panel *panel,
                      const struct psw_panel_line *line, int64_t run, int64_t component,
                      int is_apart)
{
    int n = 0;
    fprintf(p->out,
            "<path fill='none' stroke='%s' stroke-width='%s' stroke-opacity='%s' "
            "stroke-dasharray='%s' d='",
            line->colour, is_apart ? "1.2" : "0.9", is_apart ? "0.7" : "0.4",
            is_apart ? "1 3" : "none");
    for (int64_t k = 0; k < psw_trace_length(&p->traces, run); k++) {
        const struct psw_trace_value v =
            psw_trace_at(&p->traces, panel->cell->along, run, k, component);
        if (isfinite(v.scaled))
            fprintf(p->out, "%s%.1f %.1f", n++ ? "L" : "M", x_of(panel, v.step),
                    y_of(panel, v.scaled));
    }
    fputs("'/>\n", p->out);
}

/** Whether more than half of the seeds have the same sign. */
static int has_sign(const struct psw_replicates *r)
{
    const int64_t n = r->n_above + r->n_below + r->n_open;
    return 2 * r->n_above > n || 2 * r->n_below > n;
}

static void draw_median(const struct psw_painter *p, const struct psw_panel *panel,
                        const struct psw_panel_line *line, int64_t component)
{
    int n = 0;
    const int64_t n_checkpoint = p->traces.n_checkpoint;
    const int64_t every = (n_checkpoint + MOST_POINTS - 1) / MOST_POINTS;
    fprintf(p->out,
            "<path fill='none' stroke='%s' stroke-width='2.2' stroke-dasharray='%s' "
            "stroke-linejoin='round' d='",
            line->colour, line->dash);
    for (int64_t k = 0; k < n_checkpoint; k++) {
        const struct psw_replicates r =
            psw_replicates_at(&p->traces, panel->cell, component, k, p->scratch);
        if (r.middle.n > 0)
            fprintf(p->out, "%s%.1f %.1f", n++ ? "L" : "M", x_of(panel, r.step),
                    y_of(panel, r.middle.median));
    }
    fputs("'/>\n", p->out);
    for (int64_t k = 0; k < n_checkpoint; k += every) {
        const struct psw_replicates r =
            psw_replicates_at(&p->traces, panel->cell, component, k, p->scratch);
        if (r.middle.n > 0)
            fprintf(p->out,
                    "<circle cx='%.1f' cy='%.1f' r='3' fill='%s' stroke='%s' "
                    "stroke-width='1.3'/>\n",
                    x_of(panel, r.step), y_of(panel, r.middle.median),
                    has_sign(&r) ? line->colour : "#ffffff", line->colour);
    }
}

static void draw_line(const struct psw_painter *p, const struct psw_panel *panel,
                      const struct psw_panel_line *line)
{
    const struct psw_cell *cell = panel->cell;
    const int64_t component = psw_panel_component(p, line);
    if (component < 0 || !psw_replicates_have(&p->traces, cell, component)) return;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int is_apart = cell->apart[i] != PSW_APART_NOT;
        if (cell->apart[i] == PSW_APART_UNENDED || (is_apart && !p->opts->all)) continue;
        draw_seed(p, panel, line, cell->run[i], component, is_apart);
    }
    draw_median(p, panel, line, component);
}

void psw_panel_draw(const struct psw_painter *p, const struct psw_panel *given)
{
    struct psw_panel panel = *given;
    draw_title(p, &panel);
    if (panel.scale.hi < panel.scale.lo) {
        fprintf(p->out, "<text x='%.1f' y='%.1f' fill='#555555'>%s</text>\n",
                panel.left + PSW_PANEL_LEFT, panel.top + 0.5 * PSW_PANEL_H,
                panel.cell->n_done > 0 ? "no seed is left (--max-kl keeps more)"
                                       : "no run has finished");
        return;
    }
    const double unit = psw_unit_for(fmax(fabs(panel.scale.lo), fabs(panel.scale.hi)));
    const struct psw_ticks ticks =
        psw_ticks_over(panel.scale.lo / unit, panel.scale.hi / unit, N_TICK);
    panel.scale.lo = psw_tick(&ticks, ticks.first) * unit;
    panel.scale.hi = psw_tick(&ticks, ticks.last) * unit;
    if (!(panel.scale.x_max > 0)) panel.scale.x_max = 1;
    draw_y_axis(p, &panel, &ticks, unit);
    draw_x_axis(p, &panel);
    fprintf(p->out,
            "<clipPath id='c%d'><rect x='%.1f' y='%.1f' width='%.1f' height='%.1f'/></clipPath>"
            "\n<g clip-path='url(#c%d)'>\n",
            panel.index, x_of(&panel, 0) - 4, y_of(&panel, panel.scale.hi) - 4, width() + 8,
            height() + 8, panel.index);
    for (int l = 0; l < PSW_MAX_GROUP_LINE && panel.group->line[l].component; l++)
        draw_line(p, &panel, &panel.group->line[l]);
    fputs("</g>\n", p->out);
}
