/* Orders and groups of items by weight: the one rule for `top`, `mid` and `bot`. */
#ifndef POSWEEP_OBJECTIVE_ORDER_H
#define POSWEEP_OBJECTIVE_ORDER_H

#include <math.h>
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

/** Whether groups by weight mean something: every |weight| of the first group is above every
 *  one of the last (the group of the last place, where there are fewer than three items),
 * beyond rounding. Equal weights at a cut go by index and do not count. Start from
 *  PSW_GROUP_GAP_NONE. */
struct psw_group_gap {
    double least_top, most_last;
};
#define PSW_GROUP_GAP_NONE ((struct psw_group_gap){INFINITY, -INFINITY})

/** Take the item at place `place` of n. low, high: what |weight| is at the least and at the
 * most, given the rounding of what it was computed from. */
void psw_group_gap_take(struct psw_group_gap *gap, int64_t place, int64_t n, double low,
                        double high);
int psw_group_gap_is_open(const struct psw_group_gap *gap);

/** The order of items as they stand. Shapes: order [n]. */
void psw_order_as_it_is(int64_t n, int64_t *order);

#endif
