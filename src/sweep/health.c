/* The health of the ranks: charges, taken back or confirmed by what happens elsewhere. */
#include "health.h"

#include <stdlib.h>
#include <string.h>

/* Long enough for a few tasks that are in trouble everywhere to be set aside, one after
 * another, before those that are not get their turn. */
enum { HOPELESS = 30, HOPELESS_PER_RANK = 4 };

psw_status psw_health_init(struct psw_health *h, const int32_t *node, int32_t n_rank,
                           int32_t n_task, struct psw_error *err)
{
    const size_t n = (size_t)n_rank + 1;
    *h = (struct psw_health){.n_rank = n_rank, .n_task = n_task};
    h->n_charge = calloc(n, sizeof *h->n_charge);
    h->is_out = calloc(n, sizeof *h->is_out);
    h->is_known = calloc(n, sizeof *h->is_known);
    h->node = calloc(n, sizeof *h->node);
    h->n_node_charge = calloc(n, sizeof *h->n_node_charge);
    h->is_node_out = calloc(n, sizeof *h->is_node_out);
    h->avoid = malloc(((size_t)n_task + 1) * sizeof *h->avoid);
    if (!h->n_charge || !h->is_out || !h->is_known || !h->node || !h->n_node_charge ||
        !h->is_node_out || !h->avoid)
        return psw_fail(err, PSW_ENOMEM, "health of %d ranks", n_rank);
    memcpy(h->node, node, (size_t)n_rank * sizeof *node);
    memset(h->avoid, -1, ((size_t)n_task + 1) * sizeof *h->avoid);
    return PSW_OK;
}

void psw_health_clear(struct psw_health *h)
{
    free(h->n_charge);
    free(h->is_out);
    free(h->is_known);
    free(h->node);
    free(h->n_node_charge);
    free(h->is_node_out);
    free(h->avoid);
    *h = (struct psw_health){0};
}

/* Of a node, or of all others. */
static int32_t n_usable(const struct psw_health *h, int32_t node, int of_others)
{
    int32_t n = 0;
    for (int32_t r = 0; r < h->n_rank; r++)
        n += (h->node[r] == node) != of_others && !h->is_out[r];
    return n;
}

static int is_node_bad(const struct psw_health *h, int32_t node)
{
    int32_t n_charged = 0;
    for (int32_t r = 0; r < h->n_rank; r++)
        n_charged += h->node[r] == node && h->n_charge[r] > 0;
    return h->n_node_charge[node] >= PSW_HEALTH_NODE && n_charged > 1;
}

/* Whether the node and each of its ranks is out, by what they are charged with. */
static void judge(struct psw_health *h, int32_t node)
{
    const int is_last = n_usable(h, node, 1) == 0;
    h->is_node_out[node] = is_node_bad(h, node) && (h->is_node_out[node] || !is_last);
    for (int32_t r = 0; r < h->n_rank; r++) {
        if (h->node[r] != node) continue;
        const int is_bad =
            h->n_charge[r] >= PSW_HEALTH_ROW || h->is_node_out[node] || h->is_known[r];
        const int is_only = is_last && n_usable(h, node, 0) == 1;
        h->is_out[r] = is_bad && (h->is_out[r] || !is_only);
    }
}

static void charge(struct psw_health *h, int32_t rank)
{
    h->n_charge[rank]++;
    h->n_node_charge[h->node[rank]]++;
    judge(h, h->node[rank]);
}

static void take_back(struct psw_health *h, int32_t rank)
{
    if (h->n_charge[rank] > 0) h->n_charge[rank]--;
    if (h->n_node_charge[h->node[rank]] > 0) h->n_node_charge[h->node[rank]]--;
    judge(h, h->node[rank]);
}

void psw_health_leave_out(struct psw_health *h, int32_t rank)
{
    h->is_out[rank] = h->is_known[rank] = 1;
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
    for (int32_t i = 0; i < n_rank; i++) {
        h->n_charge[rank[i]] = 0;
        h->n_node_charge[h->node[rank[i]]] = 0;
        judge(h, h->node[rank[i]]);
    }
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
