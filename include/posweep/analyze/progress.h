/* How a sweep stands, from its journal alone: safe from any login node while it runs. */
#ifndef POSWEEP_ANALYZE_PROGRESS_H
#define POSWEEP_ANALYZE_PROGRESS_H

#include <posweep/store/journal.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

/** Parts of a sweep that several jobs share; n 0: nobody shares it. */
struct psw_progress_parts {
    int64_t n, n_over, n_held; /* over: ended; held: by a job that works on it */
};

/** Counts and times. Plain data. */
struct psw_progress {
    int64_t n_run;
    int64_t n_outcome[PSW_N_OUTCOME];
    double elapsed_s; /* written by all sessions, pauses between them left out */
    double part_done; /* 0..1 of the predicted work; NaN: unknown */
    double left_s;    /* until the last run ends, as the sweep's own log says; NaN: unknown */
    double left_low_s, left_high_s; /* eight times of ten it is between these; NaN: unknown */
    int64_t n_active; /* runs and stages that are worked on; 0 when nobody works */
    int64_t n_rank;   /* ranks that work, or worked; 0: unknown */
    double last_s;    /* age of the youngest record */
    int n_session;    /* times the sweep was started */
    char name[128];   /* of the sweep */
    struct {
        char text[256]; /* the process that works on it now; "" when none does */
        int is_unsure;  /* no locks: it may be dead */
    } holder;
    struct psw_progress_parts parts;
    int64_t torn_bytes; /* unfinished record at the end (a writer at work, or a kill) */
};

enum { PSW_LEFT_TEXT_BYTES = 64 };

/** "about 3 min 05 s left", "less than a second left", "time left not known yet"; returns out.
 */
char *psw_progress_left_text(double left_s, char out[PSW_LEFT_TEXT_BYTES]);

/** Read the journal of a results file (X.h5 or X.h5.journal).
 *  Errors: PSW_ENOENT when there is none, PSW_EDATA with the offset when it is corrupt. */
psw_status psw_progress_read(const char *path, struct psw_progress *out, struct psw_error *err);

/** Whether a sweep with this output may still begin: its folder is there, but no journal and no
 *  word on how a start ended. */
int psw_progress_is_awaited(const char *path);

/** `posweep status`: the counts, the running runs with their progress, the failed ones with
 *  their messages, and the time left. Errors: those of psw_progress_read; PSW_EIO. */
psw_status psw_progress_show(FILE *out, const char *path, struct psw_error *err);

/** The same as one JSON object, with all runs that run, were interrupted, failed or diverged,
 *  and all `remarks` about ranks of the last start. */
psw_status psw_progress_json(FILE *out, const char *path, struct psw_error *err);

/** How long n pieces of work take, begun in this order, on n_slot slots that are free: each
 * goes to the first one that comes free. 0, and *out_s as it was, without a slot. Shapes:
 * left_s [n]; free_s [n_slot], scratch. */
int psw_progress_makespan(const double *left_s, int64_t n, double *free_s, int64_t n_slot,
                          double *out_s);

/** `posweep why RUN`: the life of one run, given by its label, by the first digits of its hash,
 *  or by a part of its label that no other has; *found is its identity.
 *  Errors: PSW_ENOENT when no run or several fit. */
psw_status psw_progress_why(FILE *out, const char *path, const char *run, uint64_t *found,
                            struct psw_error *err);

#endif
