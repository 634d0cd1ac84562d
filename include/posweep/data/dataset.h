/* What a run learns from: token ids, training items, held-out items, and, where the task has
 * one, an exact scorer. Every source (lists.h, sums.h, files.h) ends up here, so
 * training and trace never ask where the data came from. Source, tokenizer (tokenizer.h) and
 * scorer (scorer.h) are objects of their own.
 *
 * Opening is a pure function of the configuration and the files: every rank opens its own and
 * holds the same bits. Held-out prompts never occur among the training prompts. */
#ifndef POSWEEP_DATA_DATASET_H
#define POSWEEP_DATA_DATASET_H

#include <posweep/config/source.h>
#include <posweep/data/batch.h>
#include <posweep/data/origin.h>
#include <posweep/data/scorer.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

struct psw_data_store; /* opaque: owns the examples and a tokenizer of files */
struct psw_stored_example;
struct psw_example_store;

/** A list of examples, as many as there are in a file: they stay there until they are asked
 *  for. Borrowed from the data set. */
struct psw_examples {
    int64_t n;
    const struct psw_stored_example *row; /* [n] */
    const int32_t *token;
    struct psw_example_store *store; /* NULL: in memory */
    int32_t kept_in, n_seq; /* inside: the rows of which list, most responses of an example */
};

/** Example number i, 0 <= i < n; its ids are the data set's. */
struct psw_example psw_examples_at(const struct psw_examples *list, int64_t i);

/** Several of them, where they are needed all at once; zeroed: none. Owns: psw_picked_clear. */
struct psw_picked {
    struct psw_example *item;      /* [n] owned */
    const struct psw_example **at; /* [n] owned: at[i] is &item[i] */
    int64_t n;
};

/** Room for n. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_picked_init(struct psw_picked *picked, int64_t n, struct psw_error *err);
void psw_picked_clear(struct psw_picked *picked);

/** Put n examples of a list at `first` and behind: those of these numbers, or those from number
 *  `begin` on. Shapes: index: [n]. */
void psw_picked_put(struct psw_picked *picked, int64_t first, const struct psw_examples *list,
                    const int64_t *index, int64_t n);
void psw_picked_put_block(struct psw_picked *picked, int64_t first,
                          const struct psw_examples *list, int64_t begin, int64_t n);

/** What was met while reading or generating pairs. A row may count under several names. */
struct psw_data_counts {
    int64_t n_row;  /* rows read, or pairs generated */
    int64_t n_kept; /* pairs kept */
    struct {
        int64_t n_differs; /* the two sides have different prompts */
        int64_t n_common;  /* of those, kept with their common dialogue prefix */
        int64_t n_taken;   /* the sides repeated the prompt, which was taken off */
        int64_t n_empty;   /* the prompt became one EOS token */
    } prompt;
    struct {
        int64_t n_equal;         /* chosen == rejected */
        int64_t n_empty;         /* a side whose reply is blank; it keeps its EOS */
        int64_t n_ends_human;    /* a side that ends with a human turn */
        int64_t n_unequal_marks; /* the chosen side has unequal numbers of the two marks */
    } sides;
    struct {                    /* of files */
        int64_t n_prompt;       /* items kept */
        int64_t n_cut_prompt;   /* with a prompt longer than max_prompt: lost its start */
        int64_t n_response;     /* responses kept */
        int64_t n_cut_response; /* longer than max_response: lost their end, no EOS */
        int64_t n_too_long;     /* dropped because of their length */
    } length;
    struct {                 /* dropped */
        int64_t n_overlap;   /* held-out rows: their opening occurs in training */
        int64_t n_no_answer; /* no final answer behind "####" */
        int64_t n_conflict;  /* an earlier row gives the prompt another answer */
        int64_t n_repeated;  /* held-out rows: their prompt was met before */
    } dropped;
    struct {               /* generated */
        int64_t n_flipped; /* pairs whose label was flipped */
        int64_t n_redrawn; /* answers drawn again because of a tie */
    } made;
};

/** The lists that training and trace read. */
enum psw_data_list {
    PSW_DATA_PAIRS,
    PSW_DATA_SFT,
    PSW_DATA_HELDOUT, /* pairs or, where there are none, prompts */
    PSW_N_CUT_LIST,   /* of those before, what was cut is in the results */
    PSW_DATA_PROMPTS = PSW_N_CUT_LIST,
    PSW_DATA_FINAL_PROMPTS,
    PSW_N_DATA_LIST
};

/** How the rows of a file are laid out. Static texts; NULL: there is no such file. */
struct psw_data_form {
    const char *name; /* of data.format */
    const char *layout;
};

