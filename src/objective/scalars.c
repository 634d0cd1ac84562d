/* Functions of single numbers that all objectives use. */
#include <posweep/objective/scalars.h>

#include <math.h>

double psw_log_sigmoid(double x)
{
    return x < 0.0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

double psw_sigmoid(double x)
{
    if (x >= 0.0) return 1.0 / (1.0 + exp(-x));
    const double e = exp(x); /* keeps full relative accuracy of a small value; NaN stays */
    return e / (1.0 + e);
}

double psw_logp_rounding(double logp, double ref, double n_tok)
{
    return PSW_LOGP_ROUNDING * (fabs(logp) + fabs(ref) + n_tok);
}
