/* What config.json says of attention in more than one key: how rotary positions are scaled
 * (rope_scaling, or rope_parameters in newer files), and which layers have a window. */
#include "model_dir_internal.h"

#include <posweep/config/leaf.h>

#include <string.h>

/* ---- rotary positions ---- */

/* Numbers of a kind, and their settings. */
static const struct {
    const char *key, *leaf;
    unsigned kinds; /* bits */
} ROPE[] = {
    {"factor", "model.rotary_factor", 1 << PSW_ROTARY_LINEAR | 1 << PSW_ROTARY_LLAMA3},
    {"low_freq_factor", "model.rotary_low_freq", 1 << PSW_ROTARY_LLAMA3},
    {"high_freq_factor", "model.rotary_high_freq", 1 << PSW_ROTARY_LLAMA3},
    {"original_max_position_embeddings", "model.rotary_original", 1 << PSW_ROTARY_LLAMA3},
};
enum { N_ROPE = sizeof ROPE / sizeof *ROPE };

static const char *const KINDS[] = {[PSW_ROTARY_PLAIN] = "default",
                                    [PSW_ROTARY_LINEAR] = "linear",
                                    [PSW_ROTARY_LLAMA3] = "llama3"};
enum { N_KIND = sizeof KINDS / sizeof *KINDS };

static int kind_of(const json_t *rope)
{
    const json_t *name = json_object_get(rope, "rope_type");
    if (!name) name = json_object_get(rope, "type"); /* in older files */
    for (int k = 0; json_is_string(name) && k < N_KIND; k++)
        if (!strcmp(json_string_value(name), KINDS[k])) return k;
    return -1;
}

psw_status psw_model_json_rope(const struct psw_model_json *f, struct psw_config_model *out,
                               struct psw_error *err)
{
    struct psw_config config = {.model = *out};
    const char *key = "rope_parameters";
    const json_t *rope = json_object_get(f->root, key);
    if (!rope) rope = json_object_get(f->root, key = "rope_scaling");
    if (!rope || json_is_null(rope)) return PSW_OK;
    const int kind = kind_of(rope);
    if (kind < 0)
        return psw_model_json_refuse(f, PSW_EUNSUP, key,
                                     "null, or rope_type default, linear or llama3", rope, err);
    config.model.rotary_scaling = kind;
    for (int i = 0; i < N_ROPE; i++) {
        char expected[256];
        psw_status rc = PSW_OK;
        const struct psw_leaf *leaf = psw_leaf_find(ROPE[i].leaf);
        const json_t *value = json_object_get(rope, ROPE[i].key);
        if (!(ROPE[i].kinds >> kind & 1)) continue;
        if (json_is_number(value))
            rc = psw_model_json_set(f, ROPE[i].key, leaf, json_number_value(value), value,
                                    &config, err);
        else
            rc = psw_model_json_refuse(f, PSW_EDATA, ROPE[i].key,
                                       psw_leaf_expected(leaf, expected, sizeof expected),
                                       value, err);
        if (rc != PSW_OK) return rc;
    }
    *out = config.model;
    return PSW_OK;
}

void psw_model_json_put_rope(const struct psw_config_model *model, json_t *root)
{
    struct psw_config config = {.model = *model};
    const int kind = (int)model->rotary_scaling;
    json_t *rope = kind == PSW_ROTARY_PLAIN ? json_null() : json_object();
    for (int i = 0; i < N_ROPE && kind != PSW_ROTARY_PLAIN; i++) {
        const struct psw_leaf *leaf = psw_leaf_find(ROPE[i].leaf);
        const double value = psw_leaf_number(leaf, &config);
        if (!(ROPE[i].kinds >> kind & 1)) continue;
        json_object_set_new(rope, ROPE[i].key,
                            leaf->type == PSW_LEAF_INT ? json_integer((json_int_t)value)
                                                       : json_real(value));
    }
    if (kind != PSW_ROTARY_PLAIN)
        json_object_set_new(rope, "rope_type", json_string(KINDS[kind]));
    json_object_set_new(root, "rope_scaling", rope);
}

/* ---- windows ---- */

/* Of the first `max_window_layers` layers none has the window, of the others each. Newer files
 * list what each layer is. How many have it: 0, all, or in between. */
static int64_t n_windowed(const struct psw_model_json *f, int64_t n_layer)
{
    const json_t *list = json_object_get(f->root, "layer_types");
    const json_t *first = json_object_get(f->root, "max_window_layers");
    int64_t n = 0;
    if (json_is_array(list)) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *name = json_string_value(json_array_get(list, i));
            n += !name || strcmp(name, "full_attention") != 0;
        }
        return n;
    }
    n = json_is_integer(first) ? json_integer_value(first) : 28; /* the library's default */
    return n < n_layer ? n_layer - (n > 0 ? n : 0) : 0;
}

psw_status psw_model_json_window(const struct psw_model_json *f, struct psw_config_model *out,
                                 struct psw_error *err)
{
    const json_t *uses = json_object_get(f->root, "use_sliding_window");
    const json_t *window = json_object_get(f->root, "sliding_window");
    if (!(QWENS >> f->type & 1)) return PSW_OK;
    if (uses && !json_is_boolean(uses))
        return psw_model_json_refuse(f, PSW_EDATA, "use_sliding_window", "true or false", uses,
                                     err);
    const int64_t n = n_windowed(f, out->layers);
    if (!json_is_true(uses) || json_is_null(window) || n == 0) return PSW_OK;
    if (n < out->layers)
        return psw_model_json_refuse(f, PSW_EUNSUP, "use_sliding_window",
                                     "false, or a window in all layers (max_window_layers 0): "
                                     "one in some layers is not computed",
                                     uses, err);
    if (window && (!json_is_integer(window) || json_integer_value(window) < 1))
        return psw_model_json_refuse(f, PSW_EDATA, "sliding_window", "a whole number of tokens",
                                     window, err);
    out->window = window ? json_integer_value(window) : 4096;
    return PSW_OK;
}

void psw_model_json_put_window(const struct psw_config_model *model, json_t *root)
{
    json_object_set_new(root, "use_sliding_window", json_boolean(model->window > 0));
    json_object_set_new(root, "sliding_window",
                        model->window > 0 ? json_integer(model->window) : json_null());
    json_object_set_new(root, "max_window_layers",
                        json_integer(model->window > 0 ? 0 : model->layers));
}
