/* Journals in a folder of their own. */
#include "made_journal.h"

#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const uint64_t JOURNAL_RUNS[] = {0x11, 0x22, 0x33};
static const char JOURNAL_LABELS[] = "dpo vanilla 1\ndpo flat 1\ndpo cdpo 1";
const struct psw_journal_opts JOURNAL_OPTS = {.sweep_name = "demo",
                                              .spec_hash = 5,
                                              .spec_text = "name: demo\n",
                                              .provenance = "commit=abc\n",
                                              .n_run = 3,
                                              .run = JOURNAL_RUNS,
                                              .label = JOURNAL_LABELS,
                                              .lock_wait_s = -1};

int journal_set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->journal, sizeof p->journal, "%s/x.h5.journal", p->folder);
    snprintf(p->lock, sizeof p->lock, "%s.lock", p->journal);
    *state = p;
    return 0;
}

int journal_tear_down(void **state)
{
    struct place *p = *state;
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

struct psw_journal *journal_open(const struct place *p)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    if (psw_journal_open(p->journal, &JOURNAL_OPTS, &j, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return j;
}

void journal_die(const struct place *p, struct psw_journal *j)
{
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    FILE *lock = fopen(p->lock, "w");
    assert_non_null(lock);
    fputs("pid 1 on ? since a while\n", lock);
    fclose(lock);
}

void journal_put(struct psw_journal *j, enum psw_journal_type type, uint64_t run,
                 const char *text)
{
    const struct psw_journal_entry what = {
        .type = type, .run = run, .attempt = 1, .n_bytes = strlen(text)};
    assert_int_equal(psw_journal_append(j, what, text, NULL), PSW_OK);
}

int64_t journal_count(const struct psw_journal *j, enum psw_journal_type type)
{
    int64_t n = 0;
    for (int64_t i = 0; i < psw_journal_n_entry(j); i++)
        n += psw_journal_entry_at(j, i)->type == type;
    return n;
}

int64_t journal_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

/** A journal with one piece and done record per run; *last: offset of the last record. */
void journal_fill(const struct place *p, int64_t *last)
{
    struct psw_journal *j = journal_open(p);
    for (int i = 0; i < 3; i++) {
        journal_put(j, PSW_J_STARTED, JOURNAL_RUNS[i], "node1");
        journal_put(j, PSW_J_PIECE, JOURNAL_RUNS[i], "some result of no fixed length");
        journal_put(j, PSW_J_DONE, JOURNAL_RUNS[i], "end");
    }
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    *last = psw_journal_entry_at(j, psw_journal_n_entry(j) - 1)->offset;
    psw_journal_close(j);
}
