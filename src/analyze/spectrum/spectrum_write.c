/* The spectrum as a file: rows of store/schema_spectrum.c from the results. */
#include "spectrum_internal.h"

#include <posweep/store/derived.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What is made for the file alone; owned. */
struct made {
    const char **run, **cell;  /* texts borrowed */
    int64_t *seed;             /* [n_run] */
    double error[2], *nothing; /* [most numbers of a map] NaN */
};

static int make(struct psw_results *results, const struct psw_spectrum_plan *p,
                const struct psw_spectrum_words *words, const struct psw_spectrum *s,
                struct made *m)
{
    const struct psw_sketch_error e = psw_spectrum_error(p, words, s);
    const int64_t n_map = p->n_run * p->n_checkpoint * PSW_SPECTRUM_N_AXIS;
    m->run = calloc((size_t)p->n_run + 1, sizeof *m->run);
    m->cell = calloc((size_t)p->n_cell + 1, sizeof *m->cell);
    m->seed = calloc((size_t)p->n_run + 1, sizeof *m->seed);
    m->nothing = malloc(sizeof *m->nothing * (size_t)n_map + 1);
    if (!m->run || !m->cell || !m->seed || !m->nothing) return 0;
    for (int64_t i = 0; i < p->n_run; i++) {
        m->run[i] = psw_results_text(results, "run", p->run[i]);
        m->seed[i] = words->seed_value[p->seed[i]];
    }
    for (int64_t c = 0; c < p->n_cell; c++) m->cell[c] = words->cell[c];
    memset(m->nothing, -1, sizeof *m->nothing * (size_t)n_map); /* all bits set: a NaN */
    m->error[0] = e.promised;
    m->error[1] = e.realised;
    return 1;
}

static void made_clear(struct made *m)
{
    free(m->run);
    free(m->cell);
    free(m->seed);
    free(m->nothing);
}

/** The arrays of the file, with the notes about them. */
static psw_status write(const char *path, const struct psw_spectrum_plan *p,
                        const struct psw_spectrum_words *words, const struct psw_spectrum *s,
                        const struct made *m, const struct psw_results_note *note, int n_note,
                        struct psw_error *err)
{
    static const char *const ESTIMATES[] = {"promised", "realised"};
    const struct psw_derived_dim dims[] = {{"run", p->n_run},
                                           {"checkpoint", p->n_checkpoint},
                                           {"cell", p->n_cell},
                                           {"checkpoint_2", p->n_checkpoint},
                                           {"cell_2", p->n_cell},
                                           {"angle", p->n_dim},
                                           {"leading", p->n_checkpoint},
                                           {"leading_all", s->all.n},
                                           {"axis", PSW_SPECTRUM_N_AXIS},
                                           {"estimate", 2}};
    const struct psw_derived_set sets[] = {
        {"run", m->run},
        {"cell", m->cell},
        {"cell_2", m->cell},
        {"estimate", ESTIMATES},
        {"run_cell", p->cell},
        {"seed", m->seed},
        {"step", words->step},
        {"sketch_error", m->error},
        {"norm", s->run.norm},
        {"signal", words->signal},
        {"cosine", s->run.cosine},
        {"cosine_clean", s->run.cosine_clean},
        {"effective_rank", s->run.entropy_rank},
        {"participation_ratio", s->run.participation},
        {"explained", s->run.explained},
        {"explained_all", s->all.explained},
        {"angle_cosine", s->angle.same_seed},
        {"angle_cosine_seeds", s->angle.other_seed},
        {"map", s->map.cell ? s->map.cell : m->nothing},
        {"map_run", s->map.run ? s->map.run : m->nothing},
        {"map_share", s->map.share},
    };
    const struct psw_derived what = {.kind = PSW_SCHEMA_SPECTRUM,
                                     .kind_name = "spectrum",
                                     .version = PSW_SPECTRUM_VERSION,
                                     .dim = dims,
                                     .n_dim = sizeof dims / sizeof *dims,
                                     .set = sets,
                                     .n_set = sizeof sets / sizeof *sets,
                                     .note = note,
                                     .n_note = n_note};
    return psw_derived_write(path, &what, err);
}

psw_status psw_spectrum_write(const char *path, struct psw_results *results,
                              const struct psw_spectrum_plan *plan,
                              const struct psw_spectrum_words *words,
                              const struct psw_spectrum *spectrum, struct psw_error *err)
{
    struct made m = {0};
    char k[32], hash[64]; /* an attribute is borrowed until the next */
    snprintf(k, sizeof k, "%lld", (long long)plan->k);
    snprintf(hash, sizeof hash, "%s", psw_results_attr(results, "/", "spec_hash"));
    const struct psw_results_note notes[] = {
        {"title", words->title}, {"of", words->of}, {"results", words->source},
        {"spec_hash", hash},     {"sketch", k},     {"left_out", words->left_out}};
    const int n_note = sizeof notes / sizeof *notes;
    const psw_status rc =
        make(results, plan, words, spectrum, &m)
            ? write(path, plan, words, spectrum, &m, notes, n_note, err)
            : psw_fail(err, PSW_ENOMEM, "spectrum: %lld runs", (long long)plan->n_run);
    made_clear(&m);
    return rc;
}
