/* From an expanded sweep file to the layout of its results: runs as rows with all their
 * settings as one text each, made on demand, swept settings as typed columns besides. Numbers
 * stay numbers; truth values become 0 and 1; choices and paths become text. */
#include <posweep/store/results.h>

#include <posweep/config/config_json.h>
#include <posweep/config/leaf.h>
#include <posweep/config/leaves.h>
#include <stdlib.h>
#include <string.h>

/** The layout with what it owns behind it. */
struct owned_layout {
    struct psw_results_layout layout; /* first: its address is the object's */
    struct psw_results_run *run;
    struct psw_results_leaf *leaf;
    const struct psw_sweep *sweep; /* borrowed */
    struct psw_config_reader reader;
    struct psw_config_json *json;
};

static const char *const OWN_VARIABLE[] = {"seed", "policy.method"};

static int has_own_variable(const char *path)
{
    for (size_t i = 0; i < sizeof OWN_VARIABLE / sizeof *OWN_VARIABLE; i++)
        if (strcmp(OWN_VARIABLE[i], path) == 0) return 1;
    return 0;
}

static int fill_number(const struct psw_sweep *sweep, const struct psw_leaf *row,
                       struct psw_results_leaf *leaf)
{
    const size_t n = (size_t)sweep->n_run;
    double *f64 = leaf->type == PSW_F64 ? malloc(n * sizeof *f64) : NULL;
    int64_t *i64 = leaf->type == PSW_I64 ? malloc(n * sizeof *i64) : NULL;
    leaf->f64 = f64;
    leaf->i64 = i64;
    struct psw_config_reader reader = {0};
    for (size_t r = 0; r < n && (f64 || i64); r++) {
        const struct psw_config *config = psw_sweep_config(sweep, (int64_t)r, &reader);
        if (f64) f64[r] = psw_leaf_number(row, config);
        if (i64 && row->type == PSW_LEAF_INT) /* not by way of a double: 2^53 */
            memcpy(&i64[r], (const char *)config + row->offset, sizeof *i64);
        else if (i64)
            i64[r] = (int64_t)psw_leaf_number(row, config);
    }
    return f64 || i64;
}

static int fill_text(const struct psw_sweep *sweep, const struct psw_leaf *row,
                     struct psw_results_leaf *leaf)
{
    char **text = calloc((size_t)sweep->n_run, sizeof *text);
    struct psw_config_reader reader = {0};
    leaf->str = (const char *const *)text;
    for (int64_t r = 0; text && r < sweep->n_run; r++) {
        char value[PSW_LEAF_TEXT_BYTES];
        text[r] = strdup(psw_leaf_text(row, psw_sweep_config(sweep, r, &reader), value));
        if (!text[r]) return 0;
    }
    return text != NULL;
}

static int fill_leaf(const struct psw_sweep *sweep, const struct psw_leaf *row,
                     struct psw_results_leaf *leaf)
{
    *leaf = (struct psw_results_leaf){
        .path = row->path, .unit = row->unit, .long_name = row->help, .type = PSW_TEXT};
    if (row->type == PSW_LEAF_REAL) leaf->type = PSW_F64;
    if (row->type == PSW_LEAF_INT || row->type == PSW_LEAF_BOOL) leaf->type = PSW_I64;
    return leaf->type == PSW_TEXT ? fill_text(sweep, row, leaf) : fill_number(sweep, row, leaf);
}

static const char *config_text(void *ctx, int64_t run)
{
    struct owned_layout *p = ctx;
    return psw_config_json_text(p->json, psw_sweep_config(p->sweep, run, &p->reader));
}

static void fill_runs(const struct psw_sweep *sweep, struct psw_results_run *run)
{
    for (int64_t r = 0; r < sweep->n_run; r++) {
        const struct psw_run *from = &sweep->run[r];
        run[r] = (struct psw_results_run){.hash = from->hash,
                                          .group = from->group,
                                          .seed = from->seed,
                                          .block = from->block,
                                          .method = from->method,
                                          .variant = from->variant};
    }
}

psw_status psw_results_layout_create(const struct psw_sweep *sweep,
                                     const struct psw_results_axes *axes,
                                     struct psw_results_layout **out, struct psw_error *err)
{
    int n_row = 0;
    const struct psw_leaf *rows = psw_leaves(&n_row);
    struct owned_layout *p = calloc(1, sizeof *p);
    if (p) p->run = calloc((size_t)sweep->n_run + 1, sizeof *p->run);
    if (p) p->leaf = calloc((size_t)sweep->swept.n + 1, sizeof *p->leaf);
    if (!p || !p->run || !p->leaf) goto fail;
    if (psw_config_json_create(&p->json, NULL) != PSW_OK) goto fail;
    p->sweep = sweep;
    p->layout = (struct psw_results_layout){.name = sweep->name,
                                            .spec_text = sweep->text,
                                            .spec_hash = sweep->hash,
                                            .run = p->run,
                                            .n_run = sweep->n_run,
                                            .leaf = p->leaf,
                                            .configs = {config_text, p},
                                            .axes = *axes};
    fill_runs(sweep, p->run);
    for (int32_t i = 0; i < sweep->swept.n; i++) {
        const struct psw_leaf *row = &rows[sweep->swept.leaf[i]];
        if (has_own_variable(row->path) || !(row->flags & PSW_CFG_AXIS)) continue;
        if (!fill_leaf(sweep, row, &p->leaf[p->layout.n_leaf++])) goto fail;
    }
    *out = &p->layout;
    return PSW_OK;
fail:
    if (p) psw_results_layout_destroy(&p->layout);
    return psw_fail(err, PSW_ENOMEM, "results: layout of %lld runs", (long long)sweep->n_run);
}

void psw_results_layout_destroy(struct psw_results_layout *layout)
{
    if (!layout) return;
    struct owned_layout *p = (struct owned_layout *)layout;
    for (int i = 0; p->leaf && i < p->layout.n_leaf; i++) {
        const struct psw_results_leaf *leaf = &p->leaf[i];
        for (int64_t r = 0; leaf->str && r < p->layout.n_run; r++) free((char *)leaf->str[r]);
        free((void *)leaf->str);
        free((void *)leaf->f64);
        free((void *)leaf->i64);
    }
    psw_config_json_destroy(p->json);
    free(p->leaf);
    free(p->run);
    free(p);
}
