/* The table of families. */
#include "family.h"

#define DECLARE(upper, name) extern const struct family psw_family_##name;
PSW_FAMILIES(DECLARE)

#define ROW(upper, name) [PSW_FAMILY_##upper] = &psw_family_##name,
static const struct family *const FAMILIES[PSW_N_FAMILY] = {PSW_FAMILIES(ROW)};

#define NAME(upper, name) [PSW_FAMILY_##upper] = #name,
static const char *const NAMES[PSW_N_FAMILY] = {PSW_FAMILIES(NAME)};

const struct family *psw_family_of(enum psw_family family)
{
    return FAMILIES[family];
}

const char *psw_family_name(enum psw_family family)
{
    return NAMES[family];
}
