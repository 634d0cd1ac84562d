/* Eight float lanes with an explicit fused multiply-add: what the decode kernels are written
 * in.
 *
 * Sums are kept lane by lane and folded in one fixed tree, so that a value's bits depend on its
 * own inputs only: not on the tile that computed it, nor on the width of the machine's vectors.
 * (Targets without FMA round the product, as PSW_FMAF does.) */
#ifndef POSWEEP_KERNELS_LANES_H
#define POSWEEP_KERNELS_LANES_H

#include <posweep/kernels/vecmath.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define PSW_LANES_AVX2 1
#elif defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi" /* every function here is inlined: no ABI is met */
#endif

enum { PSW_N_LANE = 8 };
#define PSW_INLINE static inline __attribute__((always_inline))

/** Unroll the next loop whole: what it indexes must end in registers. */
#if defined(__clang__)
#define PSW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PSW_UNROLL _Pragma("GCC unroll 16")
#endif

typedef float psw_lanes __attribute__((vector_size(32)));
typedef float psw_lanes_loose __attribute__((vector_size(32), aligned(4), may_alias));

PSW_INLINE psw_lanes psw_lanes_load(const float *p)
{
    return *(const psw_lanes_loose *)p;
}

/** The first n < 8 lanes; the others are zero and are not read. */
PSW_INLINE psw_lanes psw_lanes_load_part(const float *p, int64_t n)
{
#ifdef PSW_LANES_AVX2
    static const int32_t MASK[2 * PSW_N_LANE] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return (psw_lanes)_mm256_maskload_ps(
        p, _mm256_loadu_si256((const __m256i *)(MASK + PSW_N_LANE - n)));
#else
    psw_lanes v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
#endif
}

PSW_INLINE void psw_lanes_store(float *p, psw_lanes v)
{
    *(psw_lanes_loose *)p = v;
}

PSW_INLINE psw_lanes psw_lanes_set(float x)
{
    return (psw_lanes){x, x, x, x, x, x, x, x};
}

/** a * b + c, rounded once where the target can. */
PSW_INLINE psw_lanes psw_lanes_fma(psw_lanes a, psw_lanes b, psw_lanes c)
{
#ifdef PSW_LANES_AVX2
    return (psw_lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    psw_lanes r;
    for (int i = 0; i < PSW_N_LANE; i++) r[i] = PSW_FMAF(a[i], b[i], c[i]);
    return r;
#endif
}

/** a > b ? a : b, so b where one is NaN. */
PSW_INLINE psw_lanes psw_lanes_max(psw_lanes a, psw_lanes b)
{
#ifdef PSW_LANES_AVX2
    return (psw_lanes)_mm256_max_ps((__m256)a, (__m256)b);
#else
    psw_lanes r;
    for (int i = 0; i < PSW_N_LANE; i++) r[i] = a[i] > b[i] ? a[i] : b[i];
    return r;
#endif
}

/** ((0+1)+(2+3)) + ((4+5)+(6+7)). */
PSW_INLINE float psw_lanes_sum(psw_lanes v)
{
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/** Sums of four, each in the order of psw_lanes_sum. */
PSW_INLINE void psw_lanes_sum4(const psw_lanes *v, float *out)
{
#ifdef PSW_LANES_AVX2
    const __m256 a = _mm256_hadd_ps((__m256)v[0], (__m256)v[1]);
    const __m256 b = _mm256_hadd_ps((__m256)v[2], (__m256)v[3]);
    const __m256 c = _mm256_hadd_ps(a, b);
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(c), _mm256_extractf128_ps(c, 1)));
#else
    for (int i = 0; i < 4; i++) out[i] = psw_lanes_sum(v[i]);
#endif
}

/** Load into a register and stay there: without it compilers load an operand again for every
 * use, and a tile is bound by loads. */
PSW_INLINE psw_lanes psw_lanes_load_pinned(const float *p)
{
    psw_lanes v = psw_lanes_load(p);
#ifdef PSW_LANES_AVX2
    __asm__("" : "+x"(v));
#endif
    return v;
}

#endif
