/* The families of models. A new one is a file src/model/family_<name>.c and a row here: names
 * of the sweep file, of enumerators and of tables follow from it. This header includes nothing,
 * so that modules below model may know what families there are. */
#ifndef POSWEEP_MODEL_FAMILIES_H
#define POSWEEP_MODEL_FAMILIES_H

/* enumerator, name */
#define PSW_FAMILIES(ROW)                                                                      \
    ROW(GPT_NEOX, gpt_neox)                                                                    \
    ROW(LLAMA, llama)

#define PSW_FAMILY_ENUMERATOR(upper, name) PSW_FAMILY_##upper,
enum psw_family { PSW_FAMILIES(PSW_FAMILY_ENUMERATOR) PSW_N_FAMILY };
#undef PSW_FAMILY_ENUMERATOR

#endif
