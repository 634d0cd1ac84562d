/* Cells as codes, and selections of them by what they are. Values are found by sorting, so that
 * a file of 100,000 runs takes no time. */
#include "cell_keys.h"

#include <posweep/config/leaves.h>
#include <posweep/config/nearest.h>
#include <posweep/util/text.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 256, LIST_BYTES = 400, WORD_BYTES = PSW_SETTING_BYTES };

/* ---- values as codes ---- */

/** What a cell has of a key while values are sorted. */
struct item {
    double number;
    const char *text; /* NULL: the number counts */
    int64_t cell;
};

static int compare_items(const struct item *x, const struct item *y)
{
    if (x->text && y->text) return strcmp(x->text, y->text);
    return x->number < y->number ? -1 : x->number > y->number;
}

static int by_item(const void *a, const void *b)
{
    const int order = compare_items(a, b);
    const struct item *x = a, *y = b;
    return order ? order : x->cell < y->cell ? -1 : x->cell > y->cell;
}

/** Codes of a key, ascending by value. Shapes: item [n_cell], scratch. */
static int encode(struct psw_results *r, const struct psw_cells *cells, struct item *item,
                  struct psw_cell_key *key)
{
    const int64_t n = cells->n_cell;
    const double *x = key->leaf < 0 ? NULL : psw_results_f64(r, key->name);
    for (int64_t c = 0; c < n; c++) {
        const int64_t run = cells->cell[c].run[0];
        item[c].cell = c;
        item[c].number = x ? x[run] : 0;
        item[c].text = x ? NULL : psw_results_text(r, key->name, run);
    }
    qsort(item, (size_t)n, sizeof *item, by_item);
    key->code = calloc((size_t)n + 1, sizeof *key->code);
    key->value = calloc((size_t)n + 1, sizeof *key->value);
    if (!key->code || !key->value) return 0;
    for (int64_t i = 0; i < n; i++) {
        char text[PSW_SETTING_BYTES];
        const int64_t run = cells->cell[item[i].cell].run[0];
        if (i == 0 || compare_items(&item[i - 1], &item[i]) != 0) {
            const char *value =
                key->leaf < 0 ? item[i].text : psw_results_leaf_text(r, key->leaf, run, text);
            if (!(key->value[key->n_value++] = strdup(value))) return 0;
        }
        key->code[item[i].cell] = key->n_value - 1;
    }
    return 1;
}

psw_status psw_cell_keys_init(struct psw_results *results, const struct psw_cells *cells,
                              struct psw_cell_keys *out, struct psw_error *err)
{
    const int n_leaf = psw_results_n_leaf(results);
    struct psw_cell_keys keys = {.n_cell = cells->n_cell};
    struct item *item = calloc((size_t)cells->n_cell + 1, sizeof *item);
    keys.key = calloc((size_t)n_leaf + PSW_KEY_FIRST_LEAF, sizeof *keys.key);
    int is_fine = item && keys.key;
    for (int i = 0; is_fine && i < n_leaf + PSW_KEY_FIRST_LEAF; i++) {
        struct psw_cell_key *key = &keys.key[keys.n_key++];
        key->leaf = i < PSW_KEY_FIRST_LEAF ? -1 : i - PSW_KEY_FIRST_LEAF;
        key->name = i == PSW_KEY_METHOD    ? "method"
                    : i == PSW_KEY_VARIANT ? "variant"
                                           : psw_results_leaf(results, key->leaf);
        is_fine = encode(results, cells, item, key);
    }
    free(item);
    if (is_fine) {
        *out = keys;
        return PSW_OK;
    }
    psw_cell_keys_clear(&keys);
    return psw_fail(err, PSW_ENOMEM, "settings of %lld cells", (long long)cells->n_cell);
}

void psw_cell_keys_clear(struct psw_cell_keys *keys)
{
    for (int i = 0; i < keys->n_key; i++) {
        for (int32_t v = 0; keys->key[i].value && v < keys->key[i].n_value; v++)
            free(keys->key[i].value[v]);
        free(keys->key[i].value);
        free(keys->key[i].code);
    }
    free(keys->key);
    *keys = (struct psw_cell_keys){0};
}

/* ---- words ---- */

/** Whether "policy.beta" is the variable policy_beta. */
static int is_variable(const char *path, const char *name)
{
    for (; *path && *name; path++, name++)
        if (*path != *name && !(*path == '.' && *name == '_')) return 0;
    return *path == *name;
}

psw_status psw_cell_keys_find(const struct psw_cell_keys *keys, const char *name, int *out,
                              struct psw_error *err)
{
    const char *names[MOST_NAMES];
    char did[PSW_DID_BYTES], all[LIST_BYTES] = "", variable[PSW_SETTING_BYTES];
    size_t used = 0;
    int n = 0;
    for (int i = 0; i < keys->n_key; i++) {
        if (is_variable(name, keys->key[i].name)) {
            *out = i;
            return PSW_OK;
        }
        if (n < MOST_NAMES) names[n++] = keys->key[i].name;
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "",
                                     keys->key[i].name);
    }
    if (psw_leaf_find(name))
        return psw_fail(err, PSW_EINVAL,
                        "%s was not varied: every run has the same. There are %s", name, all);
    snprintf(variable, sizeof variable, "%s", name);
    for (char *at = variable; *at; at++)
        if (*at == '.') *at = '_';
    psw_did_you_mean(psw_nearest(variable, names, n), did);
    return psw_fail(err, PSW_EINVAL, "nothing was varied by the name \"%s\"%s There are %s",
                    name, did[0] ? did : ".", all);
}

