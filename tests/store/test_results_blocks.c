#include <support/support.h>

#include "results_internal.h"
#include "results_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A dataset, and the hash of its content. */
static herr_t tell_hash(hid_t file, const char *name, const H5O_info_t *info, void *out)
{
    char hash[PSW_HASH_TEXT_BYTES];
    const hid_t set = info->type == H5O_TYPE_DATASET ? H5Dopen2(file, name, H5P_DEFAULT) : -1;
    if (set < 0) return 0;
    psw_h5_read_attr(set, "content_hash", hash, sizeof hash);
    fprintf(out, "%s %s %d\n", name, hash, H5Aexists(set, "_FillValue") > 0);
    return H5Dclose(set);
}

static char *hashes_of(const char *path)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_true(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, tell_hash, out) >= 0);
    H5Fclose(file);
    fclose(out);
    return text;
}

/** From a run at a time to all of them; the token table is in it, and curves for viewers. */
static void blocks_of_any_size_give_the_same_content(void **state)
{
    const struct place *p = *state;
    static const int64_t BLOCK[] = {1, 5000, INT64_MAX};
    char journal[PSW_PATH_BYTES], text[4096] = "", *first = NULL;
    struct psw_journal *j = NULL;
    fixture_write(p->path, NULL);
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal, &j, NULL), PSW_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            psw_results_write_blocks(p->other, fixture_layout(), j, BLOCK[i], NULL), PSW_OK);
        if (check_results(p->other, text) != 0) fail_msg("%lld: %s", (long long)BLOCK[i], text);
        char *hashes = hashes_of(p->other);
        if (!first) first = strdup(hashes);
        assert_string_equal(hashes, first);
        free(hashes);
    }
    assert_non_null(strstr(first, "token_kappa "));
    assert_non_null(strstr(first, "entry/dpo_vanilla/total "));
    free(first);
    psw_journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        blocks_of_any_size_give_the_same_content, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
