/* What the nodes of a job have: ranks that work. */
#include "run_internal.h"

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
