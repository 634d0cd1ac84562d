/* The data, the folders and the hooks of the stages under test. */
#include "stages.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/store/schema.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static void on_progress(void *ctx, double done, double total)
{
    struct seen *s = ctx;
    assert_true(done > 0 && done <= total);
    s->n_progress++;
}

static int on_should_stop(void *ctx)
{
    struct seen *s = ctx;
    return ++s->n_asked >= s->stop_at && s->stop_at > 0;
}

/* The place of a point; -1: another piece. */
static int64_t checkpoint_of(const struct psw_record *piece)
{
    return psw_record_i64(piece, "checkpoint", 0, -1);
}

static int on_is_measured(void *ctx, int64_t checkpoint)
{
    const struct seen *s = ctx;
    return s->measured >> checkpoint & 1;
}

static void on_emit(void *ctx, struct psw_record *piece)
{
    struct seen *s = ctx;
    const void *bytes = NULL;
    size_t n = 0;
    assert_true(s->n_piece < MAX_PIECE);
    assert_int_equal(psw_record_pack(piece, &bytes, &n, NULL), PSW_OK);
    assert_int_equal(psw_record_unpack(bytes, n, &s->piece[s->n_piece++], NULL), PSW_OK);
    for (int i = 0; i < s->n_piece - 1; i++) /* nothing comes twice */
        if (checkpoint_of(piece) >= 0)
            assert_true(checkpoint_of(s->piece[i]) != checkpoint_of(piece));
}

static void on_memory(void *ctx, size_t planned_bytes, size_t used_bytes)
{
    struct seen *s = ctx;
    s->planned_bytes = planned_bytes;
    s->used_bytes = used_bytes;
}

const struct psw_record *seen_piece(const struct seen *s, const char *field)
{
    for (int i = s->n_piece - 1; i >= 0; i--)
        if (psw_record_get(s->piece[i], field)) return s->piece[i];
    fail_msg("no piece has %s", field);
    return NULL;
}

int stages_afresh(void **state)
{
    struct fixture *f = *state;
    f->config = f->base;
    return 0;
}

void stages_set(struct fixture *f, const char *text)
{
    char copy[512], *at = NULL;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        assert_int_equal(psw_config_set(&f->config, word, value, NULL), PSW_OK);
    }
    assert_int_equal(psw_config_validate(&f->config, NULL), PSW_OK);
}

void seen_clear(struct seen *s)
{
    for (int i = 0; i < s->n_piece; i++) psw_record_destroy(s->piece[i]);
    *s = (struct seen){0};
}

void seen_again(struct seen *s, int stop_at)
{
    for (int i = 0; i < s->n_piece; i++) {
        assert_true(checkpoint_of(s->piece[i]) >= 0);
        s->measured |= 1u << checkpoint_of(s->piece[i]);
    }
    PSW_MPI(MPI_Bcast(&s->measured, 1, MPI_UNSIGNED, 0, MPI_COMM_WORLD));
    s->n_asked = s->n_progress = 0;
    s->stop_at = stop_at;
}

int stages_setup(void **state, const char *const (*setting)[2], size_t n_setting)
{
    static struct fixture f;
    struct psw_model_dims dims;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    for (size_t i = 0; i < n_setting; i++)
        if (psw_config_set(&f.config, setting[i][0], setting[i][1], NULL) != PSW_OK) return -1;
    f.base = f.config;
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK ||
        psw_stage_model_dims(&f.config, f.data->tokenizer->n_vocab, &dims, NULL) != PSW_OK ||
        psw_model_create(&dims, &f.model, NULL) != PSW_OK)
        return -1;
    if (rank() == 0) support_temp_dir(f.top);
    PSW_MPI(MPI_Bcast(f.top, sizeof f.top, MPI_BYTE, 0, MPI_COMM_WORLD));
    for (int alone = 0; alone < 2; alone++) {
        snprintf(f.dir[alone], sizeof f.dir[alone], "%s/%s", f.top, alone ? "alone" : "all");
        if (rank() == 0 && psw_file_make_dir(f.dir[alone], NULL) != PSW_OK) return -1;
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    *state = &f;
    return 0;
}

