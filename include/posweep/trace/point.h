/* One point of a trace: everything that is measured at one checkpoint of a run.
 *
 * v is the mean gradient of -log pi over the final responses D'; one tangent pass along v over
 * the probe gives kappa of every response token; G of every component is then a dot
 * product with its coefficients. At the cosine cadence explicit gradients follow: norms,
 * cosines, the error of G through D', and what steps along the components really do to D'.
 *
 * D' is a sample, and so v has noise of its own: at the last checkpoint its expectation is 0.
 * Three things tell how much. g_se_final is the error of G from the spread over the prompts of
 * D' (g_se that from the probe, v held fixed: the error of G is the root of the sum of their
 * squares). v_halves estimates ||v||^2 without noise. And v_soft takes, at every prefix of D',
 * the expectation over the next token in the place of the token that was drawn: logit gradients
 * p - p_T instead of p - onehot, p_T being what D' was drawn from (temperature, top_p, top_k).
 * Given the prefixes its expectation is that of v, so that of G_soft is that of G (but for
 * per_token, where the length of a response depends on its tokens); it is exactly 0 at the
 * parameters that D' was drawn from where it was drawn at temperature 1 without cuts.
 *
 * g_se is conservative for ppo with whitened advantages: whitening shares the mean and the
 * deviation of the advantages among all prompts, which makes their contributions to G cancel in
 * part; prompts are taken as independent, so the error is too large rather than too small. */
#ifndef POSWEEP_TRACE_POINT_H
#define POSWEEP_TRACE_POINT_H

#include <posweep/objective/components.h>
#include <posweep/objective/onpolicy.h>
#include <posweep/objective/pairwise.h>
#include <posweep/parallel/shards.h>

/** Directions beside v that G can be taken along. Append, never renumber. */
enum psw_direction {
    PSW_DIR_FINAL_A, /* v over the first half of D' */
    PSW_DIR_FINAL_B, /* v over the second half */
    PSW_DIR_CHOSEN,  /* v over chosen responses instead of D' */
    PSW_DIR_ADAM,    /* P v, P the preconditioner of the run's own optimiser */
    PSW_N_DIRECTION
};
const char *psw_direction_name(enum psw_direction direction);

/** A list of examples that every rank holds: to be read, not to be compared. Who needs to know
 *  which items of which list they are keeps their indices. */
struct psw_trace_set {
    const struct psw_example *const *example; /* [n] borrowed */
    int64_t n;
};

/** A step's own samples with what the objective needs of them. The probe's items are its
 *  prompts with their responses. Borrowed; all arrays [rows.n_row]. */
struct psw_trace_rollouts {
    struct psw_onpolicy_opts opts;
    struct psw_rollout_rows rows;
    const double *advantage, *raw; /* as the objective takes them; before whitening */
    const double *ref;             /* log-probabilities of the reference; NULL: not needed */
    const double *ret;             /* returns, for a shared critic; NULL without */
};

/** Soft targets: the final policy over D'. */
struct psw_trace_soft {
    float *hidden;             /* [rows of this rank][C] normalised, psw_shards_hidden */
    float *head;               /* [V][C] */
    struct psw_draw_opts draw; /* how D' was drawn */
};

/** What stays the same for all checkpoints of a run. Borrowed pointers. */
struct psw_tracer {
    const struct psw_model *model;
    const struct psw_team *team;
    struct psw_exec *exec;
    struct psw_arena *arena; /* room for psw_trace_layout */
    struct psw_tree *tree;   /* gradients of the model */
    struct {
        double temperature; /* of the policy */
        int per_token; /* v from the mean over tokens of each response instead of the sum */
        int share_prefix;
        uint64_t seed;
        double eta; /* throw-away steps: the one along total is eta ||theta|| long */
    } how;
    const struct psw_trace_rollouts *rollouts; /* NULL: the probe is pairs */
    struct psw_trace_set probe;                /* pairs, or prompts with rollouts */
    struct {                                   /* of a probe of pairs */
        struct psw_pair_opts opts;
        const double *ref;            /* [probe.n][2] */
        struct psw_trace_set heldout; /* pairs for held-out accuracy; may be empty */
        const double *heldout_ref;    /* [heldout.n][2] */
    } pairs;
    struct psw_trace_set final;        /* D' */
    const struct psw_trace_soft *soft; /* NULL: no soft targets */
    struct psw_trace_set chosen;       /* for PSW_DIR_CHOSEN */
};

