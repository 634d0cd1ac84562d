/* Contents in the journal: one record per data set, named by its hash. The last record that
 * names a file says what was in it. */
#include <posweep/sweep/data_sets.h>

#include <posweep/comm/agree.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

psw_status psw_data_sets_add(struct psw_data_sets *sets, const struct psw_data_origins *origins,
                             struct psw_error *err)
{
    for (int64_t i = 0; i < sets->n; i++)
        if (!memcmp(&sets->set[i], origins, sizeof *origins)) return PSW_OK;
    struct psw_data_origins *grown = realloc(sets->set, (size_t)(sets->n + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "sweep: %lld data sets", (long long)sets->n);
    sets->set = grown;
    sets->set[sets->n++] = *origins;
    return PSW_OK;
}

void psw_data_sets_clear(struct psw_data_sets *sets)
{
    free(sets->set);
    *sets = (struct psw_data_sets){0};
}

/* ---- the journal ---- */

/* Label i of a list that '\n' separates. */
static int is_label(const char *list, int64_t i, const char *label)
{
    for (; i > 0 && list; i--) {
        list = strchr(list, '\n');
        if (list) list++;
    }
    const size_t n = list ? strcspn(list, "\n") : 0;
    return list && n == strlen(label) && !strncmp(list, label, n);
}

/* What the last record that names a file says of it; 0: none does. */
static psw_status last_seen(struct psw_journal *journal, const struct psw_data_origin *now,
                            struct psw_data_origin *before, int *found, struct psw_error *err)
{
    *found = 0;
    for (int64_t i = psw_journal_n_entry(journal) - 1; i >= 0 && !*found; i--) {
        struct psw_record *r = NULL;
        if (psw_journal_entry_at(journal, i)->type != PSW_J_DATA) continue;
        const psw_status rc = psw_journal_record(journal, i, &r, err);
        if (rc != PSW_OK) return rc;
        for (int64_t k = 0; k < PSW_MAX_ORIGINS && !*found; k++) {
            if (psw_record_i64(r, "limit", k, -1) != now->limit ||
                !is_label(psw_record_text(r, "name"), k, now->name))
                continue;
            *before = *now;
            before->hash = (uint64_t)psw_record_i64(r, "hash", k, 0);
            before->n_bytes = psw_record_i64(r, "bytes", k, -1);
            *found = 1;
        }
        psw_record_destroy(r);
    }
    return PSW_OK;
}

static psw_status say_changed(const struct psw_data_origin *now,
                              const struct psw_data_origin *before, int accept,
                              struct psw_error *err)
{
    char is[PSW_CFG_STR + 128], was[PSW_CFG_STR + 128];
    psw_data_origin_text(now, is, sizeof is);
    psw_data_origin_text(before, was, sizeof was);
    if (accept) {
        psw_log(PSW_LOG_WARN,
                "data changed and accepted: %s, before %s; runs that have ended keep the old "
                "content: data_hash tells which run had which",
                is, was);
        return PSW_OK;
    }
    return psw_fail(err, PSW_EDATA,
                    "the data changed since this sweep was begun: now %s, before %s (%s). Runs "
                    "that have ended would keep the old content and the others take the new. "
                    "%s, or choose another output with -o to start afresh; to go on with both, "
                    "give --accept-changed-data: the results tell by data_hash which run had "
                    "which",
                    is, was, now->path[0] ? now->path : "made by another posweep",
                    now->path[0] ? "Put the old file back"
                                 : "Continue with the posweep that began it");
}

/* One record of a journal against the last words of another one on the same files. */
static psw_status compare_record(const struct psw_record *r, struct psw_journal *other,
                                 int accept, struct psw_error *err)
{
    const char *at = psw_record_text(r, "name");
    for (int64_t k = 0; *at && k < PSW_MAX_ORIGINS; k++) {
        struct psw_data_origin now = {.limit = psw_record_i64(r, "limit", k, -1),
                                      .n_bytes = psw_record_i64(r, "bytes", k, -1),
                                      .hash = (uint64_t)psw_record_i64(r, "hash", k, 0)};
        struct psw_data_origin there;
        int found = 0;
        const size_t n = strcspn(at, "\n");
        snprintf(now.name, sizeof now.name, "%.*s", (int)n, at);
        at += n + (at[n] == '\n');
        const psw_status rc = last_seen(other, &now, &there, &found, err);
        if (rc != PSW_OK) return rc;
        if (!found || (there.hash == now.hash && there.n_bytes == now.n_bytes)) continue;
        char a[PSW_CFG_STR + 128], b[PSW_CFG_STR + 128];
        psw_data_origin_text(&now, a, sizeof a);
        psw_data_origin_text(&there, b, sizeof b);
        if (!accept)
            return psw_fail(
                err, PSW_EINVAL,
                "the data differ: %s in the one, %s in the other. Runs on both cannot "
                "be compared; to have them in one file nevertheless, give "
                "--accept-changed-data: data_hash tells which run had which",
                a, b);
        psw_log(PSW_LOG_WARN, "data differ and are accepted: %s, %s", a, b);
    }
    return PSW_OK;
}

psw_status psw_data_sets_differ(struct psw_journal *a, struct psw_journal *b, int accept,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < psw_journal_n_entry(a) && rc == PSW_OK; i++) {
        struct psw_record *r = NULL;
        if (psw_journal_entry_at(a, i)->type != PSW_J_DATA) continue;
        rc = psw_journal_record(a, i, &r, err);
        if (rc == PSW_OK) rc = compare_record(r, b, accept, err);
        psw_record_destroy(r);
    }
    return rc;
}

