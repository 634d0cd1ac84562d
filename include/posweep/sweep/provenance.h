/* What decides the last bits of a result besides its configuration: binary, BLAS and its
 * threads, CPU type. Results are the same bit for bit only where these are; this file says
 * where not. */
#ifndef POSWEEP_SWEEP_PROVENANCE_H
#define POSWEEP_SWEEP_PROVENANCE_H

#include <posweep/store/results.h>

/** One number for those of the notes that decide bits (commit, compiler, flags, blas,
 *  blas_threads, cpu): equal numbers, equal bits. */
uint64_t psw_provenance_hash(const struct psw_results_note *note, int n_note);

/** How many of those notes differ from an earlier start's; out: "cpu (A before, B now), ...",
 *  cut to n_bytes. A note that only one of the two has does not count.
 *  Shapes: before: "key=value\n" lines, as the journal keeps them. */
int psw_provenance_compare(const char *before, const struct psw_results_note *note, int n_note,
                           char *out, size_t n_bytes);

#endif