/** A data set. Plain data to readers; made and freed by this file only. */
struct psw_dataset {
    struct psw_examples sft;           /* n_seq 1 */
    struct psw_examples pairs;         /* n_seq 2; none where the files hold no pairs */
    struct psw_examples pairs_heldout; /* n_seq 2; likewise */
    struct psw_examples prompts;       /* n_seq 0: of rollouts, where files name their own */
    /** n_seq 0, distinct: final responses and evaluation. Generated tasks: apart from
     * pairs_heldout too; files of pairs: those of data.final_prompts, none of which is asked in
     * training, or the prompts of pairs_heldout. */
    struct psw_examples prompts_heldout;
    struct psw_data_counts counts[PSW_N_DATA_LIST]; /* what happened to the items of a list */
    /** Of the tokenizer, of every token of every item, and of the origins: equal data, equal
     *  hash. The keys of all stages hold it. */
    uint64_t content_hash;
    struct {
        struct psw_data_origins origins;
        struct psw_data_form form[PSW_N_ROLE];
    } files; /* that were read */
    /** Borrowed: static, or owned by the store. A model may have more rows than it has tokens,
     *  never fewer. */
    const struct psw_tokenizer *tokenizer;
    const struct psw_data_scorer *scorer; /* borrowed, static; NULL: none */
    struct psw_data_store *store;         /* owned */
    struct psw_answer_key *answer_key;    /* owned; NULL where the scorer needs none */
};

/** Open the data that a configuration chooses (psw_config_source); the seed of generated data
 * is the run's own. MPI: Local, same bits everywhere. Owns: the caller destroys. Errors:
 * PSW_ENOENT, PSW_EDATA (with file:line:column), PSW_EINVAL, PSW_EIO, PSW_ENOMEM. */
psw_status psw_dataset_open(const struct psw_config *config, struct psw_dataset **out,
                            struct psw_error *err);

/** Accepts NULL. */
void psw_dataset_destroy(struct psw_dataset *dataset);

/** The first held-out pair that asks this prompt; *out is set where there is one. Returns
 *  whether there is. */
int psw_dataset_find_pair(const struct psw_dataset *dataset, const struct psw_example *prompt,
                          struct psw_example *out);

/** The items whose prompts a method that samples draws from: the prompts that files name for
 *  it, else the pairs, else the SFT items. Prompts may repeat. Borrowed. */
const struct psw_examples *psw_dataset_rollout_prompts(const struct psw_dataset *dataset);

/** Score of a response by the data set's scorer; NaN where there is none, or where it cannot
 *  tell. */
double psw_dataset_score(const struct psw_dataset *dataset, const int32_t *prompt,
                         int64_t n_prompt, const int32_t *response, int64_t n_response);

/** Choose probe pairs: indices, ascending, into pairs (PSW_PROBE_TRAIN) or
 *  pairs_heldout (PSW_PROBE_HELDOUT).
 *  Returns how many: min(n, pairs there are). Shapes: index: [n]. */
int64_t psw_dataset_probe(const struct psw_dataset *dataset, enum psw_probe_from from,
                          uint64_t seed, int64_t n, int64_t *index);

/** Longest path of prompt and response in any item, in tokens: what the model's context must
 *  hold. Bare prompts count without what will be sampled behind them. */
int64_t psw_dataset_max_path(const struct psw_dataset *dataset);

/** Memory that a data set holds: token ids and items, unless they are in a file. */
size_t psw_dataset_bytes(const struct psw_dataset *dataset);

/** "pairs", "sft", "heldout", "prompts", "final_prompts". Never NULL. */
const char *psw_data_list_name(enum psw_data_list list);

/** Shares of a list that were cut to data.max_prompt and data.max_response; NaN where there is
 *  nothing to cut: an empty list, generated data. */
struct psw_data_cut {
    double prompts, responses;
};
struct psw_data_cut psw_dataset_cut(const struct psw_dataset *dataset, enum psw_data_list list);

/** Say which lists were cut by more than a twentieth, by how much, and what to do; "" for
 *  none. Returns out. */
char *psw_dataset_cut_text(const struct psw_dataset *dataset, const struct psw_config *config,
                           char *out, size_t n_bytes);

/** Most memory that the generated data of a configuration take, from its settings alone, and
 *  which setting decides; 0 and "" where files are read (limits.h bounds those). */
double psw_dataset_generated_bytes(const struct psw_config *config, char *setting,
                                   size_t n_setting);

/** One line for the log, zero counts left out; returns out. */
char *psw_data_counts_text(const struct psw_data_counts *counts, char *out, size_t n_bytes);

#endif
