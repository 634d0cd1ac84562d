/* Heap sort: in place, no memory, the same result for the same keys. The comparison is total
 * (ties by index), so the order does not depend on the algorithm. */
#include <posweep/objective/order.h>

#include <math.h>

/** 1 when item a comes before item b. */
typedef int (*before_fn)(const void *key, int64_t a, int64_t b);

static int before_by_magnitude(const void *key, int64_t a, int64_t b)
{
    const double *x = key;
    const double xa = isnan(x[a]) ? -1.0 : fabs(x[a]), xb = isnan(x[b]) ? -1.0 : fabs(x[b]);
    return xa > xb || (!(xb > xa) && a < b);
}

static int before_by_key(const void *key, int64_t a, int64_t b)
{
    const uint64_t *x = key;
    return x[a] < x[b] || (x[a] == x[b] && a < b);
}

static void sift(before_fn before, const void *key, int64_t *heap, int64_t root, int64_t n)
{
    const int64_t item = heap[root];
    for (int64_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(key, heap[child], heap[child + 1])) child++;
        if (!before(key, item, heap[child])) break;
        heap[root] = heap[child];
    }
    heap[root] = item;
}

static void order_by(before_fn before, const void *key, int64_t n, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t root = n / 2; root-- > 0;) sift(before, key, order, root, n);
    for (int64_t last = n; last-- > 1;) {
        const int64_t item = order[last];
        order[last] = order[0];
        order[0] = item;
        sift(before, key, order, 0, last);
    }
}

void psw_order_by_magnitude(int64_t n, const double *key, int64_t *order)
{
    order_by(before_by_magnitude, key, n, order);
}

void psw_order_by_key(int64_t n, const uint64_t *key, int64_t *order)
{
    order_by(before_by_key, key, n, order);
}

enum psw_group psw_group_of_place(int64_t place, int64_t n)
{
    return (enum psw_group)(3 * place / n);
}

void psw_order_as_it_is(int64_t n, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) order[i] = i;
}

void psw_group_gap_take(struct psw_group_gap *gap, int64_t place, int64_t n, double low,
                        double high)
{
    const enum psw_group group = psw_group_of_place(place, n);
    if (group == PSW_GROUP_TOP) gap->least_top = fmin(gap->least_top, low);
    if (group == psw_group_of_place(n - 1, n) && group != PSW_GROUP_TOP)
        gap->most_last = fmax(gap->most_last, high);
}

int psw_group_gap_is_open(const struct psw_group_gap *gap)
{
    return gap->most_last > -INFINITY &&
           gap->least_top > gap->most_last; /* two groups at least */
}
