/* Ranks that pass a collective function unlike arguments: PSW_CHECK_SAME ends the job. */
#define PSW_DEBUG 1
#include <posweep/comm/agree.h>

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const int n_elem = psw_comm_rank(MPI_COMM_WORLD) == 1 ? 6 : 5;
    PSW_CHECK_SAME(MPI_COMM_WORLD, 7);
    PSW_CHECK_SAME(MPI_COMM_WORLD, n_elem);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    return 0;
}
