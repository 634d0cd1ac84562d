/* make_compare OUT.h5 N_VARIANT N_BETA N_SEED [SHIFT]: a made-up sweep for the comparison. The
 * baseline is `vanilla`; every other variant has a score that is SHIFT higher, with normal
 * noise of 1 in its differences. */
#include "compare_file.h"

#include <math.h>
#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>

static double normal(int64_t item, uint32_t position)
{
    const struct psw_rng rng = {.seed = 11, .use = PSW_RNG_TEST};
    return psw_rng_normal(rng, (uint64_t)item, position);
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "make_compare OUT.h5 N_VARIANT N_BETA N_SEED [SHIFT]\n");
        return 64;
    }
    const int n_variant = atoi(argv[2]), n_beta = atoi(argv[3]), n_seed = atoi(argv[4]);
    const double shift = argc > 5 ? atof(argv[5]) : 0;
    const int64_t n_run = (int64_t)n_variant * n_beta * n_seed;
    struct cf_run *run = calloc((size_t)n_run + 1, sizeof *run);
    char(*name)[32] = calloc((size_t)n_variant + 1, sizeof *name);
    if (!run || !name || n_run < 1) return 64;
    for (int64_t i = 0; i < n_run; i++) {
        const int v = (int)(i / (n_beta * n_seed)), b = (int)(i / n_seed % n_beta);
        const int64_t s = i % n_seed;
        snprintf(name[v], sizeof name[v], v ? "variant_%d" : "vanilla", v);
        run[i] = (struct cf_run){.method = "dpo",
                                 .variant = name[v],
                                 .seed = s + 1,
                                 .beta = (b + 1) / 10.0,
                                 .outcome = PSW_OUTCOME_DONE,
                                 .score = 3 * normal(s, (uint32_t)b) + (v ? shift : 0) +
                                          (v ? normal(100 + i, 1) : 0),
                                 .kl = 0.2 + 0.01 * normal(100 + i, 2),
                                 .pos = normal(100 + i, 3),
                                 .neg = normal(100 + i, 4)};
    }
    cf_write(run, n_run, argv[1]);
    free(run);
    free(name);
    return 0;
}
