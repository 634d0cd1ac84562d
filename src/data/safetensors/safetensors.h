/* What the files of safetensors share: a checkpoint that is open. */
#ifndef POSWEEP_SRC_SAFETENSORS_H
#define POSWEEP_SRC_SAFETENSORS_H

#include <jansson.h>
#include <posweep/data/safetensors.h>

enum { HEADER_AT = 8 };

struct tensor_file {
    char *name; /* owned */
    int fd;     /* owned; -1: none */
    int64_t n_bytes;
    json_t *header; /* owned; names and types of tensors are borrowed from it */
};

struct psw_safetensors {
    struct tensor_file *file; /* owned */
    int n_file;
    struct psw_stored_tensor *tensor; /* owned */
    int64_t n_tensor;
};

/** Read n bytes from a place. Errors: PSW_EIO; PSW_EDATA where the file ends before. */
psw_status psw_safetensors_pread(const char *name, int fd, void *out, size_t n, int64_t at,
                                 struct psw_error *err);

/** Add the tensors of an open file. Errors: those of psw_safetensors_open. */
psw_status psw_safetensors_header(struct psw_safetensors *st, int file, struct psw_error *err);

#endif
