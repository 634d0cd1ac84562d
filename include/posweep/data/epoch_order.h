/* The order of items in training: a permutation per epoch that can be asked at any place.
 *
 * A Feistel network over the next power of four, whose round function is the counter-based
 * generator; places outside 0..n-1 walk on until they fall inside (cycle walking). So a step's
 * items cost O(batch), need no memory and no history, and are the same after a resume. */
#ifndef POSWEEP_DATA_EPOCH_ORDER_H
#define POSWEEP_DATA_EPOCH_ORDER_H

#include <posweep/util/rng.h>
#include <stdint.h>

/** Where `place` goes under permutation number `which` of 0..n-1; 1 <= n <= 2^31,
 *  0 <= place < n, which < 2^32. For one stream and one `which` this is a bijection. */
int64_t psw_order_at(struct psw_rng stream, uint64_t which, int64_t n, int64_t place);

/** Items of one optimiser step. Epochs follow one another without gap; in each, all n items
 *  occur once, in an order of its own. `stage` keeps the orders of different stages apart.
 *  Shapes: index: [batch]. */
void psw_data_order(uint64_t seed, uint32_t stage, int64_t n, int64_t step, int64_t batch,
                    int64_t *index);

#endif
