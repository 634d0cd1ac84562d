/* Values of a results file into memory, of datasets whose form has been checked. What was read
 * is held against the hash that the file has for it, so that nobody computes with numbers that
 * posweep did not write. */
#include "results_internal.h"

#include <posweep/util/minmax.h>
#include <stdlib.h>
#include <string.h>

static const char UNREADABLE[] = "its values cannot be read: it is damaged, or memory is short";

/** HDF5's strings become ours, so that all are freed alike. */
static int own_texts(char **text, int64_t n)
{
    int ok = 1;
    for (int64_t i = 0; i < n; i++) {
        char *copy = strdup(text[i] ? text[i] : "");
        H5free_memory(text[i]);
        text[i] = copy;
        ok &= copy != NULL;
    }
    return ok;
}

void *psw_values_read(hid_t set, enum psw_type type, struct psw_shape shape)
{
    const int64_t n = psw_shape_count(shape);
    void *block = calloc((size_t)n + 1, 8);
    const hid_t memory = type == PSW_TEXT          ? psw_h5_text_type(H5T_VARIABLE)
                         : psw_type_is_float(type) ? H5Tcopy(H5T_NATIVE_DOUBLE)
                                                   : H5Tcopy(H5T_NATIVE_INT64);
    int ok =
        block && memory >= 0 && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) >= 0;
    if (memory >= 0) H5Tclose(memory);
    if (ok && type == PSW_TEXT) ok = own_texts(block, n);
    if (ok) return block;
    psw_values_free(block, type, type == PSW_TEXT ? 0 : n);
    return NULL;
}

void psw_values_free(void *values, enum psw_type type, int64_t n)
{
    for (int64_t i = 0; values && type == PSW_TEXT && i < n; i++) free(((char **)values)[i]);
    free(values);
}

static int fail_load(struct psw_results *r, struct psw_dataset_view *v, const char *what)
{
    v->is_bad = 1;
    if (r->fault.code == PSW_OK)
        psw_fail(&r->fault, PSW_EDATA, "%s: %s: %s", r->path, v->name, what);
    return 0;
}

/** Characters are held against their hash, and not kept. */
static int check_chars(struct psw_results *r, struct psw_dataset_view *v)
{
    uint64_t hash = 0;
    char text[PSW_HASH_TEXT_BYTES];
    const hid_t set = H5Dopen2(r->file, v->name, H5P_DEFAULT);
    const int is_read = set >= 0 && psw_h5_chars_hash(set, v->name, v->shape, &hash) >= 0;
    if (set >= 0) H5Dclose(set);
    if (!is_read) return fail_load(r, v, UNREADABLE);
    if (strcmp(psw_hash_text(hash, text), v->hash) == 0) return 1;
    fail_load(r, v, "its values are not those that posweep wrote");
    return r->keeps_bad;
}

/** Read the block of rows that row i is in. */
static int read_chars(struct psw_results *r, struct psw_dataset_view *v, int64_t i)
{
    const int64_t n_char = v->shape.dim[1], n_row = psw_h5_chunk_rows(n_char);
    const int64_t first = i / n_row * n_row, n = psw_min(n_row, v->shape.dim[0] - first);
    if (!v->value.chars.block) v->value.chars.block = malloc((size_t)(n_row * n_char));
    if (!v->value.chars.text) v->value.chars.text = malloc((size_t)n_char + 1);
    v->value.chars.n_row = 0;
    if (!v->value.chars.block || !v->value.chars.text) return 0;
    const hid_t set = H5Dopen2(r->file, v->name, H5P_DEFAULT);
    const int ok =
        set >= 0 && psw_h5_chars_read(set, first, n, n_char, v->value.chars.block) >= 0;
    if (set >= 0) H5Dclose(set);
    v->value.chars.first = first;
    v->value.chars.n_row = ok ? n : 0;
    return ok;
}

const char *psw_chars_row(struct psw_results *results, struct psw_dataset_view *view, int64_t i)
{
    const int64_t n_char = view->shape.dim[1], at = i - view->value.chars.first;
    if (i < 0 || i >= view->shape.dim[0] || !psw_results_load(results, view)) return NULL;
    if ((at < 0 || at >= view->value.chars.n_row) && !read_chars(results, view, i)) {
        fail_load(results, view, UNREADABLE);
        return NULL;
    }
    char *text = view->value.chars.text;
    memcpy(text, view->value.chars.block + (i - view->value.chars.first) * n_char,
           (size_t)n_char);
    text[n_char] = 0;
    return text;
}

int psw_results_load(struct psw_results *results, struct psw_dataset_view *view)
{
    if (view->is_chars) {
        if (!view->is_bad && !view->is_checked) view->is_checked = check_chars(results, view);
        return view->is_checked;
    }
    if (view->value.f64 || view->value.i64 || view->value.text) return 1;
    if (view->is_bad) return 0;
    const int64_t n = psw_shape_count(view->shape);
    const hid_t set = H5Dopen2(results->file, view->name, H5P_DEFAULT);
    void *values = set >= 0 ? psw_values_read(set, view->type, view->shape) : NULL;
    if (set >= 0) H5Dclose(set);
    if (!values) return fail_load(results, view, UNREADABLE);
    char hash[PSW_HASH_TEXT_BYTES];
    psw_hash_text(
        psw_h5_content_hash(&(struct psw_h5_var){
            .name = view->name, .type = view->type, .shape = view->shape, .data = values}),
        hash);
    if (strcmp(hash, view->hash) != 0) {
        fail_load(results, view, "its values are not those that posweep wrote");
        if (!results->keeps_bad) psw_values_free(values, view->type, n);
        if (!results->keeps_bad) return 0;
    }
    if (view->type == PSW_TEXT) {
        view->value.text = values;
        view->value.n_text = n;
    } else if (psw_type_is_float(view->type)) {
        view->value.f64 = values;
    } else {
        view->value.i64 = values;
    }
    return 1;
}
