/* Forms of data files: how the rows of a preference, SFT or prompt file are laid out. One table
 * (form.c); the form of a file is the first whose keys its first row has, or the one that was
 * asked for. Adding one: a row of the table and, if it has its own look, a reader. */
#ifndef POSWEEP_SRC_DATA_FORM_H
#define POSWEEP_SRC_DATA_FORM_H

#include "source/pair_row.h"

/** What a row can be read for; bits. */
enum psw_form_use { PSW_FORM_PAIRS = 1, PSW_FORM_SFT = 2, PSW_FORM_PROMPTS = 4 };

/** A row of the table. */
struct psw_form {
    const char *name;   /* of data.format */
    const char *layout; /* in words */
    unsigned uses;      /* enum psw_form_use */
    /** Keys by type: "a" a list, "o" an object, "s" a string, in front of its name; "-" for one
     *  that must not be there. NULL-terminated. */
    const char *const *keys;
    psw_status (*read)(const struct psw_form *form, const json_t *object, const char *place,
                       struct psw_pair_row *out, struct psw_error *err);
};

/** The form of a row that serves a use. asked: a name, NULL for any. Errors: PSW_EDATA with the
 *  place, the keys found and what is expected. */
psw_status psw_form_detect(const json_t *object, enum psw_form_use use, const char *asked,
                           const char *place, const struct psw_form **out,
                           struct psw_error *err);

/** Whether a form of that name serves a use. */
int psw_form_serves(const char *name, enum psw_form_use use);

/** Read a row by its form, for a use: pairs have two sides, SFT items one, prompts none.
 *  Errors: PSW_EDATA, PSW_EUNSUP with the place; PSW_ENOMEM. */
psw_status psw_form_read(const struct psw_form *form, enum psw_form_use use,
                         const json_t *object, const char *place, struct psw_pair_row *row,
                         struct psw_error *err);

#endif
