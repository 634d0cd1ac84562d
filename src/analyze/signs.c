/* Signs, their shares and their changes. */
#include <posweep/analyze/signs.h>

#include <math.h>

enum psw_sign psw_sign_of(double value, double se)
{
    if (!isfinite(value) || !isfinite(se) || se < 0) return PSW_SIGN_UNKNOWN;
    if (value > PSW_SIGN_ERRORS * se) return PSW_SIGN_ABOVE;
    return value < -PSW_SIGN_ERRORS * se ? PSW_SIGN_BELOW : PSW_SIGN_OPEN;
}

struct psw_shares psw_shares_of(const double *value, const double *se, int64_t n)
{
    int64_t n_sign[3] = {0};
    for (int64_t i = 0; i < n; i++) {
        const enum psw_sign sign = psw_sign_of(value[i], se[i]);
        if (sign != PSW_SIGN_UNKNOWN) n_sign[sign - PSW_SIGN_BELOW]++;
    }
    const int64_t n_known = n_sign[0] + n_sign[1] + n_sign[2];
    const double scale = n_known > 0 ? 1 / (double)n_known : NAN;
    return (struct psw_shares){.n = n_known,
                               .below = scale * (double)n_sign[0],
                               .open = scale * (double)n_sign[1],
                               .above = scale * (double)n_sign[2]};
}

struct psw_crossing psw_crossing_of(const double *x, const double *difference, const double *se,
                                    int64_t n)
{
    enum psw_sign first = PSW_SIGN_OPEN;
    double last_x = NAN;
    for (int64_t i = 0; i < n; i++) {
        const enum psw_sign sign = psw_sign_of(difference[i], se[i]);
        if (sign == PSW_SIGN_UNKNOWN || sign == PSW_SIGN_OPEN || !isfinite(x[i])) continue;
        if (first != PSW_SIGN_OPEN && sign != first)
            return (struct psw_crossing){.first = first, .lo = last_x, .hi = x[i]};
        first = sign;
        last_x = x[i];
    }
    return (struct psw_crossing){.first = PSW_SIGN_OPEN, .lo = NAN, .hi = NAN};
}
