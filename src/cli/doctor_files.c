/* Checks of the file system: does every node see the output's folder, may it write there, and
 * does what the journal and the results file rest on (lock, sync, rename) work? */
#include "doctor_internal.h"
#include <errno.h>
#include <libgen.h>
#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/text.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A node may see a new file this much later, where the file system is a network away. */
static const double SEEN_WITHIN_S = 5, POLL_S = 0.1;

/** A folder of our own beside the output, for the time of the check; rank 0 makes it. */
struct trial {
    char folder[PSW_PATH_BYTES], token[128];
    int lock; /* rank 0: held open and locked; -1 */
};

static void parent_of(const char *path, char out[PSW_PATH_BYTES])
{
    char copy[PSW_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(out, PSW_PATH_BYTES, "%s", dirname(copy));
}

static psw_status put(const char *folder, const char *name, const char *text,
                      struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const struct psw_file_part part = {text, strlen(text)};
    const psw_status rc = psw_path(path, sizeof path, err, "%s/%s", folder, name);
    return rc == PSW_OK ? psw_file_write(path, &part, 1, err) : rc;
}

/* 1 once the file reads so; 0 if it does not within some seconds. */
static int comes_to_read(const char *folder, const char *name, const char *token)
{
    const double until_s = psw_clock_s() + SEEN_WITHIN_S;
    char path[PSW_PATH_BYTES];
    if (psw_path(path, sizeof path, NULL, "%s/%s", folder, name) != PSW_OK) return 0;
    for (;;) {
        char *text = NULL;
        size_t n_bytes = 0;
        const int is_there =
            psw_file_read(path, &text, &n_bytes, NULL) == PSW_OK && strcmp(text, token) == 0;
        free(text);
        if (is_there || psw_clock_s() > until_s) return is_there;
        psw_clock_sleep_s(POLL_S);
    }
}

/* Rank 0: the folder, a file in it, and a lock that others must not get. */
static psw_status begin(const struct psw_doctor *d, const char *parent, struct trial *t,
                        struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_path(t->folder, sizeof t->folder, err, "%s/.posweep-doctor-%s-%ld",
                             parent, d->place.host, (long)getpid());
    if (rc != PSW_OK) return rc;
    if (mkdir(t->folder, 0700) != 0) {
        const int e = errno;
        t->folder[0] = 0; /* not ours */
        return psw_fail(err, psw_status_from_errno(e),
                        "%s: %s cannot make anything there: %s. Write elsewhere (-o)", parent,
                        d->place.host, strerror(e));
    }
    snprintf(t->token, sizeof t->token, "%s %ld %.0f\n", d->place.host, (long)getpid(),
             psw_clock_unix_s() * 1e6);
    rc = put(t->folder, "token", t->token, err);
    if (rc == PSW_OK) rc = psw_path(path, sizeof path, err, "%s/lock", t->folder);
    if (rc == PSW_OK) rc = psw_file_open(path, PSW_FILE_NEW, &t->lock, err);
    if (rc == PSW_OK) flock(t->lock, LOCK_EX | LOCK_NB);
    return rc;
}

/* Rank 0 holds the lock: whoever gets it, too, shows that locks are not kept. */
static void try_lock(const struct psw_doctor *d, const struct trial *t,
                     struct psw_doctor_line *line)
{
    char path[PSW_PATH_BYTES];
    int fd = -1;
    if (psw_path(path, sizeof path, NULL, "%s/lock", t->folder) != PSW_OK ||
        psw_file_open(path, PSW_FILE_UPDATE, &fd, NULL) != PSW_OK)
        return;
    const int got = flock(fd, LOCK_EX | LOCK_NB) == 0, e = errno;
    close(fd);
    if (got)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%s: %s does not see the lock of another node: two posweep on the same "
                       "output would not notice each other",
                       t->folder, d->place.host);
    else if (e != EWOULDBLOCK)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%s: no locks there (%s): after a crash on another host the next start "
                       "asks for the file .journal.lock to be removed",
                       t->folder, strerror(e));
}

/* One rank of every node: see, write, sync, rename, lock. */
static void visit(const struct psw_doctor *d, const char *parent, const struct trial *t,
                  struct psw_doctor_line *line)
{
    struct psw_error err = {0};
    char name[64];
    snprintf(name, sizeof name, "rank-%d", d->place.rank);
    if (!comes_to_read(t->folder, "token", t->token))
        psw_doctor_say(line, PSW_DOCTOR_BAD,
                       "%s: %s does not see what rank 0 wrote there: write to a file system "
                       "that all nodes see (-o, --work-dir)",
                       parent, d->place.host);
    else if (put(t->folder, name, t->token, &err) != PSW_OK)
        psw_doctor_say(line, PSW_DOCTOR_BAD, "%s cannot write: %s", d->place.host, err.text);
    else
        try_lock(d, t, line);
}

