/* Messages. Small ones are plain structs of the same program on the same kind of machine. No
 * rank waits inside MPI for another rank's work: it probes and sleeps, so an idle rank costs
 * nothing to its neighbours. */
#include "sweep_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/cast.h>
#include <posweep/util/clock.h>
#include <posweep/util/machine.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { YIELDS = 100, PIECE_BYTES = 1 << 30, TIMER_SLACK_NS = 1000 };
static const double SHORTEST_WAIT_S = 20e-6, WAIT_GROWTH = 1.25;

static const char *const TAG_NAMES[] = {
    [PSW_TAG_PROGRESS] = "progress", [PSW_TAG_PAYLOAD] = "payload", [PSW_TAG_BYTES] = "bytes",
    [PSW_TAG_REPORT] = "report",     [PSW_TAG_NOTE] = "note",       [PSW_TAG_ASSIGN] = "assign",
    [PSW_TAG_STOP] = "stop",         [PSW_TAG_DISMISS] = "dismiss", [PSW_TAG_GROUP] = "group",
    [PSW_TAG_BYE] = "bye",           [PSW_TAG_BEAT] = "beat",       [PSW_TAG_RUNG] = "rung",
    [PSW_TAG_ALIVE] = "alive",
};

const char *psw_tag_name(int tag)
{
    return tag >= PSW_TAG_PROGRESS && tag <= PSW_TAG_GROUP ? TAG_NAMES[tag] : "unknown";
}

size_t psw_msg_assign_bytes(int32_t n_rank, int32_t n_note)
{
    return sizeof(struct psw_msg_assign) + sizeof(int32_t) * (size_t)n_rank + (size_t)n_note;
}

void *psw_msg_assign_note(struct psw_msg_assign *assign)
{
    return assign->rank + assign->n_rank;
}

/* The ranks of comm on this machine, the lowest first; without memory, none but ourselves. */
static int32_t find_node(struct psw_link *link)
{
    MPI_Comm node;
    int32_t lowest = link->rank;
    PSW_MPI(MPI_Comm_split_type(link->control, MPI_COMM_TYPE_SHARED, link->rank, MPI_INFO_NULL,
                                &node));
    const int n_mate = psw_comm_size(node);
    const struct psw_mate own = {link->rank, (int32_t)getpid()};
    link->mate = calloc((size_t)n_mate, sizeof *link->mate);
    if (!link->mate) psw_mpi_failed(MPI_ERR_NO_MEM, "calloc of a node", __FILE__, __LINE__);
    PSW_MPI(MPI_Allgather(&own, 2, MPI_INT32_T, link->mate, 2, MPI_INT32_T, node));
    link->n_mate = n_mate;
    lowest = link->mate[0].rank;
    PSW_MPI(MPI_Comm_free(&node));
    return lowest;
}

/* Of /proc/PID/stat; 'X': gone. */
static char state_of(int32_t pid)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) return errno == ENOENT || errno == ESRCH ? 'X' : '?';
    const int n = fscanf(f, "%*d (%*[^)]) %c", &state);
    fclose(f);
    return n == 1 ? state : '?';
}

char psw_link_state(const struct psw_link *link, int32_t rank)
{
    for (int32_t i = 0; i < link->n_mate; i++)
        if (link->mate[i].rank == rank) return state_of(link->mate[i].pid);
    return '?';
}

/* Gone, or a zombie that nobody has buried yet. */
static int is_dead(int32_t pid)
{
    const char state = state_of(pid);
    return state == 'Z' || state == 'X';
}

int32_t psw_link_dead(const struct psw_link *link, int32_t *dead)
{
    int32_t n = 0;
    for (int32_t i = 0; i < link->n_mate; i++)
        if (link->mate[i].rank != link->rank && is_dead(link->mate[i].pid))
            dead[n++] = link->mate[i].rank;
    return n;
}

int32_t psw_link_oom_kills(const struct psw_link *link)
{
    const double n = link->n_oom < 0 ? 0 : psw_machine_oom_kills() - link->n_oom;
    return n > 0 && n < INT32_MAX ? (int32_t)n : 0;
}

