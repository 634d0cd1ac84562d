/* A whole configuration: defaults, one setting by name, identity, print. */
#include <posweep/config/config.h>

#include "config_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEAVES = 256 };

void psw_config_default(struct psw_config *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    memset(out, 0, sizeof *out);
    for (int i = 0; i < n; i++) {
        void *at = (char *)out + leaf[i].offset;
        if (leaf[i].type == PSW_LEAF_REAL)
            *(double *)at = leaf[i].fallback;
        else if (leaf[i].type != PSW_LEAF_PATH)
            *(int64_t *)at = (int64_t)leaf[i].fallback;
    }
}

psw_status psw_config_set(struct psw_config *config, const char *path, const char *text,
                          struct psw_error *err)
{
    char did[PSW_DID_BYTES];
    const struct psw_leaf *leaf = psw_leaf_find(path);
    if (leaf) return psw_leaf_set(leaf, text, NULL, config, err);
    return psw_fail(err, PSW_EINVAL, "unknown key \"%.80s\"%s", path, psw_leaf_hint(path, did));
}

static int by_path(const void *a, const void *b)
{
    const struct psw_leaf *const *x = a, *const *y = b;
    return strcmp((*x)->path, (*y)->path);
}

static int is_seed(const struct psw_leaf *leaf)
{
    return leaf->offset == offsetof(struct psw_config, seed);
}

void psw_identity_init(const struct psw_config *config, unsigned flags,
                       struct psw_identity *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n), *sorted[MAX_LEAVES];
    char text[PSW_LEAF_TEXT_BYTES];
    int n_sorted = 0;
    PSW_ASSERT(n <= MAX_LEAVES);
    out->flags = flags;
    out->n_bytes = out->seed_at = 0;
    for (int i = 0; i < n; i++)
        if ((leaf[i].flags & flags) &&
            (is_seed(&leaf[i]) || !psw_leaf_is_default(&leaf[i], config)))
            sorted[n_sorted++] = &leaf[i];
    qsort(sorted, (size_t)n_sorted, sizeof sorted[0], by_path);
    for (int i = 0; i < n_sorted; i++) {
        if (is_seed(sorted[i])) {
            out->seed_at = out->n_bytes;
            continue;
        }
        out->n_bytes += (size_t)snprintf(
            out->text + out->n_bytes, sizeof out->text - out->n_bytes, "%s=%s\n",
            sorted[i]->path, psw_leaf_text(sorted[i], config, text));
        PSW_ASSERT(out->n_bytes < sizeof out->text);
    }
}

uint64_t psw_identity_hash(const struct psw_identity *identity, int64_t seed)
{
    const struct psw_leaf *leaf = psw_leaf_find("seed");
    char whole[PSW_IDENTITY_BYTES + 64];
    size_t n_seed = 0;
    memcpy(whole, identity->text, identity->seed_at);
    if ((leaf->flags & identity->flags) && seed != (int64_t)leaf->fallback)
        n_seed = (size_t)sprintf(whole + identity->seed_at, "seed=%lld\n", (long long)seed);
    memcpy(whole + identity->seed_at + n_seed, identity->text + identity->seed_at,
           identity->n_bytes - identity->seed_at);
    return psw_hash_bytes(whole, identity->n_bytes + n_seed,
                          PSW_CFG_EPOCH | (uint64_t)identity->flags << 32);
}

uint64_t psw_config_hash(const struct psw_config *config, unsigned flags)
{
    struct psw_identity identity;
    psw_identity_init(config, flags, &identity);
    return psw_identity_hash(&identity, config->seed);
}

uint64_t psw_config_size_hash(const struct psw_config *config)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    uint64_t hash = PSW_CFG_EPOCH;
    for (int i = 0; i < n; i++) {
        const struct psw_leaf *l = &leaf[i];
        const char *value = (const char *)config + l->offset;
        const double number = psw_leaf_number(l, config);
        const int64_t sign = (number > 0) - (number < 0);
        if (is_seed(l)) continue;
        if (l->type == PSW_LEAF_REAL && !(l->flags & (PSW_CFG_IN_SFT | PSW_CFG_IN_REF)))
            value = (const char *)&sign;
        hash = psw_hash_bytes(
            value, l->type == PSW_LEAF_PATH ? strlen(value) + 1 : sizeof(int64_t), hash);
    }
    return hash;
}

/* A text in quotes, which YAML and JSON read alike. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') fputc('\\', out);
        if ((unsigned char)*p < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

static void print_value(FILE *out, const struct psw_leaf *leaf, const struct psw_config *config)
{
    char text[PSW_LEAF_TEXT_BYTES];
    psw_leaf_text(leaf, config, text);
    if (leaf->type == PSW_LEAF_PATH || leaf->type == PSW_LEAF_HASH)
        print_quoted(out, text);
    else
        fputs(text, out);
}

void psw_config_json_leaf(FILE *out, const struct psw_leaf *leaf,
                          const struct psw_config *config)
{
    char text[PSW_LEAF_TEXT_BYTES];
    print_quoted(out, leaf->path);
    fputs(": ", out);
    psw_leaf_text(leaf, config, text);
    if (leaf->type == PSW_LEAF_PATH || leaf->type == PSW_LEAF_ENUM ||
        leaf->type == PSW_LEAF_HASH)
        print_quoted(out, text);
    else
        fputs(text, out);
}

void psw_config_json(FILE *out, const struct psw_config *config)
{
    int n, n_put = 0;
    const struct psw_leaf *leaf = psw_leaves(&n);
    for (int i = 0; i < n; i++) {
        if (!(leaf[i].flags & PSW_CFG_IN_RUN)) continue;
        fputs(n_put++ ? ", " : "{", out);
        psw_config_json_leaf(out, &leaf[i], config);
    }
    fputc('}', out);
}

void psw_config_print(FILE *out, const struct psw_config *config)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config base;
    psw_config_default(&base);
    for (int is_default = 0; is_default < 2; is_default++) {
        if (is_default) fputs("# defaults:\n", out);
        for (int i = 0; i < n; i++) {
            if (psw_leaf_equal(&leaf[i], config, &base) != is_default) continue;
            fprintf(out, "%s%s: ", is_default ? "# " : "", leaf[i].path);
            print_value(out, &leaf[i], config);
            fputc('\n', out);
        }
    }
}
