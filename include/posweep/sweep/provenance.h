/* What decides the last bits of a result besides its configuration: binary, BLAS and its
 * threads, CPU type, backend. Results are the same bit for bit only where these are; this file
 * says where not. */
#ifndef POSWEEP_SWEEP_PROVENANCE_H
#define POSWEEP_SWEEP_PROVENANCE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

/** One number for those of the notes that decide bits (commit, compiler, flags, blas,
 *  blas_threads, cpu, backend): equal numbers, equal bits. */
uint64_t psw_provenance_hash(const struct psw_results_note *note, int n_note);

/** Kinds of those notes: of the build (commit, compiler, flags), of the machine (the others).
 */
enum { PSW_PROVENANCE_BUILD = 1, PSW_PROVENANCE_CPU = 2 };

/** How many of the notes of these kinds differ from an earlier start's; out: "cpu (A before, B
 *  now), ...", cut to n_bytes. A note that only one of the two has does not count.
 *  Shapes: before: "key=value\n" lines, as the journal keeps them. */
int psw_provenance_compare(const char *before, const struct psw_results_note *note, int n_note,
                           int kinds, char *out, size_t n_bytes);

/** Hold this start, the journal's last session, against the last one before it that did any
 *  work: another build is warned of, another CPU type, BLAS or backend is refused unless it is
 * accepted; then it is warned of as well. Errors: PSW_EINVAL with both values and what to do;
 * those of psw_journal_record. */
psw_status psw_provenance_check(struct psw_journal *journal,
                                const struct psw_results_note *note, int n_note, int accept_cpu,
                                struct psw_error *err);

#endif
