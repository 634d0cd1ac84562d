/* posweep bench sample: tokens per second of sampling with a cache, and the share of what
 * reading the weights once per step, or their FLOPs, would allow; then rollouts as training
 * samples them, and what several samples of one prompt save. */
#include "bench_internal.h"
#include <posweep/bench/rollout_speed.h>
#include <posweep/bench/sample_speed.h>
#include <stdio.h>

enum { N_PROMPT = 16, N_NEW = 240 };
enum { N_ROLLOUT = 128, N_GROUP = 2, GROUP_PROMPT = 64, GROUP_NEW = 64, GROUP_SAMPLE = 8 };

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

static psw_status bench_batches(const struct psw_bench_args *args,
                                const struct psw_bench_shape *shape, struct psw_error *err)
{
    static const int64_t BATCHES[] = {1, 16};
    psw_status rc = PSW_OK;
    if (args->batch) return bench_row(args, shape, args->batch, err);
    for (size_t i = 0; rc == PSW_OK && i < sizeof BATCHES / sizeof *BATCHES; i++)
        rc = bench_row(args, shape, BATCHES[i], err);
    return rc;
}

static psw_status bench_rollouts(const struct psw_bench_args *args,
                                 const struct psw_bench_shape *shape, struct psw_error *err)
{
    struct psw_bench_rollout_result r;
    const int64_t max_new = shape->width > 512   ? N_NEW / 8
                            : shape->width > 256 ? N_NEW / 4
                                                 : N_NEW;
    const struct psw_bench_rollout_opts opts = {
        .dims = psw_bench_dims(shape, N_PROMPT + max_new),
        .n_seq = args->n_item ? args->n_item : N_ROLLOUT,
        .n_prompt = N_PROMPT,
        .max_new = max_new,
        .end_tok = 0.5 * (double)max_new,
        .n_rep = args->n_rep ? args->n_rep : 3};
    const psw_status rc = psw_bench_rollout(&opts, &r, err);
    if (rc != PSW_OK) return rc;
    printf("%-5s %9lld %6lld %9.1f %9.0f %11.0f %6.3f %11.0f %8.3f %10.3f %6.0f\n", shape->name,
           (long long)opts.n_seq, (long long)r.n_slot, r.mean_tok, r.tok_per_s,
           r.floor_tok_per_s, r.ratio, r.equal_tok_per_s, r.equal_ratio, r.occupancy,
           (double)r.memory_bytes / 1048576.0);
    fflush(stdout);
    return PSW_OK;
}

static psw_status bench_groups(const struct psw_bench_args *args,
                               const struct psw_bench_shape *shape, struct psw_error *err)
{
    struct psw_bench_group_result r;
    const struct psw_bench_group_opts opts = {
        .dims = psw_bench_dims(shape, GROUP_PROMPT + GROUP_NEW),
        .n_group = N_GROUP,
        .n_sample = GROUP_SAMPLE,
        .n_prompt = GROUP_PROMPT,
        .n_new = GROUP_NEW,
        .n_rep = args->n_rep ? args->n_rep : 3};
    const psw_status rc = psw_bench_group(&opts, &r, err);
    if (rc != PSW_OK) return rc;
    printf("%-5s %9d %9d %9d %12.1f %12.1f %8.2f %14.2f\n", shape->name, N_GROUP, GROUP_SAMPLE,
           GROUP_PROMPT, r.apart_s * 1e3, r.shared_s * 1e3, r.ratio, r.flop_ratio);
    fflush(stdout);
    return PSW_OK;
}

psw_status psw_cli_bench_sample(const struct psw_bench_args *args, struct psw_error *err)
{
    static const struct {
        psw_status (*row)(const struct psw_bench_args *args,
                          const struct psw_bench_shape *shape, struct psw_error *err);
        const char *title;
    } TABLES[] = {
        {bench_batches, "shape  batch  tokens/s   step ms stream ms  floor ms  ratio prompt ms "
                        "      MiB"},
        {bench_rollouts,
         "\nrollouts: responses that end with EOS, finished ones replaced; beside "
         "responses of equal length\n"
         "shape responses  slots  mean len  tokens/s floor tok/s  ratio equal "
         "tok/s  x equal  occupancy    MiB"},
        {bench_groups, "\nsamples of one prompt: it is computed for each, or once\n"
                       "shape   prompts   samples prompt len for each ms      once ms   x "
                       "rate  FLOPs promise"},
    };
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
        puts(TABLES[i].title);
        for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++) {
            if (!psw_bench_wants(args, s)) continue;
            const psw_status rc = TABLES[i].row(args, s, err);
            if (rc != PSW_OK) return rc;
        }
    }
    return PSW_OK;
}
