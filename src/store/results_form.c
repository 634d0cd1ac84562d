/* The form of a results file, before any value of it is read: which links and datasets there
 * are, and whether their types, shapes and storage are those of the schema. A dataset that does
 * not fit has a fault and is never read, so whoever asks for G gets n_run x n_checkpoint x
 * n_component numbers or none. */
#include "results_internal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FILTERS = 3 };

/* deflate gives at most 1,032 times what it takes, and a small file may be all metadata */
static const int64_t BYTES_PER_FILE_BYTE = 1100, FREE_BYTES = 1 << 20;

static const enum psw_type TYPES[] = {PSW_F32, PSW_F64, PSW_I8, PSW_I32, PSW_I64, PSW_U8};

static void set_fault(struct psw_dataset_view *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The first fault counts. */
static void set_fault(struct psw_dataset_view *v, const char *format, ...)
{
    if (v->fault[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(v->fault, sizeof v->fault, format, args);
    va_end(args);
}

/** Which of our types; 0: none of them. */
static enum psw_type type_of(hid_t type, int *is_chars)
{
    const int is_text = H5Tget_class(type) == H5T_STRING;
    *is_chars = is_text && H5Tis_variable_str(type) == 0 && H5Tget_size(type) == 1;
    if (is_text) return *is_chars || H5Tis_variable_str(type) > 0 ? PSW_TEXT : (enum psw_type)0;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        const hid_t ours = psw_h5_file_type(TYPES[i]);
        const int same = H5Tequal(type, ours) > 0;
        H5Tclose(ours);
        if (same) return TYPES[i];
    }
    return (enum psw_type)0;
}

static const char *filter_fault(hid_t create)
{
    const int n = H5Pget_nfilters(create);
    if (n > MAX_FILTERS) return "has more filters than we write";
    for (int i = 0; i < n; i++) {
        unsigned flags = 0, config = 0;
        size_t n_value = 0;
        const H5Z_filter_t id =
            H5Pget_filter2(create, (unsigned)i, &flags, &n_value, NULL, 0, NULL, &config);
        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            return "has a filter that we do not write";
    }
    return n < 0 ? "has filters that cannot be read" : NULL;
}

static const char *chunk_fault(hid_t set, hid_t create)
{
    hsize_t chunk[H5S_MAX_RANK], extent[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(set);
    const int n_dim = space >= 0 ? H5Sget_simple_extent_dims(space, extent, NULL) : -1;
    if (space >= 0) H5Sclose(space);
    if (n_dim < 1 || H5Pget_chunk(create, H5S_MAX_RANK, chunk) != n_dim)
        return "has chunks that cannot be";
    for (int d = 0; d < n_dim; d++)
        if (chunk[d] > extent[d]) return "has chunks larger than itself";
    return NULL;
}

static const char *storage_fault(hid_t set)
{
    const hid_t create = H5Dget_create_plist(set);
    if (create < 0) return "has properties that cannot be read";
    const H5D_layout_t layout = H5Pget_layout(create);
    const char *fault = filter_fault(create);
    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT)
        fault = "is virtual: its values stand in another file";
    else if (H5Pget_external_count(create) != 0)
        fault = "its values stand in another file";
    else if (!fault && layout == H5D_CHUNKED)
        fault = chunk_fault(set, create);
    H5Pclose(create);
    return fault;
}

static void describe_shape(struct psw_results *r, struct psw_dataset_view *v, hid_t set)
{
    hsize_t extent[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(set);
    const int is_simple = space >= 0 && H5Sget_simple_extent_type(space) != H5S_NULL;
    const int n_dim = is_simple ? H5Sget_simple_extent_dims(space, extent, NULL) : -1;
    if (space >= 0) H5Sclose(space);
    v->shape.n_dim = n_dim <= PSW_MAX_DIMS ? n_dim : -1;
    if (v->shape.n_dim < 0) set_fault(v, "has a shape that we do not write");
    const int64_t budget = FREE_BYTES + BYTES_PER_FILE_BYTE * r->n_file_bytes;
    const int64_t n_elem_bytes = v->is_chars ? 1 : 8; /* in memory */
    int64_t n_left = (budget - r->n_declared_bytes) / n_elem_bytes, n_elem = 1;
    for (int d = 0; d < v->shape.n_dim; d++) {
        v->shape.dim[d] = extent[d] <= INT64_MAX ? (int64_t)extent[d] : INT64_MAX;
        if (v->shape.dim[d] > n_left) set_fault(v, "is too large for a file of this size");
        n_left = v->shape.dim[d] > 0 ? n_left / v->shape.dim[d] : n_left;
        n_elem *= v->fault[0] ? 0 : v->shape.dim[d];
    }
    if (!v->fault[0]) r->n_declared_bytes += n_elem_bytes * n_elem;
}

void psw_form_describe_set(struct psw_results *results, hid_t set,
                           struct psw_dataset_view *view)
{
    const hid_t type = H5Dget_type(set);
    view->type = type >= 0 ? type_of(type, &view->is_chars) : (enum psw_type)0;
    if (type >= 0) H5Tclose(type);
    H5O_info_t info;
    view->address = H5Oget_info(set, &info) >= 0 ? info.addr : HADDR_UNDEF;
    const char *fault = storage_fault(set);
    if (fault) set_fault(view, "%s", fault);
    describe_shape(results, view, set);
    psw_h5_read_attr(set, "content_hash", view->hash, sizeof view->hash);
}

void psw_form_describe(struct psw_results *results, struct psw_dataset_view *view)
{
    view->row = psw_schema_find(results->kind, view->name);
    view->shape.n_dim = -1;
    if (view->fault[0]) return; /* a link, which is not followed */
    const hid_t set = H5Dopen2(results->file, view->name, H5P_DEFAULT);
    if (set < 0) {
        set_fault(view, "cannot be opened");
        return;
    }
    view->is_leaf =
        !view->row && psw_h5_read_attr(set, "setting", view->setting, sizeof view->setting);
    psw_form_describe_set(results, set, view);
    H5Dclose(set);
}

static void fit_leaf(const struct psw_results *r, struct psw_dataset_view *v)
{
    if ((v->type != PSW_F64 && v->type != PSW_I64 && v->type != PSW_TEXT) || v->is_chars)
        set_fault(v, "wrong type");
    if (v->shape.n_dim != 1 || v->shape.dim[0] != psw_results_dim(r, "run"))
        set_fault(v, "a swept setting must have one value per run");
}

void psw_form_fit(const struct psw_results *results, struct psw_dataset_view *view)
{
    char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    if (view->is_leaf) fit_leaf(results, view);
    if (!view->row) return;
    const int n_dim = psw_schema_dims(view->row, dims);
    if (view->type != view->row->type ||
        view->is_chars != ((view->row->flags & PSW_S_CHARS) != 0))
        set_fault(view, "wrong type");
    if (view->shape.n_dim >= 0 && view->shape.n_dim != n_dim)
        set_fault(view, "%d dimensions, expected %d (%s)", view->shape.n_dim, n_dim,
                  view->row->dims);
    if (view->is_chars && view->shape.n_dim == n_dim && view->shape.dim[n_dim - 1] < 1)
        set_fault(view, "has texts without room for a character");
    for (int d = 0; d < n_dim && view->shape.n_dim == n_dim; d++) {
        const int64_t n = psw_results_dim(results, dims[d]);
        if (view->shape.dim[d] != n)
            set_fault(view, "extent %d is %lld, but there are %lld of %s", d,
                      (long long)view->shape.dim[d], (long long)n, dims[d]);
    }
}
