/* What the files of the report share. */
#ifndef PSW_PAGE_INTERNAL_H
#define PSW_PAGE_INTERNAL_H

#include <posweep/analyze/cells.h>
#include <posweep/analyze/page.h>
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

/** What the parts of the page are written from. */
struct psw_page {
    FILE *out;
    struct psw_results *results; /* borrowed */
    const struct psw_page_opts *opts;
    struct psw_traces traces; /* n_checkpoint 0: the file has no G */
    struct psw_cells cells;
    double *scratch; /* owned, enough for every cell */
};

/* --- html.c: texts of anybody on a page --- */

/** Text with what HTML reserves as entities; bytes that are no UTF-8, and control characters,
 *  become U+FFFD. For the inside of elements and of quoted attributes. */
void psw_html_text(FILE *out, const char *text);

/** A JSON string of the same text; new, or NULL when memory is short. */
json_t *psw_html_json(const char *text);

/** A document inside <script>: no byte of it ends the element.
 *  Errors: PSW_ENOMEM. */
psw_status psw_html_script(FILE *out, const json_t *document, struct psw_error *err);

/* --- page_data.c: the numbers of the figures --- */

/** Append the data of the page as JSON. Errors: PSW_ENOMEM. */
psw_status psw_page_data(const struct psw_page *page, struct psw_error *err);

/* --- page_answer.c, page_tables.c: what is said, and tables --- */
void psw_page_answer(const struct psw_page *page);
void psw_page_cells(const struct psw_page *page);
void psw_page_apart(const struct psw_page *page);
void psw_page_costs(const struct psw_page *page);
void psw_page_provenance(const struct psw_page *page);

#endif
