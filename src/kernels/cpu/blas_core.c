/* An OpenBLAS that is older than the processor does not know its model, and may take kernels
 * without its vector units: 0.3.21, Debian 12's, takes those of Prescott (SSE3) on Intel's
 * Emerald Rapids, 26 GFLOP/s where those of SkylakeX reach 145; unknown models of AMD get those
 * of Barcelona (OpenBLAS, issue 3620). What it can do is asked of the processor. */
#include <posweep/kernels/blas.h>

#include <dlfcn.h>
#include <string.h>

/* Core types of OpenBLAS whose kernels use AVX2 or more; the others know SSE or AVX. */
static const char *const HAS_AVX2[] = {"Haswell", "Zen", "SkylakeX", "Cooperlake",
                                       "SapphireRapids"};

const char *psw_blas_core_for(const char *core, int has_avx2, int has_avx512)
{
    if (!has_avx2) return NULL;
    for (size_t i = 0; i < sizeof HAS_AVX2 / sizeof *HAS_AVX2; i++)
        if (!strcmp(core, HAS_AVX2[i])) return NULL;
    return has_avx512 ? "SkylakeX" : "Haswell";
}

#if defined(__x86_64__)
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
static int has_avx2(void)
{
    return 0;
}
static int has_avx512(void)
{
    return 0;
}
#endif

const char *psw_blas_better_core(void)
{
    char *(*name)(void);
    *(void **)&name = dlsym(RTLD_DEFAULT, "openblas_get_corename");
    return name ? psw_blas_core_for(name(), has_avx2(), has_avx512()) : NULL;
}
