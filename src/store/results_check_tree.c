/* Checking every link and object of a results file: nothing leads out of it, nothing hides in
 * it. The datasets of the root group have views (results_read.c); the others, in the groups for
 * viewers and the provenance, are held against their hashes here. */
#include "results_internal.h"

#include <string.h>

enum { MAX_DEPTH = 3, MAX_LINKS = 100000, TREE_PATH_BYTES = 512 };

/** A walk through the file. */
struct walk {
    struct psw_checker *c;
    char path[TREE_PATH_BYTES]; /* of the group that is walked; "" for the root */
    int depth, n_link;
};

/** Whether this is one of the root group's datasets, under any name: its view is checked. */
static int is_of_the_root(const struct psw_results *r, haddr_t address)
{
    for (int i = 0; i < r->n_set; i++)
        if (r->set[i].type && r->set[i].address == address) return 1;
    return 0;
}

static void check_set(struct walk *w, hid_t set, const char *name, const char *path)
{
    struct psw_dataset_view v = {0};
    char hash[PSW_HASH_TEXT_BYTES];
    snprintf(v.name, sizeof v.name, "%s", name);
    psw_form_describe_set(w->c->results, set, &v);
    if (v.type == 0 || v.fault[0]) {
        psw_check_report(w->c, "%s: %s", path, v.fault[0] ? v.fault : "wrong type");
        return;
    }
    void *values = psw_values_read(set, v.type, v.shape);
    const struct psw_h5_var var = {
        .name = v.name, .type = v.type, .shape = v.shape, .data = values};
    if (!values)
        psw_check_report(w->c, "%s: its values cannot be read", path);
    else if (strcmp(psw_hash_text(psw_h5_content_hash(&var), hash), v.hash) != 0)
        psw_check_report(w->c, "%s: its values are not those that posweep wrote (content_hash)",
                         path);
    psw_values_free(values, v.type, psw_shape_count(v.shape));
}

static herr_t see_link(hid_t group, const char *name, const H5L_info_t *link, void *ctx);

static void walk_group(struct walk *w, hid_t group, const char *path)
{
    struct walk below = *w;
    below.depth++;
    snprintf(below.path, sizeof below.path, "%.500s/", path);
    if (below.depth > MAX_DEPTH)
        psw_check_report(w->c, "%s: groups deeper than we write", path);
    else if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, see_link, &below) < 0)
        psw_check_report(w->c, "%s: its links cannot be read", path);
    w->n_link = below.n_link;
}

static int is_our_group(const struct walk *w, const char *name)
{
    if (w->c->results->kind != PSW_SCHEMA_RESULTS) return 0;
    return w->depth > 0 || strcmp(name, "entry") == 0 || strcmp(name, "provenance") == 0;
}

static void see_object(struct walk *w, hid_t object, const char *name, const char *path)
{
    H5O_info_t info;
    if (H5Oget_info(object, &info) < 0) {
        psw_check_report(w->c, "%s: cannot be read", path);
    } else if (info.type == H5O_TYPE_GROUP) {
        if (!is_our_group(w, name))
            psw_check_report(w->c, "%s: not in the schema", path);
        else
            walk_group(w, object, path);
    } else if (info.type != H5O_TYPE_DATASET) {
        psw_check_report(w->c, "%s: neither a group nor a dataset", path);
    } else if (w->depth > 0 && !is_of_the_root(w->c->results, info.addr)) {
        check_set(w, object, name, path);
    }
}

static herr_t see_link(hid_t group, const char *name, const H5L_info_t *link, void *ctx)
{
    struct walk *w = ctx;
    char path[TREE_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s%.63s", w->path, name);
    if (++w->n_link > MAX_LINKS) {
        psw_check_report(w->c, "%s: more links than we write", path);
        return 1;
    }
    if (link->type != H5L_TYPE_HARD || strlen(name) >= PSW_FIELD_BYTES) {
        psw_check_report(w->c, "%s: %s", path,
                         link->type == H5L_TYPE_HARD
                             ? "a name longer than we write"
                             : "a soft or external link: we write none");
        return 0;
    }
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0)
        psw_check_report(w->c, "%s: cannot be opened", path);
    else
        see_object(w, object, name, path);
    if (object >= 0) H5Oclose(object);
    return 0;
}

void psw_check_tree(struct psw_checker *c)
{
    struct walk w = {.c = c};
    if (H5Literate(c->results->file, H5_INDEX_NAME, H5_ITER_INC, NULL, see_link, &w) < 0)
        psw_check_report(c, "the links of the file cannot be read");
}
