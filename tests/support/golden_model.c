/* The golden model, its parameters and its pairs. */
#include <support/golden_model.h>

#include <golden/step.h>
#include <posweep/objective/pairwise.h>
#include <string.h>
#include <support/support.h>

_Static_assert((int)GOLDEN_N_PAIR == (int)STEP_N_PAIR, "the golden step has changed");

struct psw_model *golden_model(void)
{
    struct psw_model *model = NULL;
    const struct psw_model_dims dims = {.n_layer = STEP_L,
                                        .width = STEP_C,
                                        .n_head = STEP_H,
                                        .hidden = STEP_F,
                                        .n_vocab = STEP_V,
                                        .context = STEP_CONTEXT,
                                        .rotary_dims = STEP_ROTARY,
                                        .rotary_base = STEP_BASE,
                                        .norm_eps = STEP_NORM_EPS,
                                        .init_std = 0.02};
    assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
    return model;
}

void golden_fill(const struct psw_model *model, uint64_t seed, float *param)
{
    memset(param, 0, sizeof(float) * (size_t)psw_model_n_param(model));
    for (int i = 0; i < STEP_N_TENSOR; i++) {
        const struct psw_tensor *x = psw_model_find(model, STEP_TENSOR[i].name);
        assert_non_null(x);
        const int64_t n = x->n_row * (x->n_col ? x->n_col : 1);
        support_fill(param + x->offset, n, STEP_TENSOR[i].scale, seed + (uint64_t)i);
        for (int64_t k = 0; k < n; k++) param[x->offset + k] += STEP_TENSOR[i].mean;
    }
}

void golden_pairs(struct psw_example *out)
{
    for (int i = 0; i < STEP_N_PAIR; i++)
        out[i] =
            (struct psw_example){.prompt = STEP_PAIR[i].token[0],
                                 .n_prompt = STEP_PAIR[i].n[0],
                                 .n_seq = PSW_N_SIDE,
                                 .response = {STEP_PAIR[i].token[1], STEP_PAIR[i].token[2]},
                                 .n_response = {STEP_PAIR[i].n[1], STEP_PAIR[i].n[2]},
                                 .prompt_key = (uint64_t)i};
}
