/* The file is a head, and behind it a store. The head says what the data set was made of and
 * what became of it; its hash and those of the store are checked before anything is believed.
 */
#include "store/index.h"

#include "json_rows.h"
#include "store/index_key.h"
#include "store/spool.h"
#include "store/store.h"
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LARGE_BYTES = 16 << 20, FORM_BYTES = 160, N_LIST = PSW_N_STORE_LIST };
/* A file that was written less than this before it was read may have been written again since
 * without another time: clocks of files are coarse. */
enum { RECENT_S = 2 };
static const char MAGIC[8] = {'P', 'S', 'W', 'I', 'N', 'D', 'E', 'X'};

struct index_head {
    char magic[8];
    uint64_t hash; /* of all behind it */
    uint64_t key, content_hash;
    int64_t begun_s;
    struct psw_store_size size;
    int32_t kept_in[N_LIST], n_seq[N_LIST];
    struct psw_answers_place answers;
    struct psw_file_state state[PSW_N_ROLE];
    struct psw_data_counts counts[PSW_N_DATA_LIST];
    struct psw_data_origins origins;
    char form[PSW_N_ROLE][2][FORM_BYTES]; /* name and layout; "": none */
};
enum { HEAD_BYTES = (sizeof(struct index_head) + 63) / 64 * 64 };

/** Shapes: head: HEAD_BYTES long. */
static uint64_t hash_of(const struct index_head *head)
{
    const size_t n_before = offsetof(struct index_head, key);
    return psw_hash_bytes((const char *)head + n_before, HEAD_BYTES - n_before, 0);
}

/* ---- the files ---- */

static struct psw_file_state state_of(const char *path)
{
    struct stat info;
    if (!path || !*path || stat(path, &info) != 0) return (struct psw_file_state){0};
    return (struct psw_file_state){.n_bytes = info.st_size,
                                   .mtime_s = info.st_mtim.tv_sec,
                                   .mtime_ns = info.st_mtim.tv_nsec};
}

