/* What the files of the report share. */
#ifndef PSW_PAGE_INTERNAL_H
#define PSW_PAGE_INTERNAL_H

#include <posweep/analyze/cells.h>
#include <posweep/analyze/compare.h>
#include <posweep/analyze/page.h>
#include <posweep/analyze/stats.h>
#include <posweep/analyze/traces.h>
#include <posweep/store/results.h>

#include <jansson.h>
#include <stdio.h>

/** A file that was built in; made by assets.cmake. */
struct psw_page_asset {
    const char *name;
    const unsigned char *data;
    size_t n_bytes;
};
extern const struct psw_page_asset PSW_PAGE_ASSETS[]; /* ended by name NULL */

/** What is compared where nobody said so: a swept setting and its first value. */
struct psw_page_axis {
    char by[PSW_SETTING_BYTES], value[PSW_SETTING_BYTES];
};

/** Variants, or what was asked for; then methods. */
enum { PSW_PAGE_COMPARISONS = 2 };

/** What the parts of the page are written from. */
struct psw_page {
    FILE *out;
    struct psw_results *results;  /* borrowed */
    struct psw_results *spectrum; /* owned; NULL: none */
    const struct psw_page_opts *opts;
    struct psw_traces traces; /* n_checkpoint 0: the file has no G */
    struct psw_cells cells;
    double *scratch;                                        /* owned, enough for every cell */
    int64_t n_used;                                         /* runs that count */
    struct psw_comparison comparison[PSW_PAGE_COMPARISONS]; /* owned; n_row 0: there is none */
    struct psw_page_axis axis;
    char not_compared[PSW_ERROR_TEXT_BYTES]; /* why there is none */
};

/** A figure as a picture. */
struct psw_page_still {
    const char *name;
    int (*is_there)(const struct psw_page *page);
    psw_status (*draw)(const struct psw_page *page, FILE *out, struct psw_error *err);
};
extern const struct psw_page_still PSW_PAGE_STILLS[]; /* ended by name NULL */

/* --- html.c: texts of anybody on a page --- */

/** Text with what HTML reserves as entities; bytes that are no UTF-8, and control characters,
 *  become U+FFFD. For the inside of elements and of quoted attributes. */
void psw_html_text(FILE *out, const char *text);

/** A JSON string of the same text; new, or NULL when memory is short. */
json_t *psw_html_json(const char *text);

/** A document inside <script>: no byte of it ends the element.
 *  Errors: PSW_ENOMEM. */
psw_status psw_html_script(FILE *out, const json_t *document, struct psw_error *err);

/* --- page_pack.c: long columns, small --- */

/** Columns that are being packed, row after row. Plain data. */
struct psw_page_pack {
    int16_t *value;       /* owned [n_row][n] */
    unsigned char *error; /* owned [n_row][n] */
    float *scale;         /* owned [n_row] */
    float *largest;       /* owned [n_row], error */
    int64_t n_row, n;
};

/** 0 when memory is short; to be cleared in any case. */
int psw_page_pack_init(struct psw_page_pack *p, int64_t n_row, int64_t n);
void psw_page_pack_clear(struct psw_page_pack *p);
/** Shapes: x, se [n], NaN where missing; se NULL: no errors. */
void psw_page_pack_row(struct psw_page_pack *p, int64_t row, const double *x, const double *se);
/** New, or NULL when memory is short. */
json_t *psw_page_pack_json(const struct psw_page_pack *p, int has_errors);

/** As psw_page_pack_init. Errors: PSW_ENOMEM. */
psw_status psw_page_begin_block(struct psw_page_pack *p, int64_t n_row, int64_t n,
                                struct psw_error *err);
/** Append a column as the element data-KIND-NAME. */
psw_status psw_page_put_block(const struct psw_page *page, const char *kind, const char *name,
                              const struct psw_page_pack *pack, int has_errors,
                              struct psw_error *err);

/* --- page_data.c: the numbers of the figures --- */

/** Append the data of the page as JSON, without the long columns. Errors: PSW_ENOMEM. */
psw_status psw_page_data(const struct psw_page *page, struct psw_error *err);

/* --- page_blocks.c: the long columns, an element each --- */

