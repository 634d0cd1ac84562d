/* Sources of data: one row each, with every fact that the rules of a configuration need. The
 * key `task` chooses one that generates, or none; then data.format chooses one that reads
 * files. What else a source is stands in its file in src/data/source, found by this very row.
 */
#ifndef POSWEEP_CONFIG_SOURCE_H
#define POSWEEP_CONFIG_SOURCE_H

#include <posweep/config/config.h>

/** What a source has. */
struct psw_source_facts {
    const char *name; /* as its key chooses it */
    int has_pairs;    /* preference pairs; each source has SFT items and held-out prompts */
    int has_scorer;   /* responses can be judged without a model */
    const char *trains_on,
        *expected; /* of files: the setting that names them, and what it is */
};

#define PSW_GENERATED_SOURCES(X)                                                               \
    X(LISTS, "lists", .has_pairs = 1, .has_scorer = 1)                                         \
    X(SUMS, "sums", .has_pairs = 1, .has_scorer = 1)
#define PSW_FILE_SOURCES(X)                                                                    \
    X(HH, "hh", .has_pairs = 1, .trains_on = "data.pairs",                                     \
      .expected = "preference pairs, or task: lists")                                          \
    X(GSM8K, "gsm8k", .has_scorer = 1, .trains_on = "data.sft",                                \
      .expected = "rows with question and answer")

#define PSW_SOURCE_NUMBER(NAME, ...) PSW_SOURCE_##NAME,
enum psw_source {
    PSW_GENERATED_SOURCES(PSW_SOURCE_NUMBER) PSW_N_GENERATED,
    PSW_BEFORE_FILE_SOURCES = PSW_N_GENERATED - 1,
    PSW_FILE_SOURCES(PSW_SOURCE_NUMBER) PSW_N_SOURCE
};

const struct psw_source_facts *psw_source_facts(enum psw_source source);

/** The source that a configuration chooses, and the choice of one. */
enum psw_source psw_config_source(const struct psw_config *config);
void psw_config_set_source(struct psw_config *config, enum psw_source source);

/** 1 for a generated task. */
int psw_config_is_generated(const struct psw_config *config);

#endif
