#include <posweep/config/source.h>

static const struct psw_source_row ROWS[PSW_N_SOURCE] = {
#define GENERATED(ID, text, ...) [PSW_SOURCE_##ID] = {.name = #text, __VA_ARGS__},
#define FILES GENERATED
#include <posweep/config/sources.def>
};

const struct psw_source_row *psw_source_row(enum psw_source source)
{
    PSW_ASSERT((unsigned)source < PSW_N_SOURCE);
    return &ROWS[source];
}

int psw_config_is_generated(const struct psw_config *config)
{
    return config->task != 0;
}

enum psw_source psw_config_source(const struct psw_config *config)
{
    return (enum psw_source)(config->task ? config->task - 1
                                          : PSW_N_GENERATED + config->data.format);
}

void psw_config_set_source(struct psw_config *config, enum psw_source source)
{
    config->task = source < PSW_N_GENERATED ? 1 + (int64_t)source : 0;
    config->data.format = source < PSW_N_GENERATED ? 0 : (int64_t)source - PSW_N_GENERATED;
}
