/* What is conspicuous in one run, in sentences with its numbers and with what one could try.
 *
 * A table of rules, from "both rewards fall" to "D' is too small". A rule that has nothing to
 * say is silent; so is one whose data the file does not have, but it names the setting that
 * would have stored them. Nothing here is a test across seeds: one run may be conspicuous by
 * chance where its replicates are not. */
#ifndef POSWEEP_ANALYZE_DIAGNOSIS_H
#define POSWEEP_ANALYZE_DIAGNOSIS_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

enum { PSW_DIAGNOSIS_BYTES = 640, PSW_MAX_RULES = 32 };

enum psw_verdict {
    PSW_VERDICT_SILENT,   /* looked at, nothing conspicuous */
    PSW_VERDICT_FIRES,    /* `says` holds what was found */
    PSW_VERDICT_NO_DATA,  /* the file lacks what the rule reads; `stored_by` says why */
    PSW_VERDICT_NOT_ASKED /* makes no sense of this method */
};

/** What came of one rule. All texts but `says` are static. */
struct psw_diagnosis {
    enum psw_verdict verdict;
    const char *name;      /* "both rewards fall" */
    const char *advice;    /* what one could try */
    const char *needs;     /* the datasets it reads, separated by blanks */
    const char *stored_by; /* the setting or situation that stores them */
    char says[PSW_DIAGNOSIS_BYTES];
};

/** Ask every rule of the run in this row of the file.
 *  Shapes: out [PSW_MAX_RULES]. Returns how many rules there are. */
int psw_diagnose(struct psw_results *results, int64_t run, struct psw_diagnosis *out);

/** Print the rules that fire, then what was looked at in vain and what the file cannot tell.
 *  Errors: PSW_EIO. */
psw_status psw_diagnosis_show(FILE *out, struct psw_results *results, int64_t run,
                              struct psw_error *err);

#endif
