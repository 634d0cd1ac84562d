/* The first look: a summary line per cell, then one block per cell with numbers at a few
 * checkpoints and a sparkline over all of them. Widths are counted in characters, not bytes. */
#include <posweep/analyze/show.h>

#include <posweep/analyze/cells.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_WIDTH = 11,
    NUMBER_WIDTH = 19,
    DEFAULT_COLUMNS = 5,
    CELL_BYTES = 96,
    ERROR_BYTES = 32
};

/** Everything the printing functions need. */
struct shower {
    FILE *out;
    struct psw_results *results;
    const struct psw_show_opts *opts;
    int64_t n_checkpoint;
    struct psw_stat *trace; /* owned, [n_checkpoint] */
    double *step;           /* owned, [n_checkpoint] */
};

/** Final metrics, in the order of the table. */
static const struct {
    const char *name, *title;
} METRICS[] = {{"score", "score"},
               {"score_sft", "score of SFT"},
               {"win_rate", "win rate"},
               {"heldout_accuracy", "held-out accuracy"},
               {"heldout_loss", "held-out loss"},
               {"length", "length"},
               {"length_sft", "length of SFT"},
               {"kl_ref", "KL to SFT"},
               {"eos_rate", "EOS rate"},
               {"final_distinct_2", "distinct-2 of D'"},
               {"reward_final", "reward"},
               {"reward_sft", "reward of SFT"},
               {"reward_model_accuracy", "accuracy of the reward model"}};

int psw_show_wants_ascii(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (value && value[0]) return !strcasestr(value, "UTF-8") && !strcasestr(value, "utf8");
    }
    return 1;
}

/* ---- words ---- */

/** Print text in a field of `width` characters: negative aligns left. */
static void put(const struct shower *s, const char *text, int width)
{
    int n = 0;
    for (const char *at = text; *at; at++) n += ((unsigned char)*at & 0xC0) != 0x80;
    const int pad = abs(width) > n ? abs(width) - n : 0;
    fprintf(s->out, "%*s%s%*s", width > 0 ? pad : 0, "", text, width < 0 ? pad : 0, "");
}

static const char *plus_minus(const struct shower *s)
{
    return s->opts->ascii ? "+-" : "\xc2\xb1";
}

/** Digits behind the point that leave three significant ones; at most 6. */
static int digits_for(double size)
{
    const int digits = size > 0 && isfinite(size) ? 2 - (int)floor(log10(size)) : 2;
    return digits < 0 ? 0 : digits > 6 ? 6 : digits;
}

/** Whether a standard error is more than the rounding of its mean. */
static int is_error(double mean, double se)
{
    return isfinite(se) && se > 1e-9 * fabs(mean);
}

/** The standard error behind a mean of so many digits; it never reads 0 where it is not. */
static const char *error_text(double mean, double se, int digits, char out[ERROR_BYTES])
{
    if (is_error(mean, se) && se < 0.5 * pow(10, -digits))
        snprintf(out, ERROR_BYTES, "%.1g", se);
    else
        snprintf(out, ERROR_BYTES, "%.*f", digits, se);
    return out;
}

/** "1.60 ± 0.06", "395.2 ± 0.4"; "-" where there is no value. */
static const char *number(const struct shower *s, struct psw_stat x, char out[CELL_BYTES])
{
    char se[ERROR_BYTES];
    int digits = digits_for(fmax(fabs(x.mean), isfinite(x.se) ? x.se : 0));
    if (is_error(x.mean, x.se)) { /* one digit of the error, if it is not far behind */
        const int wanted = -(int)floor(log10(x.se));
        if (wanted > digits && wanted <= digits + 3 && wanted <= 6) digits = wanted;
    }
    if (x.n == 0)
        snprintf(out, CELL_BYTES, "-");
    else if (x.n == 1)
        snprintf(out, CELL_BYTES, "%.*f", digits, x.mean);
    else
        snprintf(out, CELL_BYTES, "%.*f %s %s", digits, x.mean, plus_minus(s),
                 error_text(x.mean, x.se, digits, se));
    return out;
}

