/* model.from: the folder says what the model is, and the sweep file may say the same. */
#include "config_internal.h"

#include <posweep/config/model_dir.h>
#include <posweep/config/source.h>
#include <posweep/util/file.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIRS = 64 };

/* A folder that was read. */
struct folder {
    char path[PSW_CFG_PATH];
    struct psw_config_model model;
};

struct psw_model_dirs {
    struct folder item[MAX_DIRS]; /* further ones are read again for every run */
    int n;
};

struct psw_model_dirs *psw_model_dirs_create(void)
{
    return calloc(1, sizeof(struct psw_model_dirs));
}

void psw_model_dirs_destroy(struct psw_model_dirs *dirs)
{
    free(dirs);
}

static psw_status read_folder(const char *path, struct psw_config_model *out,
                              struct psw_error *err)
{
    uint64_t hash = 0;
    struct psw_config_model model;
    if (!psw_file_exists(path))
        return psw_fail(err, PSW_ENOENT,
                        "model.from: there is no folder %s (" PSW_PATHS_START ")", path);
    psw_status rc = psw_model_dir_read(path, &model, err);
    if (rc == PSW_OK) rc = psw_model_dir_hash(path, &hash, err);
    if (rc != PSW_OK) {
        psw_error_prefix(err, "model.from");
        return rc;
    }
    model.weights = (int64_t)hash;
    *out = model;
    return PSW_OK;
}

static psw_status look_up(struct psw_model_dirs *dirs, const char *path,
                          struct psw_config_model *out, struct psw_error *err)
{
    for (int i = 0; i < dirs->n; i++)
        if (!strcmp(dirs->item[i].path, path)) return *out = dirs->item[i].model, PSW_OK;
    const psw_status rc = read_folder(path, out, err);
    if (rc != PSW_OK || dirs->n == MAX_DIRS) return rc;
    struct folder *f = &dirs->item[dirs->n++];
    snprintf(f->path, sizeof f->path, "%s", path);
    f->model = *out;
    return PSW_OK;
}

/* Sizes for which 0 says that they follow from something: they say nothing else. */
static int is_left_open(const struct psw_leaf *leaf, const struct psw_config *config)
{
    static const char *const OPEN[] = {"model.kv_heads", "model.head_width", "model.hidden",
                                       "model.vocab", "model.weights"};
    for (size_t i = 0; i < sizeof OPEN / sizeof *OPEN; i++)
        if (!strcmp(leaf->path, OPEN[i]))
            return *(const int64_t *)((const char *)config + leaf->offset) == 0;
    return 0;
}

static psw_status refuse(const struct psw_leaf *leaf, const struct psw_config *asked,
                         const struct psw_config *found, struct psw_error *err)
{
    char a[PSW_LEAF_TEXT_BYTES], b[PSW_LEAF_TEXT_BYTES];
    psw_leaf_text(leaf, asked, a);
    psw_leaf_text(leaf, found, b);
    if (!strcmp(leaf->path, "model.weights"))
        return psw_fail(err, PSW_EINVAL,
                        "model.weights is %s, but the files of model.from %s are %s: other "
                        "weights than those that were asked for",
                        a, asked->model.from_written, b[0] ? b : "not there");
    return psw_fail(err, PSW_EINVAL,
                    "%s is %s, but the model in model.from %s has %s%s: leave it out, or give "
                    "another folder",
                    leaf->path, a, asked->model.from_written, b,
                    !strcmp(leaf->path, "model.context") ? " at most" : "");
}

/* A setting of the model that the sweep file gives, against what the folder has. */
static psw_status compare(const struct psw_leaf *leaf, const struct psw_config *asked,
                          struct psw_config *found, struct psw_error *err)
{
    if (leaf->offset == offsetof(struct psw_config, model.context)) {
        if (asked->model.context > found->model.context) return refuse(leaf, asked, found, err);
        found->model.context = asked->model.context;
        return PSW_OK;
    }
    if (leaf->offset == offsetof(struct psw_config, model.kv_heads) &&
        asked->model.kv_heads == found->model.heads && found->model.kv_heads == 0)
        return PSW_OK;
    if (is_left_open(leaf, asked) || psw_leaf_equal(leaf, asked, found)) return PSW_OK;
    return refuse(leaf, asked, found, err);
}

/* Where a model has its tokenizer beside it, texts become what it was trained on, unless the
 * sweep file names another. Bytes are no default for weights of others: they would train, on
 * nonsense. */
static psw_status take_tokenizer(int is_given, struct psw_config *config, struct psw_error *err)
{
    struct psw_config_data *data = &config->data;
    const struct psw_config_model *model = &config->model;
    if (is_given || psw_config_is_generated(config)) return PSW_OK;
    if (psw_model_dir_has_tokenizer(model->from)) {
        memcpy(data->tokenizer, model->from, sizeof data->tokenizer);
        memcpy(data->tokenizer_written, model->from_written, sizeof data->tokenizer_written);
        return PSW_OK;
    }
    if (!model->weights) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "model.from: there is no tokenizer in %s: name the one that the model was "
                    "trained with in data.tokenizer (or write data.tokenizer: bytes)",
                    model->from);
}

psw_status psw_model_from(struct psw_model_dirs *dirs, const uint8_t *is_given,
                          struct psw_config *config, const struct psw_leaf **culprit,
                          struct psw_error *err)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config found = *config;
    if (!config->model.from[0]) return PSW_OK;
    *culprit = psw_leaf_find("model.from");
    const psw_status rc = look_up(dirs, config->model.from, &found.model, err);
    if (rc != PSW_OK) return rc;
    memcpy(found.model.from, config->model.from, sizeof found.model.from);
    memcpy(found.model.from_written, config->model.from_written,
           sizeof found.model.from_written);
    for (int i = 0; i < n; i++) {
        if (strncmp(leaf[i].path, "model.", 6) != 0 || !is_given[i]) continue;
        *culprit = &leaf[i];
        const psw_status same = compare(&leaf[i], config, &found, err);
        if (same != PSW_OK) return same;
    }
    *culprit = psw_leaf_find("model.from");
    *config = found;
    return take_tokenizer(is_given[psw_leaf_find("data.tokenizer") - leaf], config, err);
}
