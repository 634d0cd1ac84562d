/* Files of pairs for tests: a training file and a held-out file in a folder of their own. */
#ifndef POSWEEP_TESTS_DATA_PAIR_FILES_H
#define POSWEEP_TESTS_DATA_PAIR_FILES_H

#include <posweep/data/files.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <support/support.h>

#define HA(question) "\\n\\nHuman: " question "\\n\\nAssistant:"
#define PAIR(prompt, good, bad)                                                                \
    "{\"chosen\": \"" prompt good "\", \"rejected\": \"" prompt bad "\"}\n"
static const char OTHER[] = PAIR(HA("other"), " y", " z"); /* a valid held-out file */

struct folder {
    char path[256], train[300], heldout[300];
};

static inline int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    support_temp_dir(f->path);
    snprintf(f->train, sizeof f->train, "%s/train", f->path);
    snprintf(f->heldout, sizeof f->heldout, "%s/heldout", f->path);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct folder *f = *state;
    const psw_status rc = psw_file_remove_tree(f->path, NULL);
    free(f);
    return rc != PSW_OK;
}

static inline void write_file(const char *path, const char *text, size_t n)
{
    const struct psw_file_part part = {text, n};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static inline struct psw_file_opts opts_of(const struct folder *f)
{
    return (struct psw_file_opts){.pairs = f->train, .heldout = f->heldout};
}

static inline psw_status read_text(const struct folder *f, const char *text,
                                   const struct psw_file_opts *opts, struct psw_dataset **out,
                                   struct psw_error *err)
{
    write_file(f->train, text, strlen(text));
    write_file(f->heldout, OTHER, sizeof OTHER - 1);
    return psw_files_open(PSW_SOURCE_HH, opts, out, err);
}

static inline struct psw_dataset *read_ok(const struct folder *f, const char *text,
                                          struct psw_file_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (read_text(f, text, &opts, &data, &err) != PSW_OK) fail_msg("%s", err.text);
    return data;
}

#endif
