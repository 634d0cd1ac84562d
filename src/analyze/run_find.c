/* Finding a run by hash or name: names are made as those of `posweep status` and `plan --all`,
 * but from the file alone. */
#include <posweep/analyze/run_find.h>

#include <posweep/analyze/cells.h>
#include <posweep/util/text.h>

#include <stdio.h>
#include <string.h>

/** A run and its name. */
struct named {
    int64_t run; /* -1: none */
    char name[PSW_RUN_NAME_BYTES];
};

/** What a search has met. */
struct met {
    const char *words;
    int64_t n_hash, n_name;
    struct named whole, of_hash, of_name, nearest;
    int distance;
};

static void see(struct met *m, const char *hash, const struct named *it)
{
    if (m->whole.run < 0 && strcmp(it->name, m->words) == 0) m->whole = *it;
    if (strncmp(hash, m->words, strlen(m->words)) == 0 && m->n_hash++ == 0) m->of_hash = *it;
    if (strstr(it->name, m->words) && m->n_name++ == 0) m->of_name = *it;
    const int d = psw_edit_distance(m->words, it->name);
    if (m->nearest.run < 0 || d < m->distance) {
        m->distance = d;
        m->nearest = *it;
    }
}

static void see_cell(struct met *m, struct psw_results *results, const struct psw_cell *cell)
{
    const int64_t *seed = psw_results_i64(results, "seed");
    for (int64_t i = 0; i < cell->n_run; i++) {
        struct named it = {.run = cell->run[i]};
        snprintf(it.name, sizeof it.name, "%s seed %lld", cell->label,
                 seed ? (long long)seed[it.run] : -1LL);
        see(m, psw_results_text(results, "run", it.run), &it);
    }
}

static psw_status fail_to_find(struct psw_results *results, const struct met *m,
                               struct psw_error *err)
{
    const struct named *it = m->n_hash ? &m->of_hash : m->n_name ? &m->of_name : &m->nearest;
    const char *hash = psw_results_text(results, "run", it->run);
    if (m->n_hash + m->n_name > 0)
        return psw_fail(err, PSW_ENOENT,
                        "\"%.100s\" fits %lld runs by hash and %lld by name, the first of them "
                        "%.8s, \"%s\"; give more of it",
                        m->words, (long long)m->n_hash, (long long)m->n_name, hash, it->name);
    return psw_fail(err, PSW_ENOENT,
                    "no run has the name or hash \"%.100s\"; the nearest is %.8s, \"%s\"",
                    m->words, hash, it->name);
}

psw_status psw_run_find(struct psw_results *results, const char *words, int64_t *run,
                        char name[PSW_RUN_NAME_BYTES], struct psw_error *err)
{
    const struct psw_selection all = {0};
    struct psw_traces traces;
    struct psw_cells cells = {0};
    struct met m = {words, 0, 0, {.run = -1}, {.run = -1}, {.run = -1}, {.run = -1}, 0};
    psw_status rc = psw_traces_init(results, &traces, err);
    if (rc == PSW_OK) rc = psw_cells_init(results, &traces, &all, &cells, err);
    if (rc != PSW_OK) return rc;
    for (int64_t c = 0; c < cells.n_cell; c++) see_cell(&m, results, &cells.cell[c]);
    psw_cells_clear(&cells);
    const struct named *found = m.whole.run >= 0 ? &m.whole
                                : m.n_hash       ? &m.of_hash
                                                 : &m.of_name;
    if (m.whole.run < 0 && m.n_hash != 1 && (m.n_hash > 0 || m.n_name != 1))
        return m.nearest.run < 0 ? psw_fail(err, PSW_ENOENT, "the file has no run")
                                 : fail_to_find(results, &m, err);
    *run = found->run;
    memcpy(name, found->name, PSW_RUN_NAME_BYTES);
    return PSW_OK;
}
