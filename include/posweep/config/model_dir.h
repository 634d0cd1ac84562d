/* The folder of a model in the form of Hugging Face: config.json, which says what the model is;
 * the files of its tensors, model.safetensors or several with model.safetensors.index.json; and
 * often its tokenizer. config.json alone is a model that can be planned, not trained.
 *
 * What config.json leaves out has the default that the field's library gives it. What this
 * program cannot compute is refused by name and value, never left out. */
#ifndef POSWEEP_CONFIG_MODEL_DIR_H
#define POSWEEP_CONFIG_MODEL_DIR_H

#include <posweep/config/config.h>

struct json_t; /* jansson's */

/** Settings of the model as config.json has them: every member of *out is set, `from` and
 * `weights` are empty, `context` is the longest that the model allows.
 *  MPI:    Local.
 *  Errors: PSW_ENOENT, PSW_EIO; PSW_EDATA for what is no config.json; PSW_EUNSUP for what
 *          cannot be computed: an unknown model_type (lists those known), another activation,
 *          other biases, another kind of rotary positions. All name file, key, what was
 *          expected and what was found. */
psw_status psw_model_dir_read(const char *dir, struct psw_config_model *out,
                              struct psw_error *err);

/** What config.json says beside the settings. Borrowed. */
struct psw_model_facts {
    int64_t n_vocab;   /* rows of the embedding */
    int32_t eos;       /* id of the end of a response; -1: none */
    int is_classifier; /* a scalar head in the place of the vocabulary's */
    const char *dtype; /* of the tensors: "float32", "bfloat16" */
};

/** config.json of a model that a configuration describes: that of model.from with what changed,
 *  so that all it says of its tokens stays; else one from the settings. Owns: free(*out).
 *  Errors: PSW_EUNSUP for a size that the form cannot say; those of reading model.from;
 *  PSW_ENOMEM. */
psw_status psw_model_dir_write(const struct psw_config *config,
                               const struct psw_model_facts *facts, char **out,
                               struct psw_error *err);

/** The config.json at path with another type of tensors. Owns: free(*out). */
psw_status psw_model_dir_retype(const char *path, const char *dtype, char **out,
                                struct psw_error *err);

/** Identity of a model: of config.json and of every byte of its tensor files; 0 where there are
 *  no tensor files. MPI: Local. Errors: those of reading. */
psw_status psw_model_dir_hash(const char *dir, uint64_t *out, struct psw_error *err);

/** What to open for the tensors: model.safetensors, else the index.
 *  Errors: PSW_ENOENT when the folder has neither. */
psw_status psw_model_dir_tensors(const char *dir, char out[PSW_CFG_PATH],
                                 struct psw_error *err);

/** Is a tokenizer beside the model? */
int psw_model_dir_has_tokenizer(const char *dir);

/** The files that an index names, in order of name. */
struct psw_model_shards {
    const char *path;               /* borrowed: of the index */
    struct json_t *index;           /* owned; "weight_map": {tensor: file} */
    char (*file)[2 * PSW_CFG_PATH]; /* owned, [n] beside the index */
    int n;
};

/** Read an index. Owns: psw_model_shards_clear.
 *  Errors: PSW_ENOENT, PSW_EIO; PSW_EDATA: no weight_map, or a name that leaves the folder. */
psw_status psw_model_shards_read(const char *path, struct psw_model_shards *out,
                                 struct psw_error *err);
void psw_model_shards_clear(struct psw_model_shards *shards);

#endif
