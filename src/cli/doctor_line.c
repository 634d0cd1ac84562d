/* What a rank says, and how rank 0 hears the worst of it. */
#include "doctor_internal.h"
#include <posweep/comm/agree.h>
#include <unistd.h>

void psw_doctor_say(struct psw_doctor_line *line, enum psw_doctor_verdict verdict,
                    const char *format, ...)
{
    va_list args;
    if ((int)verdict <= line->verdict) return;
    line->verdict = verdict;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

void psw_doctor_hear(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    enum { TAG_LINE = 12 };
    int worst = line->verdict, first = d->place.rank, n = 0;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MAX, d->comm));
    if (line->verdict != worst) first = d->place.n_rank;
    const int has = line->verdict == worst;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, d->comm));
    PSW_MPI(MPI_Reduce(&has, &n, 1, MPI_INT, MPI_SUM, 0, d->comm));
    if (first != 0 && d->place.rank == first)
        PSW_MPI(MPI_Send(line, sizeof *line, MPI_BYTE, 0, TAG_LINE, d->comm));
    if (first != 0 && d->place.rank == 0)
        PSW_MPI(MPI_Recv(line, sizeof *line, MPI_BYTE, first, TAG_LINE, d->comm,
                         MPI_STATUS_IGNORE));
    line->n_more = n - 1;
}

void psw_doctor_place(struct psw_doctor *d)
{
    int is_lead, works;
    d->place.rank = psw_comm_rank(d->comm);
    d->place.n_rank = psw_comm_size(d->comm);
    gethostname(d->place.host, sizeof d->place.host - 1);
    PSW_MPI(MPI_Comm_split_type(d->comm, MPI_COMM_TYPE_SHARED, d->place.rank, MPI_INFO_NULL,
                                &d->node));
    d->place.rank_node = psw_comm_rank(d->node);
    is_lead = d->place.rank_node == 0;
    works = d->place.rank > 0 || d->place.n_rank == 1;
    PSW_MPI(MPI_Allreduce(&is_lead, &d->place.n_node, 1, MPI_INT, MPI_SUM, d->comm));
    PSW_MPI(MPI_Allreduce(&works, &d->place.n_work, 1, MPI_INT, MPI_SUM, d->node));
}
