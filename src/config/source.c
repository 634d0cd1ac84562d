#include <posweep/config/source.h>

#define FACTS(NAME, text, ...) [PSW_SOURCE_##NAME] = {.name = text, __VA_ARGS__},
static const struct psw_source_facts SOURCES[PSW_N_SOURCE] = {PSW_GENERATED_SOURCES(FACTS)
                                                                  PSW_FILE_SOURCES(FACTS)};

const struct psw_source_facts *psw_source_facts(enum psw_source source)
{
    PSW_ASSERT((unsigned)source < PSW_N_SOURCE);
    return &SOURCES[source];
}

int psw_config_is_generated(const struct psw_config *config)
{
    return config->task != 0;
}

enum psw_source psw_config_source(const struct psw_config *config)
{
    const int32_t number =
        config->task ? config->task - 1 : PSW_N_GENERATED + config->data.format;
    return (enum psw_source)number;
}

void psw_config_set_source(struct psw_config *config, enum psw_source source)
{
    config->task = source < PSW_N_GENERATED ? 1 + (int32_t)source : 0;
    config->data.format = source < PSW_N_GENERATED ? 0 : (int32_t)source - PSW_N_GENERATED;
}
