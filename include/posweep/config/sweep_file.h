/* Sweep files: YAML in, a list of resolved, validated and hashed runs out.
 *
 * A file has `name`, `base`, `blocks`, `replicates` or `seeds`, `limits`, `families`
 * (family_plan.h), and `stop` (stop_rule.h). Several such files in one, with lines "---"
 * between them, are the sweep of all their runs, each once: what merging two sweeps keeps as
 * its text. A block has `set`, `axes` (product), `zip` (together), `variants` (named overrides,
 * with `preset:`) and `except` (partial settings to leave out). `replicates` is a count, or a
 * plan to add seeds until a comparison is decided: {batch, max, baseline, metric, by, alpha}.
 * Layers of a run, the later wins: defaults, base and limits,
 * --set, the preset of set, set, the preset of the variant, axes and zip, the variant. An axis
 * and a set or variant (or its preset) of one block that give the same key contradict each
 * other, and so do --set and a block: both are refused. Dotted keys and nested maps mean the
 * same. */
#ifndef POSWEEP_CONFIG_SWEEP_FILE_H
#define POSWEEP_CONFIG_SWEEP_FILE_H

#include <posweep/config/pack.h>
#include <posweep/config/stop_rule.h>
#include <stddef.h>

enum {
    PSW_VARIANT_BYTES = 64,
    PSW_NAME_BYTES = 64,
    PSW_WARNING_BYTES = 256,
    PSW_MAX_RUNS = 100000
};

/** One run; psw_sweep_config gives its settings. */
struct psw_run {
    uint64_t hash;  /* identity: psw_config_hash(PSW_CFG_IN_RUN) */
    uint64_t group; /* the same without the seed */
    int64_t config; /* place in the sweep's configurations, the same for all seeds of a group */
    const char *method;  /* borrowed: psw_config_method */
    const char *variant; /* borrowed from the sweep: a label, not part of the identity */
    int32_t block;       /* index in the file, from 0 */
    int32_t line;        /* of the block or variant in the file, from 1 */
    int64_t seed;
};

enum { PSW_SEED_PLAN_BYTES = 96 };

/** `replicates` as a map: seeds are added, batch by batch, until the comparison of every cell
 * with its baseline is decided. Plain data. */
struct psw_seed_plan {
    int64_t batch, max; /* batch 0: there is none, the seeds are fixed */
    double alpha;
    char by[PSW_SEED_PLAN_BYTES]; /* "variant", "method", "policy.beta" */
    char baseline[PSW_SEED_PLAN_BYTES], metric[PSW_SEED_PLAN_BYTES];
};

/** An expanded sweep file. The runs stand in the order of blocks, variants, axes, seeds. */
struct psw_sweep {
    char name[PSW_NAME_BYTES];
    char *path;          /* owned: of the file, for messages */
    struct psw_run *run; /* owned */
    int64_t n_run;
    struct {
        char **name; /* [n] owned: of the variants, each once */
        int32_t n;
    } variants;
    struct psw_config_list configs; /* owned: but for the seed, which is a run's */
    uint64_t hash;                  /* of the set of runs, whatever their order */
    char *text;                     /* owned: the file as read, then the --set as comments */
    size_t n_text_bytes;
    struct {
        int32_t *leaf; /* owned: rows of psw_leaves() whose values differ between runs */
        int32_t n;
    } swept;
    int32_t n_block;
    int32_t n_seed;
    struct psw_seed_plan seed_plan; /* the runs are those of its first batch */
    struct psw_stop_rule stop;
    struct {
        char (*text)[PSW_WARNING_BYTES]; /* owned: e.g. an except that removes nothing */
        int32_t n;
    } warnings;
};

/** Read, expand and check a sweep file; `sets` are the "key=value" of --set, applied to base.
 *  MPI:    Local.
 *  Owns:   the caller destroys *out.
 *  Errors: PSW_ENOENT, PSW_EIO; PSW_EINVAL as "file:line:column: what was expected, what was
 *          found, the nearest valid key". */
psw_status psw_sweep_read(const char *path, const char *const *sets, int n_sets,
                          struct psw_sweep **out, struct psw_error *err);

/** The plan of a sweep file to add seeds, without a look at its runs or at files that they
 *  name; whether the runs have what it compares is not known then. Errors: likewise. */
psw_status psw_sweep_seed_plan(const char *path, const char *const *sets, int n_sets,
                               struct psw_seed_plan *out, struct psw_error *err);

/** The same from text in memory, without overrides; `path` is for messages, and relative data
 *  paths start from its folder. */
psw_status psw_sweep_parse(const char *path, const char *text, size_t n_bytes,
                           struct psw_sweep **out, struct psw_error *err);

/** The same from the text that a sweep kept (psw_sweep.text), with the overrides at its end. */
psw_status psw_sweep_reread(const char *path, const char *kept, struct psw_sweep **out,
                            struct psw_error *err);

/** Add the runs of another sweep that are not there yet, behind those that are; the text
 * becomes one that psw_sweep_reread takes. Errors: PSW_EINVAL when they cannot stand in one
 * file (two backends, a plan to add seeds, too many runs); PSW_ENOMEM. */
psw_status psw_sweep_unite(struct psw_sweep *into, const struct psw_sweep *more,
                           struct psw_error *err);

/** The settings of one run after another. Zero it first; not across changes of the sweep. */
struct psw_config_reader {
    const struct psw_sweep *sweep; /* borrowed: what was read last, */
    int64_t place;                 /* and where */
    struct psw_config config;
};

/** The settings of a run. They stand in the reader until its next use; another seed of the same
 *  group costs nothing. */
const struct psw_config *psw_sweep_config(const struct psw_sweep *sweep, int64_t run,
                                          struct psw_config_reader *reader);

/** The first run from `run` on that has other settings than the run before it but for the seed;
 *  n_run: none. For what is asked of every configuration once. */
int64_t psw_sweep_next_config(const struct psw_sweep *sweep, int64_t run);

/** Change what decides no run's identity (limits): `change` is called once for every
 *  configuration. Errors: those of change; PSW_ENOMEM. The sweep is then as it was. */
psw_status psw_sweep_change(struct psw_sweep *sweep,
                            psw_status (*change)(void *ctx, struct psw_config *config,
                                                 struct psw_error *err),
                            void *ctx, struct psw_error *err);

/** Whether a has every run of b. Out of memory it says no. */
int psw_sweep_covers(const struct psw_sweep *a, const struct psw_sweep *b);

/** Keep some of the runs, in their order; text and swept settings stay those of the whole.
 *  Shapes: is_kept [n_run]. Errors: PSW_ENOMEM. */
psw_status psw_sweep_select(struct psw_sweep *sweep, const uint8_t *is_kept,
                            struct psw_error *err);

/** Accepts NULL. */
void psw_sweep_destroy(struct psw_sweep *sweep);

#endif
