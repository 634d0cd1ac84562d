/* What the files of this module share: words for numbers, and which components are shown. */
#ifndef PSW_ANALYZE_INTERNAL_H
#define PSW_ANALYZE_INTERNAL_H

#include <posweep/analyze/replicates.h>
#include <posweep/analyze/show.h>
#include <stdio.h>

enum { PSW_LINE_WIDTH = 100, PSW_WORD_BYTES = 128, PSW_SENTENCE_BYTES = 512 };

/* --- wording.c: numbers as texts; widths are counted in characters, not bytes --- */

/** Where text goes, and whether it may hold more than ASCII. */
struct psw_printer {
    FILE *out;
    int ascii;
};

/** Print in a field of `width` characters: negative aligns left. */
void psw_wording_put(const struct psw_printer *w, const char *text, int width);
/** Print items separated by ", ", broken at PSW_LINE_WIDTH and indented. used: characters on
 * the line so far, 0: none. */
void psw_wording_item(const struct psw_printer *w, const char *text, int indent, int *used);

const char *psw_wording_plus_minus(const struct psw_printer *w); /* "±" */
const char *psw_wording_norm(const struct psw_printer *w);       /* "‖v‖" */

/** Digits behind the point that leave `n_digit` significant ones; at most 6. */
int psw_wording_digits(double size, int n_digit);
/** "1.60 ± 0.06", "395.2 ± 0.4"; "-" where there is no value. All of these return out. */
const char *psw_wording_number(const struct psw_printer *w, struct psw_stat x,
                               char out[PSW_WORD_BYTES]);
/** "+0.121 ± 0.013", in units of `unit`. */
const char *psw_wording_signed(const struct psw_printer *w, struct psw_stat x, double unit,
                               int digits, char out[PSW_WORD_BYTES]);
/** "0.65 [0.40..0.93]": two significant digits of the median; where that is too wide without
 * the zeros before the points, then with fewer digits. */
const char *psw_wording_spread(struct psw_spread x, int width, char out[PSW_WORD_BYTES]);
/** Shares in whole per cents that add up to 100. */
struct psw_percents {
    int64_t n;
    int above, open, below;
};
struct psw_percents psw_wording_percents(struct psw_shares s);
/** "3 of 3 above", "1 above, 1 below", "all unclear", "-". */
const char *psw_wording_seeds(const struct psw_replicates *r, char out[PSW_WORD_BYTES]);
/** One character per value, from lo to hi; NaN is a blank. */
void psw_wording_spark(const struct psw_printer *w, const double *value, int64_t n, double lo,
                       double hi);

/* --- findings.c: what is to be said about runs before their numbers are believed --- */

/** "over-optimised, KL 27.2 nat; score 0.31, ...": why a run is set apart, and what it came to.
 *  i: place of the run in its cell. */
void psw_finding_of_run(struct psw_results *results, const struct psw_cell *cell, int64_t i,
                        char out[PSW_SENTENCE_BYTES]);
/** Sentences about D' of the replicates that count, a line each. */
void psw_findings_of_final(const struct psw_printer *w, struct psw_results *results,
                           const struct psw_cell *cell);

/* --- show_block.c --- */

/** Everything that printing needs. */
struct psw_shower {
    struct psw_printer words;
    struct psw_results *results;
    const struct psw_show_opts *opts;
    struct psw_traces traces;
    const double *cosine; /* borrowed [run][checkpoint][component]; NULL: not asked for */
    double *scratch;      /* owned, enough for every cell */
    double *spark;        /* owned, [n_checkpoint] */
};

/** The block of a cell. */
void psw_show_block(const struct psw_shower *s, const struct psw_cell *cell);

/* --- compare_data.c --- */

/** A text of a CSV file, and of JSON, in quotes. */
void psw_compare_csv_text(FILE *out, const char *text);
void psw_compare_json_text(FILE *out, const char *text);

#endif
