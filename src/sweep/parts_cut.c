/* Cutting a sweep into parts; see parts.h. */
#include "parts.h"

#include <posweep/config/leaves.h>

#include <stdlib.h>

/** A run that is left, with what it shares. */
struct piece {
    uint64_t key;   /* of its start model */
    int64_t run;    /* in the sweep */
    int64_t leader; /* the first run with this key: groups keep the order of the sweep */
};

static int by_key(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

static int by_leader(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->leader != y->leader) return x->leader < y->leader ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

/* The runs that are left, group by group; *n_group of these. */
static int64_t list_pieces(const struct psw_sweep *sweep, const uint8_t *is_left,
                           struct piece *piece, int64_t *n_group)
{
    int64_t n = 0;
    struct psw_config_reader reader = {0};
    *n_group = 0;
    for (int64_t i = 0; i < sweep->n_run; i++)
        if (is_left[i])
            piece[n++] = (struct piece){
                .key = psw_config_hash(psw_sweep_config(sweep, i, &reader), PSW_CFG_IN_SFT),
                .run = i};
    qsort(piece, (size_t)n, sizeof *piece, by_key);
    for (int64_t i = 0; i < n; i++) {
        const int is_first = i == 0 || piece[i].key != piece[i - 1].key;
        piece[i].leader = is_first ? piece[i].run : piece[i - 1].leader;
        *n_group += is_first;
    }
    qsort(piece, (size_t)n, sizeof *piece, by_leader);
    return n;
}

psw_status psw_parts_cut(const struct psw_sweep *sweep, const uint8_t *is_left, int32_t n_part,
                         int32_t *part, struct psw_error *err)
{
    int64_t n_group = 0;
    struct piece *piece = calloc((size_t)sweep->n_run + 1, sizeof *piece);
    int64_t *load = calloc((size_t)n_part + 1, sizeof *load);
    if (!piece || !load) {
        free(piece);
        free(load);
        return psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)sweep->n_run);
    }
    for (int64_t i = 0; i < sweep->n_run; i++) part[i] = -1;
    const int64_t n = list_pieces(sweep, is_left, piece, &n_group);
    const int64_t most = (n + n_part - 1) / n_part; /* of a piece, where groups must be cut */
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && piece[end].leader == piece[i].leader; end++)
            if (n_group < n_part && end - i == most) break;
        int32_t lightest = 0;
        for (int32_t k = 1; k < n_part; k++)
            if (load[k] < load[lightest]) lightest = k;
        load[lightest] += end - i;
        for (int64_t j = i; j < end; j++) part[piece[j].run] = lightest;
    }
    free(piece);
    free(load);
    return PSW_OK;
}
