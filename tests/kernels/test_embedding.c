/* Embedding rows: the input is the table. */
#include <support/support.h>

#include <string.h>
#include <support/triple.h>

enum { TOK = 6, WIDTH = 7, VOCAB = 5 };
static const int32_t TOKEN[TOK] = {4, 0, 4, 2, 4, 1}; /* one token thrice, one never */

static void forward(const float *in, float *out)
{
    OP.embedding->forward(&kernel_exec, TOK, WIDTH, TOKEN, in, out);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    (void)in;
    OP.embedding->backward(&kernel_exec, TOK, WIDTH, TOKEN, out_bar, in_bar);
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    float dual[2 * TOK * WIDTH];
    OP.embedding->tangent(&kernel_exec, TOK, WIDTH, TOKEN, in, in_dot, dual);
    memcpy(out, dual, sizeof dual / 2);
    memcpy(out_dot, dual + TOK * WIDTH, sizeof dual / 2);
}

static void embedding_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {VOCAB * WIDTH, TOK * WIDTH, forward, backward, tangent};
    triple_check(&op, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {kernel_test(embedding_is_a_consistent_triple)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