/* A journal of a posweep that kept no record of the data. */
static void warn_unknown(struct psw_journal *journal)
{
    int64_t n_done = 0;
    for (int64_t i = 0; i < psw_journal_n_entry(journal); i++) {
        const enum psw_journal_type type = psw_journal_entry_at(journal, i)->type;
        if (type == PSW_J_DATA) return;
        n_done += type == PSW_J_DONE;
    }
    if (n_done)
        psw_log(PSW_LOG_WARN,
                "the journal does not say which data the %lld runs had that are done: an older "
                "posweep wrote it; that they are the same as now cannot be checked",
                (long long)n_done);
}

psw_status psw_data_sets_compare(const struct psw_data_sets *sets, struct psw_journal *journal,
                                 int accept, struct psw_error *err)
{
    if (sets->n) warn_unknown(journal);
    for (int64_t i = 0; i < sets->n; i++)
        for (int64_t k = 0; k < sets->set[i].n; k++) {
            int found = 0;
            struct psw_data_origin before;
            const struct psw_data_origin *now = &sets->set[i].item[k];
            psw_status rc = last_seen(journal, now, &before, &found, err);
            if (rc == PSW_OK && found &&
                (before.hash != now->hash || before.n_bytes != now->n_bytes))
                rc = say_changed(now, &before, accept, err);
            if (rc != PSW_OK) return rc;
        }
    return PSW_OK;
}

static psw_status append(const struct psw_data_origins *set, struct psw_journal *journal,
                         struct psw_error *err)
{
    const char *name[PSW_MAX_ORIGINS];
    int64_t limit[PSW_MAX_ORIGINS], bytes[PSW_MAX_ORIGINS], hash[PSW_MAX_ORIGINS];
    char text[PSW_MAX_ORIGINS * (PSW_CFG_STR + 160)] = "", one[PSW_CFG_STR + 128];
    const struct psw_shape shape = psw_shape_1d(set->n);
    for (int64_t k = 0; k < set->n; k++) {
        const struct psw_data_origin *o = &set->item[k];
        const size_t at = strlen(text);
        name[k] = o->name;
        limit[k] = o->limit;
        bytes[k] = o->n_bytes;
        hash[k] = (int64_t)o->hash;
        snprintf(text + at, sizeof text - at, "%s%s %s", k ? "; " : "",
                 psw_data_role_name((enum psw_data_role)o->role),
                 psw_data_origin_text(o, one, sizeof one));
    }
    struct psw_record *r = NULL;
    psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    psw_record_put_labels(r, "name", name, set->n);
    psw_record_put(r, "limit", PSW_I64, shape, limit);
    psw_record_put(r, "bytes", PSW_I64, shape, bytes);
    psw_record_put(r, "hash", PSW_I64, shape, hash);
    psw_record_put_text(r, "text", text);
    rc = psw_journal_append_record(journal, PSW_J_DATA, psw_data_origins_hash(set), 0, r, err);
    psw_record_destroy(r);
    return rc;
}

psw_status psw_data_sets_record(const struct psw_data_sets *sets, struct psw_journal *journal,
                                struct psw_error *err)
{
    for (int64_t i = 0; i < sets->n; i++) {
        const struct psw_data_origins *set = &sets->set[i];
        const uint64_t hash = psw_data_origins_hash(set);
        int known = 0;
        for (int64_t e = 0; e < psw_journal_n_entry(journal) && !known; e++) {
            const struct psw_journal_entry *entry = psw_journal_entry_at(journal, e);
            known = entry->type == PSW_J_DATA && entry->run == hash;
        }
        for (int64_t k = 0; k < set->n && known; k++) {
            int found = 0;
            struct psw_data_origin before;
            const psw_status rc = last_seen(journal, &set->item[k], &before, &found, err);
            if (rc != PSW_OK) return rc;
            known = found && before.hash == set->item[k].hash;
        }
        const psw_status rc = known ? PSW_OK : append(set, journal, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

/* ---- the ranks ---- */

static psw_status look_at(const struct psw_data_origins *set, int rank, struct psw_error *err)
{
    char host[128] = "?";
    for (int64_t k = 0; k < set->n; k++) {
        const psw_status rc = psw_data_origin_check(&set->item[k], err);
        if (rc == PSW_OK) continue;
        gethostname(host, sizeof host - 1);
        psw_error_prefix(err, "host %s, rank %d, does not see the data that rank 0 read", host,
                         rank);
        return rc;
    }
    return PSW_OK;
}

psw_status psw_data_sets_agree(MPI_Comm comm, const struct psw_data_sets *sets,
                               struct psw_error *err)
{
    const int rank = psw_comm_rank(comm);
    int64_t n = rank == 0 ? sets->n : 0;
    psw_status rc = PSW_OK;
    PSW_MPI(MPI_Bcast(&n, 1, MPI_INT64_T, 0, comm));
    for (int64_t i = 0; i < n && rc == PSW_OK; i++) {
        struct psw_data_origins set;
        if (rank == 0) set = sets->set[i];
        PSW_MPI(MPI_Bcast(&set, (int)sizeof set, MPI_BYTE, 0, comm));
        rc = psw_agree(comm, rank == 0 ? PSW_OK : look_at(&set, rank, err), err);
    }
    return rc;
}