/** The same with a sign, in units of `unit`. */
static const char *g_number(const struct shower *s, struct psw_stat x, double unit, int digits,
                            char out[CELL_BYTES])
{
    char se[ERROR_BYTES];
    if (x.n == 0)
        snprintf(out, CELL_BYTES, "-");
    else if (x.n == 1)
        snprintf(out, CELL_BYTES, "%+.*f", digits, x.mean / unit);
    else
        snprintf(out, CELL_BYTES, "%+.*f %s %s", digits, x.mean / unit, plus_minus(s),
                 error_text(x.mean / unit, x.se / unit, digits, se));
    return out;
}

/** One character per checkpoint, from lo to hi. */
static void put_spark(const struct shower *s, double lo, double hi)
{
    static const char *const BARS[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
                                       "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
                                       "\xe2\x96\x87", "\xe2\x96\x88"};
    static const char *const MARKS[] = {"_", ".", "-", "~", "=", "+", "*", "#"};
    for (int64_t k = 0; k < s->n_checkpoint; k++) {
        if (s->trace[k].n == 0) {
            if (isfinite(s->step[k])) fputc(' ', s->out);
            continue;
        }
        const double share = hi > lo ? (s->trace[k].mean - lo) / (hi - lo) : 0.5;
        int level = (int)floor(8 * share);
        level = level < 0 ? 0 : level > 7 ? 7 : level;
        fputs(s->opts->ascii ? MARKS[level] : BARS[level], s->out);
    }
}

/* ---- the block of a cell ---- */

static int is_shown(const struct shower *s, const char *name)
{
    static const char *const CORE[] = {"total", "pos", "neg", "nll", "kl", "entropy", "value"};
    for (size_t i = 0; i < sizeof CORE / sizeof *CORE; i++)
        if (strcmp(CORE[i], name) == 0) return 1;
    return s->opts->all_components;
}

/** Trace of a component into s->trace; 0 if it has no value anywhere. */
static int load(const struct shower *s, const struct psw_cell *cell, int64_t component)
{
    int any = 0;
    psw_cell_trace(s->results, cell, component, s->trace, s->step);
    for (int64_t k = 0; k < s->n_checkpoint; k++) any |= s->trace[k].n > 0;
    return any;
}

/** Least and greatest mean over the shown components: one scale for all sparklines. */
static struct psw_interval scale_of(const struct shower *s, const struct psw_cell *cell)
{
    struct psw_interval scale = {0, 0};
    for (int64_t m = 0; m < psw_results_dim(s->results, "component"); m++) {
        if (!is_shown(s, psw_results_text(s->results, "component", m)) || !load(s, cell, m))
            continue;
        for (int64_t k = 0; k < s->n_checkpoint; k++) {
            if (s->trace[k].n == 0) continue;
            scale.lo = fmin(scale.lo, s->trace[k].mean);
            scale.hi = fmax(scale.hi, s->trace[k].mean);
        }
    }
    return scale;
}

/** Checkpoints printed as numbers, evenly over those that exist; returns how many. */
static int64_t choose_columns(const struct shower *s, int64_t column[], int64_t n_wanted)
{
    int64_t n_have = 0, n = 0;
    while (n_have < s->n_checkpoint && isfinite(s->step[n_have])) n_have++;
    if (n_have <= n_wanted) n_wanted = n_have;
    for (int64_t i = 0; i < n_wanted; i++)
        column[n++] =
            n_wanted > 1 ? (i * (n_have - 1) + (n_wanted - 1) / 2) / (n_wanted - 1) : 0;
    return n;
}

