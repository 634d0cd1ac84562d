/* What the files of `posweep status` and of the life of a run share. */
#ifndef POSWEEP_ANALYZE_PROGRESS_INTERNAL_H
#define POSWEEP_ANALYZE_PROGRESS_INTERNAL_H

#include <posweep/analyze/progress.h>
#include <posweep/util/file.h>

/** A run as its records tell it. */
struct psw_progress_run {
    uint64_t hash;
    char *label;      /* owned */
    int is_elsewhere; /* a part of a shared sweep has it */
    int is_left_out;  /* of counts: it is elsewhere, or jobs that share ask for it no more */
    double share;     /* of the present attempt, 0..1; 0 of a run that is done */
    double begun_s;   /* when the last attempt began, since 1970; NaN: none did */
    double worked_s;  /* of attempts that ended */
    int64_t last_started; /* entries; -1: none */
    int64_t last_end;     /* that carries a message */
    int64_t last_log;     /* the end of the log of an attempt that failed */
};

/** A journal with what was computed from it. */
struct psw_progress_view {
    struct psw_journal *journal;  /* owned */
    struct psw_progress p;        /* of its own runs */
    struct psw_progress_run *run; /* owned [p.n_run] */
    int32_t part;                 /* 0: the whole; of a shared sweep: from 1 */
};

/** All journals of a sweep: one, or of a shared sweep that of the whole and those of its parts.
 */
struct psw_progress_whole {
    char path[PSW_PATH_BYTES];      /* of the journal of the whole */
    struct psw_progress_view *view; /* owned */
    int32_t n_view;
    struct psw_progress p; /* of all */
};

/** Errors: those of psw_progress_read. The caller clears. */
psw_status psw_progress_load(const char *path, struct psw_progress_whole *out,
                             struct psw_error *err);
void psw_progress_clear(struct psw_progress_whole *whole);

/** Outcome of run r of a view; a run that nobody works on is no running one. */
enum psw_outcome psw_progress_outcome(const struct psw_progress_view *view, int64_t r,
                                      int32_t *attempts);

/** Payload of an entry as a text that the caller frees; NULL: none. */
char *psw_progress_text(const struct psw_progress_view *view, int64_t entry);

/** Ranks of the attempt whose beginning is that entry; 0: not recorded. */
int psw_progress_ranks(const struct psw_progress_view *view, int64_t entry);

/** What was said of the last start's end, if that was an error and nothing has been recorded
 * since; last_s: age of the youngest record, NaN: there is none. The caller frees; NULL:
 * nothing. */
char *psw_progress_ended(const char *journal_path, double last_s);

/** Fill the range of the time left, from the durations of what is done. */
void psw_progress_forecast(struct psw_progress_whole *whole);

#endif
