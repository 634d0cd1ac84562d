/* Polynomials for exp, erf and tanh, and reductions in fixed lanes.
 *
 * The coefficients are our own fits: exp on [-ln2/2, ln2/2] (degree 6, 3e-9), and the upper
 * normal tail Q(z) = exp(-z^2/2) t P(t), t = 1/(1 + 0.34 z), on z in [0, 13.5] (degree 8,
 * relative 2.7e-8), so that Phi and phi of GELU share one exponential. */
#include <posweep/kernels/vecmath.h>

#include "lanes.h"

#include <string.h>

enum { BLOCK = 1024 };

static inline float bits_to_float(int32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline int32_t float_to_bits(float f)
{
    int32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float exp_one(float x)
{
    const float low = -87.3f, high = 88.0f;
    const float c = x < low ? low : (x > high ? high : x);
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    const float shifted = PSW_FMAF(c, 1.44269504f, magic);
    const float k = shifted - magic;
    float r = PSW_FMAF(k, -0.693359375f, c);
    r = PSW_FMAF(k, 2.12194440e-4f, r);
    float p = 0.0013814613f;
    p = PSW_FMAF(p, r, 0.00836870984f);
    p = PSW_FMAF(p, r, 0.0416683874f);
    p = PSW_FMAF(p, r, 0.166665207f);
    p = PSW_FMAF(p, r, 0.499999935f);
    p = PSW_FMAF(p, r * r, r) + 1.0f;
    const int32_t exponent = float_to_bits(shifted) - float_to_bits(magic) + 127;
    const float y = p * bits_to_float((int32_t)((uint32_t)exponent << 23));
    return x < low ? 0.0f : y;
}

/* exp(-z^2/2) and Q(z) = 1 - Phi(z) for z >= 0. */
static inline float upper_tail(float z, float *gauss)
{
    const float t = 1.0f / PSW_FMAF(0.34f, z, 1.0f);
    const float e = exp_one(-0.5f * z * z);
    float p = -0.0263702614f;
    p = PSW_FMAF(p, t, 0.140672118f);
    p = PSW_FMAF(p, t, -0.275462333f);
    p = PSW_FMAF(p, t, 0.204732692f);
    p = PSW_FMAF(p, t, -0.0463950853f);
    p = PSW_FMAF(p, t, 0.116034969f);
    p = PSW_FMAF(p, t, 0.115035092f);
    p = PSW_FMAF(p, t, 0.136133478f);
    p = PSW_FMAF(p, t, 0.135619345f);
    *gauss = e;
    return e * t * p;
}

void psw_vec_exp(int64_t n, const float *x, float *y)
{
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) y[i] = exp_one(x[i]);
}

void psw_vec_tanh(int64_t n, const float *x, float *y)
{
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) {
        const float e = exp_one(-2.0f * fabsf(x[i]));
        y[i] = copysignf((1.0f - e) / (1.0f + e), x[i]);
    }
}

void psw_vec_erf(int64_t n, const float *x, float *y)
{
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) {
        float gauss;
        const float tail = upper_tail(1.41421356f * fabsf(x[i]), &gauss);
        y[i] = copysignf(1.0f - 2.0f * tail, x[i]);
    }
}

void psw_vec_gelu(int64_t n, const float *x, float *y, float *slope)
{
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) {
        const float v = x[i];
        float gauss;
        const float tail = upper_tail(fabsf(v), &gauss);
        const float phi_cumulative = v < 0.0f ? tail : 1.0f - tail;
        y[i] = v * phi_cumulative;
        slope[i] = PSW_FMAF(v * 0.398942280f, gauss, phi_cumulative);
    }
}

void psw_vec_silu(int64_t n, const float *x, float *y, float *slope)
{
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) {
        const float v = x[i], e = exp_one(-fabsf(v)), large = 1.0f / (1.0f + e);
        const float small = e * large, s = v < 0.0f ? small : large;
        y[i] = v * s;
        slope[i] = PSW_FMAF(v * large, small, s);
    }
}

/* Reductions keep two vectors of lanes, so that additions do not wait for one another. */

float psw_vec_sum(int64_t n, const float *x)
{
    psw_lanes even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * PSW_N_LANE <= n; i += 2 * PSW_N_LANE) {
        even += psw_lanes_load(x + i);
        odd += psw_lanes_load(x + i + PSW_N_LANE);
    }
    if (i + PSW_N_LANE <= n) {
        even += psw_lanes_load(x + i);
        i += PSW_N_LANE;
    }
    if (i < n) odd += psw_lanes_load_part(x + i, n - i);
    return psw_lanes_sum(even + odd);
}

float psw_vec_dot(int64_t n, const float *x, const float *y)
{
    psw_lanes even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * PSW_N_LANE <= n; i += 2 * PSW_N_LANE) {
        even = psw_lanes_fma(psw_lanes_load(x + i), psw_lanes_load(y + i), even);
        odd = psw_lanes_fma(psw_lanes_load(x + i + PSW_N_LANE),
                            psw_lanes_load(y + i + PSW_N_LANE), odd);
    }
    if (i + PSW_N_LANE <= n) {
        even = psw_lanes_fma(psw_lanes_load(x + i), psw_lanes_load(y + i), even);
        i += PSW_N_LANE;
    }
    if (i < n)
        odd = psw_lanes_fma(psw_lanes_load_part(x + i, n - i),
                            psw_lanes_load_part(y + i, n - i), odd);
    return psw_lanes_sum(even + odd);
}

float psw_vec_max(int64_t n, const float *x)
{
    psw_lanes even = psw_lanes_set(-INFINITY), odd = even;
    int64_t i = 0;
    for (; i + 2 * PSW_N_LANE <= n; i += 2 * PSW_N_LANE) {
        even = psw_lanes_max(psw_lanes_load(x + i), even);
        odd = psw_lanes_max(psw_lanes_load(x + i + PSW_N_LANE), odd);
    }
    even = psw_lanes_max(odd, even);
    float top = even[0];
    for (int l = 1; l < PSW_N_LANE; l++) top = even[l] > top ? even[l] : top;
    for (; i < n; i++) top = x[i] > top ? x[i] : top;
    return top;
}

float psw_vec_exp_sum(int64_t n, float shift, const float *x, float *y)
{
    float sum = 0.0f;
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t m = n - start < BLOCK ? n - start : BLOCK;
        PSW_VECTOR_LOOP
        for (int64_t i = 0; i < m; i++) y[start + i] = exp_one(x[start + i] - shift);
        sum += psw_vec_sum(m, y + start);
    }
    return sum;
}

void psw_vec_axpy(int64_t n, float a, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = PSW_FMAF(a, x[i], y[i]);
}

void psw_vec_add(int64_t n, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void psw_vec_scale(int64_t n, float a, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] *= a;
}

void psw_vec_add_rows(int64_t n_row, int64_t n, const float *x, float *y)
{
    int64_t r = 0;
    for (; r + 8 <= n_row; r += 8) {
        const float *a = x + r * n;
        for (int64_t i = 0; i < n; i++) {
            const float *c = a + i;
            y[i] += ((c[0] + c[n]) + (c[2 * n] + c[3 * n])) +
                    ((c[4 * n] + c[5 * n]) + (c[6 * n] + c[7 * n]));
        }
    }
    for (; r < n_row; r++) psw_vec_add(n, x + r * n, y);
}
