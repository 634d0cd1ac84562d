/* Comparing builds and machines by the notes about them. */
#include <posweep/sweep/provenance.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <string.h>

/* The kind of a note that decides bits; 0 for the others. */
static int kind_of(const char *key)
{
    static const struct {
        const char *key;
        int kind;
    } ROWS[] = {{"commit", PSW_PROVENANCE_BUILD},     {"compiler", PSW_PROVENANCE_BUILD},
                {"flags", PSW_PROVENANCE_BUILD},      {"blas", PSW_PROVENANCE_CPU},
                {"blas_threads", PSW_PROVENANCE_CPU}, {"cpu", PSW_PROVENANCE_CPU},
                {"backend", PSW_PROVENANCE_CPU}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        if (strcmp(ROWS[i].key, key) == 0) return ROWS[i].kind;
    return 0;
}

uint64_t psw_provenance_hash(const struct psw_results_note *note, int n_note)
{
    uint64_t hash = 0;
    for (int i = 0; i < n_note; i++) {
        if (!kind_of(note[i].key)) continue;
        hash = psw_hash_bytes(note[i].key, strlen(note[i].key) + 1, hash);
        hash = psw_hash_bytes(note[i].value, strlen(note[i].value) + 1, hash);
    }
    return hash;
}

/* The value of a key and its length; NULL when there is none. */
static const char *value_of(const char *lines, const char *key, int *n)
{
    const size_t n_key = strlen(key);
    for (const char *at = lines; at && *at; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        if (strncmp(at, key, n_key) != 0 || at[n_key] != '=') continue;
        *n = (int)strcspn(at + n_key + 1, "\n");
        return at + n_key + 1;
    }
    return NULL;
}

int psw_provenance_compare(const char *before, const struct psw_results_note *note, int n_note,
                           int kinds, char *out, size_t n_bytes)
{
    int n_differ = 0, n = 0;
    size_t at = 0;
    if (n_bytes) out[0] = 0;
    for (int i = 0; i < n_note; i++) {
        if (!(kind_of(note[i].key) & kinds)) continue;
        const char *was = value_of(before, note[i].key, &n);
        if (!was || ((size_t)n == strlen(note[i].value) && !strncmp(was, note[i].value, n)))
            continue;
        if (at < n_bytes)
            at += (size_t)snprintf(out + at, n_bytes - at, "%s%s (%.*s before, %s now)",
                                   n_differ ? ", " : "", note[i].key, n, was, note[i].value);
        n_differ++;
    }
    return n_differ;
}

/* The last session but one that did something: a start that was refused left no bits. -1: none.
 */
static int64_t last_at_work(const struct psw_journal *journal)
{
    int is_own = 1, has_worked = 0;
    for (int64_t i = psw_journal_n_entry(journal) - 1; i >= 0; i--) {
        const enum psw_journal_type type = psw_journal_entry_at(journal, i)->type;
        if (type == PSW_J_SESSION && !is_own && has_worked) return i;
        if (type == PSW_J_SESSION) is_own = has_worked = 0;
        has_worked |= type == PSW_J_STARTED || type == PSW_J_STAGE || type == PSW_J_PIECE ||
                      type == PSW_J_DONE;
    }
    return -1;
}

psw_status psw_provenance_check(struct psw_journal *journal,
                                const struct psw_results_note *note, int n_note, int accept_cpu,
                                struct psw_error *err)
{
    char build[512], cpu[768];
    struct psw_record *session = NULL;
    const int64_t at = last_at_work(journal);
    if (at < 0) return PSW_OK;
    const psw_status rc = psw_journal_record(journal, at, &session, err);
    if (rc != PSW_OK) return rc;
    const char *before = psw_record_text(session, "provenance");
    const int n_build =
        psw_provenance_compare(before, note, n_note, PSW_PROVENANCE_BUILD, build, sizeof build);
    const int n_cpu =
        psw_provenance_compare(before, note, n_note, PSW_PROVENANCE_CPU, cpu, sizeof cpu);
    psw_record_destroy(session);
    if (n_cpu && !accept_cpu)
        return psw_fail(err, PSW_EINVAL,
                        "what is there was computed with another %s: the runs left would not "
                        "agree with it to the last bit. Go on where it was begun, or with "
                        "another output, or accept the difference with --accept-changed-cpu",
                        cpu);
    if (n_build || n_cpu)
        psw_log(PSW_LOG_WARN,
                "this start differs from the one before in %s%s%s: runs that are continued or "
                "compared will not agree to the last bit; for that, start afresh with another "
                "output",
                build, n_build && n_cpu ? ", " : "", cpu);
    return PSW_OK;
}
