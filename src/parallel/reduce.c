/* The fixed summation tree. Within a rank the stack works like a binary counter: after shard i
 * is pushed, equal-sized neighbours are merged, left + right. Across ranks, step k pairs ranks
 * that differ in bit k: each sends the half it gives up and adds the half it keeps, so the sums
 * follow the same tree. Addition of two floats is commutative, so which side is "left" does not
 * matter. */
#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/parallel/reduce.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <string.h>

enum { MAX_LEVELS = 32, TAG_SWAP = 7101, SUM_BLOCKS = 512 };
enum { MAX_SIZE = 1024 }; /* ranks of a group; it has no more than shards */

struct psw_tree {
    struct psw_exec exec;
    int64_t n_elem;
    int n_level;
    int n_pushed;
    float *level[MAX_LEVELS]; /* borrowed from the arena */
    float *next;              /* one of them: where the current shard accumulates */
    float *received;          /* a block, or n_elem if that is less */
};

static int is_power_of_two(int n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

psw_status psw_shard_range(int rank, int size, int n_shard, int *begin, int *end,
                           struct psw_error *err)
{
    if (!is_power_of_two(n_shard) || !is_power_of_two(size) || size > n_shard)
        return psw_fail(err, PSW_EINVAL,
                        "%d ranks cannot share %d shards: both must be powers of two, ranks <= "
                        "shards; choose limits.ranks_per_run or policy.shards accordingly",
                        size, n_shard);
    *begin = rank * (n_shard / size);
    *end = (rank + 1) * (n_shard / size);
    return PSW_OK;
}

void psw_shard_items(int64_t n_item, int n_shard, int shard, int64_t *begin, int64_t *end)
{
    *begin = n_item * shard / n_shard;
    *end = n_item * (shard + 1) / n_shard;
}

/* The half of a block range that rank bit `bit` keeps. */
static struct psw_slice halve(struct psw_slice blocks, int bit)
{
    const int64_t middle = blocks.begin + (blocks.end - blocks.begin + 1) / 2;
    if (bit)
        blocks.begin = middle;
    else
        blocks.end = middle;
    return blocks;
}

static struct psw_slice floats_of(struct psw_slice blocks, int64_t n_elem)
{
    struct psw_slice s = {blocks.begin * PSW_BLOCK_FLOATS, blocks.end * PSW_BLOCK_FLOATS};
    if (s.begin > n_elem) s.begin = n_elem;
    if (s.end > n_elem) s.end = n_elem;
    return s;
}

static struct psw_slice all_blocks(int64_t n_elem)
{
    return (struct psw_slice){0, (n_elem + PSW_BLOCK_FLOATS - 1) / PSW_BLOCK_FLOATS};
}

struct psw_slice psw_slice_of(int rank, int size, int64_t n_elem)
{
    struct psw_slice blocks = all_blocks(n_elem);
    for (int bit = 1; bit < size; bit <<= 1) blocks = halve(blocks, (rank & bit) != 0);
    return floats_of(blocks, n_elem);
}

struct psw_tree *psw_tree_create(struct psw_exec exec, int64_t n_elem, int n_local)
{
    struct psw_arena *arena = exec.scratch;
    PSW_ASSERT(is_power_of_two(n_local));
    struct psw_tree *tree = psw_arena_alloc(arena, sizeof *tree);
    int n_level = 1;
    while ((1 << (n_level - 1)) < n_local) n_level++;
    float *level[MAX_LEVELS] = {0};
    for (int i = 0; i < n_level; i++) level[i] = psw_arena_f32(arena, n_elem);
    /* Once all shards are pushed, the upper levels are free. */
    float *received =
        n_level > 1 ? level[1] : psw_arena_f32(arena, psw_min(n_elem, PSW_BLOCK_FLOATS));
    if (!tree) return NULL;
    *tree = (struct psw_tree){
        .exec = exec, .n_elem = n_elem, .n_level = n_level, .received = received};
    memcpy(tree->level, level, sizeof level);
    return tree;
}

/* Slot i of the stack holds the partial sum that stands at binary digit i' of n_pushed; slots
 * are used in order of depth, so the number of ones in n_pushed is the number of slots in use.
 */
float *psw_tree_next(struct psw_tree *tree)
{
    const int n_used = __builtin_popcount((unsigned)tree->n_pushed);
    PSW_ASSERT(n_used < tree->n_level);
    tree->next = tree->level[n_used];
    psw_exec_backend(&tree->exec)->buffer->fill(&tree->exec, tree->n_elem, 0.0f, tree->next);
    return tree->next;
}

void psw_tree_push(struct psw_tree *tree)
{
    int top = __builtin_popcount((unsigned)tree->n_pushed);
    for (int n = tree->n_pushed; n & 1; n >>= 1, top--)
        psw_exec_backend(&tree->exec)
            ->vector->add(&tree->exec, tree->n_elem, tree->level[top], tree->level[top - 1]);
    tree->n_pushed++;
    tree->next = NULL;
}

/* Elements of the slice's block at `at`; 0 behind its end. */
static int64_t block_at(struct psw_slice s, int64_t at)
{
    return psw_max(0, psw_min(s.end - s.begin - at, PSW_BLOCK_FLOATS));
}

/* Send a partner n_give floats and take n_take, a block each at most. */
static void swap(MPI_Comm comm, struct psw_exec *exec, int partner, int64_t n_give,
                 const float *give, int64_t n_take, float *take)
{
    float out[PSW_BLOCK_FLOATS], in[PSW_BLOCK_FLOATS];
    const struct psw_buffer_ops *buffer = psw_exec_backend(exec)->buffer;
    buffer->read(exec, n_give, give, out);
    PSW_MPI(MPI_Sendrecv(out, psw_int_cast(n_give), MPI_FLOAT, partner, TAG_SWAP, in,
                         psw_int_cast(n_take), MPI_FLOAT, partner, TAG_SWAP, comm,
                         MPI_STATUS_IGNORE));
    buffer->write(exec, n_take, in, take);
}

static void swap_and_add(MPI_Comm comm, struct psw_tree *tree, struct psw_slice keep,
                         struct psw_slice give, int partner)
{
    float *vector = tree->level[0];
    for (int64_t at = 0; block_at(keep, at) + block_at(give, at) > 0; at += PSW_BLOCK_FLOATS) {
        const int64_t n = block_at(keep, at);
        swap(comm, &tree->exec, partner, block_at(give, at), vector + give.begin + at, n,
             tree->received);
        psw_exec_backend(&tree->exec)
            ->vector->add(&tree->exec, n, tree->received, vector + keep.begin + at);
    }
}

float *psw_tree_reduce(MPI_Comm comm, struct psw_tree *tree)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    PSW_ASSERT(__builtin_popcount((unsigned)tree->n_pushed) == 1);
    PSW_CHECK_SAME(comm, tree->n_elem);
    PSW_CHECK_SAME(comm, tree->n_pushed);
    tree->n_pushed = 0;
    struct psw_slice blocks = all_blocks(tree->n_elem);
    for (int bit = 1; bit < size; bit <<= 1) {
        const int mine = (rank & bit) != 0;
        const struct psw_slice keep = halve(blocks, mine), give = halve(blocks, !mine);
        swap_and_add(comm, tree, floats_of(keep, tree->n_elem), floats_of(give, tree->n_elem),
                     rank ^ bit);
        blocks = keep;
    }
    return tree->level[0];
}

