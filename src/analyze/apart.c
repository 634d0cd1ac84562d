/* Which replicates are set apart. */
#include <posweep/analyze/apart.h>

#include <posweep/analyze/stats.h>

#include <math.h>

void psw_apart_judge(const double *kl, int64_t n, double max_kl, double *scratch,
                     enum psw_apart *out)
{
    for (int64_t i = 0; i < n; i++) scratch[i] = out[i] == PSW_APART_UNENDED ? NAN : kl[i];
    const double median = psw_spread_of(scratch, n).median;
    for (int64_t i = 0; i < n; i++) {
        if (out[i] == PSW_APART_UNENDED) continue;
        out[i] = PSW_APART_NOT;
        if (isnan(kl[i]) || !isfinite(max_kl)) continue;
        if (kl[i] > max_kl)
            out[i] = PSW_APART_KL;
        else if (median > 0 && kl[i] > PSW_MIN_KL_RATIO_NAT &&
                 kl[i] > PSW_MAX_KL_RATIO * median)
            out[i] = PSW_APART_RATIO;
    }
}
