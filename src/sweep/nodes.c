/* What the nodes of a job have: ranks that work, and one work folder for all. */
#include "run_internal.h"

#include <posweep/util/clock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_BYTES = 64 };
/* A node may see a new file this much later, where the file system is a network away. */
static const double SEEN_WITHIN_S = 5, POLL_S = 0.1;

int psw_nodes_workers(MPI_Comm comm)
{
    const int rank = psw_comm_rank(comm);
    int n = rank > 0 || psw_comm_size(comm) == 1;
    MPI_Comm node;
    PSW_MPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node));
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT, MPI_SUM, node));
    PSW_MPI(MPI_Comm_free(&node));
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT, MPI_MAX, comm));
    return n;
}

static psw_status look_for(const char *work_dir, const char *path, struct psw_error *err)
{
    const double until_s = psw_clock_s() + SEEN_WITHIN_S;
    char host[128] = "?";
    while (!psw_file_exists(path)) {
        if (psw_clock_s() >= until_s) {
            gethostname(host, sizeof host - 1);
            return psw_fail(err, PSW_ENOENT,
                            "%s: the host %s does not see the work folder that rank 0 made; "
                            "write to a file system that all nodes see (-o, or --work-dir)",
                            work_dir, host);
        }
        psw_clock_sleep_s(POLL_S);
    }
    return PSW_OK;
}

/* A name that no other start has: jobs that share a sweep look into one folder at the same
 * time. */
psw_status psw_nodes_share_folder(MPI_Comm comm, const char *work_dir, struct psw_error *err)
{
    const int rank = psw_comm_rank(comm);
    char path[PSW_PATH_BYTES], host[32] = "?", token[TOKEN_BYTES] = "";
    psw_status rc = PSW_OK;
    gethostname(host, sizeof host - 1);
    snprintf(token, sizeof token, "%s.%ld.%.0f", host, (long)getpid(),
             psw_clock_unix_s() * 1e6);
    PSW_MPI(MPI_Bcast(token, TOKEN_BYTES, MPI_CHAR, 0, comm));
    rc = psw_path(path, sizeof path, err, "%s/shared.token.%s", work_dir, token);
    if (rc == PSW_OK && rank == 0) {
        const struct psw_file_part part = {token, strlen(token)};
        rc = psw_file_write(path, &part, 1, err);
    }
    if ((rc = psw_agree(comm, rc, err)) != PSW_OK) return rc;
    rc = psw_agree(comm, look_for(work_dir, path, err), err);
    if (rank == 0) unlink(path);
    return rc;
}
