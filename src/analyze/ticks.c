/* Round ticks. Ticks are integers times a step, so that zero is exactly zero. */
#include <posweep/analyze/ticks.h>

#include <math.h>

/** 1, 2 or 5 times a power of ten, nearest to x > 0 on a logarithmic scale. */
static double round_step(double x, int *power_of_ten)
{
    int power = (int)floor(log10(x));
    double m = x / pow(10, power);
    m = m < sqrt(2) ? 1 : m < sqrt(10) ? 2 : m < sqrt(50) ? 5 : 10;
    if (m > 5) m = 1, power++;
    *power_of_ten = power;
    return power < 0 ? m / pow(10, -power) : m * pow(10, power);
}

struct psw_ticks psw_ticks_over(double lo, double hi, int n_about)
{
    int power;
    if (!isfinite(lo)) lo = 0;
    if (!isfinite(hi) || !(hi > lo) || !(hi - lo > 1e-12 * fmax(fabs(lo), fabs(hi))))
        hi = lo + 1;
    const double step = round_step((hi - lo) / (n_about < 1 ? 1 : n_about), &power);
    const double slack = 1e-9; /* an end that is a tick up to rounding is that tick */
    return (struct psw_ticks){.step = step,
                              .first = lround(floor(lo / step + slack)),
                              .last = lround(ceil(hi / step - slack)),
                              .digits = power < 0 ? -power : 0};
}

double psw_tick(const struct psw_ticks *ticks, long i)
{
    return i == 0 ? 0 : (double)i * ticks->step;
}

double psw_unit_for(double size)
{
    if (!(size > 0) || !isfinite(size) || (size >= 0.01 && size < 1000)) return 1;
    const int power = 3 * (int)floor(log10(size) / 3);
    return power < 0 ? 1 / pow(10, -power) : pow(10, power);
}