/** What is known of every response token of the probe, in item order, chosen before rejected.
 *  sum weight kappa = G(total), without those of entropy and value. */
struct psw_trace_tokens {
    int64_t n_row;
    float *logp, *kappa; /* [n_row] */
    float *weight;       /* [n_row] of total, for the mean over the probe */
};

/** Room for the tokens of a probe. Owns: the arena. */
void psw_trace_tokens_init(struct psw_trace_tokens *tokens, struct psw_trace_set probe,
                           struct psw_arena *arena);

struct psw_trace_sketch; /* sketch.h */

/** Where to measure. */
struct psw_trace_at {
    const float *param;              /* [P] */
    const float *preconditioner;     /* [P] diagonal of P, or NULL: no PSW_DIR_ADAM */
    int64_t checkpoint;              /* index in its run */
    int cosine;                      /* also explicit gradients */
    int error_final;                 /* also the error through D'; with cosine in any case */
    int directions;                  /* also G along the other directions */
    struct psw_trace_tokens *tokens; /* filled with every token; NULL: not wanted */
    struct psw_trace_sketch *sketch; /* filled; NULL: not wanted */
};

/** A sum over the probe of weights times kappa, per component, and its standard errors. */
struct psw_trace_g {
    double at[PSW_N_COMPONENT];
    double se[PSW_N_COMPONENT];       /* over the clusters of the probe, v given */
    double se_final[PSW_N_COMPONENT]; /* from the spread over D' */
};

/** How well pairs are told apart, means over them. */
struct psw_trace_pairs_fit {
    double loss, margin, accuracy;
};

/** What was measured. NaN where it was not. */
struct psw_trace_point {
    struct psw_trace_g g;          /* along v */
    struct psw_trace_g soft;       /* along v_soft */
    struct {                       /* of explicit gradients */
        double g[PSW_N_COMPONENT]; /* <v, grad L> */
        double norm[PSW_N_COMPONENT];
        /* With the root of v.halves as the norm of v; NaN where that is not positive, or so
         * small that the cosine would be beyond 1. */
        double cosine[PSW_N_COMPONENT];
    } gradient;
    double g_dir[PSW_N_DIRECTION][PSW_N_COMPONENT]; /* along other directions */
    struct {
        double chosen, rejected; /* means over pairs of the sums over tokens */
        double chosen_positive, rejected_positive; /* shares of tokens with kappa > 0 */
        double pos_positive, neg_positive; /* rollouts: the same among A >= 0 and A < 0 */
    } kappa;
    double omega;   /* mean pair weight of the probe */
    double entropy; /* rollouts: mean per token, if computed */
    struct {
        double norm, soft_norm;
        double halves;     /* <v_a, v_b> of the halves of D' */
        double final_logp; /* mean log-probability of D' (per response) */
    } v;
    struct {        /* throw-away steps */
        double eta; /* factor on the gradient, one for all parts */
        double predicted[PSW_N_COMPONENT], realised[PSW_N_COMPONENT]; /* change of final_logp */
        double interaction; /* realised total - pos - neg (- nll, kl, entropy, value, if any) */
    } step;
    struct psw_trace_pairs_fit probe, heldout;
};

/** Keep the hidden rows of D' and the head at `param`, the parameters that D' was drawn from.
 *  MPI:    Local. Owns: t->arena, which must not be rewound before `out` is done with. */
void psw_trace_soft_init(const struct psw_tracer *t, const float *param,
                         struct psw_draw_opts draw, struct psw_trace_soft *out);

/** Components of what the tracer measures, as bits 1 << enum psw_component. MPI: Local. */
uint32_t psw_trace_components(const struct psw_tracer *tracer);

/** Measure.
 *  MPI:    Collective (team->comm). Same on all ranks: everything.
 *  Errors: PSW_EDIVERGED when v or kappa is not finite. */
psw_status psw_trace_measure(const struct psw_tracer *tracer, const struct psw_trace_at *at,
                             struct psw_trace_point *out, struct psw_error *err);

/** Mean log-probability of D' at `param`, as psw_trace_measure finds it.
 *  MPI: Collective (team->comm). Same on all ranks: the result. */
double psw_trace_final_logp(const struct psw_tracer *tracer, const float *param);

#endif
