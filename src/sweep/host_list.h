/* Hosts that failed: what the journal remembers of them from start to start. */
#ifndef POSWEEP_SRC_SWEEP_HOST_LIST_H
#define POSWEEP_SRC_SWEEP_HOST_LIST_H

#include <posweep/store/journal.h>

enum { PSW_HOST_WHY_BYTES = 768 };

/** A host, as the journal has it last. */
struct psw_failed_host {
    char *name;  /* owned */
    char *why;   /* owned: it failed; "": it works again */
    double at_s; /* since 1970 */
};

struct psw_host_list {
    struct psw_failed_host *host; /* owned, [n] */
    int32_t n;
    double since_s; /* what was before is forgotten */
};

/** What is known of hosts; what failed before `since_s` is forgotten.
 *  MPI: Local. Owns: the caller clears. Errors: those of psw_journal_payload; PSW_ENOMEM. */
psw_status psw_host_list_read(struct psw_journal *journal, double since_s,
                              struct psw_host_list *out, struct psw_error *err);
void psw_host_list_clear(struct psw_host_list *list);

/** "4 tasks met trouble there; 2 h 05 min ago": why a host is to be left out; "": that is
 *  forgotten; NULL: it never failed, or works again. Returns out. */
const char *psw_host_list_why(const struct psw_host_list *list, const char *name,
                              char out[PSW_HOST_WHY_BYTES]);

/** Remember that a host failed; why "": that it works. Errors: those of psw_journal_append. */
psw_status psw_host_list_record(struct psw_journal *journal, const char *name, const char *why,
                                struct psw_error *err);

#endif
