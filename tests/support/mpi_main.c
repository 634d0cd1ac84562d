/* main() of the tests that run under mpirun: owns MPI_Init and MPI_Finalize, refuses to run
 * with fewer ranks than asked, and lets a failed assertion kill the job instead of hanging it.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int mpi_test_main(void); /* runs the cmocka group of the test file */

int main(int argc, char **argv)
{
    int size = 0, provided = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc > 1 && size != atoi(argv[1])) {
        fprintf(stderr, "asked for %s ranks, got %d\n", argv[1], size);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (size > 1) setenv("CMOCKA_TEST_ABORT", "1", 1);
    const int n_failed = mpi_test_main();
    MPI_Finalize();
    return n_failed != 0;
}
