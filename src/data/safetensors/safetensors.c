/* Checkpoints: their files are opened, and their tensors found by name. */
#include "safetensors/safetensors.h"

#include <posweep/config/model_dir.h>
#include <posweep/util/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Models are often links into a store of files, so links are followed; what is at the end of
 * them must be a plain file. */
static psw_status open_file(const char *path, struct tensor_file *out, struct psw_error *err)
{
    struct stat info;
    out->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (out->fd < 0)
        return psw_fail(err, psw_status_from_errno(errno), "%s: cannot open: %s", path,
                        strerror(errno));
    if (fstat(out->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EIO, "%s: is not a plain file", path);
    out->n_bytes = info.st_size;
    out->name = strdup(path);
    return out->name ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%s: its name", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct psw_stored_tensor *)a)->name,
                  ((const struct psw_stored_tensor *)b)->name);
}

/* Names are looked up in sorted order; none stands in two files. */
static psw_status sort_names(struct psw_safetensors *st, struct psw_error *err)
{
    if (st->n_tensor) qsort(st->tensor, (size_t)st->n_tensor, sizeof *st->tensor, by_name);
    for (int64_t i = 1; i < st->n_tensor; i++)
        if (!by_name(&st->tensor[i - 1], &st->tensor[i]))
            return psw_fail(err, PSW_EDATA, "%s: tensor %.80s is in %s, too",
                            st->tensor[i].file, st->tensor[i].name, st->tensor[i - 1].file);
    return PSW_OK;
}

static psw_status open_one(struct psw_safetensors *st, const char *path, struct psw_error *err)
{
    struct tensor_file *grown = realloc(st->file, ((size_t)st->n_file + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: no memory", path);
    st->file = grown;
    grown[st->n_file] = (struct tensor_file){.fd = -1};
    const psw_status rc = open_file(path, &grown[st->n_file++], err);
    return rc == PSW_OK ? psw_safetensors_header(st, st->n_file - 1, err) : rc;
}

/* Every tensor of the index stands in the file that it names. */
static psw_status check_index(const struct psw_safetensors *st,
                              const struct psw_model_shards *shards, struct psw_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(shards->index, "weight_map"), name, value)
    {
        const struct psw_stored_tensor *t = psw_safetensors_find(st, name);
        const char *slash = t ? strrchr(t->file, '/') : NULL;
        const char *found = !t ? "none" : slash ? slash + 1 : t->file;
        if (strcmp(found, json_string_value(value)) != 0)
            return psw_fail(err, PSW_EDATA,
                            "%s: tensor %.80s: expected in %.80s, found in %.80s", shards->path,
                            name, json_string_value(value), found);
    }
    return PSW_OK;
}

static int ends_in_json(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".json");
}

psw_status psw_safetensors_open(const char *path, struct psw_safetensors **out,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_shards shards = {0};
    struct psw_safetensors *st = calloc(1, sizeof *st);
    if (!st) return psw_fail(err, PSW_ENOMEM, "%s: no memory", path);
    if (ends_in_json(path)) {
        PSW_TRY(psw_model_shards_read(path, &shards, err));
        for (int i = 0; i < shards.n; i++) PSW_TRY(open_one(st, shards.file[i], err));
    } else {
        PSW_TRY(open_one(st, path, err));
    }
    PSW_TRY(sort_names(st, err));
    if (shards.index) PSW_TRY(check_index(st, &shards, err));
    psw_model_shards_clear(&shards);
    *out = st;
    return PSW_OK;
fail:
    psw_model_shards_clear(&shards);
    psw_safetensors_close(st);
    return rc;
}

void psw_safetensors_close(struct psw_safetensors *st)
{
    if (!st) return;
    for (int i = 0; i < st->n_file; i++) {
        if (st->file[i].fd >= 0) close(st->file[i].fd);
        json_decref(st->file[i].header);
        free(st->file[i].name);
    }
    free(st->file);
    free(st->tensor);
    free(st);
}

const struct psw_stored_tensor *psw_safetensors_table(const struct psw_safetensors *st,
                                                      int64_t *n)
{
    *n = st->n_tensor;
    return st->tensor;
}

const struct psw_stored_tensor *psw_safetensors_find(const struct psw_safetensors *st,
                                                     const char *name)
{
    const struct psw_stored_tensor key = {.name = name};
    return st->n_tensor
               ? bsearch(&key, st->tensor, (size_t)st->n_tensor, sizeof *st->tensor, by_name)
               : NULL;
}
