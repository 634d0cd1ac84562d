/* The programs of the families, by number. */
#include "family.h"

#define DECLARE(upper, name, ...) extern const struct family psw_family_##name;
PSW_FAMILIES(DECLARE)

#define ROW(upper, name, ...) &psw_family_##name,
static const struct family *const FAMILIES[] = {PSW_FAMILIES(ROW)};

const struct family *psw_family_of(enum psw_family family)
{
    return FAMILIES[family];
}
