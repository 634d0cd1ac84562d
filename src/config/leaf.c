/* One leaf of one configuration: text to value and back, by its row of the schema. */
#include <posweep/config/leaf.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *word;
    int value;
} BOOLS[] = {{"true", 1}, {"on", 1}, {"yes", 1},  {"false", 0},
             {"off", 0},  {"no", 0}, {"True", 1}, {"False", 0}};

static const void *member(const struct psw_leaf *leaf, const struct psw_config *config)
{
    return (const char *)config + leaf->offset;
}

char *psw_leaf_column(const struct psw_leaf *leaf, char out[PSW_LEAF_COLUMN_BYTES])
{
    snprintf(out, PSW_LEAF_COLUMN_BYTES, "%s", leaf->path);
    for (char *p = out; *p; p++)
        if (*p == '.') *p = '_';
    return out;
}

/* The fewest digits that read back to the same double. */
static void real_text(double x, char *out)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, PSW_LEAF_TEXT_BYTES, "%.*g", digits, x);
        if (strtod(out, NULL) == x) return;
    }
}

char *psw_leaf_number_text(const struct psw_leaf *leaf, double value,
                           char out[PSW_LEAF_TEXT_BYTES])
{
    if (leaf && leaf->type == PSW_LEAF_BOOL)
        snprintf(out, PSW_LEAF_TEXT_BYTES, "%s", value != 0 ? "true" : "false");
    else if (leaf && leaf->type == PSW_LEAF_ENUM)
        snprintf(out, PSW_LEAF_TEXT_BYTES, "%s", leaf->names[(int)value]);
    else if (leaf && leaf->type == PSW_LEAF_INT)
        snprintf(out, PSW_LEAF_TEXT_BYTES, "%lld", (long long)value); /* below 2^53 */
    else
        real_text(value, out);
    return out;
}

static char *hash_text(int64_t hash, char out[PSW_LEAF_TEXT_BYTES])
{
    out[0] = 0;
    return hash ? psw_hash_text((uint64_t)hash, out) : out;
}

char *psw_leaf_text(const struct psw_leaf *leaf, const struct psw_config *config,
                    char out[PSW_LEAF_TEXT_BYTES])
{
    if (leaf->type == PSW_LEAF_HASH)
        return hash_text(*(const int64_t *)member(leaf, config), out);
    if (leaf->type != PSW_LEAF_PATH)
        return psw_leaf_number_text(leaf, psw_leaf_number(leaf, config), out);
    const char *written = member(leaf, config);
    snprintf(out, PSW_LEAF_TEXT_BYTES, "%s",
             !written[0] && leaf->names ? leaf->names[0] : written);
    return out;
}

double psw_leaf_number(const struct psw_leaf *leaf, const struct psw_config *config)
{
    const void *at = member(leaf, config);
    switch (leaf->type) {
    case PSW_LEAF_INT:
    case PSW_LEAF_BOOL:
    case PSW_LEAF_ENUM:
        return (double)*(const int64_t *)at;
    case PSW_LEAF_REAL:
        return *(const double *)at;
    case PSW_LEAF_HASH:
    case PSW_LEAF_PATH:
        break;
    }
    return NAN;
}

int psw_leaf_identical(const struct psw_leaf *leaf, const struct psw_config *a,
                       const struct psw_config *b)
{
    const char *x = (const char *)a, *y = (const char *)b;
    if (leaf->type != PSW_LEAF_PATH)
        return memcmp(x + leaf->offset, y + leaf->offset, sizeof(int64_t)) == 0;
    return strcmp(x + leaf->offset, y + leaf->offset) == 0 &&
           strcmp(x + leaf->resolved, y + leaf->resolved) == 0;
}

