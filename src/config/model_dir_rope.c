/* The rotary positions of config.json: rope_scaling, or rope_parameters in newer files. */
#include "model_dir_internal.h"

#include <string.h>

static const json_t *rope_of(const struct psw_model_json *f)
{
    const json_t *newer = json_object_get(f->root, "rope_parameters");
    return newer ? newer : json_object_get(f->root, "rope_scaling");
}

psw_status psw_model_json_rope(const struct psw_model_json *f, struct psw_config_model *out,
                               struct psw_error *err)
{
    const json_t *rope = rope_of(f);
    const json_t *kind = json_object_get(rope, "rope_type");
    if (!kind) kind = json_object_get(rope, "type");
    (void)out;
    if (!rope || json_is_null(rope)) return PSW_OK;
    if (json_is_object(rope) && json_is_string(kind) &&
        !strcmp(json_string_value(kind), "default"))
        return PSW_OK;
    return psw_model_json_refuse(f, PSW_EUNSUP, "rope_scaling", "null, or rope_type default",
                                 rope, err);
}
