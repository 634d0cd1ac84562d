/* The files of a model's folder: which hold its tensors, and what is in them, as one hash. */
#include "model_dir_internal.h"

#include <posweep/util/file.h>
#include <posweep/util/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ONE "model.safetensors"
#define INDEX ONE ".index.json"

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Is it the name of a file, and of none outside the folder? */
static int is_plain_name(const char *name)
{
    return name && name[0] && name[0] != '.' && !strchr(name, '/') &&
           strlen(name) < PSW_CFG_STR;
}

/* Paths of the files, each once; file [size of the map]. */
static psw_status list_files(struct psw_model_shards *s, json_t *map, struct psw_error *err)
{
    const char *tensor;
    json_t *name;
    const char *slash = strrchr(s->path, '/');
    const int n_folder = slash ? (int)(slash - s->path) + 1 : 0;
    json_object_foreach(map, tensor, name)
    {
        if (!is_plain_name(json_string_value(name)))
            return psw_fail(err, PSW_EDATA,
                            "%s: weight_map: tensor %.80s: expected the name of a file beside "
                            "the index",
                            s->path, tensor);
        snprintf(s->file[s->n++], sizeof *s->file, "%.*s%s", n_folder, s->path,
                 json_string_value(name));
    }
    int n = 0;
    qsort(s->file, (size_t)s->n, sizeof *s->file, by_name);
    for (int i = 0; i < s->n; i++)
        if (n == 0 || strcmp(s->file[n - 1], s->file[i]) != 0)
            memmove(s->file[n++], s->file[i], sizeof *s->file);
    s->n = n;
    return PSW_OK;
}

psw_status psw_model_shards_read(const char *path, struct psw_model_shards *out,
                                 struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_shards s = {.path = path};
    if (strlen(path) >= PSW_CFG_PATH)
        return psw_fail(err, PSW_EINVAL, "path longer than %d bytes: %.80s...",
                        PSW_CFG_PATH - 1, path);
    PSW_TRY(psw_json_file(path, &s.index, err));
    json_t *map = json_object_get(s.index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0 || json_object_size(map) > 1000000)
        PSW_TRY(psw_fail(err, PSW_EDATA,
                         "%s: expected \"weight_map\": {tensor: file}, found %s", path,
                         map ? "something else" : "none"));
    s.file = calloc(json_object_size(map), sizeof *s.file);
    if (!s.file) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: no memory", path));
    PSW_TRY(list_files(&s, map, err));
    *out = s;
    return PSW_OK;
fail:
    psw_model_shards_clear(&s);
    return rc;
}

void psw_model_shards_clear(struct psw_model_shards *shards)
{
    json_decref(shards->index);
    free(shards->file);
    *shards = (struct psw_model_shards){0};
}

/* What to open for the tensors of a folder, and whether that is one file or an index. */
enum tensors { NO_TENSORS, ONE_FILE, SEVERAL_FILES };
static enum tensors tensors_of(const char *dir, char out[PSW_CFG_PATH])
{
    static const char *const NAMES[] = {[ONE_FILE] = ONE, [SEVERAL_FILES] = INDEX};
    for (int i = ONE_FILE; i <= SEVERAL_FILES; i++)
        if (psw_path(out, PSW_CFG_PATH, NULL, "%s/%s", dir, NAMES[i]) == PSW_OK &&
            psw_file_exists(out))
            return (enum tensors)i;
    return NO_TENSORS;
}

int psw_model_dir_has_tokenizer(const char *dir)
{
    static const char *const NAMES[] = {"tokenizer.json", "tokenizer.json.gz", "merges.txt",
                                        "vocab.bpe", "tokenizer.model"};
    char path[PSW_CFG_PATH + 32];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (psw_path(path, sizeof path, NULL, "%s/%s", dir, NAMES[i]) == PSW_OK &&
            psw_file_exists(path))
            return 1;
    return 0;
}

psw_status psw_model_dir_tensors(const char *dir, char out[PSW_CFG_PATH], struct psw_error *err)
{
    if (tensors_of(dir, out)) return PSW_OK;
    return psw_fail(err, PSW_ENOENT,
                    "%s: neither %s nor %s is there: config.json alone is enough to plan a "
                    "sweep, not to run it",
                    dir, ONE, INDEX);
}

/* A file's content behind what came before. */
static psw_status add_file(const char *path, uint64_t *hash, struct psw_error *err)
{
    struct stat info;
    uint64_t part[2] = {*hash, 0};
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EIO, "%s: is not a plain file", path);
    const psw_status rc = psw_hash_file(path, &part[1], err);
    if (rc == PSW_OK) *hash = psw_hash_bytes(part, sizeof part, 0);
    return rc;
}

psw_status psw_model_dir_hash(const char *dir, uint64_t *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_shards s = {0};
    char path[PSW_CFG_PATH + 32], tensors[PSW_CFG_PATH];
    uint64_t hash = 0;
    const enum tensors there = tensors_of(dir, tensors);
    *out = 0;
    if (there == NO_TENSORS) return PSW_OK;
    PSW_TRY(psw_path(path, sizeof path, err, "%s/config.json", dir));
    PSW_TRY(add_file(path, &hash, err));
    if (there == SEVERAL_FILES)
        PSW_TRY(psw_model_shards_read(tensors, &s, err));
    else
        PSW_TRY(add_file(tensors, &hash, err));
    for (int i = 0; i < s.n; i++) PSW_TRY(add_file(s.file[i], &hash, err));
    *out = hash ? hash : 1; /* 0 says that there are none */
fail:
    psw_model_shards_clear(&s);
    return rc;
}