/** A training curve of the page. */
struct psw_page_curve {
    const char *name, *title;
    int at_checkpoint; /* measured there; else logged along training */
};
extern const struct psw_page_curve PSW_PAGE_CURVES[]; /* ended by name NULL */
int psw_page_has_curve(const struct psw_page *page, const struct psw_page_curve *curve);
/** Every how many-th point of a log is kept. */
int64_t psw_page_stride(const struct psw_page *page, int64_t n_log);

/** Components of the page: those of the file, then pos - neg where it has none of its own. */
int64_t psw_page_n_component(const struct psw_page *page);
const char *psw_page_component(const struct psw_page *page, int64_t c);
int psw_page_has_along(const struct psw_page *page, enum psw_along along);
/** Checkpoints at which any cosine was measured; new, JSON's null if at none. */
json_t *psw_page_cosine_at(const struct psw_page *page);
int psw_page_has_values(const double *x, int64_t n);

/** Append the columns of the first figure; the others. Errors: PSW_ENOMEM. */
psw_status psw_page_first_blocks(const struct psw_page *page, struct psw_error *err);
psw_status psw_page_other_blocks(const struct psw_page *page, struct psw_error *err);

/* --- page_thirds.c: what is known of a part of the loss in a third of training --- */

enum { PSW_PAGE_THIRDS = 3 };

/** What is known of the sign of a mean over seeds, by its 95 % interval. */
enum psw_page_sign { PSW_PAGE_BELOW, PSW_PAGE_OPEN, PSW_PAGE_ABOVE, PSW_PAGE_NO_DATA };

enum psw_page_sign psw_page_known(struct psw_stat s);

/** G over the norm of v of a component in a third of training: of each seed its mean over the
 *  checkpoints there, then the statistics over seeds. */
struct psw_stat psw_page_third(const struct psw_page *page, const struct psw_cell *cell,
                               int64_t component, int third);

/** Whether any run that counts has a trace of total. */
int psw_page_has_trace(const struct psw_page *page);

/** Whether a cell stands for its method: that of the baseline, or the first. */
int psw_page_is_baseline(const struct psw_page *page, const struct psw_cell *cell);

/* --- page_answer.c: what each part of the loss did --- */
void psw_page_answer(const struct psw_page *page);

/* --- page_compare.c: what differs --- */

/** Compare, or note why nothing is compared. Errors: those of psw_compare where the comparison
 *  was asked for; PSW_ENOMEM. */
psw_status psw_page_compare(struct psw_page *page, struct psw_error *err);
void psw_page_compare_clear(struct psw_page *page);
void psw_page_differences(const struct psw_page *page);
void psw_page_compare_table(const struct psw_page *page);
json_t *psw_page_compare_json(const struct psw_page *page); /* new, or NULL */
int psw_page_has_comparison(const struct psw_page *page);
psw_status psw_page_draw_forest(const struct psw_page *page, FILE *out, struct psw_error *err);

/* --- page_next.c: what to ask next; n counts the items of the list --- */
void psw_page_next(const struct psw_page *page);
void psw_page_next_compare(const struct psw_page *page, int *n); /* in page_compare.c */

/* --- page_bands.c: simultaneous bands --- */

/** Append the bands of the mean of G over the norm of v, of the components that stand in the
 *  answer, as columns over cells and components. Errors: PSW_ENOMEM. */
psw_status psw_page_put_bands(const struct psw_page *page, struct psw_error *err);

/** "Over the whole trace at once (95 %), it is below 0 at steps 20 to 220": of pos - neg. */
void psw_page_put_band(const struct psw_page *page, const struct psw_cell *cell);

/* --- page_claims.c: what the paper claims --- */
void psw_page_claims(const struct psw_page *page);

/* --- page_spectrum.c: what `posweep spectrum` found --- */
int psw_page_has_spectrum(const struct psw_page *page);
json_t *psw_page_spectrum_json(const struct psw_page *page); /* new, JSON's null, or NULL */

/* --- page_samples.c: what the configurations say --- */
void psw_page_samples(const struct psw_page *page);

/* --- page_tables.c --- */

/** Around a table of so many rows: one that is long is closed until somebody wants it, for the
 *  browser would spend longer on it than on the figures. */
void psw_page_open_table(const struct psw_page *page, int64_t n_row, const char *name);
void psw_page_close_table(const struct psw_page *page, int64_t n_row);
void psw_page_cells(const struct psw_page *page);
void psw_page_apart(const struct psw_page *page);
void psw_page_costs(const struct psw_page *page);
void psw_page_provenance(const struct psw_page *page);

#endif
