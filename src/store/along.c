/* The table of what G is measured along. */
#include <posweep/store/along.h>

#include <math.h>

static const struct psw_along_columns ALONG[PSW_N_ALONG] = {
    [PSW_ALONG_SAMPLED] = {"sampled", "G", "G_se", "G_se_final", "v_norm"},
    [PSW_ALONG_SOFT] = {"soft", "G_soft", "G_soft_se", "G_soft_se_final", "v_soft_norm"},
};

const struct psw_along_columns *psw_along_columns(enum psw_along along)
{
    return &ALONG[along];
}

const char *psw_along_name(enum psw_along along)
{
    return ALONG[along].name;
}

double psw_along_error(double se, double se_final)
{
    return isfinite(se_final) ? hypot(se, se_final) : se;
}
