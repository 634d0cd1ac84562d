/* Configurations as JSON, one after another. The runs of a sweep differ in few settings: a
 * setting that is as in the configuration before is not formatted again. */
#ifndef POSWEEP_CONFIG_CONFIG_JSON_H
#define POSWEEP_CONFIG_CONFIG_JSON_H

#include <posweep/config/config.h>
#include <posweep/util/status.h>

struct psw_config_json; /* opaque, owns the texts of the settings */

/** Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_config_json_create(struct psw_config_json **out, struct psw_error *err);
void psw_config_json_destroy(struct psw_config_json *json); /* accepts NULL */

/** What psw_config_json prints of it; NULL: no memory. Borrowed until the next call. */
const char *psw_config_json_text(struct psw_config_json *json, const struct psw_config *config);

#endif