static int is_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

/** A switch may be written in several ways; the file has the first. */
static const char *switch_word(const char *word)
{
    static const char *const SAME[][3] = {{"true", "on", "yes"}, {"false", "off", "no"}};
    for (int i = 0; i < 2; i++)
        for (int k = 1; k < 3; k++)
            if (strcmp(word, SAME[i][k]) == 0) return SAME[i][0];
    return word;
}

int32_t psw_cell_key_value(const struct psw_cell_key *key, const char *word)
{
    double wanted, x;
    for (int32_t v = 0; v < key->n_value; v++)
        if (strcmp(key->value[v], word) == 0) return v;
    for (int32_t v = 0; key->leaf >= 0 && v < key->n_value; v++)
        if (strcmp(key->value[v], switch_word(word)) == 0) return v;
    if (key->leaf < 0 || !is_number(word, &wanted)) return -1;
    for (int32_t v = 0; v < key->n_value; v++)
        if (is_number(key->value[v], &x) && fabs(x - wanted) <= 1e-9 * fabs(wanted)) return v;
    return -1;
}

psw_status psw_cell_key_refuse(const struct psw_cell_key *key, const char *word,
                               const char *const *also, const char *is_kept, int64_t n_cell,
                               struct psw_error *err)
{
    const char *names[MOST_NAMES];
    char did[PSW_DID_BYTES], all[LIST_BYTES] = "";
    size_t used = 0;
    int n = 0;
    for (; also && also[n] && n < MOST_NAMES && used < sizeof all; n++) {
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "", also[n]);
        names[n] = also[n];
    }
    for (int32_t v = 0; v < key->n_value && n < MOST_NAMES && used < sizeof all; v++) {
        int is_there = 0;
        for (int64_t c = 0; c < n_cell && !is_there; c++)
            is_there = is_kept[c] && key->code[c] == v;
        if (!is_there) continue;
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "",
                                 key->value[v]);
        names[n++] = key->value[v];
    }
    psw_did_you_mean(psw_nearest(word, names, n), did);
    return psw_fail(err, PSW_EINVAL, "no %s \"%s\"%s There are %s", key->name, word,
                    did[0] ? did : ".", all);
}

/* ---- selections ---- */

/** One condition of an expression: "key=value". */
static psw_status apply(const struct psw_cell_keys *keys, struct psw_text condition, int by,
                        int32_t baseline, char *is_kept, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char name[WORD_BYTES], word[WORD_BYTES];
    const char *equals = memchr(condition.at, '=', condition.n);
    int k, n_left = 0;
    if (!equals || condition.n >= WORD_BYTES)
        return psw_fail(err, PSW_EINVAL,
                        "--where: \"%.*s\" is no condition such as policy.beta=0.1",
                        (int)(condition.n > 60 ? 60 : condition.n), condition.at);
    const size_t n_name = (size_t)(equals - condition.at);
    const struct psw_text left = psw_text_trim((struct psw_text){condition.at, n_name});
    const struct psw_text right =
        psw_text_trim((struct psw_text){equals + 1, condition.n - n_name - 1});
    snprintf(name, sizeof name, "%.*s", (int)left.n, left.at);
    snprintf(word, sizeof word, "%.*s", (int)right.n, right.at);
    PSW_TRY(psw_cell_keys_find(keys, name, &k, err));
    const int32_t value = psw_cell_key_value(&keys->key[k], word);
    for (int64_t c = 0; c < keys->n_cell; c++)
        n_left += is_kept[c] && keys->key[k].code[c] == value;
    if (n_left == 0)
        PSW_TRY(psw_cell_key_refuse(&keys->key[k], word, NULL, is_kept, keys->n_cell, err));
    for (int64_t c = 0; c < keys->n_cell; c++) {
        const int32_t own = keys->key[k].code[c];
        is_kept[c] = (char)(is_kept[c] && (own == value || (k == by && own == baseline)));
    }
fail:
    if (rc != PSW_OK) psw_error_prefix(err, "--where");
    return rc;
}

psw_status psw_cell_keys_where(const struct psw_cell_keys *keys, const char *where, int by,
                               int32_t baseline, char *is_kept, struct psw_error *err)
{
    for (const char *at = where;; at++) {
        const size_t n = strcspn(at, ",");
        const psw_status rc = apply(keys, (struct psw_text){at, n}, by, baseline, is_kept, err);
        if (rc != PSW_OK) return rc;
        at += n;
        if (!*at) return PSW_OK;
    }
}
