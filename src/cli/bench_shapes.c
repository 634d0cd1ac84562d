/* The models and batches that speed is quoted for. */
#include "bench_internal.h"
#include <string.h>

static const struct psw_bench_shape SHAPES[] = {
    {"tiny", 2, 64, 4, 128, 64, 4, .only_by_name = 1},
    {"a", 4, 256, 4, 512, 256, 16, 0},
    {"c", 6, 512, 8, 50304, 256, 4, 0},
    {"b", 12, 768, 12, 50304, 256, 4, 0},
    {NULL, 0, 0, 0, 0, 0, 0, 0},
};

const struct psw_bench_shape *psw_bench_shapes(void)
{
    return SHAPES;
}

int psw_bench_wants(const struct psw_bench_args *args, const struct psw_bench_shape *shape)
{
    return args->shape ? !strcmp(args->shape, shape->name) : !shape->only_by_name;
}

struct psw_model_dims psw_bench_dims(const struct psw_bench_shape *shape, int64_t context)
{
    return (struct psw_model_dims){.n_layer = shape->n_layer,
                                   .width = shape->width,
                                   .n_head = shape->n_head,
                                   .hidden = 4 * shape->width,
                                   .n_vocab = shape->n_vocab,
                                   .context = context,
                                   .rotary_dims = shape->width / shape->n_head / 4,
                                   .rotary_base = 10000,
                                   .norm_eps = 1e-5,
                                   .init_std = 0.02,
                                   .tied = 1};
}