int stages_teardown(void **state)
{
    struct fixture *f = *state;
    seen_clear(&f->seen);
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    return rank() == 0 && psw_file_remove_tree(f->top, NULL) != PSW_OK;
}

struct psw_stage stage_of(struct fixture *f, int alone, struct seen *seen)
{
    return (struct psw_stage){.config = &f->config,
                              .data = f->data,
                              .model = f->model,
                              .comm = alone ? MPI_COMM_SELF : MPI_COMM_WORLD,
                              .work_dir = f->dir[alone],
                              .attempt = 1,
                              .hooks = {.ctx = seen,
                                        .progress = on_progress,
                                        .should_stop = on_should_stop,
                                        .emit = on_emit,
                                        .is_measured = on_is_measured,
                                        .memory = on_memory}};
}

/* On all ranks, stopped again and again, each time a little later; the last time to the end. */
void perform_in_pieces(struct fixture *f, enum psw_stage_kind kind, int n_stop)
{
    struct psw_error err = {0};
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    for (int i = 1; i <= n_stop; i++) {
        seen_again(&f->seen, i);
        assert_int_equal(psw_stage_perform(kind, &stage, &err), PSW_ESTOP);
        assert_non_null(strstr(err.text, "stopped in"));
    }
    seen_again(&f->seen, 0);
    assert_int_equal(psw_stage_perform(kind, &stage, &err), PSW_OK);
}

int perform_to_the_end(struct fixture *f, enum psw_stage_kind kind, const char *words)
{
    psw_status rc = PSW_ESTOP;
    int n_found = 0;
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    for (int i = 1; rc == PSW_ESTOP; i++) {
        struct psw_error err = {0};
        seen_again(&f->seen, i);
        rc = psw_stage_perform(kind, &stage, &err);
        n_found += strstr(err.text, words) != NULL;
    }
    assert_int_equal(rc, PSW_OK);
    return n_found;
}

/* A barrier that leaves the processor to whoever still works. */
static void wait_for_all(void)
{
    MPI_Request request;
    int done = 0;
    PSW_MPI(MPI_Ibarrier(MPI_COMM_WORLD, &request));
    while (!done) {
        PSW_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (!done) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* By rank 0 alone, in one go. */
void perform_alone(struct fixture *f, enum psw_stage_kind kind, struct seen *seen)
{
    *seen = (struct seen){0};
    const struct psw_stage stage = stage_of(f, 1, seen);
    if (rank() == 0) assert_int_equal(psw_stage_perform(kind, &stage, NULL), PSW_OK);
    wait_for_all();
}

void assert_same_result(struct fixture *f, enum psw_stage_kind kind)
{
    char path[PSW_PATH_BYTES], *bytes[2] = {NULL, NULL};
    size_t n[2];
    for (int alone = 0; alone < 2; alone++) {
        const struct psw_stage stage = stage_of(f, alone, NULL);
        assert_int_equal(psw_stage_path(&stage, kind, path, NULL), PSW_OK);
        assert_int_equal(psw_file_read(path, &bytes[alone], &n[alone], NULL), PSW_OK);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    free(bytes[0]);
    free(bytes[1]);
}

void assert_same_record(const struct psw_record *a, const struct psw_record *b)
{
    assert_int_equal(psw_record_n_field(a), psw_record_n_field(b));
    for (int64_t i = 0; i < psw_record_n_field(a); i++) {
        const struct psw_field *x = psw_record_field(a, i), *y = psw_record_field(b, i);
        assert_string_equal(x->name, y->name);
        const struct psw_schema_row *row = psw_schema_row_find(x->name);
        if (row && (row->flags & PSW_S_VOLATILE)) continue; /* a time */
        assert_int_equal(psw_shape_count(x->shape), psw_shape_count(y->shape));
        const size_t n = (size_t)psw_shape_count(x->shape) * psw_type_bytes(x->type);
        if (n) assert_memory_equal(x->data, y->data, n);
    }
}
