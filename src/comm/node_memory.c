/* Node memory. The first rank of a node has all of the window, the others none. Open MPI lets
 * the other ranks of a node wait for ever if the first cannot make the file, so room is looked
 * for before; pages that a full file system refuses would end a process by SIGBUS, so they are
 * asked for in a way that answers. */
#include <posweep/comm/agree.h>
#include <posweep/comm/node_memory.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

enum { ALIGN_BYTES = 64, PAGE_BYTES = 4096 };
/* Since Linux 5.14; an older kernel answers EINVAL. */
enum { POPULATE_WRITE = 23 };
/* Other windows, and MPI's own segments, are there as well. */
static const double SHARE_OF_FREE = 0.5;

struct psw_node_memory {
    MPI_Comm node;  /* owned */
    MPI_Win window; /* owned */
    char *base;
    size_t n_bytes;
    int is_writer;
};

/* Where Open MPI keeps windows unless it is told another place; MPICH knows no other. */
static const char *folder(void)
{
    const char *told = getenv("OMPI_MCA_osc_sm_backing_directory");
    return told && *told ? told : "/dev/shm";
}

int psw_node_memory_has_room(double n_bytes)
{
    struct statvfs there;
    return statvfs(folder(), &there) == 0 &&
           n_bytes <= SHARE_OF_FREE * (double)there.f_bavail * (double)there.f_frsize;
}

static int everybody(MPI_Comm node, int mine)
{
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_INT, MPI_MIN, node));
    return mine;
}

/* Make the window; 0 on all ranks if one could not. */
static int allocate(struct psw_node_memory *m)
{
    void *own = NULL;
    MPI_Aint n_there = 0;
    int unit = 0;
    const size_t n_bytes = m->is_writer ? m->n_bytes + ALIGN_BYTES : 0;
    MPI_Comm_set_errhandler(m->node, MPI_ERRORS_RETURN);
    const int rc =
        MPI_Win_allocate_shared((MPI_Aint)n_bytes, 1, MPI_INFO_NULL, m->node, &own, &m->window);
    if (!everybody(m->node, rc == MPI_SUCCESS)) return 0;
    PSW_MPI(MPI_Win_shared_query(m->window, 0, &n_there, &unit, &own));
    PSW_MPI(MPI_Win_lock_all(MPI_MODE_NOCHECK, m->window));
    m->base = (char *)own + (ALIGN_BYTES - (uintptr_t)own % ALIGN_BYTES) % ALIGN_BYTES;
    return 1;
}

/* Take the pages, on the writer; 0 on all ranks if the system refused one. */
static int populate(const struct psw_node_memory *m)
{
    const uintptr_t first = (uintptr_t)m->base / PAGE_BYTES * PAGE_BYTES;
    const size_t n_bytes = (uintptr_t)m->base + m->n_bytes - first;
    char *page = m->base - ((uintptr_t)m->base - first);
    int granted = 1;
    madvise(page, n_bytes, MADV_HUGEPAGE); /* where the system allows it for such memory */
    if (m->is_writer) granted = madvise(page, n_bytes, POPULATE_WRITE) == 0 || errno == EINVAL;
    return everybody(m->node, granted);
}

static int share(struct psw_node_memory *m, char *why, size_t n_why)
{
    if (psw_comm_size(m->node) == 1) return 0;
    if (!everybody(m->node, psw_node_memory_has_room((double)m->n_bytes + PAGE_BYTES)))
        snprintf(why, n_why, "%s has no room for %.1f MiB", folder(),
                 (double)m->n_bytes / 0x1p20);
    else if (!allocate(m))
        snprintf(why, n_why, "MPI gives no shared window of %.1f MiB",
                 (double)m->n_bytes / 0x1p20);
    else if (!populate(m))
        snprintf(why, n_why, "%s filled up before %.1f MiB were taken", folder(),
                 (double)m->n_bytes / 0x1p20);
    else
        return 1;
    return 0;
}

psw_status psw_node_memory_open(MPI_Comm comm, size_t n_bytes, struct psw_node_memory **out,
                                char *why, size_t n_why, struct psw_error *err)
{
    *out = NULL;
    why[0] = 0;
    PSW_CHECK_SAME(comm, n_bytes);
    if (n_bytes == 0 || psw_comm_size(comm) == 1) return PSW_OK;
    struct psw_node_memory *m = calloc(1, sizeof *m);
    psw_status rc = m ? PSW_OK : psw_fail(err, PSW_ENOMEM, "node memory: no memory");
    if ((rc = psw_agree(comm, rc, err)) != PSW_OK) {
        free(m);
        return rc;
    }
    *m = (struct psw_node_memory){
        .node = MPI_COMM_NULL, .window = MPI_WIN_NULL, .n_bytes = n_bytes};
    PSW_MPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, psw_comm_rank(comm), MPI_INFO_NULL,
                                &m->node));
    m->is_writer = psw_comm_rank(m->node) == 0;
    if (share(m, why, n_why)) {
        *out = m;
        return PSW_OK;
    }
    psw_node_memory_close(m);
    return PSW_OK;
}

void psw_node_memory_close(struct psw_node_memory *m)
{
    if (!m) return;
    if (m->base) {
        PSW_MPI(MPI_Win_unlock_all(m->window));
        PSW_MPI(MPI_Win_free(&m->window));
    }
    PSW_MPI(MPI_Comm_free(&m->node));
    free(m);
}

void *psw_node_memory_base(const struct psw_node_memory *m)
{
    return m->base;
}

int psw_node_memory_holds(const struct psw_node_memory *m, const void *address)
{
    return m && (uintptr_t)address >= (uintptr_t)m->base &&
           (uintptr_t)address < (uintptr_t)m->base + m->n_bytes;
}

int psw_node_memory_begin(struct psw_node_memory *m)
{
    PSW_MPI(MPI_Barrier(m->node));
    return m->is_writer;
}

void psw_node_memory_end(struct psw_node_memory *m)
{
    PSW_MPI(MPI_Win_sync(m->window));
    PSW_MPI(MPI_Barrier(m->node));
    PSW_MPI(MPI_Win_sync(m->window));
}
