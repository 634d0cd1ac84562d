/* Contributions as tables of the largest, and as data of all. */
#include "../analyze_internal.h"

#include <posweep/analyze/influence.h>
#include <posweep/objective/pairwise.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 256, SHOWN_CHARACTERS = 64, CONTEXT_TOKENS = 4, PIECE_BYTES = 64 };

/* ---- words ---- */

/** As much of a text as fits a line, without line breaks and other controls. */
static void put_text(FILE *out, const char *text)
{
    int n = 0;
    for (; *text && n < SHOWN_CHARACTERS; text++) {
        const unsigned char byte = (unsigned char)*text;
        fputc(byte < ' ' || byte == 0x7F ? ' ' : byte, out);
        n += (byte & 0xC0) != 0x80;
    }
    while (((unsigned char)*text & 0xC0) == 0x80) fputc(*text++, out);
    if (*text) fputs("...", out);
}

/** "+0.0312   25 %": a contribution, and how much of G that is. */
static void put_amount(FILE *out, const struct psw_influence *f, double x)
{
    char share[PSW_WORD_BYTES] = "-";
    const double part = 100 * x / f->g;
    if (isfinite(part) && fabs(part) < 1e6) snprintf(share, sizeof share, "%.1f %%", part);
    fprintf(out, "  %+-12.4g %10s  ", x, share);
}

static int is_of_pairs(const struct psw_influence *f)
{
    return psw_method_find(psw_results_text(f->results, "method", f->run)) < PSW_N_PAIRWISE;
}

/** "chosen", "rejected", "sample 3". */
static const char *role_text(const struct psw_influence *f, int64_t sequence,
                             char out[PSW_WORD_BYTES])
{
    const int64_t role = f->table.role[sequence];
    if (is_of_pairs(f) && (role == PSW_CHOSEN || role == PSW_REJECTED))
        snprintf(out, PSW_WORD_BYTES, "%s", role == PSW_CHOSEN ? "chosen" : "rejected");
    else
        snprintf(out, PSW_WORD_BYTES, "sample %lld", (long long)role);
    return out;
}

/** The sequence of the span that a token, counted from its first, is in. */
static int64_t sequence_at(const struct psw_influence *f, int64_t token)
{
    int64_t s = f->span.begin;
    while (f->table.first[s + 1] - f->table.first[f->span.begin] <= token) s++;
    return s;
}

static const char *text_of(const struct psw_influence *f, const char *dataset, int64_t sequence)
{
    const int64_t at = f->text.begin + sequence - f->span.begin;
    const char *text = psw_results_text(f->results, dataset, at);
    return text[0] ? text : "(no text)";
}

/* ---- tables ---- */

static double sum_of(const struct psw_influence *f, int64_t sequence)
{
    const int64_t first = f->table.first[f->span.begin];
    double sum = 0;
    for (int64_t r = f->table.first[sequence]; r < f->table.first[sequence + 1]; r++)
        sum += psw_influence_of(f, r - first);
    return sum;
}

/** The responses of an item, one line each. */
static void put_responses(FILE *out, const struct psw_influence *f, int64_t sequence)
{
    char role[PSW_WORD_BYTES];
    const int64_t item = f->table.item[sequence];
    for (int64_t s = sequence; s < f->span.end && f->table.item[s] == item; s++) {
        fprintf(out, "      %-10s %+-12.4g ", role_text(f, s, role), sum_of(f, s));
        put_text(out, text_of(f, "sequence_response", s));
        fputc('\n', out);
    }
}

static psw_status put_groups(FILE *out, const struct psw_influence *f, enum psw_influence_by by,
                             const char *what, int64_t n_top, struct psw_error *err)
{
    struct psw_influence_group *group = NULL;
    int64_t n = 0;
    const psw_status rc = psw_influence_groups(f, by, &group, &n, err);
    if (rc != PSW_OK) return rc;
    fprintf(out, "\n%s: %lld of %lld\n", what, (long long)(n < n_top ? n : n_top),
            (long long)n);
    for (int64_t i = 0; i < n && i < n_top; i++) {
        const int64_t sequence = sequence_at(f, group[i].first);
        char text[PIECE_BYTES];
        put_amount(out, f, group[i].sum);
        if (by == PSW_BY_ID) {
            fprintf(out, "%5lld times  id %-6lld ", (long long)group[i].n_token,
                    (long long)group[i].key);
            psw_influence_text(f, group[i].first, text, sizeof text);
            put_text(out, text + strspn(text, " "));
        } else {
            fprintf(out, "%-4lld ", (long long)group[i].key);
            put_text(out, text_of(f, "sequence_prompt", sequence));
        }
        fputc('\n', out);
        if (by == PSW_BY_ITEM) put_responses(out, f, sequence);
    }
    free(group);
    return PSW_OK;
}

