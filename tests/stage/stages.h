/* Stages under test: a small data set and model, a work folder of all ranks together and one of
 * rank 0 alone, hooks that remember, and ways to perform a stage. Add tests/stage/stages.c to
 * the SOURCES of a test that uses it. */
#ifndef POSWEEP_TESTS_STAGES_H
#define POSWEEP_TESTS_STAGES_H

#include <support/support.h>

#include <posweep/model/model.h>
#include <posweep/stage/stage.h>

enum { MAX_PIECE = 16 };

/* What the hooks saw. */
struct seen {
    int n_asked, stop_at; /* asked to stop so often; say yes at this time (0: never) */
    int n_progress, n_piece;
    unsigned measured; /* bits: checkpoints that earlier attempts have emitted */
    struct psw_record *piece[MAX_PIECE]; /* owned */
    size_t planned_bytes, used_bytes;
};

struct fixture {
    struct psw_config config, base; /* in use; as the settings say */
    struct psw_dataset *data;
    struct psw_model *model;
    char dir[2][300]; /* of all ranks together, of rank 0 alone */
    char top[256];
    struct seen seen;
};

/** Open the data of the settings, make the folders; *state becomes the fixture.
 *  Shapes: setting [n_setting]: key and value. MPI: Collective (MPI_COMM_WORLD). */
int stages_setup(void **state, const char *const (*setting)[2], size_t n_setting);
int stages_teardown(void **state);

/** Forget what a test that failed half-way left of its settings: the setup of a test. */
int stages_afresh(void **state);
/** Settings as "key=value key=value ...", which have to be sound together. */
void stages_set(struct fixture *f, const char *text);

int rank(void);
void seen_clear(struct seen *s);
/** The last piece that has a field. */
const struct psw_record *seen_piece(const struct seen *s, const char *field);
/** What an attempt has emitted, points only, is known to all ranks at the next one. MPI:
 *  Collective (MPI_COMM_WORLD). */
void seen_again(struct seen *s, int stop_at);

/** A stage with the hooks; seen: NULL when nothing is performed. */
struct psw_stage stage_of(struct fixture *f, int alone, struct seen *seen);

/** On all ranks, stopped n_stop times, each time a little later; the last time to the end. */
void perform_in_pieces(struct fixture *f, enum psw_stage_kind kind, int n_stop);

/** The same until it has come to its end. Returns how often the words stood in the message. */
int perform_to_the_end(struct fixture *f, enum psw_stage_kind kind, const char *words);

/** By rank 0 alone, in one go. Owns: seen_clear(seen). */
void perform_alone(struct fixture *f, enum psw_stage_kind kind, struct seen *seen);

/** The files that the stage left in both folders are the same. */
void assert_same_result(struct fixture *f, enum psw_stage_kind kind);
/** All fields that are not volatile. */
void assert_same_record(const struct psw_record *a, const struct psw_record *b);

#endif
