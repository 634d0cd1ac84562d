/* Texts as characters: [n][n_char], zeros behind the end of a text, chunked and deflated like
 * numbers. Rows are written and read by the chunk, so memory is that of one. */
#include "h5_internal.h"

#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>
#include <stdlib.h>
#include <string.h>

/** One chunk of rows, on its way. */
struct block {
    hid_t set, type;
    int64_t n_row, n_char;
    char *bytes; /* owned [n_row][n_char] */
};

static void block_clear(struct block *b)
{
    free(b->bytes);
    if (b->type >= 0) H5Tclose(b->type);
}

static int block_init(hid_t set, int64_t n_char, struct block *out)
{
    const int64_t n_row = psw_h5_chunk_rows(n_char);
    *out = (struct block){.set = set,
                          .type = psw_h5_text_type(1),
                          .n_row = n_row,
                          .n_char = n_char,
                          .bytes = malloc((size_t)(n_row * n_char))};
    if (out->type >= 0 && out->bytes) return 1;
    block_clear(out);
    return 0;
}

/** Between the file and memory. write: from there; NULL: into read. */
static herr_t move_rows(hid_t set, hid_t type, int64_t first, int64_t n, int64_t n_char,
                        const char *write, char *read)
{
    const hsize_t from[2] = {(hsize_t)first, 0}, extent[2] = {(hsize_t)n, (hsize_t)n_char};
    const hid_t file = H5Dget_space(set), memory = H5Screate_simple(2, extent, NULL);
    herr_t rc = -1;
    if (file >= 0 && memory >= 0)
        rc = H5Sselect_hyperslab(file, H5S_SELECT_SET, from, NULL, extent, NULL);
    if (rc >= 0)
        rc = write ? H5Dwrite(set, type, memory, file, H5P_DEFAULT, write)
                   : H5Dread(set, type, memory, file, H5P_DEFAULT, read);
    if (memory >= 0) H5Sclose(memory);
    if (file >= 0) H5Sclose(file);
    return rc;
}

/** The hash goes on over the rows, whatever the blocks. */
static uint64_t hash_rows(const struct block *b, int64_t n, uint64_t hash)
{
    for (int64_t i = 0; i < n; i++)
        hash = psw_hash_bytes(b->bytes + i * b->n_char, (size_t)b->n_char, hash);
    return hash;
}

static int fill_rows(const struct block *b, int64_t first, int64_t n,
                     const struct psw_h5_texts *texts)
{
    memset(b->bytes, 0, (size_t)(n * b->n_char));
    for (int64_t i = 0; i < n; i++) {
        const char *text = texts->text(texts->ctx, first + i);
        const size_t n_bytes = text ? strlen(text) : 0;
        if (!text || n_bytes > (size_t)b->n_char) return 0;
        memcpy(b->bytes + i * b->n_char, text, n_bytes);
    }
    return 1;
}

static herr_t write_all(hid_t set, const char *name, struct psw_shape shape,
                        const struct psw_h5_texts *texts)
{
    struct block b;
    const int64_t n = shape.dim[0];
    uint64_t hash = psw_h5_form_hash(name, PSW_TEXT, shape);
    if (!block_init(set, shape.dim[1], &b)) return -1;
    herr_t rc = 0;
    for (int64_t at = 0; at < n && rc >= 0; at += b.n_row) {
        const int64_t n_here = psw_min(n - at, b.n_row);
        rc = fill_rows(&b, at, n_here, texts) ? 0 : -1;
        if (rc >= 0) rc = move_rows(set, b.type, at, n_here, b.n_char, b.bytes, NULL);
        if (rc >= 0) hash = hash_rows(&b, n_here, hash);
    }
    block_clear(&b);
    return rc >= 0 ? psw_h5_put_hash(set, hash) : rc;
}

hid_t psw_h5_chars_put(hid_t place, const char *name, struct psw_shape shape,
                       const struct psw_h5_texts *texts)
{
    const hsize_t extent[2] = {(hsize_t)shape.dim[0], (hsize_t)shape.dim[1]};
    const hid_t type = psw_h5_text_type(1), create = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(2, extent, NULL);
    hid_t set = -1;
    if (type >= 0 && create >= 0 && space >= 0 && H5Pset_obj_track_times(create, 0) >= 0 &&
        psw_h5_set_layout(create, 1, shape) >= 0)
        set = H5Dcreate2(place, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (space >= 0) H5Sclose(space);
    if (create >= 0) H5Pclose(create);
    if (type >= 0) H5Tclose(type);
    if (set >= 0 && (write_all(set, name, shape, texts) < 0 ||
                     psw_h5_attr_text(set, "_Encoding", "utf-8") < 0)) {
        H5Dclose(set);
        return -1;
    }
    return set;
}

herr_t psw_h5_chars_read(hid_t set, int64_t first, int64_t n, int64_t n_char, char *out)
{
    const hid_t type = psw_h5_text_type(1);
    const herr_t rc = type >= 0 ? move_rows(set, type, first, n, n_char, NULL, out) : -1;
    if (type >= 0) H5Tclose(type);
    return rc;
}

herr_t psw_h5_chars_hash(hid_t set, const char *name, struct psw_shape shape, uint64_t *hash)
{
    struct block b;
    const int64_t n = shape.dim[0];
    uint64_t sum = psw_h5_form_hash(name, PSW_TEXT, shape);
    if (!block_init(set, shape.dim[1], &b)) return -1;
    herr_t rc = 0;
    for (int64_t at = 0; at < n && rc >= 0; at += b.n_row) {
        const int64_t n_here = psw_min(n - at, b.n_row);
        rc = move_rows(set, b.type, at, n_here, b.n_char, NULL, b.bytes);
        if (rc >= 0) sum = hash_rows(&b, n_here, sum);
    }
    block_clear(&b);
    *hash = sum;
    return rc;
}