static void put_traces(const struct shower *s, const struct psw_cell *cell)
{
    int64_t column[64];
    char text[CELL_BYTES];
    const int64_t n_wanted = s->opts->n_column > 0 ? s->opts->n_column : DEFAULT_COLUMNS;
    const struct psw_interval scale = scale_of(s, cell);
    load(s, cell, psw_results_component(s->results, "total"));
    const int64_t n_column = choose_columns(s, column, n_wanted < 64 ? n_wanted : 64);
    const double size = fmax(fabs(scale.lo), fabs(scale.hi));
    const double unit =
        size > 0 && (size < 0.01 || size >= 1000) ? pow(10, 3 * floor(log10(size) / 3)) : 1;
    snprintf(text, sizeof text, unit == 1 ? "  G" : "  G / %g", unit);
    put(s, text, -(NAME_WIDTH + 2));
    for (int64_t i = 0; i < n_column; i++) {
        snprintf(text, sizeof text, "step %.0f", s->step[column[i]]);
        put(s, text, NUMBER_WIDTH);
    }
    fprintf(s->out, "   G>0   %.3g .. %.3g\n", scale.lo, scale.hi);
    for (int64_t m = 0; m < psw_results_dim(s->results, "component"); m++) {
        const char *name = psw_results_text(s->results, "component", m);
        if (!is_shown(s, name) || !load(s, cell, m)) continue;
        fputs("  ", s->out);
        put(s, name, -NAME_WIDTH);
        for (int64_t i = 0; i < n_column; i++)
            put(s, g_number(s, s->trace[column[i]], unit, digits_for(size / unit), text),
                NUMBER_WIDTH);
        fprintf(s->out, "  %3.0f%%  ",
                100 * psw_cell_sign_share(s->results, cell, m, NULL).mean);
        put_spark(s, scale.lo, scale.hi);
        fputc('\n', s->out);
    }
}

static void put_metrics(const struct shower *s, const struct psw_cell *cell)
{
    char text[CELL_BYTES];
    int n = 0;
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        const struct psw_stat x = psw_cell_metric(s->results, cell, METRICS[i].name);
        if (x.n == 0) continue;
        fprintf(s->out, "%s%s %s", n++ ? ", " : "  ", METRICS[i].title, number(s, x, text));
    }
    if (n) fputc('\n', s->out);
    const struct psw_stat bad = psw_cell_metric(s->results, cell, "final_degenerate");
    if (bad.n > 0 && bad.mean > 0)
        fprintf(s->out, "  D' has collapsed in %.0f of %lld runs: their G means little\n",
                bad.mean * (double)bad.n, (long long)bad.n);
}

static void put_crossing(const struct shower *s, const struct psw_cell *cell)
{
    char text[CELL_BYTES];
    const struct psw_stat x = psw_cell_crossing(s->results, cell);
    const struct psw_interval share =
        psw_wilson_interval((double)x.n, (double)cell->n_done, 0.95);
    if (psw_results_component(s->results, "neg") < 0 || cell->n_done == 0) return;
    if (x.n == 0)
        fprintf(s->out, "  pos and neg never cross");
    else
        fprintf(s->out, "  pos and neg cross at step %s", number(s, x, text));
    fprintf(s->out, "; %lld of %lld runs cross (95%% interval of the share %.2f..%.2f)\n",
            (long long)x.n, (long long)cell->n_done, share.lo, share.hi);
}

static void put_cell(const struct shower *s, const struct psw_cell *cell)
{
    fprintf(s->out, "\n%s: %lld of %lld runs done\n", cell->label, (long long)cell->n_done,
            (long long)cell->n_run);
    if (cell->n_done > 0) {
        put_traces(s, cell);
        put_crossing(s, cell);
        put_metrics(s, cell);
    }
    for (int64_t i = 0; i < cell->n_run; i++) {
        const char *message = psw_results_text(s->results, "message", cell->run[i]);
        if (message[0])
            fprintf(s->out, "  run %s: %s: %s\n",
                    psw_results_text(s->results, "run", cell->run[i]),
                    psw_outcome_name(
                        (enum psw_outcome)psw_results_i64(s->results, "status")[cell->run[i]]),
                    message);
    }
}

/* ---- the summary ---- */

static int label_width(const struct psw_cells *cells)
{
    size_t width = 8;
    for (int64_t c = 0; c < cells->n_cell; c++)
        if (strlen(cells->cell[c].label) > width) width = strlen(cells->cell[c].label);
    return (int)width;
}

static int is_wanted(const struct shower *s, const struct psw_cell *cell)
{
    return !s->opts->variant ||
           strcmp(psw_results_text(s->results, "variant", cell->run[0]), s->opts->variant) == 0;
}