int psw_leaf_equal(const struct psw_leaf *leaf, const struct psw_config *a,
                   const struct psw_config *b)
{
    if (leaf->type == PSW_LEAF_PATH) return strcmp(member(leaf, a), member(leaf, b)) == 0;
    if (leaf->type == PSW_LEAF_HASH)
        return *(const int64_t *)member(leaf, a) == *(const int64_t *)member(leaf, b);
    return psw_leaf_number(leaf, a) == psw_leaf_number(leaf, b); /* integers stay below 2^53 */
}

int psw_leaf_is_default(const struct psw_leaf *leaf, const struct psw_config *config)
{
    if (leaf->type == PSW_LEAF_PATH) return !*(const char *)member(leaf, config);
    if (leaf->type == PSW_LEAF_REAL) return psw_leaf_number(leaf, config) == leaf->fallback;
    return *(const int64_t *)member(leaf, config) == (int64_t)leaf->fallback;
}

/* "[0, 1)", as mathematicians write it. */
static void range_words(const struct psw_leaf *leaf, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes, "%c%.16g, %.16g%c", leaf->range.bounds[0], leaf->range.min,
             leaf->range.max, leaf->range.bounds[1]);
}

/* The words of a choice. Returns their length. */
static size_t words_of(const struct psw_leaf *leaf, char *out, size_t n_bytes)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; leaf->names[i] && n < n_bytes; i++)
        n += (size_t)snprintf(out + n, n_bytes - n, "%s%s", i ? " | " : "", leaf->names[i]);
    return n;
}

char *psw_leaf_expected(const struct psw_leaf *leaf, char *out, size_t n_bytes)
{
    char range[64];
    size_t n = 0;
    switch (leaf->type) {
    case PSW_LEAF_INT:
    case PSW_LEAF_REAL:
        range_words(leaf, range, sizeof range);
        snprintf(out, n_bytes, "%s in %s",
                 leaf->type == PSW_LEAF_INT ? "whole number" : "number", range);
        break;
    case PSW_LEAF_BOOL:
        snprintf(out, n_bytes, "true or false");
        break;
    case PSW_LEAF_ENUM:
        (void)words_of(leaf, out, n_bytes);
        break;
    case PSW_LEAF_HASH:
        snprintf(out, n_bytes, "16 hexadecimal digits");
        break;
    case PSW_LEAF_PATH:
        if (leaf->names) n = words_of(leaf, out, n_bytes);
        if (n < n_bytes)
            snprintf(out + n, n_bytes - n, "%spath of a file, below %d bytes", n ? " | " : "",
                     PSW_CFG_STR);
        break;
    }
    return out;
}

static int in_range(const struct psw_leaf *leaf, double x)
{
    return (leaf->range.bounds[0] == '(' ? x > leaf->range.min : x >= leaf->range.min) &&
           (leaf->range.bounds[1] == ')' ? x < leaf->range.max : x <= leaf->range.max);
}

psw_status psw_leaf_check(const char *path, double value, struct psw_error *err)
{
    char expected[256];
    const struct psw_leaf *leaf = psw_leaf_find(path);
    PSW_ASSERT(leaf && (leaf->type == PSW_LEAF_INT || leaf->type == PSW_LEAF_REAL));
    if (isfinite(value) && in_range(leaf, value)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "%s is %g, expected %s", path, value,
                    psw_leaf_expected(leaf, expected, sizeof expected));
}

/* Decimal numbers only: no hexadecimal, infinity or NaN, nothing before or after. */
static int read_number(const struct psw_leaf *leaf, const char *text, double *out)
{
    const char *allowed = leaf->type == PSW_LEAF_INT ? "+-0123456789" : "+-.eE0123456789";
    char *end;
    if (text[0] == 0 || text[strspn(text, allowed)] != 0) return 0;
    *out = strtod(text, &end) + 0.0; /* -0 is 0 */
    return *end == 0 && isfinite(*out) && in_range(leaf, *out);
}

