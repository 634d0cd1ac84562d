/* Presets: the named interventions of SCIENCE section 4 as lists of settings. */
#ifndef POSWEEP_CONFIG_PRESET_H
#define POSWEEP_CONFIG_PRESET_H

enum { PSW_PRESET_SETTINGS = 8 };

/** A named intervention: what `preset: name` stands for. Plain data. */
struct psw_preset {
    const char *name, *help;
    struct {
        const char *path, *value;
    } setting[PSW_PRESET_SETTINGS]; /* ends at path NULL */
};

/** The table of presets. */
const struct psw_preset *psw_presets(int *n_preset);

/** NULL when there is none of that name. */
const struct psw_preset *psw_preset_find(const char *name);

#endif
