/* Checkpoints as the field keeps them: files in the safetensors form, one or several with an
 * index beside them. A file is 8 bytes, the length of its header (little-endian); the header,
 * JSON: {"name": {"dtype", "shape", "data_offsets": [begin, end)}, ...}; and the numbers.
 *
 * Numbers are read in blocks when they are asked for, so that a checkpoint does not stand in
 * memory beside the model that it is read into. (Mapping the file was measured: where pages are
 * given back as they are used, it takes four times as long.)
 * Source: https://github.com/huggingface/safetensors (format), read of real files. */
#ifndef POSWEEP_DATA_SAFETENSORS_H
#define POSWEEP_DATA_SAFETENSORS_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_STORED_DIMS = 4 };

/** Types of numbers that are widened to float without loss; others may stand in a file, but
 *  cannot be read. */
enum psw_stored_type { PSW_STORED_F32, PSW_STORED_F16, PSW_STORED_BF16, PSW_STORED_OTHER };

/** A tensor in a file. Borrowed from what was opened. */
struct psw_stored_tensor {
    const char *name;
    const char *type_name; /* as the file writes it */
    const char *file;      /* that it stands in */
    enum psw_stored_type type;
    int n_dim; /* more than PSW_STORED_DIMS: shape is not kept */
    int64_t shape[PSW_STORED_DIMS];
    int64_t n_elem;
    int64_t at; /* of its first byte in the file */
    int fd;
};

struct psw_safetensors; /* opaque: owns the open files */

/** Open a file, or, where the name ends in ".json", the index of several and all of them.
 *  Owns: the caller closes.
 *  Errors: PSW_ENOENT, PSW_EIO, PSW_EPERM; PSW_EDATA with file, tensor, what was expected and
 *  what was found: a header beyond the file, broken JSON, a name twice, an unknown type, a
 *  shape that its bytes do not fit, tensors that overlap or leave the file, bytes of no tensor,
 *  a tensor that is not in the file that the index names; PSW_ENOMEM. */
psw_status psw_safetensors_open(const char *path, struct psw_safetensors **out,
                                struct psw_error *err);

/** Accepts NULL. */
void psw_safetensors_close(struct psw_safetensors *st);

/** All tensors, by name. */
const struct psw_stored_tensor *psw_safetensors_table(const struct psw_safetensors *st,
                                                      int64_t *n);

/** The tensor of that name, or NULL. */
const struct psw_stored_tensor *psw_safetensors_find(const struct psw_safetensors *st,
                                                     const char *name);

/** Elements [first, first + n), widened exactly; n may be 0. The type must not be
 *  PSW_STORED_OTHER. Errors: PSW_EIO; PSW_EDATA for a file that was cut meanwhile. */
psw_status psw_stored_tensor_read(const struct psw_stored_tensor *t, int64_t first, int64_t n,
                                  float *out, struct psw_error *err) PSW_MUST_CHECK;

/** "F32 [512][64]"; returns out. */
char *psw_stored_tensor_text(const struct psw_stored_tensor *t, char *out, size_t n_bytes);

/* ---- writing ---- */

/** A tensor to be written; of F32 or BF16 (rounded to the nearest, ties to even). */
struct psw_tensor_row {
    const char *name;
    int64_t n_row, n_col; /* n_col 0: a vector */
};

struct psw_safetensors_writer; /* opaque */

/** Begin a file that takes the place of path when it is ended. The tensors' numbers follow in
 *  the order of the rows. Owns: psw_safetensors_end, also after a fault.
 *  Errors: those of psw_file_begin, PSW_ENOMEM. */
psw_status psw_safetensors_begin(const char *path, enum psw_stored_type type,
                                 const struct psw_tensor_row *row, int64_t n_row,
                                 struct psw_safetensors_writer **out, struct psw_error *err);

/** The next n numbers. Errors: PSW_ENOSPC, PSW_EIO. */
psw_status psw_safetensors_put(struct psw_safetensors_writer *w, int64_t n, const float *value,
                               struct psw_error *err);

/** Sync and rename, where rc is PSW_OK and all numbers were given; else remove what there is.
 *  Accepts NULL. Returns rc, or what went wrong. */
psw_status psw_safetensors_end(struct psw_safetensors_writer *w, psw_status rc,
                               struct psw_error *err);

#endif