static int read_name(const struct psw_leaf *leaf, const char *text, int32_t *out)
{
    if (leaf->type == PSW_LEAF_BOOL) {
        for (size_t i = 0; i < sizeof BOOLS / sizeof BOOLS[0]; i++)
            if (strcmp(text, BOOLS[i].word) == 0) return *out = BOOLS[i].value, 1;
        return 0;
    }
    for (int32_t i = 0; leaf->names[i]; i++)
        if (strcmp(text, leaf->names[i]) == 0) return *out = i, 1;
    return 0;
}

/* Absolute: below the folder of the sweep file if it is there, else below $POSWEEP_DATA. */
static psw_status resolve_path(const char *text, const char *folder, char out[PSW_CFG_PATH],
                               struct psw_error *err)
{
    char here[PSW_CFG_PATH], found[PSW_CFG_PATH];
    const char *data = getenv("POSWEEP_DATA");
    memset(out, 0, PSW_CFG_PATH);
    if (text[0] == 0) return PSW_OK;
    if (text[0] == '/') return psw_path(out, PSW_CFG_PATH, err, "%s", text);
    if (!folder) folder = getcwd(here, sizeof here) ? here : "/";
    psw_status rc = psw_path(found, sizeof found, err, "%s/%s", folder, text);
    if (rc != PSW_OK) return rc;
    if (data && data[0] && !psw_file_exists(found)) {
        char below[PSW_CFG_PATH];
        if ((rc = psw_path(below, sizeof below, err, "%s/%s", data, text)) != PSW_OK) return rc;
        if (psw_file_exists(below)) memcpy(found, below, sizeof found);
    }
    memcpy(out, found, strlen(found));
    return PSW_OK;
}

/* 16 lower-case digits, or nothing. */
static int read_hash(const char *text, int64_t *out)
{
    const size_t n = strlen(text);
    if (text[strspn(text, "0123456789abcdef")] != 0 || (n != 0 && n != 16)) return 0;
    *out = n ? (int64_t)strtoull(text, NULL, 16) : 0;
    return 1;
}

static psw_status set_path(const struct psw_leaf *leaf, const char *text, const char *folder,
                           struct psw_config *config, struct psw_error *err)
{
    char resolved[PSW_CFG_PATH];
    int32_t word = -1;
    const int is_word = leaf->names && read_name(leaf, text, &word);
    const psw_status rc = resolve_path(is_word ? "" : text, folder, resolved, err);
    if (word == 0) text = "";
    if (rc != PSW_OK) return rc;
    char *written = (char *)config + leaf->offset;
    memset(written, 0, PSW_CFG_STR);
    memcpy(written, text, strlen(text));
    memcpy((char *)config + leaf->resolved, resolved, PSW_CFG_PATH);
    return PSW_OK;
}

psw_status psw_leaf_set(const struct psw_leaf *leaf, const char *text, const char *folder,
                        struct psw_config *config, struct psw_error *err)
{
    char expected[256];
    double number;
    int32_t index;
    void *at = (char *)config + leaf->offset;
    if ((leaf->type == PSW_LEAF_INT || leaf->type == PSW_LEAF_REAL) &&
        read_number(leaf, text, &number)) {
        if (leaf->type == PSW_LEAF_INT)
            *(int64_t *)at = (int64_t)number;
        else
            *(double *)at = number;
        return PSW_OK;
    }
    if ((leaf->type == PSW_LEAF_BOOL || leaf->type == PSW_LEAF_ENUM) &&
        read_name(leaf, text, &index)) {
        *(int64_t *)at = index;
        return PSW_OK;
    }
    if (leaf->type == PSW_LEAF_HASH && read_hash(text, at)) return PSW_OK;
    if (leaf->type == PSW_LEAF_PATH && strlen(text) < PSW_CFG_STR)
        return set_path(leaf, text, folder, config, err);
    return psw_fail(err, PSW_EINVAL, "%s: expected %s, found \"%.80s\"", leaf->path,
                    psw_leaf_expected(leaf, expected, sizeof expected), text);
}