static void put_summary_line(const struct shower *s, const struct psw_cell *cell, int width)
{
    char text[CELL_BYTES];
    struct psw_interval range;
    const int64_t total = psw_results_component(s->results, "total");
    const struct psw_stat sign = psw_cell_sign_share(s->results, cell, total, &range);
    const struct psw_stat cross = psw_cell_crossing(s->results, cell);
    put(s, cell->label, -width);
    fprintf(s->out, "  %3lld/%-3lld", (long long)cell->n_done, (long long)cell->n_run);
    if (sign.n > 0)
        snprintf(text, sizeof text, "%.0f%% (%.0f..%.0f)", 100 * sign.mean, 100 * range.lo,
                 100 * range.hi);
    else
        snprintf(text, sizeof text, "-");
    put(s, text, 17);
    put(s, cross.n > 0 ? number(s, cross, text) : "never", NUMBER_WIDTH);
    snprintf(text, sizeof text, "%lld/%lld", (long long)cross.n, (long long)cell->n_done);
    put(s, text, 7);
    put(s, number(s, psw_cell_metric(s->results, cell, "score"), text), NUMBER_WIDTH);
    put(s, number(s, psw_cell_metric(s->results, cell, "win_rate"), text), NUMBER_WIDTH);
    fputc('\n', s->out);
}

static void put_summary(const struct shower *s, const struct psw_cells *cells)
{
    const int width = label_width(cells);
    int64_t n_outcome[PSW_N_OUTCOME] = {0};
    const int64_t *status = psw_results_i64(s->results, "status");
    for (int64_t r = 0; r < psw_results_dim(s->results, "run"); r++)
        if (status[r] >= 0 && status[r] < PSW_N_OUTCOME) n_outcome[status[r]]++;
    fprintf(s->out, "%s:", psw_results_attr(s->results, "/", "title"));
    for (int i = 0, n = 0; i < PSW_N_OUTCOME; i++)
        if (n_outcome[i] > 0)
            fprintf(s->out, "%s %lld %s", n++ ? "," : "", (long long)n_outcome[i],
                    psw_outcome_name((enum psw_outcome)i));
    fprintf(s->out,
            "\nG = <v, grad L>: above 0, a training step makes the policy's own final "
            "responses more likely.\nValues are means over seeds %s their standard error.\n\n",
            plus_minus(s));
    put(s, "", -width);
    fprintf(s->out, "  %-7s", "done");
    put(s, "G(total)>0", 17);
    put(s, "pos = neg at step", NUMBER_WIDTH);
    put(s, "cross", 7);
    put(s, "score", NUMBER_WIDTH);
    put(s, "win rate", NUMBER_WIDTH);
    fputc('\n', s->out);
    for (int64_t c = 0; c < cells->n_cell; c++)
        if (is_wanted(s, &cells->cell[c])) put_summary_line(s, &cells->cell[c], width);
}

psw_status psw_show(FILE *out, struct psw_results *results, const struct psw_show_opts *opts,
                    struct psw_error *err)
{
    struct psw_cells cells = {0};
    struct shower s = {.out = out, .results = results, .opts = opts};
    if (!psw_results_f64(results, "G") || !psw_results_i64(results, "step"))
        return psw_fail(err, PSW_EDATA, "the results file has no trace");
    psw_status rc = psw_cells_init(results, &cells, err);
    if (rc != PSW_OK) return rc;
    s.n_checkpoint = psw_results_dim(results, "checkpoint");
    s.trace = calloc((size_t)s.n_checkpoint + 1, sizeof *s.trace);
    s.step = calloc((size_t)s.n_checkpoint + 1, sizeof *s.step);
    if (s.trace && s.step) {
        put_summary(&s, &cells);
        for (int64_t c = 0; c < cells.n_cell; c++)
            if (is_wanted(&s, &cells.cell[c])) put_cell(&s, &cells.cell[c]);
        if (ferror(out)) rc = psw_fail(err, PSW_EIO, "cannot write the table");
    } else {
        rc = psw_fail(err, PSW_ENOMEM, "show: %lld checkpoints", (long long)s.n_checkpoint);
    }
    free(s.trace);
    free(s.step);
    psw_cells_clear(&cells);
    return rc;
}
