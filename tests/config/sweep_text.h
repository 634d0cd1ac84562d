/* Sweep files from text in a test: written to a temporary folder and read back. */
#ifndef POSWEEP_TESTS_SWEEP_TEXT_H
#define POSWEEP_TESTS_SWEEP_TEXT_H

#include <support/support.h>

#include <posweep/config/sweep_file.h>

/** Read `text` (n_bytes of it) as the file x.yaml; the message starts with "x.yaml". */
psw_status sweep_read_bytes(const char *text, size_t n_bytes, const char *const *sets,
                            int n_sets, struct psw_sweep **out, struct psw_error *err);

/** Expand text that must be right. */
struct psw_sweep *sweep_of(const char *text);

/** Expand text with one --set; NULL: none. */
psw_status sweep_try(const char *text, const char *set, struct psw_sweep **out,
                     struct psw_error *err);

#endif
