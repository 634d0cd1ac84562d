/* Sources of data, as the rules of a configuration see them (sources.def). The keys `task` and
 * data.format are two for whoever writes a sweep file, and one axis to the code. */
#ifndef POSWEEP_CONFIG_SOURCE_H
#define POSWEEP_CONFIG_SOURCE_H

#include <posweep/config/config.h>

/** The generated ones come first. */
enum psw_source {
#define GENERATED(ID, ...) PSW_SOURCE_##ID,
#define FILES(ID, ...)
#include <posweep/config/sources.def>
    PSW_N_GENERATED,
    PSW_BEFORE_FILES = PSW_N_GENERATED - 1,
#define GENERATED(ID, ...)
#define FILES(ID, ...) PSW_SOURCE_##ID,
#include <posweep/config/sources.def>
    PSW_N_SOURCE
};

/** What a source has. */
struct psw_source_row {
    const char *name; /* as its key chooses it */
    int has_pairs;    /* preference pairs; each source has SFT items and held-out prompts */
    int has_scorer;   /* responses can be judged without a model */
    const char *trains_on,
        *expected; /* of files: the setting that names them, and what it is */
};
const struct psw_source_row *psw_source_row(enum psw_source source);

/** The source that a configuration chooses, and the choice of one. */
enum psw_source psw_config_source(const struct psw_config *config);
void psw_config_set_source(struct psw_config *config, enum psw_source source);

/** 1 for a generated task. */
int psw_config_is_generated(const struct psw_config *config);

#endif
