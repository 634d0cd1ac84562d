/* Sweep files from text in a test. */
#ifndef POSWEEP_TESTS_SWEEP_TEXT_H
#define POSWEEP_TESTS_SWEEP_TEXT_H

#include <support/support.h>

#include <posweep/config/sweep_file.h>

/** Expand text that must be right, as the file x.yaml. */
struct psw_sweep *sweep_of(const char *text);

/** Expand text with one --set (NULL: none); messages start with "x.yaml". */
psw_status sweep_try(const char *text, const char *set, struct psw_sweep **out,
                     struct psw_error *err);

#endif
