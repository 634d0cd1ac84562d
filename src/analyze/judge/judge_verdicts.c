/* Verdicts of a judge, line by line: each is found by its id among the pairs that were made
 * again from the same file. */
#include <posweep/analyze/judge.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What a line says. */
struct verdict {
    const char *id; /* borrowed of the line's object */
    int winner;     /* -1, 0, 1: b, neither, a */
    double score;   /* what response_a counts */
};

/** Where a line is, for messages. */
struct line {
    const char *path;
    int64_t number;
};

static psw_status refuse(const struct line *at, struct psw_error *err, const char *what,
                         const char *found)
{
    return psw_fail(err, PSW_EDATA, "%s:%lld: %s%.60s", at->path, (long long)at->number, what,
                    found);
}

static psw_status read_winner(const struct line *at, const json_t *object, int *out,
                              struct psw_error *err)
{
    static const char *const WORDS[] = {"b", "tie", "a"};
    const char *word = json_string_value(json_object_get(object, "winner"));
    for (int i = 0; word && i < 3; i++)
        if (strcmp(word, WORDS[i]) == 0) {
            *out = i - 1;
            return PSW_OK;
        }
    return refuse(at, err, "winner: expected \"a\", \"b\" or \"tie\", found ",
                  word ? word : "no text");
}

static psw_status read_verdict(const struct line *at, const json_t *object, struct verdict *out,
                               struct psw_error *err)
{
    const json_t *score = json_object_get(object, "score");
    out->id = json_string_value(json_object_get(object, "id"));
    if (!out->id) return refuse(at, err, "no id; expected {\"id\": ..., \"winner\": ...}", "");
    psw_status rc = read_winner(at, object, &out->winner, err);
    if (rc != PSW_OK) return rc;
    out->score = 0.5 + 0.5 * out->winner;
    if (!score || json_is_null(score)) return PSW_OK;
    const double x = json_is_number(score) ? json_number_value(score) : NAN;
    if (!(x >= 0 && x <= 1))
        return refuse(at, err, "score: expected a number from 0 (b) to 1 (a)", "");
    if (out->winner * (x - 0.5) < 0)
        return refuse(at, err,
                      "score and winner contradict each other: a score above 0.5 is for ",
                      "a, below for b");
    out->score = x;
    return PSW_OK;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct psw_judge_pair *const *)a)->id,
                  (*(struct psw_judge_pair *const *)b)->id);
}

static int key_to_pair(const void *key, const void *pair)
{
    return strcmp(key, (*(struct psw_judge_pair *const *)pair)->id);
}

/** Pairs to judge, by id. */
struct asked {
    struct psw_judge_pair **pair; /* owned */
    int64_t n;
};

static psw_status list_asked(struct psw_judging *j, struct asked *out, struct psw_error *err)
{
    *out = (struct asked){.pair = calloc((size_t)j->n_pair + 1, sizeof(void *))};
    if (!out->pair) return psw_fail(err, PSW_ENOMEM, "%lld pairs", (long long)j->n_pair);
    for (int64_t i = 0; i < j->n_pair; i++)
        if (!j->pair[i].is_same) out->pair[out->n++] = &j->pair[i];
    qsort(out->pair, (size_t)out->n, sizeof *out->pair, by_id);
    return PSW_OK;
}

static void take(const struct line *at, const struct verdict *v, const struct asked *asked,
                 struct psw_verdict_counts *count)
{
    struct psw_judge_pair *const *found =
        bsearch(v->id, asked->pair, (size_t)asked->n, sizeof *asked->pair, key_to_pair);
    count->n_verdict++;
    if (!found) {
        if (count->n_unknown++ == 0) count->unknown_line = at->number;
        return;
    }
    struct psw_judge_pair *p = *found;
    if (!isnan(p->verdict)) {
        count->n_repeated++;
        return;
    }
    p->winner = p->is_swapped ? -v->winner : v->winner;
    p->verdict = p->is_swapped ? 1 - v->score : v->score;
    count->n_used++;
}

static psw_status read_line(const struct line *at, const char *text, size_t n,
                            const struct asked *asked, struct psw_verdict_counts *count,
                            struct psw_error *err)
{
    json_error_t fault;
    struct verdict v = {.id = NULL};
    if (strspn(text, " \t\r\n") == n) return PSW_OK;
    json_t *object = json_loadb(text, n, JSON_REJECT_DUPLICATES, &fault);
    psw_status rc = PSW_OK;
    if (!json_is_object(object))
        rc = refuse(at, err, "expected an object {\"id\": ..., \"winner\": ...}: ",
                    object ? "it is another value" : fault.text);
    if (rc == PSW_OK) rc = read_verdict(at, object, &v, err);
    if (rc == PSW_OK) take(at, &v, asked, count);
    json_decref(object);
    return rc;
}

static psw_status read_all(FILE *in, const char *path, const struct asked *asked,
                           struct psw_verdict_counts *count, struct psw_error *err)
{
    struct line at = {.path = path};
    char *text = NULL;
    size_t n_room = 0;
    psw_status rc = PSW_OK;
    for (ssize_t n; rc == PSW_OK && (n = getline(&text, &n_room, in)) >= 0;) {
        at.number++;
        rc = read_line(&at, text, (size_t)n, asked, count, err);
    }
    if (rc == PSW_OK && ferror(in))
        rc = psw_fail(err, PSW_EIO, "%s: cannot be read: %s", path, strerror(errno));
    free(text);
    return rc;
}

psw_status psw_judging_read(const char *path, struct psw_judging *judging,
                            struct psw_error *err)
{
    struct asked asked = {0};
    struct psw_verdict_counts count = {0};
    FILE *in = fopen(path, "r");
    if (!in)
        return psw_fail(err, psw_status_from_errno(errno), "%s: cannot be opened: %s", path,
                        strerror(errno));
    psw_status rc = list_asked(judging, &asked, err);
    if (rc == PSW_OK) rc = read_all(in, path, &asked, &count, err);
    count.n_asked = asked.n;
    count.n_missing = asked.n - count.n_used;
    if (rc == PSW_OK && count.n_used == 0 && asked.n > 0)
        rc = count.n_verdict == 0
                 ? psw_fail(err, PSW_EDATA, "%s: no verdict", path)
                 : psw_fail(err, PSW_EDATA,
                            "%s: none of %lld ids is one of the %lld pairs to judge: give the "
                            "results file, --against, --by, --where and --max-kl that the "
                            "pairs were written with",
                            path, (long long)count.n_verdict, (long long)asked.n);
    fclose(in);
    free(asked.pair);
    if (rc == PSW_OK) judging->verdicts = count;
    return rc;
}
