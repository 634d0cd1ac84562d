/* SwiGLU, silu(gate) * up, over rows that hold all gates and then all ups: [n_row][2F], what
 * one linear map of both gives.
 *
 * Works row by row: the bits of a row depend on that row alone.
 *  Source: Shazeer 2020, eq. 6, without biases. */
#ifndef POSWEEP_KERNELS_SWIGLU_H
#define POSWEEP_KERNELS_SWIGLU_H

#include <stdint.h>

struct psw_exec;

struct psw_swiglu_ops {
    /** y = silu(gate) up. Shapes: gate_up [n_row][2F], y [n_row][F]. */
    void (*forward)(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y);

    /** Turn the cotangent of y into that of gate_up, which has no other reader: it is
     *  overwritten, not added to.
     *  Shapes: gate_up is forward's, y_bar [n_row][F], gate_up_bar [n_row][2F]. */
    void (*backward)(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                     const float *y_bar, float *gate_up_bar);

    /** Value and tangent. Shapes: gate_up dual [2][n_row][2F], y dual [2][n_row][F]. */
    void (*tangent)(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y);
};

#include <posweep/kernels/backend.h>

#endif