/** Whether some prompt has more than one item. */
static int has_clusters(const struct psw_influence *f)
{
    for (int64_t s = f->span.begin; f->table.cluster && s < f->span.end; s++)
        if (f->table.cluster[s] != f->table.item[s]) return 1;
    return 0;
}

/** A token and what it contributes. */
struct placed {
    double x;
    int64_t token;
};

static int by_size(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    const double p = isnan(x->x) ? -1 : fabs(x->x), q = isnan(y->x) ? -1 : fabs(y->x);
    if (p != q) return p > q ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/** "... axe , [saw] , drill": a token between its neighbours. */
static void put_context(FILE *out, const struct psw_influence *f, int64_t sequence,
                        int64_t token)
{
    const int64_t first = f->table.first[f->span.begin];
    const int64_t begin = f->table.first[sequence] - first;
    const int64_t end = f->table.first[sequence + 1] - first;
    const int64_t from = token - CONTEXT_TOKENS > begin ? token - CONTEXT_TOKENS : begin;
    const int64_t to = token + CONTEXT_TOKENS + 1 < end ? token + CONTEXT_TOKENS + 1 : end;
    if (from > begin) fputs("...", out);
    for (int64_t t = from; t < to; t++) {
        char text[PIECE_BYTES];
        psw_influence_text(f, t, text, sizeof text);
        const char *bare = text + strspn(text, " ");
        if (t == token && bare > text) fputc(' ', out);
        if (t == token) fputc('[', out);
        put_text(out, t == token ? bare : text);
        if (t == token && !bare[0]) fprintf(out, "id %lld", (long long)f->table.id[first + t]);
        if (t == token) fputc(']', out);
    }
    if (to < end) fputs("...", out);
}

static psw_status put_tokens(FILE *out, const struct psw_influence *f, int64_t n_top,
                             struct psw_error *err)
{
    const int64_t n = f->table.first[f->span.end] - f->table.first[f->span.begin];
    struct placed *all = calloc((size_t)n + 1, sizeof *all);
    if (!all) return psw_fail(err, PSW_ENOMEM, "%lld tokens", (long long)n);
    for (int64_t t = 0; t < n; t++) all[t] = (struct placed){psw_influence_of(f, t), t};
    qsort(all, (size_t)n, sizeof *all, by_size);
    fprintf(out, "\ntokens in their place: %lld of %lld\n", (long long)(n < n_top ? n : n_top),
            (long long)n);
    for (int64_t i = 0; i < n && i < n_top; i++) {
        char role[PSW_WORD_BYTES];
        const int64_t s = sequence_at(f, all[i].token);
        put_amount(out, f, all[i].x);
        fprintf(out, "%-4lld %-10s ", (long long)f->table.item[s], role_text(f, s, role));
        put_context(out, f, s, all[i].token);
        fputc('\n', out);
    }
    free(all);
    return PSW_OK;
}

static void put_head(FILE *out, const struct psw_influence *f)
{
    const int64_t *step = psw_results_i64(f->results, "step");
    const int64_t n = psw_results_dim(f->results, "checkpoint");
    const int64_t n_token = f->table.first[f->span.end] - f->table.first[f->span.begin];
    double sum = 0;
    for (int64_t t = 0; t < n_token; t++) sum += psw_influence_of(f, t);
    fprintf(out, "%s, checkpoint %lld (step %lld): G(%s) = %.4g\n", f->name,
            (long long)f->checkpoint, (long long)(step ? step[f->run * n + f->checkpoint] : -1),
            f->component, f->g);
    fprintf(out,
            "along v as it was drawn, from %lld tokens of %lld responses. A token contributes "
            "its\nweight times its kappa; percentages are of G, and one below 0 pulls against "
            "it.\n",
            (long long)n_token, (long long)(f->span.end - f->span.begin));
    if (fabs(sum - f->g) > 1e-3 * fabs(f->g))
        fprintf(out, "They add up to %.4g: the rest is that of the entropy and value terms.\n",
                sum);
    if (f->n_other > 0)
        fprintf(out, "%lld more run%s tokens: name one to see it.\n", (long long)f->n_other,
                f->n_other == 1 ? " has" : "s have");
    if (!psw_results_has(f->results, "sequence_response"))
        fputs("The file has no texts: versions before this one stored ids alone.\n", out);
}

psw_status psw_influence_show(FILE *out, const struct psw_influence *f, int64_t n_top,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    put_head(out, f);
    PSW_TRY(put_groups(out, f, PSW_BY_ITEM, is_of_pairs(f) ? "pairs" : "prompts", n_top, err));
    if (has_clusters(f))
        PSW_TRY(
            put_groups(out, f, PSW_BY_CLUSTER, "prompts, their pairs together", n_top, err));
    PSW_TRY(put_tokens(out, f, n_top, err));
    PSW_TRY(put_groups(out, f, PSW_BY_ID, "tokens of the vocabulary", n_top, err));
    if (ferror(out)) rc = psw_fail(err, PSW_EIO, "cannot write the tables");
fail:
    return rc;
}

/* ---- data ---- */

/** One token. */
static void put_row(FILE *out, const struct psw_influence *f, int64_t sequence, int64_t token,
                    int is_json)
{
    char text[TEXT_BYTES], role[PSW_WORD_BYTES];
    const int64_t at = f->table.first[f->span.begin] + token;
    const struct {
        const char *name;
        int64_t value;
    } whole[] = {{"checkpoint", f->checkpoint},
                 {"item", f->table.item[sequence]},
                 {"place", at - f->table.first[sequence]},
                 {"token_id", f->table.id[at]}};
    const struct {
        const char *name;
        double value;
    } real[] = {{"weight", f->weight[token]},
                {"kappa", f->table.kappa[at]},
                {"contribution", psw_influence_of(f, token)}};
    const struct {
        const char *name, *value;
    } word[] = {{"run", psw_results_text(f->results, "run", f->run)},
                {"component", f->component},
                {"role", role_text(f, sequence, role)},
                {"text", psw_influence_text(f, token, text, sizeof text)}};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        if (is_json) fprintf(out, "%s\"%s\": ", i ? ", " : "{", word[i].name);
        (is_json ? psw_compare_json_text : psw_compare_csv_text)(out, word[i].value);
        if (!is_json) fputc(',', out);
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        if (is_json) fprintf(out, ", \"%s\": ", whole[i].name);
        fprintf(out, is_json ? "%lld" : "%lld,", (long long)whole[i].value);
    }
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        if (is_json) fprintf(out, ", \"%s\": ", real[i].name);
        if (!is_json && i > 0) fputc(',', out);
        if (isfinite(real[i].value))
            fprintf(out, "%.17g", real[i].value);
        else
            fputs(is_json ? "null" : "", out);
    }
    fputs(is_json ? "}\n" : "\n", out);
}

static psw_status put_all(FILE *out, const struct psw_influence *f, int is_json,
                          struct psw_error *err)
{
    const struct psw_token_table *t = &f->table;
    if (!is_json)
        fputs("run,component,role,text,checkpoint,item,place,token_id,weight,kappa,"
              "contribution\n",
              out);
    for (int64_t s = f->span.begin; s < f->span.end; s++)
        for (int64_t r = t->first[s]; r < t->first[s + 1]; r++)
            put_row(out, f, s, r - t->first[f->span.begin], is_json);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

psw_status psw_influence_csv(FILE *out, const struct psw_influence *f, struct psw_error *err)
{
    return put_all(out, f, 0, err);
}

psw_status psw_influence_json(FILE *out, const struct psw_influence *f, struct psw_error *err)
{
    return put_all(out, f, 1, err);
}
