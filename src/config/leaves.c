/* The table of leaves, made of the rows of leaves.def, and look-ups in it. */
#include <posweep/config/leaves.h>
#include <posweep/config/source.h>

#include <stdlib.h>
#include <string.h>

/* The words of each choice: drop_words for enum psw_drop. */
#define BEGIN(name) static const char *const name##_words[] = {
#define CHOICE(id, word) word,
#define END(name)                                                                              \
    NULL                                                                                       \
    }                                                                                          \
    ;
#include <posweep/config/choices.def>
#undef END
#define PAIRWISE(id, name, ...) #name,
#define ONPOLICY(id, name, ...) #name,
#define FAMILY(upper, name, ...) #name,
static const char *const family_words[] = {PSW_FAMILIES(FAMILY) NULL};
static const char *const method_words[] = {
#include <posweep/config/methods.def>
    NULL};

static const char *const generated_words[] = {"none",
#define GENERATED(ID, name, ...) #name,
#define FILES(...)
#include <posweep/config/sources.def>
                                              NULL};
static const char *const format_words[] = {
#define GENERATED(...)
#define FILES(ID, name, ...) #name,
#include <posweep/config/sources.def>
    NULL};

#define BIG 9007199254740991.0 /* 2^53 - 1: integers that a double holds exactly */
#define MANY 1e9
#define AT(member) offsetof(struct psw_config, member)
/* What a leaf takes part in. */
#define RUN (PSW_CFG_IN_RUN | PSW_CFG_IN_GROUP | PSW_CFG_AXIS)
#define SFT (RUN | PSW_CFG_IN_SFT | PSW_CFG_IN_REF | PSW_CFG_IN_REWARD)
#define REF (RUN | PSW_CFG_IN_REF)
#define REWARD (RUN | PSW_CFG_IN_REWARD)
#define SEED (PSW_CFG_IN_RUN | PSW_CFG_IN_SFT | PSW_CFG_IN_REF | PSW_CFG_IN_REWARD)
#define LIMIT 0
#define N_WORD(choices) (sizeof choices##_words / sizeof *choices##_words)
/* A row by type; p, m: path and way to the member, with their dots. */
#define LEAF(path_, type_, at, fallback_, lo, hi, bounds_, names_, flags_, unit_, help_, use_) \
    {.path = path_,                                                                            \
     .type = PSW_LEAF_##type_,                                                                 \
     .offset = AT(at),                                                                         \
     .fallback = fallback_,                                                                    \
     .range.min = lo,                                                                          \
     .range.max = hi,                                                                          \
     .range.bounds = bounds_,                                                                  \
     .names = names_,                                                                          \
     .flags = flags_,                                                                          \
     .unit = unit_,                                                                            \
     .help = help_,                                                                            \
     .use = PSW_USE_##use_},
#define INT_AT(p, m, k, d, lo, hi, f, u, h, w)                                                 \
    LEAF(#p #k, INT, m k, d, lo, hi, "[]", NULL, f, u, h, w)
#define REAL_AT(p, m, k, d, lo, hi, b, f, u, h, w)                                             \
    LEAF(#p #k, REAL, m k, d, lo, hi, b, NULL, f, u, h, w)
#define ENUM_AT(p, m, k, c, d, f, h, w)                                                        \
    LEAF(#p #k, ENUM, m k, d, 0, N_WORD(c) - 2, "[]", c##_words, f, "", h, w)
#define INT(p, k, d, lo, hi, f, u, h, w)                                                       \
    LEAF(#p #k, INT, p k, d, lo, hi, "[]", NULL, f, u, h, w)
#define REAL(p, k, d, lo, hi, b, f, u, h, w)                                                   \
    LEAF(#p #k, REAL, p k, d, lo, hi, b, NULL, f, u, h, w)
#define BOOL(p, k, d, f, h, w) LEAF(#p #k, BOOL, p k, d, 0, 1, "[]", NULL, f, "", h, w)
#define ENUM(p, k, c, d, f, h, w)                                                              \
    LEAF(#p #k, ENUM, p k, d, 0, N_WORD(c) - 2, "[]", c##_words, f, "", h, w)
#define ENUM_AS(path, p, k, c, d, f, h, w)                                                     \
    LEAF(path, ENUM, p k, d, 0, N_WORD(c) - 2, "[]", c##_words, f, "", h, w)
#define PATH(p, k, f, h, w) PATH_AT(p, k, NULL, f, h, w)
#define PATH_OR(p, k, c, f, h, w) PATH_AT(p, k, c##_words, f, h, w)
#define PATH_AT(p, k, words, f, h, w)                                                          \
    {.path = #p #k,                                                                            \
     .type = PSW_LEAF_PATH,                                                                    \
     .offset = AT(p k##_written),                                                              \
     .range.bounds = "[]",                                                                     \
     .names = words,                                                                           \
     .resolved = AT(p k),                                                                      \
     .flags = f,                                                                               \
     .unit = "",                                                                               \
     .help = h,                                                                                \
     .use = PSW_USE_##w},
#define HASH(p, k, f, h, w) LEAF(#p #k, HASH, p k, 0, 0, 0, "[]", NULL, f, "", h, w)
#define STAGE(p, m, k, f, bits, steps, lr, decay, clip, w)                                     \
    PSW_STAGE_LEAVES(INT_AT, REAL_AT, ENUM_AT, p, m k., f, bits, steps, lr, decay, clip, w)
#define EMPHASIS(p, m, k, w) PSW_EMPHASIS_LEAVES(INT_AT, REAL_AT, ENUM_AT, p, m k., #k, w)
#define GROUP(s, title)
#define SECTION(s, title)
#define END(s)
static const struct psw_leaf LEAVES[] = {
#include <posweep/config/leaves.def>
};
enum { N_LEAF = sizeof LEAVES / sizeof LEAVES[0] };

const struct psw_leaf *psw_leaves(int *n_leaf)
{
    *n_leaf = N_LEAF;
    return LEAVES;
}

const struct psw_leaf *psw_leaf_find(const char *path)
{
    for (int i = 0; i < N_LEAF; i++)
        if (strcmp(LEAVES[i].path, path) == 0) return &LEAVES[i];
    return NULL;
}
