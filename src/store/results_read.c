/* What an open results file has: views by name, extents, and datasets, which are loaded whole
 * on first use and kept. */
#include "results_internal.h"

#include <posweep/config/leaf.h>
#include <stdlib.h>
#include <string.h>

psw_status psw_results_fault(const struct psw_results *results, struct psw_error *err)
{
    if (results->fault.code != PSW_OK && err) *err = results->fault;
    return results->fault.code;
}

void psw_view_drop(struct psw_dataset_view *view)
{
    free(view->value.f64);
    free(view->value.i64);
    psw_values_free(view->value.text, PSW_TEXT, view->value.n_text);
    view->value.f64 = NULL;
    view->value.i64 = NULL;
    view->value.text = NULL;
    free(view->value.chars.block);
    free(view->value.chars.text);
    view->value.chars.block = view->value.chars.text = NULL;
}

struct psw_dataset_view *psw_results_view(const struct psw_results *results, const char *name)
{
    for (int i = 0; i < results->n_set; i++)
        if (strcmp(results->set[i].name, name) == 0) return &results->set[i];
    return NULL;
}

int psw_results_has(const struct psw_results *results, const char *name)
{
    const struct psw_dataset_view *v = psw_results_view(results, name);
    return v && psw_view_is_sound(v);
}

int64_t psw_results_dim(const struct psw_results *results, const char *dim)
{
    const struct psw_dataset_view *v = psw_results_view(results, dim);
    return v && v->shape.n_dim == 1 ? v->shape.dim[0] : 0;
}

int psw_view_is_sound(const struct psw_dataset_view *view)
{
    return (view->row || view->is_leaf) && !view->fault[0];
}

/** A sound dataset with its values loaded; NULL: there is none of this name. */
static struct psw_dataset_view *loaded(struct psw_results *r, const char *name)
{
    struct psw_dataset_view *v = psw_results_view(r, name);
    return v && psw_view_is_sound(v) && psw_results_load(r, v) ? v : NULL;
}

const double *psw_results_f64(struct psw_results *results, const char *name)
{
    struct psw_dataset_view *v = loaded(results, name);
    if (!v || v->type == PSW_TEXT) return NULL;
    if (v->value.f64) return v->value.f64;
    const int64_t n = psw_shape_count(v->shape);
    v->value.f64 = malloc(sizeof *v->value.f64 * ((size_t)n + 1));
    for (int64_t i = 0; v->value.f64 && i < n; i++) v->value.f64[i] = (double)v->value.i64[i];
    return v->value.f64;
}

const int64_t *psw_results_i64(struct psw_results *results, const char *name)
{
    const struct psw_dataset_view *v = loaded(results, name);
    return v ? v->value.i64 : NULL;
}

const char *psw_results_text(struct psw_results *results, const char *name, int64_t i)
{
    struct psw_dataset_view *v = psw_results_view(results, name);
    if (v && v->is_chars) {
        const char *row = psw_view_is_sound(v) ? psw_chars_row(results, v, i) : NULL;
        return row ? row : "";
    }
    if (!v || !v->value.text) v = loaded(results, name);
    return v && v->value.text && i >= 0 && i < v->value.n_text ? v->value.text[i] : "";
}

/** The block of an open dataset; 0: it cannot be read. */
static int read_block(hid_t set, int n_dim, const int64_t *start, const int64_t *count,
                      double *out)
{
    hsize_t from[PSW_MAX_DIMS], extent[PSW_MAX_DIMS];
    for (int d = 0; d < n_dim; d++) from[d] = (hsize_t)start[d], extent[d] = (hsize_t)count[d];
    const hid_t file = H5Dget_space(set), memory = H5Screate_simple(n_dim, extent, NULL);
    const int ok = file >= 0 && memory >= 0 &&
                   H5Sselect_hyperslab(file, H5S_SELECT_SET, from, NULL, extent, NULL) >= 0 &&
                   H5Dread(set, H5T_NATIVE_DOUBLE, memory, file, H5P_DEFAULT, out) >= 0;
    if (file >= 0) H5Sclose(file);
    if (memory >= 0) H5Sclose(memory);
    return ok;
}

psw_status psw_results_block(struct psw_results *results, const char *name,
                             const int64_t *start, const int64_t *count, double *out,
                             struct psw_error *err)
{
    const struct psw_dataset_view *v = psw_results_view(results, name);
    if (!v || !psw_view_is_sound(v) || (v->type != PSW_F32 && v->type != PSW_F64) ||
        v->shape.n_dim < 1)
        return psw_fail(err, PSW_EDATA, "%s: %s: %s", results->path, name,
                        v && v->fault[0] ? v->fault : "there is no such array of numbers");
    for (int d = 0; d < v->shape.n_dim; d++)
        if (start[d] < 0 || count[d] < 1 || start[d] > v->shape.dim[d] - count[d])
            return psw_fail(err, PSW_EINVAL,
                            "%s: %s: dimension %d has %lld, asked for %lld from %lld",
                            results->path, name, d, (long long)v->shape.dim[d],
                            (long long)count[d], (long long)start[d]);
    const hid_t set = H5Dopen2(results->file, name, H5P_DEFAULT);
    const int ok = set >= 0 && read_block(set, v->shape.n_dim, start, count, out);
    if (set >= 0) H5Dclose(set);
    if (ok) return PSW_OK;
    return psw_fail(err, PSW_EDATA, "%s: %s: its values cannot be read: it is damaged",
                    results->path, name);
}

const char *psw_results_attr(struct psw_results *results, const char *object, const char *name)
{
    results->attr[0] = 0;
    H5L_info_t link;
    const int is_root = strcmp(object, "/") == 0;
    if (!is_root && (H5Lget_info(results->file, object, &link, H5P_DEFAULT) < 0 ||
                     link.type != H5L_TYPE_HARD))
        return ""; /* not out of the file */
    const hid_t id = H5Oopen(results->file, object, H5P_DEFAULT);
    if (id < 0) return "";
    psw_h5_read_attr(id, name, results->attr, sizeof results->attr);
    H5Oclose(id);
    return results->attr;
}

int psw_results_n_leaf(const struct psw_results *results)
{
    int n = 0;
    for (int i = 0; i < results->n_set; i++) n += results->set[i].is_leaf;
    return n;
}

const char *psw_results_leaf(const struct psw_results *results, int i)
{
    for (int s = 0; s < results->n_set; s++)
        if (results->set[s].is_leaf && i-- == 0) return results->set[s].name;
    return NULL;
}

char *psw_results_leaf_text(struct psw_results *results, int i, int64_t run,
                            char out[PSW_SETTING_BYTES])
{
    const char *name = psw_results_leaf(results, i);
    const struct psw_dataset_view *v = psw_results_view(results, name);
    const double *x = psw_results_f64(results, name);
    psw_leaf_number_text(psw_leaf_find(v->setting), x ? x[run] : 0, out);
    if (!x) snprintf(out, PSW_SETTING_BYTES, "%s", psw_results_text(results, name, run));
    return out;
}

int64_t psw_results_component(struct psw_results *results, const char *name)
{
    for (int64_t i = 0; i < psw_results_dim(results, "component"); i++)
        if (strcmp(psw_results_text(results, "component", i), name) == 0) return i;
    return -1;
}
