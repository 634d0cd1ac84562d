/* Passes: forward, backward and tangent over a list of examples that a group of ranks shares.
 *
 * The examples are cut into shards by a rule that does not know the ranks (reduce.h). Each
 * rank packs and computes its own shards, one after the other, alone; per-sequence results are
 * gathered in item order, gradients go through the fixed tree. So every number is the same on
 * 1, 2, 4 ranks. A pass lives in an arena; with a measuring arena it only counts (plan and real
 * work share this code). */
#ifndef POSWEEP_PARALLEL_SHARDS_H
#define POSWEEP_PARALLEL_SHARDS_H

#include <mpi.h>
#include <posweep/data/batch.h>
#include <posweep/kernels/exec.h>
#include <posweep/model/model.h>
#include <posweep/parallel/reduce.h>

enum { PSW_MAX_SHARDS = 64 };

/** Which shards are whose. Plain data, filled by psw_team_init. */
struct psw_team {
    MPI_Comm comm; /* borrowed */
    int rank, size;
    int n_shard, shard_begin, shard_end; /* this rank's shards: [begin, end) */
};

/** Errors: PSW_EINVAL unless both counts are powers of two and size <= n_shard.
 *  MPI: Local. */
psw_status psw_team_init(MPI_Comm comm, int n_shard, struct psw_team *out,
                         struct psw_error *err);

/** A team that only measures what rank 0 of `size` ranks would need.
 *  MPI: Local. */
psw_status psw_team_pretend(int size, int n_shard, struct psw_team *out, struct psw_error *err);

/** What a pass gives of its rows; bits. */
enum psw_want {
    PSW_WANT_LOGP = 1,
    PSW_WANT_ENTROPY = 2,
    PSW_WANT_VALUE = 4,
    PSW_WANT_SOFT = 8 /* of tangents, beside log-probabilities, and psw_shards_soft_nll */
};

struct psw_shards_opts {
    int share_prefix;   /* compute a prompt once for all of its responses */
    int last_only;      /* one row per sequence, at its last token (PSW_PACK_LAST) */
    int covers_smaller; /* of a dry walk: what it takes is enough for smaller shards, too */
    unsigned want;      /* bits of enum psw_want; 0: log-probabilities only */
    double temperature; /* of the policy; 1 = the model's own distribution */
    /* For PSW_WANT_SOFT: of this rank's rows in item order; zeros elsewhere. */
    struct psw_soft_target soft;
};

/** One shard of a pass. */
struct psw_one_shard {
    struct psw_batch batch;
    struct psw_act *act; /* kept between forward and backward, else NULL */
    /* Buffers, [n_row] each where wanted, else NULL; derivatives after psw_shards_tangent */
    float *logp, *logp_dot, *entropy, *entropy_dot, *value, *value_dot, *soft, *soft_dot;
};

struct psw_shards {
    const struct psw_model *model; /* borrowed */
    const struct psw_team *team;   /* borrowed */
    struct psw_exec *exec;         /* borrowed */
    struct psw_arena *arena;       /* borrowed; holds everything below */
    struct psw_shards_opts opts;
    struct psw_one_shard shard[PSW_MAX_SHARDS]; /* the first shard_end - shard_begin are used */
    int64_t n_item;                             /* of all shards together */
    int64_t n_seq;                              /* sequences of all shards together */
    int64_t n_row;                              /* rows of all shards together */
    struct {                                    /* what this rank works on */
        int64_t n_tok, n_seq, n_row;
        int64_t seq_begin, row_begin; /* first in item order */
    } local;
};

/** Pack this rank's shards of the examples.
 *  Shapes: example [n_item] pointers, the same on all ranks.
 *  MPI: Local. Owns: nothing; rewind the arena when done. */
void psw_shards_pack(struct psw_shards *pass, const struct psw_example *const *example,
                     int64_t n_item);

/** Number of sequences of a list of examples. MPI: Local. */
int64_t psw_shards_n_seq(const struct psw_example *const *example, int64_t n_item);

/** What is wanted of all rows; activations are kept for psw_shards_backward.
 *  MPI: Local. */
void psw_shards_forward(struct psw_shards *pass, const float *param);

/** The same without keeping activations.
 *  MPI: Local. */
void psw_shards_evaluate(struct psw_shards *pass, const float *param);

/** What is wanted and its derivatives along param_dot; no activations kept.
 *  MPI: Local. */
void psw_shards_tangent(struct psw_shards *pass, const float *param, const float *param_dot);

/** Push one gradient per local shard into the tree: sum over rows of weight * (-grad log pi),
 * where every row of sequence s has weight[s]. Needs psw_shards_forward. Shapes: weight
 * [n_seq], all sequences of the pass in item order. MPI: Local; the caller then completes the
 * tree with psw_tree_reduce. */
void psw_shards_backward(struct psw_shards *pass, const float *param, const double *weight,
                         struct psw_tree *tree);

/** Weights of rows, -dL/d(quantity), for all rows of the pass in item order. NULL: zeros.
 *  Shapes: [n_row] each. */
struct psw_shards_weights {
    const double *logp, *entropy, *value;
};

/** The same where every row has its own weights, of quantities that are wanted: one backward
 *  pass for all. A dry walk plans for weights on all that is wanted. Needs psw_shards_forward.
 *  MPI: Local; the caller then completes the tree. */
void psw_shards_backward_rows(struct psw_shards *pass, const float *param,
                              struct psw_shards_weights weight, struct psw_tree *tree);

/** Forward and backward at once, for weights that are known beforehand; no activations kept. Of
 * log-probabilities only. MPI: Local; the caller then completes the tree. */
void psw_shards_nll(struct psw_shards *pass, const float *param, const double *weight,
                    struct psw_tree *tree);

/** The same against the soft target instead of the tokens; PSW_WANT_SOFT is wanted. */
void psw_shards_soft_nll(struct psw_shards *pass, const float *param, const double *weight,
                         struct psw_tree *tree);

/** The normalised hidden rows of this rank's shards at param, in item order: with the head of
 *  the same param they make the soft target of passes that are packed alike.
 *  Shapes: hidden [n_row_local][C]. MPI: Local. */
void psw_shards_hidden(struct psw_shards *pass, const float *param, float *hidden);

/** Sums over the rows of each sequence, in double, in item order, for all sequences.
 *  Shapes: out [n_seq].
 *  MPI: Collective (team->comm). Same on all ranks: out. */
void psw_shards_sum_logp(struct psw_shards *pass, double *out);
void psw_shards_sum_logp_dot(struct psw_shards *pass, double *out);
void psw_shards_sum_soft_dot(struct psw_shards *pass, double *out);

/** Number of rows of each sequence whose log-probability falls along param_dot. As above. */
void psw_shards_count_falling(struct psw_shards *pass, double *out);

/** Number of response tokens of a list of examples: its rows, unless last_only. MPI: Local. */
int64_t psw_shards_n_row(const struct psw_example *const *example, int64_t n_item);

enum psw_row_value {
    PSW_ROW_LOGP,
    PSW_ROW_LOGP_DOT,
    PSW_ROW_ENTROPY,
    PSW_ROW_ENTROPY_DOT,
    PSW_ROW_VALUE,
    PSW_ROW_VALUE_DOT,
    PSW_ROW_SOFT,
    PSW_ROW_SOFT_DOT
};

/** A wanted quantity of the rows themselves, of all shards, in item order.
 *  Shapes: out [pass->n_row].
 *  MPI: Collective (team->comm). Same on all ranks: out. */
void psw_shards_gather(struct psw_shards *pass, enum psw_row_value what, double *out);

#endif
