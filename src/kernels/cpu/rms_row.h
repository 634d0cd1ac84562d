/* One row of RMS normalisation, for rows of the stream and for heads. */
#ifndef POSWEEP_KERNELS_CPU_RMS_ROW_H
#define POSWEEP_KERNELS_CPU_RMS_ROW_H

#include <math.h>
#include <posweep/kernels/vecmath.h>

static inline float rms_rstd(int64_t C, double eps, const float *x)
{
    const float square = psw_vec_dot(C, x, x) / (float)C;
    return (float)(1.0 / sqrt((double)square + eps));
}

/* y = x_hat w; y may be x. */
static inline void rms_row_forward(int64_t C, const float *w, const float *x, float rstd,
                                   float *x_hat, float *y)
{
    for (int64_t i = 0; i < C; i++) x_hat[i] = rstd * x[i];
    for (int64_t i = 0; i < C; i++) y[i] = x_hat[i] * w[i];
}

/* mean(w y_bar x_hat), and the cotangent of the gain. */
static inline float rms_gain_backward(int64_t C, const float *w, const float *x_hat,
                                      const float *y_bar, float *w_bar)
{
    enum { BLOCK = 512 };
    float u[BLOCK], dot = 0.0f;
    for (int64_t start = 0; start < C; start += BLOCK) {
        const int64_t n = C - start < BLOCK ? C - start : BLOCK;
        const float *bar = y_bar + start, *h = x_hat + start, *gain = w + start;
        float *out = w_bar + start;
        for (int64_t i = 0; i < n; i++) {
            out[i] = PSW_FMAF(bar[i], h[i], out[i]);
            u[i] = gain[i] * bar[i];
        }
        dot += psw_vec_dot(n, u, h);
    }
    return dot / (float)C;
}

/* Value and tangent; y may be x, and y_dot x_dot. */
static inline void rms_row_tangent(int64_t C, double eps, const float *w, const float *w_dot,
                                   const float *x, const float *x_dot, float *y, float *y_dot)
{
    const float rstd = rms_rstd(C, eps, x);
    for (int64_t i = 0; i < C; i++) y[i] = rstd * x[i]; /* x_hat, for now */
    const float along = psw_vec_dot(C, x_dot, y) / (float)C;
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < C; i++) {
        const float h = y[i], h_dot = rstd * PSW_FMAF(-along, h, x_dot[i]);
        y[i] = h * w[i];
        y_dot[i] = PSW_FMAF(h_dot, w[i], h * w_dot[i]);
    }
}

#endif