static int same_state(const struct psw_file_state *a, const struct psw_file_state *b)
{
    return a->n_bytes == b->n_bytes && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

void psw_index_init(struct psw_index *index, enum psw_source source,
                    const struct psw_file_opts *opts, const struct psw_tokenizer *tokenizer)
{
    const char *const path[PSW_N_ROLE] = {
        [PSW_ROLE_PAIRS] = opts->pairs,
        [PSW_ROLE_HELDOUT] = opts->heldout,
        [PSW_ROLE_SFT] = opts->sft,
        [PSW_ROLE_PROMPTS] = opts->prompts.path,
        [PSW_ROLE_FINAL_PROMPTS] = opts->final_prompts.path,
    };
    const int64_t least = opts->index.least_bytes ? opts->index.least_bytes : LARGE_BYTES;
    char key[PSW_HASH_TEXT_BYTES];
    int64_t n_bytes = 0;
    *index = (struct psw_index){.opts = opts, .begun_s = (int64_t)time(NULL)};
    for (int r = 0; r < PSW_N_ROLE; r++) {
        index->state[r] = state_of(path[r]);
        n_bytes += index->state[r].n_bytes;
    }
    const char *trained = opts->pairs && *opts->pairs ? opts->pairs : opts->sft;
    index->is_large = n_bytes >= least;
    index->name = strrchr(trained, '/') ? strrchr(trained, '/') + 1 : trained;
    if (!index->is_large || !opts->index.folder || !*opts->index.folder) return;
    index->key = psw_index_key(source, opts, path, tokenizer, HEAD_BYTES);
    const int n = snprintf(index->path, sizeof index->path, "%s/%.100s.%s.posweep-index",
                           opts->index.folder, index->name, psw_hash_text(index->key, key));
    if (n < 0 || (size_t)n >= sizeof index->path) index->path[0] = 0;
}

/* ---- reading ---- */

static psw_status read_head(const struct psw_index *index, int fd, struct index_head *head,
                            struct psw_error *err)
{
    psw_status rc = psw_spool_read(fd, index->path, 0, head, HEAD_BYTES, err);
    if (rc != PSW_OK) return rc;
    if (memcmp(head->magic, MAGIC, sizeof MAGIC) != 0 || hash_of(head) != head->hash ||
        head->key != index->key)
        return psw_fail(err, PSW_EDATA, "%s: the head is damaged", index->path);
    int fits = head->origins.n >= 0 && head->origins.n <= PSW_MAX_ORIGINS &&
               head->answers.n >= 0 && head->answers.token >= 0;
    for (int l = 0; l < N_LIST; l++)
        fits = fits && head->kept_in[l] >= 0 && head->kept_in[l] < N_LIST &&
               head->size.n_row[l] >= 0 && head->size.n_row[l] < (int64_t)1 << 48;
    for (int64_t i = 0; fits && i < head->origins.n; i++)
        fits = head->origins.item[i].role >= 0 && head->origins.item[i].role < PSW_N_ROLE;
    if (!fits || head->size.n_token < 0 || head->size.n_token >= (int64_t)1 << 48)
        return psw_fail(err, PSW_EDATA, "%s: the head makes no sense", index->path);
    return PSW_OK;
}

/** Do the files have the content that they had? What the time of a file does not tell, its hash
 *  does. */
static psw_status check_files(const struct psw_index *index, const struct index_head *head,
                              struct psw_error *err)
{
    for (int64_t i = 0; i < head->origins.n; i++) {
        const struct psw_data_origin *o = &head->origins.item[i];
        const struct psw_file_state *was = &head->state[o->role], *is = &index->state[o->role];
        if (o->role == PSW_ROLE_TOKENIZER || o->role == PSW_ROLE_TEMPLATE) continue;
        if (same_state(was, is) && is->mtime_s < head->begun_s - RECENT_S) continue;
        struct psw_data_origin now = *o;
        const psw_status rc = psw_json_rows_hash_file(&now, err);
        if (rc != PSW_OK) return rc;
        if (now.hash != o->hash || now.n_bytes != o->n_bytes)
            return psw_fail(err, PSW_EDATA, "%s has other content now", o->path);
    }
    return PSW_OK;
}

/** The right answers, back into a table. */
static psw_status load_answers(const struct psw_index *index, const struct index_head *head,
                               const struct psw_example_store *store,
                               struct psw_answer_key **out, struct psw_error *err)
{
    enum { WORDS = sizeof(struct psw_answer) / sizeof(int32_t) };
    const int32_t *at = psw_example_store_tokens(store) + head->answers.token;
    struct psw_answer_key *key = NULL;
    if (head->answers.n == 0) return PSW_OK;
    psw_status rc = psw_answer_key_create(&key, err);
    if (rc == PSW_OK && head->answers.n > (head->size.n_token - head->answers.token) / WORDS)
        rc = psw_fail(err, PSW_EDATA, "%s: there are fewer answers", index->path);
    for (int64_t i = 0; i < head->answers.n && rc == PSW_OK; i++) {
        struct psw_answer answer;
        memcpy(&answer, at + i * WORDS, sizeof answer);
        answer.number[PSW_NUMBER_BYTES - 1] = 0;
        rc = psw_answer_key_find(key, answer.prompt)
                 ? psw_fail(err, PSW_EDATA, "%s: an answer twice", index->path)
                 : psw_answer_key_add(key, &answer, err);
    }
    if (rc == PSW_OK)
        *out = key;
    else
        psw_answer_key_destroy(key);
    return rc;
}

/** All is as it should be: the data set becomes what it was. */
static void take(const struct index_head *head, struct psw_example_store *store,
                 struct psw_answer_key *answers, struct psw_dataset *data)
{
    const struct index_head *kept = psw_example_store_head(store);
    psw_dataset_own_examples(data, store);
    for (int l = 0; l < N_LIST; l++) {
        psw_dataset_list(data, l)->kept_in = head->kept_in[l];
        psw_dataset_list(data, l)->n_seq = head->n_seq[l];
    }
    psw_dataset_show_examples(data);
    memcpy(data->counts, head->counts, sizeof data->counts);
    data->files.origins = head->origins;
    for (int64_t i = 0; i < data->files.origins.n; i++) {
        struct psw_data_origin *o = &data->files.origins.item[i];
        o->name[sizeof o->name - 1] = o->path[sizeof o->path - 1] = 0;
    }
    for (int r = 0; r < PSW_N_ROLE; r++)
        if (kept->form[r][0][0])
            data->files.form[r] = (struct psw_data_form){kept->form[r][0], kept->form[r][1]};
    data->answer_key = answers;
    data->content_hash = head->content_hash;
}

static psw_status load(const struct psw_index *index, int fd, struct psw_dataset *data,
                       struct psw_error *err)
{
    struct psw_example_store *store = NULL;
    struct psw_answer_key *answers = NULL;
    struct index_head *head = calloc(1, HEAD_BYTES);
    const struct psw_store_place place = {.fd = fd, .n_head = HEAD_BYTES, .path = index->path};
    psw_status rc = head ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%s: no memory", index->path);
    if (rc == PSW_OK) rc = read_head(index, fd, head, err);
    if (rc == PSW_OK) rc = check_files(index, head, err);
    if (rc != PSW_OK) {
        close(fd);
        free(head);
        return rc;
    }
    for (int r = 0; r < PSW_N_ROLE; r++)
        head->form[r][0][FORM_BYTES - 1] = head->form[r][1][FORM_BYTES - 1] = 0;
    rc = psw_example_store_open(&place, &head->size, &store, err);
    if (rc == PSW_OK) rc = load_answers(index, head, store, &answers, err);
    if (rc == PSW_OK)
        take(head, store, answers, data);
    else
        psw_example_store_destroy(store);
    free(head);
    return rc;
}

int psw_index_load(const struct psw_index *index, struct psw_dataset *data)
{
    struct psw_error err = {0};
    if (!index->path[0]) return 0;
    const int fd = open(index->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return 0;
    if (load(index, fd, data, &err) == PSW_OK) return 1;
    psw_log(PSW_LOG_WARN, "the index %s does not hold (%s): it is made again", index->path,
            err.text);
    return 0;
}

/* ---- writing ---- */

psw_status psw_index_begin(struct psw_index *index, struct psw_dataset *data,
                           struct psw_error *err)
{
    const char *tmp = getenv("TMPDIR");
    const char *folder = index->path[0] ? index->opts->index.folder : NULL;
    struct psw_example_store *store = NULL;
    int fd = -1;
    if (folder && psw_spool_unnamed(folder, &fd, NULL) != PSW_OK) {
        psw_log(PSW_LOG_WARN,
                "%s: no index of %s can be kept here, so every start reads the data anew: name "
                "a folder that all ranks can write to in limits.index",
                folder, index->name);
        index->path[0] = 0;
    }
    if (fd < 0) folder = tmp && *tmp ? tmp : "/tmp";
    if (fd < 0) {
        const psw_status rc = psw_spool_unnamed(folder, &fd, err);
        if (rc != PSW_OK) return rc;
    }
    if (index->path[0])
        psw_log(PSW_LOG_NOTE, "%s is read and its index %s made, once", index->name,
                index->path);
    const struct psw_store_place place = {.fd = fd,
                                          .n_head = HEAD_BYTES,
                                          .path = index->path[0] ? index->path : folder,
                                          .folder = folder};
    const psw_status rc = psw_example_store_create(&place, &store, err);
    if (rc == PSW_OK) psw_dataset_own_examples(data, store);
    return rc;
}

psw_status psw_index_put_answers(struct psw_index *index, struct psw_dataset *data,
                                 struct psw_error *err)
{
    if (!index->is_large || !data->answer_key) return PSW_OK;
    const struct psw_answer *answer = psw_answer_key_all(data->answer_key, &index->answers.n);
    return psw_example_store_put(psw_dataset_examples(data), answer,
                                 (size_t)index->answers.n * sizeof *answer,
                                 &index->answers.token, err);
}

static void fill_head(const struct psw_index *index, const struct psw_dataset *data,
                      struct index_head *head)
{
    memcpy(head->magic, MAGIC, sizeof MAGIC);
    head->key = index->key;
    head->content_hash = data->content_hash;
    head->begun_s = index->begun_s;
    head->size = *psw_example_store_size(psw_dataset_examples(data));
    for (int l = 0; l < N_LIST; l++) {
        const struct psw_examples *list = psw_dataset_list(data, l);
        head->kept_in[l] = list->kept_in;
        head->n_seq[l] = list->n_seq;
    }
    head->answers = index->answers;
    memcpy(head->state, index->state, sizeof head->state);
    memcpy(head->counts, data->counts, sizeof head->counts);
    head->origins = data->files.origins;
    for (int r = 0; r < PSW_N_ROLE; r++) {
        const struct psw_data_form *form = &data->files.form[r];
        if (!form->name) continue;
        snprintf(head->form[r][0], FORM_BYTES, "%s", form->name);
        snprintf(head->form[r][1], FORM_BYTES, "%s", form->layout);
    }
    head->hash = hash_of(head);
}

/** A file that was written to while it was read would make an index of nothing that was ever
 *  there. */
static int files_rested(const struct psw_index *index, const struct psw_data_origins *origins)
{
    for (int64_t i = 0; i < origins->n; i++) {
        const struct psw_data_origin *o = &origins->item[i];
        const struct psw_file_state now = state_of(o->path);
        if (o->role != PSW_ROLE_TOKENIZER && o->role != PSW_ROLE_TEMPLATE &&
            !same_state(&now, &index->state[o->role]))
            return 0;
    }
    return 1;
}

void psw_index_keep(const struct psw_index *index, const struct psw_dataset *data)
{
    struct psw_error err = {0};
    if (!index->path[0]) return;
    struct index_head *head = calloc(1, HEAD_BYTES);
    if (!head || !files_rested(index, &data->files.origins)) {
        psw_log(PSW_LOG_WARN, "%s was written to while it was read: no index is kept",
                index->name);
        free(head);
        return;
    }
    fill_head(index, data, head);
    if (psw_example_store_keep(psw_dataset_examples(data), head, HEAD_BYTES, index->path,
                               &err) != PSW_OK)
        psw_log(PSW_LOG_WARN, "no index is kept, so the next start reads the data anew: %s",
                err.text);
    free(head);
}
