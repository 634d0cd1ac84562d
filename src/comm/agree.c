/* Agreement by one small all-reduce; the message travels only when somebody failed. */
#include <posweep/comm/agree.h>
#include <posweep/util/file.h>

#include <stdio.h>
#include <string.h>

void psw_mpi_failed(int mpi_rc, const char *call, const char *file, int line)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(mpi_rc, text, &n);
    fprintf(stderr, "posweep: %s failed at %s:%d: %s\n", call, file, line, text);
    MPI_Abort(MPI_COMM_WORLD, 70);
    __builtin_unreachable();
}

void psw_mpi_give_up(int exit_status)
{
    MPI_Abort(MPI_COMM_WORLD, exit_status);
    __builtin_unreachable();
}

int psw_comm_rank(MPI_Comm comm)
{
    int rank = 0;
    PSW_MPI(MPI_Comm_rank(comm, &rank));
    return rank;
}

int psw_comm_size(MPI_Comm comm)
{
    int size = 0;
    PSW_MPI(MPI_Comm_size(comm, &size));
    return size;
}

int psw_comm_is_first_of_node(MPI_Comm comm)
{
    MPI_Comm node;
    if (psw_comm_size(comm) == 1) return 1;
    PSW_MPI(MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, psw_comm_rank(comm), MPI_INFO_NULL,
                                &node));
    const int is_first = psw_comm_rank(node) == 0;
    PSW_MPI(MPI_Comm_free(&node));
    return is_first;
}

int psw_comm_file_exists(MPI_Comm comm, const char *path)
{
    int exists = psw_comm_rank(comm) == 0 && psw_file_exists(path);
    PSW_MPI(MPI_Bcast(&exists, 1, MPI_INT, 0, comm));
    return exists;
}

void psw_check_same(MPI_Comm comm, int64_t value, const char *expression, const char *file,
                    int line)
{
    int64_t first = value;
    PSW_MPI(MPI_Bcast(&first, 1, MPI_INT64_T, 0, comm));
    if (first == value) return;
    fprintf(stderr, "posweep: %s is %lld on rank %d and %lld on rank 0, at %s:%d\n", expression,
            (long long)value, psw_comm_rank(comm), (long long)first, file, line);
    MPI_Abort(MPI_COMM_WORLD, 70);
}

psw_status psw_agree(MPI_Comm comm, psw_status local, struct psw_error *err)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    if (size == 1) return local;
    int first = local == PSW_OK ? size : rank;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm));
    if (first == size) return PSW_OK;
    struct psw_error shared = {.code = local};
    if (rank == first && err) shared = *err;
    shared.code = rank == first ? local : PSW_OK;
    if (!shared.origin) shared.origin = first + 1;
    PSW_MPI(MPI_Bcast(&shared, (int)sizeof shared, MPI_BYTE, first, comm));
    if (err) *err = shared;
    return shared.code;
}