void psw_slices_gather(MPI_Comm comm, struct psw_exec *exec, float *vector, int64_t n_elem)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    PSW_CHECK_SAME(comm, n_elem);
    /* Recursive doubling in reverse: at step `bit` partners swap what they have gathered so
     * far. */
    for (int bit = size >> 1; bit > 0; bit >>= 1) {
        struct psw_slice blocks = all_blocks(n_elem);
        for (int b = 1; b < bit; b <<= 1) blocks = halve(blocks, (rank & b) != 0);
        const struct psw_slice other = floats_of(halve(blocks, !(rank & bit)), n_elem),
                               mine = floats_of(halve(blocks, (rank & bit) != 0), n_elem);
        for (int64_t at = 0; block_at(mine, at) + block_at(other, at) > 0;
             at += PSW_BLOCK_FLOATS)
            swap(comm, exec, rank ^ bit, block_at(mine, at), vector + mine.begin + at,
                 block_at(other, at), vector + other.begin + at);
    }
}

double psw_slices_dot(MPI_Comm comm, struct psw_exec *exec, const float *a, const float *b,
                      int64_t n_elem)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    const struct psw_slice mine = psw_slice_of(rank, size, n_elem);
    const int64_t n_block = all_blocks(n_elem).end;
    double sum = 0;
    PSW_CHECK_SAME(comm, n_elem);
    for (int64_t first = 0; first < n_block; first += SUM_BLOCKS) {
        double part[SUM_BLOCKS] = {0};
        const int64_t n = psw_min(n_block - first, SUM_BLOCKS), at = first * PSW_BLOCK_FLOATS;
        const int64_t begin = psw_max(at, mine.begin),
                      end = psw_min(at + n * PSW_BLOCK_FLOATS, mine.end);
        if (begin < end)
            psw_exec_backend(exec)->vector->dot(exec, end - begin, a + begin, b + begin,
                                                part + (begin - at) / PSW_BLOCK_FLOATS);
        /* Each block has one non-zero contributor, so this sum is exact. */
        if (size > 1)
            PSW_MPI(
                MPI_Allreduce(MPI_IN_PLACE, part, psw_int_cast(n), MPI_DOUBLE, MPI_SUM, comm));
        for (int64_t i = 0; i < n; i++) sum += part[i];
    }
    return sum;
}

void psw_items_gather(MPI_Comm comm, const double *local, int64_t n_local, double *all)
{
    const int size = psw_comm_size(comm);
    if (size == 1) {
        memcpy(all, local, sizeof(double) * (size_t)n_local);
        return;
    }
    int count[MAX_SIZE], start[MAX_SIZE] = {0};
    const int n = psw_int_cast(n_local);
    PSW_ASSERT(size <= MAX_SIZE);
    PSW_MPI(MPI_Allgather(&n, 1, MPI_INT, count, 1, MPI_INT, comm));
    for (int i = 1; i < size; i++) start[i] = start[i - 1] + count[i - 1];
    PSW_MPI(MPI_Allgatherv(local, n, MPI_DOUBLE, all, count, start, MPI_DOUBLE, comm));
}
