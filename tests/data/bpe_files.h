/* Tokenizers of a few tokens, which the tests write into a folder of their own. */
#ifndef POSWEEP_TESTS_BPE_FILES_H
#define POSWEEP_TESTS_BPE_FILES_H

#include <posweep/data/tokenizer_file.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/support.h>

#define MARK "\xE2\x96\x81"

/* A model of a few characters; ids of <0xC3> and <0xA9>, 30 and 31. */
#define MODEL                                                                                  \
    "\"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"fuse_unk\": true, "            \
    "\"byte_fallback\": true, \"vocab\": {\"<unk>\": 0, \"a\": 1, \"b\": 2, \" \": 3, "        \
    "\"ab\": 4, "                                                                              \
    "\"aab\": 5, \"" MARK                                                                      \
    "\": 6, \"<0xC3>\": 30, \"<0xA9>\": 31}, \"merges\": [\"a b\", \"a ab\"]}"

static char folder[256], path[300];

static inline int make_folder(void **state)
{
    (void)state;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static inline void write_text(const char *name, const char *text)
{
    char full[400];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static inline struct psw_tokenizer *create(void)
{
    struct psw_tokenizer *t = NULL;
    struct psw_error err = {0};
    if (psw_tokenizer_create(folder, &t, &err) != PSW_OK) fail_msg("%s", err.text);
    return t;
}

/** Ids of a text as "1 2 3". */
static inline void ids_of(const struct psw_tokenizer *t, const char *text, char out[256])
{
    struct psw_token_list ids = {0};
    struct psw_error err = {0};
    if (psw_tokenizer_encode(t, (struct psw_text){text, strlen(text)}, &ids, &err) != PSW_OK)
        fail_msg("%s", err.text);
    out[0] = 0;
    for (int64_t i = 0; i < ids.n; i++)
        snprintf(out + strlen(out), 256 - strlen(out), "%s%d", i ? " " : "", ids.id[i]);
    free(ids.id);
}

#endif
