/* posweep bench sample: tokens per second of sampling with a cache, and the share of what
 * reading the weights once per step, or their FLOPs, would allow. */
#include "bench_internal.h"
#include <posweep/model/bench_sample.h>
#include <stdio.h>

enum { N_PROMPT = 16, N_NEW = 240 };

static psw_status bench_row(const struct psw_bench_args *args,
                            const struct psw_bench_shape *shape, int64_t batch,
                            struct psw_error *err)
{
    const struct psw_bench_sample_opts opts = {.dims =
                                                   psw_bench_dims(shape, N_PROMPT + N_NEW + 2),
                                               .n_seq = batch,
                                               .n_prompt = N_PROMPT,
                                               .n_new = shape->width > 512 ? N_NEW / 4 : N_NEW,
                                               .n_rep = args->n_rep ? args->n_rep : 3};
    struct psw_bench_sample_result r;
    const psw_status rc = psw_bench_sample(&opts, &r, err);
    if (rc != PSW_OK) return rc;
    printf("%-5s %6lld %9.0f %9.3f %9.3f %9.3f %6.3f %9.1f %9.0f\n", shape->name,
           (long long)batch, r.tok_per_s, r.step_s * 1e3, r.stream_s * 1e3, r.floor_s * 1e3,
           r.ratio, r.prefill_s * 1e3, (double)r.memory_bytes / 1048576.0);
    fflush(stdout);
    return PSW_OK;
}

psw_status psw_cli_bench_sample(const struct psw_bench_args *args, struct psw_error *err)
{
    static const int64_t BATCHES[] = {1, 16};
    printf("%-5s %6s %9s %9s %9s %9s %6s %9s %9s\n", "shape", "batch", "tokens/s", "step ms",
           "stream ms", "floor ms", "ratio", "prompt ms", "MiB");
    for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++) {
        if (!psw_bench_wants(args, s)) continue;
        for (size_t i = 0; i < sizeof BATCHES / sizeof *BATCHES; i++) {
            if (args->batch && i > 0) break;
            const int64_t batch = args->batch ? args->batch : BATCHES[i];
            const psw_status rc = bench_row(args, s, batch, err);
            if (rc != PSW_OK) return rc;
        }
    }
    return PSW_OK;
}
