/* What the files of safetensors share: a checkpoint that is open. */
#ifndef POSWEEP_SRC_SAFETENSORS_H
#define POSWEEP_SRC_SAFETENSORS_H

#include <jansson.h>
#include <posweep/data/safetensors.h>

enum { HEADER_AT = 8 };

struct mapped_file {
    char *name;              /* owned */
    const unsigned char *at; /* owned: mapped */
    size_t n_bytes;
    json_t *header; /* owned; names and types of tensors are borrowed from it */
};

struct psw_safetensors {
    struct mapped_file *file; /* owned */
    int n_file;
    struct psw_stored_tensor *tensor; /* owned */
    int64_t n_tensor;
};

/** Add the tensors of a mapped file. Errors: those of psw_safetensors_open. */
psw_status psw_safetensors_header(struct psw_safetensors *st, int file, struct psw_error *err);

#endif
