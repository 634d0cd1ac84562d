/* What was meant by a misspelt word: the nearest of short lists. */
#include "config_internal.h"

#include <posweep/util/text.h>

#include <string.h>

enum { WORD = PSW_EDIT_BYTES };

static int near_enough(int distance, const char *word)
{
    const int n = (int)strnlen(word, WORD);
    return distance <= (n < 4 ? 1 : n < 9 ? 2 : 3);
}

const char *psw_nearest(const char *word, const char *const *names, int n)
{
    const char *best = NULL;
    int best_distance = WORD;
    for (int i = 0; i < n; i++) {
        const int d = psw_edit_distance(word, names[i]);
        if (d < best_distance) best = names[i], best_distance = d;
    }
    return best && near_enough(best_distance, word) ? best : NULL;
}

char *psw_did_you_mean(const char *name, char out[PSW_DID_BYTES])
{
    out[0] = 0;
    if (name) snprintf(out, PSW_DID_BYTES, "; did you mean \"%s\"?", name);
    return out;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* Of a key whose first words stand there, the rest was forgotten: ranks, ranks_per_run. */
static const struct psw_leaf *begun(const char *path)
{
    int n_leaf;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf);
    const size_t n = strlen(path);
    for (int i = 0; i < n_leaf; i++)
        if (strncmp(leaf[i].path, path, n) == 0 && leaf[i].path[n] == '_') return &leaf[i];
    return NULL;
}

/* What the configurations of Hugging Face, TRL and verl call it, in the same section if one has
 * it. */
static const struct psw_leaf *called_elsewhere(const char *path)
{
    static const struct {
        const char *there, *here;
    } NAMES[] = {
        {"learning_rate", "lr"},         {"batch_size", "batch"},
        {"train_batch_size", "batch"},   {"per_device_train_batch_size", "batch"},
        {"max_steps", "steps"},          {"num_train_steps", "steps"},
        {"warmup_steps", "warmup"},      {"max_grad_norm", "clip"},
        {"num_hidden_layers", "layers"}, {"num_attention_heads", "heads"},
        {"hidden_size", "width"},        {"d_model", "width"},
        {"intermediate_size", "hidden"}, {"num_key_value_heads", "kv_heads"},
        {"max_length", "context"},       {"max_position_embeddings", "context"},
        {"max_new_tokens", "max_new"},   {"loss_type", "method"},
        {"num_generations", "samples"},  {"lr_scheduler_type", "decay"},
    };
    int n_leaf;
    const char *here = NULL;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf), *found = NULL;
    const size_t n_section = (size_t)(last_part(path) - path);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !here; i++)
        if (strcmp(last_part(path), NAMES[i].there) == 0) here = NAMES[i].here;
    for (int i = 0; i < n_leaf && here; i++) {
        if (strcmp(last_part(leaf[i].path), here) != 0) continue;
        if (n_section > 0 && strncmp(leaf[i].path, path, n_section) == 0) return &leaf[i];
        found = &leaf[i]; /* the last: of training, that is the policy's */
    }
    return found;
}

const struct psw_leaf *psw_leaf_nearest(const char *path)
{
    int n, best_distance = 2 * WORD;
    const struct psw_leaf *leaf = psw_leaves(&n), *best = begun(path);
    if (!best) best = called_elsewhere(path);
    if (best) return best;
    for (int i = 0; i < n; i++) {
        const int whole = 2 * psw_edit_distance(path, leaf[i].path);
        const int last = 3 + 2 * psw_edit_distance(last_part(path), last_part(leaf[i].path));
        const int d = whole < last ? whole : last;
        if (d < best_distance) best = &leaf[i], best_distance = d;
    }
    return best && near_enough(best_distance / 2, last_part(path)) ? best : NULL;
}

char *psw_leaf_hint(const char *path, char out[PSW_DID_BYTES])
{
    const struct psw_leaf *leaf = psw_leaf_nearest(path);
    if (leaf) return psw_did_you_mean(leaf->path, out);
    snprintf(out, PSW_DID_BYTES, "; posweep help config lists the settings");
    return out;
}

int psw_leaf_is_section(const char *path)
{
    int n_leaf;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf);
    const size_t n = strlen(path);
    for (int i = 0; i < n_leaf; i++)
        if (strncmp(leaf[i].path, path, n) == 0 && leaf[i].path[n] == '.') return 1;
    return 0;
}

const char *psw_leaf_nearest_section(const char *path, char out[PSW_LEAF_COLUMN_BYTES])
{
    int n_leaf, best = WORD;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf);
    for (int i = 0; i < n_leaf; i++)
        for (const char *dot = strchr(leaf[i].path, '.'); dot; dot = strchr(dot + 1, '.')) {
            char section[PSW_LEAF_COLUMN_BYTES];
            snprintf(section, sizeof section, "%.*s", (int)(dot - leaf[i].path), leaf[i].path);
            const int d = psw_edit_distance(path, section);
            if (d < best) best = d, memcpy(out, section, sizeof section);
        }
    return near_enough(best, path) ? out : NULL;
}
