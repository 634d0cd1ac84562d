/* Runs that are added to a sweep file while it is performed. The file is looked at while ranks
 * idle, and when all runs have ended. If it asks for all runs that it asked for before, and for
 * more, these are performed, too; a file that lost runs is somebody's next sweep and left
 * alone, and one that cannot be read ends nothing. Either is said once. */
#ifndef POSWEEP_SWEEP_ADDED_H
#define POSWEEP_SWEEP_ADDED_H

#include <posweep/config/sweep_file.h>

struct psw_added; /* opaque */

/** Owns: the caller destroys *out. Errors: PSW_ENOMEM. */
psw_status psw_added_create(struct psw_added **out, struct psw_error *err);

/** Accepts NULL. */
void psw_added_destroy(struct psw_added *added);

/** The file is about to be read: only later changes count. */
void psw_added_begin(struct psw_added *added, const char *path);

/** 1 if the file gained runs over `now`, which psw_added_text has then: one stat while it has
 * not changed. A file that is just being written is left until the next look, unless this is
 * the last one. What is found is said in the log. MPI: Local (rank 0). */
int psw_added_look(struct psw_added *added, const char *path, const char *const *sets,
                   int n_sets, const struct psw_sweep *now, int is_last);

/** The text with the added runs, as psw_sweep_reread takes it; NULL: none were found. */
const char *psw_added_text(const struct psw_added *added);

/** The sweep with the added runs was refused with this error: the text is again the one without
 * them, and the error is kept. Said in the log. 0: there is none to go back to. */
int psw_added_refuse(struct psw_added *added, psw_status rc, const struct psw_error *why);

/** The error of a refusal that the file, unchanged since, would meet again; else PSW_OK. */
psw_status psw_added_refused(const struct psw_added *added, struct psw_error *err);

#endif
