/* Checking the form of a results file: types, shapes, attributes, fill values, dimension
 * scales, and that what must be there is. All datasets are looked at, so one call lists all
 * faults. No function of the high-level library is used: it trusts what the file says. */
#include "results_internal.h"

#include <math.h>
#include <string.h>

static void check_attrs(struct psw_checker *c, hid_t set, const char *name,
                        const char *long_name, const char *unit)
{
    char text[512];
    if (!psw_h5_read_attr(set, "long_name", text, sizeof text))
        psw_check_report(c, "%s: attribute long_name is missing", name);
    else if (long_name && strcmp(text, long_name) != 0)
        psw_check_report(c, "%s: long_name is \"%s\", expected \"%s\"", name, text, long_name);
    if (!psw_h5_read_attr(set, "units", text, sizeof text))
        psw_check_report(c, "%s: attribute units is missing", name);
    else if (!psw_schema_unit_is_known(text))
        psw_check_report(c, "%s: units \"%s\" is none that we write", name, text);
    else if (unit && strcmp(text, unit[0] ? unit : "1") != 0)
        psw_check_report(c, "%s: units is \"%s\", expected \"%s\"", name, text,
                         unit[0] ? unit : "1");
}

static void check_fill(struct psw_checker *c, hid_t set, const struct psw_schema_row *row)
{
    const hid_t create = H5Dget_create_plist(set);
    double value = 0;
    const int is_float = row->type == PSW_F32 || row->type == PSW_F64;
    if (H5Pget_fill_value(create, H5T_NATIVE_DOUBLE, &value) < 0 ||
        (is_float ? !isnan(value) : value != -1))
        psw_check_report(c, "%s: the fill value is %g, expected %s", row->name, value,
                         is_float ? "NaN" : "-1");
    H5Pclose(create);
}

/** Whether a dataset says of dimension d that the scale at this address belongs to it, in the
 *  attribute that H5DSattach_scale makes: n_dim lists of references. (H5DSis_attached reads it
 *  into a block of n_dim lists, however many there are.) */
static int is_attached(hid_t set, int n_dim, int d, haddr_t address)
{
    if (H5Aexists(set, "DIMENSION_LIST") <= 0) return 0;
    const hid_t attr = H5Aopen(set, "DIMENSION_LIST", H5P_DEFAULT);
    const hid_t type = attr >= 0 ? H5Aget_type(attr) : -1;
    const hid_t space = attr >= 0 ? H5Aget_space(attr) : -1;
    const hid_t memory = H5Tvlen_create(H5T_STD_REF_OBJ);
    hvl_t list[PSW_MAX_DIMS] = {{0}};
    int found = 0;
    if (type >= 0 && space >= 0 && H5Tequal(type, memory) > 0 &&
        H5Sget_simple_extent_npoints(space) == n_dim && H5Aread(attr, memory, list) >= 0) {
        for (size_t i = 0; i < list[d].len && !found; i++)
            found = ((const hobj_ref_t *)list[d].p)[i] == address;
        H5Dvlen_reclaim(memory, space, H5P_DEFAULT, list);
    }
    H5Tclose(memory);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
    return found;
}

static void check_scale(struct psw_checker *c, hid_t set, const char *name)
{
    char text[32];
    if (!psw_h5_read_attr(set, "CLASS", text, sizeof text) ||
        strcmp(text, "DIMENSION_SCALE") != 0)
        psw_check_report(c, "%s: not a dimension scale", name);
}

static void check_attached(struct psw_checker *c, hid_t set, const char *name,
                           const char dims[][PSW_FIELD_BYTES], int n_dim)
{
    for (int d = 0; d < n_dim; d++) {
        const struct psw_dataset_view *scale = psw_results_view(c->results, dims[d]);
        if (!scale || !scale->type || !is_attached(set, n_dim, d, scale->address))
            psw_check_report(c, "%s: dimension %d is not attached to %s", name, d, dims[d]);
    }
}

static void check_set(struct psw_checker *c, const struct psw_dataset_view *v)
{
    char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES] = {"run"}; /* of a swept setting */
    const struct psw_schema_row *row = v->row;
    if (!row && !v->is_leaf) psw_check_report(c, "%s: not in the schema", v->name);
    if (!row && !v->is_leaf) return;
    if (v->fault[0]) psw_check_report(c, "%s: %s", v->name, v->fault);
    const hid_t set = v->type ? H5Dopen2(c->results->file, v->name, H5P_DEFAULT)
                              : -1; /* no link, no stranger */
    if (set < 0) return;
    check_attrs(c, set, v->name, row ? row->long_name : NULL, row ? row->unit : NULL);
    if (row && v->type == row->type && v->type != PSW_TEXT) check_fill(c, set, row);
    const int n_dim = row ? psw_schema_dims(row, dims) : 1;
    if (row && (row->flags & PSW_S_SCALE))
        check_scale(c, set, v->name);
    else if (v->shape.n_dim == n_dim)
        check_attached(c, set, v->name, dims, n_dim);
    H5Dclose(set);
}

static void check_presence(struct psw_checker *c)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows_of(c->results->kind, &n_row);
    for (int i = 0; i < n_row; i++)
        if ((rows[i].flags & PSW_S_ALWAYS) && !psw_results_has(c->results, rows[i].name))
            psw_check_report(c, "%s: missing", rows[i].name);
    static const char *const PLACES[] = {"provenance", "entry"};
    const int has_groups = c->results->kind == PSW_SCHEMA_RESULTS;
    for (size_t i = 0; has_groups && i < sizeof PLACES / sizeof *PLACES; i++)
        if (H5Lexists(c->results->file, PLACES[i], H5P_DEFAULT) <= 0)
            psw_check_report(c, "%s: the group is missing", PLACES[i]);
}

static void check_count(struct psw_checker *c)
{
    int64_t n = -1;
    psw_h5_read_attr_i64(c->results->file, "n_dataset", &n);
    if (n < 0)
        psw_check_report(c, "n_dataset: missing; every file of this version has it");
    else if (n != c->results->n_set)
        psw_check_report(c, "%d datasets, but %lld were written", c->results->n_set,
                         (long long)n);
    /* A second link of the same name would stand in for one that is not there. */
    for (int i = 0; i < c->results->n_set; i++)
        if (psw_results_view(c->results, c->results->set[i].name) != &c->results->set[i])
            psw_check_report(c, "%s: two datasets of this name", c->results->set[i].name);
}

void psw_check_form(struct psw_checker *c)
{
    check_count(c);
    check_presence(c);
    for (int i = 0; i < c->results->n_set; i++) check_set(c, &c->results->set[i]);
}
