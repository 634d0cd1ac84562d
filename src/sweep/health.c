/* The health of the ranks: charges, taken back or confirmed by what happens elsewhere. */
#include "health.h"

#include <stdlib.h>
#include <string.h>

/* Long enough for a few tasks that are in trouble everywhere to be set aside, one after
 * another, before those that are not get their turn. */
enum { HOPELESS = 30, HOPELESS_PER_RANK = 4 };

psw_status psw_health_init(struct psw_health *h, int32_t n_rank, int32_t n_task,
                           struct psw_error *err)
{
    *h = (struct psw_health){.n_rank = n_rank, .n_task = n_task};
    h->n_charge = calloc((size_t)n_rank + 1, sizeof *h->n_charge);
    h->is_out = calloc((size_t)n_rank + 1, sizeof *h->is_out);
    h->avoid = malloc(((size_t)n_task + 1) * sizeof *h->avoid);
    if (!h->n_charge || !h->is_out || !h->avoid)
        return psw_fail(err, PSW_ENOMEM, "health of %d ranks", n_rank);
    memset(h->avoid, -1, ((size_t)n_task + 1) * sizeof *h->avoid);
    return PSW_OK;
}

void psw_health_clear(struct psw_health *h)
{
    free(h->n_charge);
    free(h->is_out);
    free(h->avoid);
    *h = (struct psw_health){0};
}

static int32_t n_usable(const struct psw_health *h)
{
    int32_t n = 0;
    for (int32_t r = 0; r < h->n_rank; r++) n += !h->is_out[r];
    return n;
}

static void charge(struct psw_health *h, int32_t rank)
{
    h->n_charge[rank]++;
    if (h->n_charge[rank] >= PSW_HEALTH_ROW && n_usable(h) > 1) h->is_out[rank] = 1;
}

static void take_back(struct psw_health *h, int32_t rank)
{
    if (h->n_charge[rank] > 0) h->n_charge[rank]--;
    if (h->n_charge[rank] < PSW_HEALTH_ROW) h->is_out[rank] = 0;
}

void psw_health_trouble(struct psw_health *h, int32_t task, int32_t rank)
{
    int32_t *avoid = h->avoid[task];
    h->n_row++;
    if (avoid[0] == rank) return; /* nothing new */
    if (avoid[0] < 0)
        charge(h, rank);
    else if (avoid[1] < 0)
        take_back(h, avoid[0]);
    avoid[1] = avoid[0];
    avoid[0] = rank;
}

void psw_health_success(struct psw_health *h, int32_t task, const int32_t *rank, int32_t n_rank)
{
    int32_t *avoid = h->avoid[task];
    h->n_row = 0;
    for (int32_t i = 0; i < n_rank; i++) h->n_charge[rank[i]] = 0;
    for (int i = 0; i < PSW_SCHED_AVOIDED && avoid[1] >= 0; i++) {
        int took_part = 0;
        for (int32_t k = 0; k < n_rank; k++) took_part |= rank[k] == avoid[i];
        if (!took_part) charge(h, avoid[i]);
    }
    avoid[0] = avoid[1] = -1;
}

int psw_health_is_hopeless(const struct psw_health *h)
{
    return h->n_row >= HOPELESS + HOPELESS_PER_RANK * h->n_rank;
}
