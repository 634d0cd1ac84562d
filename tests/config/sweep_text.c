/* Sweep files from text: see sweep_text.h. */
#include "sweep_text.h"

#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

psw_status sweep_read_bytes(const char *text, size_t n_bytes, const char *const *sets,
                            int n_sets, struct psw_sweep **out, struct psw_error *err)
{
    char folder[256], path[300];
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.yaml", folder);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text, 1, n_bytes, f) != n_bytes || fclose(f) != 0) fail_msg("%s", path);
    const psw_status rc = psw_sweep_read(path, sets, n_sets, out, err);
    char *at = strstr(err->text, folder);
    const size_t n = strlen(folder) + 1;
    if (at) memmove(at, at + n, strlen(at + n) + 1);
    unlink(path);
    rmdir(folder);
    return rc;
}

psw_status sweep_try(const char *text, const char *set, struct psw_sweep **out,
                     struct psw_error *err)
{
    return sweep_read_bytes(text, strlen(text), &set, set != NULL, out, err);
}

struct psw_sweep *sweep_of(const char *text)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    if (sweep_try(text, NULL, &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    return sweep;
}