static void end(const struct psw_doctor *d, struct trial *t, const int *leads,
                struct psw_doctor_line *line)
{
    for (int r = 1; r < d->place.n_rank; r++) {
        char name[64];
        snprintf(name, sizeof name, "rank-%d", r);
        if (leads[r] && !comes_to_read(t->folder, name, t->token))
            psw_doctor_say(line, PSW_DOCTOR_BAD,
                           "%s: rank 0 on %s does not see what rank %d wrote there", t->folder,
                           d->place.host, r);
    }
}

/* Rank 0's part comes first, and its word on whether the others may begin. */
static void try_folder(const struct psw_doctor *d, const char *parent,
                       struct psw_doctor_line *line)
{
    struct psw_error err = {0};
    struct trial t = {.lock = -1};
    const int is_first = d->place.rank == 0, visits = d->place.rank_node == 0;
    int *leads = calloc((size_t)d->place.n_rank, sizeof *leads);
    psw_status rc = leads ? PSW_OK : psw_fail(&err, PSW_ENOMEM, "no memory");
    if (rc == PSW_OK && is_first) rc = begin(d, parent, &t, &err);
    rc = psw_agree(d->comm, rc, &err);
    if (rc == PSW_OK) {
        PSW_MPI(MPI_Bcast(t.token, sizeof t.token, MPI_CHAR, 0, d->comm));
        PSW_MPI(MPI_Bcast(t.folder, sizeof t.folder, MPI_CHAR, 0, d->comm));
        if (visits) visit(d, parent, &t, line);
        const int wrote = visits && line->verdict < PSW_DOCTOR_BAD;
        PSW_MPI(MPI_Gather(&wrote, 1, MPI_INT, leads, 1, MPI_INT, 0, d->comm));
        if (is_first) end(d, &t, leads, line);
    } else if (is_first) {
        psw_doctor_say(line, PSW_DOCTOR_BAD, "%s", err.text);
    }
    if (t.lock >= 0) close(t.lock);
    if (is_first && t.folder[0]) psw_file_remove_tree(t.folder, NULL);
    free(leads);
    if (is_first)
        psw_doctor_say(line, PSW_DOCTOR_GOOD,
                       "%s: seen and written from %d node%s; sync, rename and locks work",
                       parent, d->place.n_node, d->place.n_node == 1 ? "" : "s");
}

void psw_doctor_output(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    char parent[PSW_PATH_BYTES], journal[PSW_PATH_BYTES], holder[256];
    parent_of(d->out_path, parent);
    if (d->place.rank == 0 && psw_journal_path(d->out_path, journal, NULL) == PSW_OK &&
        psw_file_exists(journal) && psw_journal_holder(journal, holder, sizeof holder) == 1)
        psw_doctor_say(line, PSW_DOCTOR_NOTE, "%s: another posweep works on it: %s",
                       d->out_path, holder);
    try_folder(d, parent, line);
}

void psw_doctor_work(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    char parent[PSW_PATH_BYTES];
    if (!d->work_dir) return;
    parent_of(d->work_dir, parent);
    try_folder(d, parent, line);
}

void psw_doctor_disk(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    char parent[PSW_PATH_BYTES];
    struct statvfs info;
    if (d->place.rank != 0) return;
    parent_of(d->work_dir ? d->work_dir : d->out_path, parent);
    if (statvfs(parent, &info) != 0) {
        psw_doctor_say(line, PSW_DOCTOR_NOTE, "%s: free space is not known: %s", parent,
                       strerror(errno));
        return;
    }
    const double free_bytes = (double)info.f_bavail * (double)info.f_frsize;
    const double wanted = d->needs ? (double)d->needs->disk_bytes : 0;
    char has[PSW_SIZE_BYTES], wants[PSW_SIZE_BYTES];
    psw_size_text(free_bytes, has);
    if (wanted > free_bytes)
        psw_doctor_say(
            line, PSW_DOCTOR_BAD,
            "%s: %s are free, the work folder may take %s: make room, or name another "
            "--work-dir",
            parent, has, psw_size_text(wanted, wants));
    else
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "%s: %s are free%s", parent, has,
                       d->needs ? ", more than the plan wants (a quota is not looked at)" : "");
}
