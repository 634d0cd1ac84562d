/* The folder of a model, written so that programs of the field open it. */
#include <posweep/stage/weights.h>

#include <posweep/config/model_dir.h>
#include <posweep/data/safetensors.h>
#include <posweep/data/tokenizer_copy.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/folder.h>
#include <posweep/util/minmax.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 18 };

/* The tensors of the table that are written: without one of the two heads. */
static int is_written(const struct psw_weights *w, const struct psw_tensor *t)
{
    const struct psw_model_layout *layout = psw_model_layout(w->model);
    const int is_score = !strncmp(t->name, "score.", 6);
    const int is_head = t->offset == layout->head && layout->head != layout->embed;
    return w->is_classifier ? !is_head : !is_score;
}

static psw_status write_tensor(const struct psw_weights *w, const struct psw_tensor *t,
                               float *block, struct psw_safetensors_writer *to,
                               struct psw_error *err)
{
    const int64_t n_elem = psw_tensor_n_elem(t);
    psw_status rc = PSW_OK;
    for (int64_t at = 0; at < n_elem && rc == PSW_OK; at += BLOCK) {
        const int64_t n = psw_min(n_elem - at, BLOCK);
        psw_exec_backend(w->exec)->buffer->read(w->exec, n, w->param + t->offset + at, block);
        rc = psw_safetensors_put(to, n, block, err);
    }
    return rc;
}

static psw_status write_tensors(const char *path, const struct psw_weights *w,
                                struct psw_error *err)
{
    int64_t n_tensor, n_row = 0;
    psw_status rc = PSW_OK;
    const struct psw_tensor *t = psw_model_table(w->model, &n_tensor);
    struct psw_safetensors_writer *to = NULL;
    struct psw_tensor_row *row = calloc((size_t)n_tensor + 1, sizeof *row);
    float *block = malloc(BLOCK * sizeof *block);
    if (!row || !block) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: a block of numbers", path));
    for (int64_t i = 0; i < n_tensor; i++)
        if (is_written(w, &t[i]))
            row[n_row++] = (struct psw_tensor_row){t[i].name, t[i].n_row, t[i].n_col};
    PSW_TRY(psw_safetensors_begin(path, PSW_STORED_F32, row, n_row, &to, err));
    for (int64_t i = 0; i < n_tensor && rc == PSW_OK; i++)
        if (is_written(w, &t[i])) rc = write_tensor(w, &t[i], block, to, err);
fail:
    rc = psw_safetensors_end(to, rc, err);
    free(block);
    free(row);
    return rc;
}

static psw_status write_config(const char *path, const struct psw_config *config,
                               const struct psw_weights *w, int32_t eos, struct psw_error *err)
{
    char *text = NULL;
    const struct psw_model_facts facts = {.n_vocab = psw_model_dims(w->model)->n_vocab,
                                          .eos = eos,
                                          .is_classifier = w->is_classifier,
                                          .dtype = "float32"};
    psw_status rc = psw_model_dir_write(config, &facts, &text, err);
    if (rc != PSW_OK) return rc;
    const struct psw_file_part part[] = {{text, strlen(text)}, {"\n", 1}};
    rc = psw_file_write(path, part, 2, err);
    free(text);
    return rc;
}

psw_status psw_weights_write(const char *dir, const struct psw_config *config,
                             const struct psw_weights *weights, int32_t eos,
                             const char *tokenizer, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES], path[PSW_TEMPORARY_BYTES + 32];
    psw_status rc = psw_folder_begin(dir, temporary, err);
    if (rc != PSW_OK) return rc;
    snprintf(path, sizeof path, "%s/config.json", temporary);
    rc = write_config(path, config, weights, eos, err);
    snprintf(path, sizeof path, "%s/model.safetensors", temporary);
    if (rc == PSW_OK) rc = write_tensors(path, weights, err);
    if (rc == PSW_OK && tokenizer[0]) rc = psw_tokenizer_copy(tokenizer, temporary, err);
    if (rc == PSW_OK) return psw_folder_commit(temporary, dir, PSW_FOLDER_REPLACE, err);
    psw_file_remove_tree(temporary, NULL);
    return rc;
}