static void gather_roster(struct psw_link *link)
{
    char name[MPI_MAX_PROCESSOR_NAME + 1] = "", host[PSW_HOST_BYTES] = "";
    int n_name = 0;
    PSW_MPI(MPI_Get_processor_name(name, &n_name));
    memcpy(host, name, (size_t)(n_name < PSW_HOST_BYTES ? n_name : PSW_HOST_BYTES - 1));
    const int32_t node = find_node(link);
    PSW_MPI(
        MPI_Gather(&node, 1, MPI_INT32_T, link->roster.node, 1, MPI_INT32_T, 0, link->control));
    PSW_MPI(MPI_Gather(host, PSW_HOST_BYTES, MPI_CHAR, link->roster.host, PSW_HOST_BYTES,
                       MPI_CHAR, 0, link->control));
}

psw_status psw_link_open(MPI_Comm comm, struct psw_link *link, struct psw_error *err)
{
    *link = (struct psw_link){
        .rank = psw_comm_rank(comm), .n_oom = psw_machine_oom_kills(), .timer_slack = -1};
    struct psw_roster *roster = &link->roster;
    roster->n_rank = psw_comm_size(comm);
    const size_t n = link->rank == 0 ? (size_t)roster->n_rank : 1;
    roster->node = calloc(n, sizeof *roster->node);
    roster->host = calloc(n, sizeof *roster->host);
    psw_status rc = PSW_OK;
    if (!roster->node || !roster->host)
        rc = psw_fail(err, PSW_ENOMEM, "roster of %d ranks", roster->n_rank);
    if ((rc = psw_agree(comm, rc, err)) != PSW_OK) {
        free(roster->node);
        free(roster->host);
        return rc;
    }
    PSW_MPI(MPI_Comm_dup(comm, &link->control));
    PSW_MPI(MPI_Comm_dup(MPI_COMM_SELF, &link->self));
    gather_roster(link);
    /* Waits of 20 us are not to be rounded up to the 50 us that Linux allows itself. */
    link->timer_slack = prctl(PR_GET_TIMERSLACK);
    if (link->timer_slack > 0) prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    return PSW_OK;
}

psw_status psw_link_close(struct psw_link *link, psw_status local, struct psw_error *err)
{
    if (link->timer_slack > 0) prctl(PR_SET_TIMERSLACK, link->timer_slack);
    const psw_status rc = psw_agree(link->control, local, err);
    PSW_MPI(MPI_Comm_free(&link->self));
    PSW_MPI(MPI_Comm_free(&link->control));
    free(link->roster.node);
    free(link->roster.host);
    free(link->mate);
    return rc;
}

void psw_back_off(int *n_miss, double longest_s)
{
    double wait_s = SHORTEST_WAIT_S;
    for (int i = YIELDS; i < *n_miss && wait_s < longest_s; i++) wait_s *= WAIT_GROWTH;
    if (*n_miss < YIELDS + 64) (*n_miss)++;
    if (*n_miss <= YIELDS)
        sched_yield();
    else
        psw_clock_sleep_s(wait_s < longest_s ? wait_s : longest_s);
}

void psw_link_send(struct psw_link *link, int rank, enum psw_tag tag, const void *data,
                   size_t n_bytes)
{
    PSW_MPI(MPI_Send(data, psw_int_cast((int64_t)n_bytes), MPI_BYTE, rank, tag, link->control));
}

static int piece(size_t n_bytes, size_t at)
{
    return n_bytes - at < PIECE_BYTES ? (int)(n_bytes - at) : PIECE_BYTES;
}

void psw_link_send_bytes(struct psw_link *link, const void *data, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at += PIECE_BYTES)
        PSW_MPI(MPI_Send((const char *)data + at, piece(n_bytes, at), MPI_BYTE, 0,
                         PSW_TAG_BYTES, link->control));
}

void psw_link_recv_bytes(struct psw_link *link, int source, void *data, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at += PIECE_BYTES)
        PSW_MPI(MPI_Recv((char *)data + at, piece(n_bytes, at), MPI_BYTE, source, PSW_TAG_BYTES,
                         link->control, MPI_STATUS_IGNORE));
}
