/* Where a test of results files works, and their check: shared by tests. */
#ifndef POSWEEP_TESTS_STORE_RESULTS_PLACE_H
#define POSWEEP_TESTS_STORE_RESULTS_PLACE_H

#include <posweep/util/file.h>
#include <store/fixture.h>
#include <support/support.h>

#include <stdio.h>
#include <stdlib.h>

struct place {
    char folder[256], path[300], other[300];
};

static inline int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    snprintf(p->other, sizeof p->other, "%s/y.h5", p->folder);
    *state = p;
    return 0;
}

static inline int tear_down(void **state)
{
    struct place *p = *state;
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

/** Number of violations, and their list in the caller's buffer. */
static inline int64_t check_results(const char *path, char text[4096])
{
    int64_t n = -1;
    FILE *out = fmemopen(text, 4096, "w");
    assert_int_equal(psw_results_check(path, out, &n, NULL), PSW_OK);
    fclose(out);
    return n;
}

#endif
