/* A gpt_neox of a few hundred weights and three preference pairs, whose numbers PyTorch knows
 * (golden/step.h). Add tests/support/tiny.c and golden_model.c to the SOURCES of a test that
 * uses it. */
#ifndef POSWEEP_TESTS_TINY_H
#define POSWEEP_TESTS_TINY_H

#include <posweep/data/batch.h>
#include <posweep/model/model.h>
#include <posweep/objective/pairwise.h>

enum { TINY_N_PAIR = 3, TINY_N_SEQ = 6 };

/** Everything of a step; memory from its two arenas. */
struct tiny {
    struct psw_model *model;
    struct psw_arena *arena, *scratch;
    struct psw_exec exec;
    struct psw_example example[TINY_N_PAIR];
    struct psw_batch batch;
    struct psw_act *act;
    float *param, *ref, *grad; /* [n_param] */
    float *row, *weight;       /* [n_row] */
    double logp[TINY_N_SEQ], logp_ref[TINY_N_SEQ];
    int64_t n_tok[TINY_N_SEQ], n_param;
};

/** Fails the test when anything does. logp_ref is set, logp by the passes. */
void tiny_init(struct tiny *t, int share_prefix);
void tiny_clear(struct tiny *t);

/** The options that the golden numbers were made with. */
struct psw_pair_opts tiny_opts(const char *method);

struct psw_pass tiny_pass(struct tiny *t, const float *param);
struct psw_pair_in tiny_pairs(const struct tiny *t);

/** Set logp at param and return the mean loss. The activations stay for tiny_backward. */
double tiny_loss(struct tiny *t, const struct psw_pair_opts *opts, const float *param);

/** Gradient at t->param of the loss whose -dL/dlogp per token is coef / n_pair.
 *  Shapes: coef [TINY_N_SEQ]. After tiny_loss at t->param. */
void tiny_backward(struct tiny *t, const double *coef);

/** Loss and gradient of the method at t->param, by two passes. */
double tiny_step(struct tiny *t, const struct psw_pair_opts *opts);

/** Inner product over the parameters, in double. */
double tiny_dot(const struct tiny *t, const float *a, const float *b);

#endif
