/* What the files of posweep submit and posweep doctor share: what a sweep needs of a machine,
 * the job script made from that, and asking Slurm. */
#ifndef PSW_SUBMIT_INTERNAL_H
#define PSW_SUBMIT_INTERNAL_H

#include <posweep/store/journal.h>
#include <posweep/sweep/work_plan.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** A sweep as the command line names it. All borrowed. */
struct psw_sweep_ask {
    const char *path, *out_path;
    const char *const *set; /* [n_set] "key=value" */
    int n_set;
};

/** What is left of a sweep, and what that needs. Plain data. */
struct psw_sweep_needs {
    char name[PSW_NAME_BYTES];
    int64_t n_run, n_left;
    int has_stop_rule;      /* `stop:`, which jobs that share a sweep cannot keep */
    int32_t n_task, widest; /* stages of work; ranks of the widest run */
    double flops, makespan_s /* NAN: a run is wider than the ranks */, stop_s;
    size_t rank_bytes /* arena and generated data of a rank that works */, disk_bytes;
};

/** n_rank: ranks that work, at flops_per_s each. MPI: Local. Errors: those of psw_sweep_read,
 *  psw_work_plan_init and of the journal of out_path. */
psw_status psw_cli_sweep_needs(const struct psw_sweep_ask *ask, int n_rank, double flops_per_s,
                               struct psw_sweep_needs *out, struct psw_error *err);

/** What `posweep run` would not do again: ended [n_run] gets the outcome of runs that have one.
 *  *journal: what an earlier start left, or NULL; the caller closes it.
 *  Errors: those of psw_journal_read. */
psw_status psw_cli_find_ended(const char *out_path, const struct psw_sweep *sweep,
                              uint8_t *ended, struct psw_journal **journal,
                              struct psw_error *err);

enum { PSW_SBATCH_MAX_EXTRA = 32 };

/** A job as `posweep submit` was told of it and worked it out. All borrowed. */
struct psw_slurm_job {
    const char *name, *about; /* about: a line that says what the job is for */
    struct {
        int64_t n_node, n_task, mem_mib; /* n_task: a node; mem_mib: a task, 0: not asked for */
        int64_t n_job;                   /* that share the sweep, as an array; 1: none do */
        double time_s;
    } size;
    struct {
        const char *partition, *account, *qos;   /* or NULL */
        const char *extra[PSW_SBATCH_MAX_EXTRA]; /* further options of sbatch */
        int n_extra;
    } place;
    struct {
        const char *signal;
        int lead_s, stop_s;
        int64_t n_chain; /* jobs that follow one another; 1: one that requeues itself */
    } end;
    const char *const *arg; /* [n_arg] of posweep run */
    int n_arg;
};

/** Write the script of a job: #SBATCH lines, exports, arguments, and the body of
 *  slurm/sweep.sbatch. chain: the id of the chain's first job, NULL for that itself; n_after:
 *  how many follow this one. Errors: PSW_EINVAL for text that a #SBATCH line cannot hold. */
psw_status psw_slurm_script(FILE *out, const struct psw_slurm_job *job, const char *chain,
                            int64_t n_after, struct psw_error *err);

/** Run a program of Slurm with `in` (may be NULL) as its input, and keep the beginning of what
 *  it says. Slurm's variables of another job, and those of an MPI launcher, are not handed
 *  down; SLURM_CONF and those of sbatch are. Errors: PSW_EUNSUP where the program is not
 *  there; PSW_EIO with its last words where it fails. */
psw_status psw_slurm_ask(const char *const *argv, FILE *in, char *out, size_t n_bytes,
                         struct psw_error *err);

/** The value of a key in the text of `scontrol show config`; -1 where there is none. */
int64_t psw_slurm_config(const char *text, const char *key);

/** What a site bounds: a job's time (s), nodes, cores and memory (MiB); nodes and cores of all
 *  jobs of a user that run; jobs that are waiting or run. */
enum psw_slurm_limit {
    PSW_SLURM_TIME,
    PSW_SLURM_NODES,
    PSW_SLURM_CPUS,
    PSW_SLURM_MEMORY,
    PSW_SLURM_NODES_ALL,
    PSW_SLURM_CPUS_ALL,
    PSW_SLURM_JOBS,
    PSW_N_SLURM_LIMIT
};

struct psw_slurm_bound {
    double most;  /* INFINITY: it is not bounded, as far as is known */
    char of[192]; /* "MaxWall of the QOS long" */
};

struct psw_slurm_limits {
    struct psw_slurm_bound bound[PSW_N_SLURM_LIMIT];
};

/** The limits for a job in its partition, account and QOS, or in the default ones. config: what
 *  `scontrol show config` says. Asks scontrol once and, where limits of accounting are
 * enforced, sacctmgr; what they do not tell is unbounded. Errors: PSW_EINVAL where the
 * partition is not there or does not take the QOS or account; PSW_ENOMEM. */
psw_status psw_slurm_limits_read(const struct psw_slurm_job *job, const char *config,
                                 struct psw_slurm_limits *out, struct psw_error *err);

/** Errors: PSW_EINVAL naming what is asked for, the limit, and whose it is. */
psw_status psw_slurm_limits_check(const struct psw_slurm_limits *limits,
                                  const struct psw_slurm_job *job, struct psw_error *err);

/** Submit the chain, one after another; an RPC that may pass another time is tried again.
 *  Prints each job's id. Errors: those of psw_slurm_ask; what was submitted is named. */
psw_status psw_slurm_submit(const struct psw_slurm_job *job, struct psw_error *err);

/** A limit as sbatch takes it ("90", "1:30:00", "2-12") in seconds; 0 for anything else. */
double psw_slurm_time_s(const char *text);

#endif
