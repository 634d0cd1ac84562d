/* Orders and groups of items by weight: the one rule for `top`, `mid` and `bot`. */
#ifndef POSWEEP_OBJECTIVE_ORDER_H
#define POSWEEP_OBJECTIVE_ORDER_H

#include <stdint.h>

enum psw_group { PSW_GROUP_TOP, PSW_GROUP_MID, PSW_GROUP_BOT, PSW_N_GROUP };

/** Items by falling |key|, ties (and NaN, which come last) by rising index. No allocation.
 *  Shapes: key, order: [n]. */
void psw_order_by_magnitude(int64_t n, const double *key, int64_t *order);

/** Items by rising key, ties by rising index. Shapes: key, order: [n]. */
void psw_order_by_key(int64_t n, const uint64_t *key, int64_t *order);

/** The group of the item at place `place` of an order of n items: three blocks whose lengths
 *  differ by at most one. */
enum psw_group psw_group_of_place(int64_t place, int64_t n);

#endif
