/* Sweep files from text: see sweep_text.h. */
#include "sweep_text.h"

#include <posweep/util/file.h>
#include <stdio.h>
#include <string.h>

/* Overrides need a file. */
static psw_status try_file(const char *text, const char *set, struct psw_sweep **out,
                           struct psw_error *err)
{
    char folder[256], path[300];
    const struct psw_file_part part = {text, strlen(text)};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.yaml", folder);
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    const psw_status rc = psw_sweep_read(path, &set, 1, out, err);
    char *at = strstr(err->text, folder);
    const size_t n = strlen(folder) + 1;
    if (at) memmove(at, at + n, strlen(at + n) + 1);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    return rc;
}

psw_status sweep_try(const char *text, const char *set, struct psw_sweep **out,
                     struct psw_error *err)
{
    if (set) return try_file(text, set, out, err);
    return psw_sweep_parse("x.yaml", text, strlen(text), out, err);
}

struct psw_sweep *sweep_of(const char *text)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    if (sweep_try(text, NULL, &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    return sweep;
}
