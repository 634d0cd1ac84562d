/* The families of models. A new one is a file src/model/family_<name>.c and a row here: the
 * names of the sweep file, enumerators and tables follow from it. This header includes nothing,
 * so that modules below model may know what families there are, and what they can be asked for.
 */
#ifndef POSWEEP_MODEL_FAMILIES_H
#define POSWEEP_MODEL_FAMILIES_H

/* enumerator, name, facts that are not 0 */
#define PSW_FAMILIES(ROW)                                                                      \
    ROW(GPT_NEOX, gpt_neox, .by_head = 1)                                                      \
    ROW(LLAMA, llama, .rotates_all = 1)                                                        \
    ROW(MISTRAL, mistral, .rotates_all = 1, .has_window = 1)                                   \
    ROW(QWEN2, qwen2, .rotates_all = 1, .has_window = 1)                                       \
    ROW(QWEN3, qwen3, .rotates_all = 1, .has_window = 1)

#define PSW_FAMILY_ENUMERATOR(upper, name, ...) PSW_FAMILY_##upper,
enum psw_family { PSW_FAMILIES(PSW_FAMILY_ENUMERATOR) PSW_N_FAMILY };
#undef PSW_FAMILY_ENUMERATOR

struct psw_family_row {
    const char *name; /* as in the sweep file */
    int by_head;      /* queries, keys and values of a head stand together: as many of each */
    int rotates_all;  /* the whole width of a head is rotated */
    int has_window;   /* attention may reach back a fixed number of tokens only */
};

/** family: one of enum psw_family. */
static inline const struct psw_family_row *psw_family_row(enum psw_family family)
{
#define PSW_FAMILY_ROW(upper, name_, ...) {.name = #name_, __VA_ARGS__},
    static const struct psw_family_row ROWS[] = {PSW_FAMILIES(PSW_FAMILY_ROW)};
#undef PSW_FAMILY_ROW
    return &ROWS[family];
}

#endif
