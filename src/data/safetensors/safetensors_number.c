/* A tensor of a checkpoint: in words, and its numbers widened to float. F16 and BF16 lose
 * nothing: every value of both is a float, infinities and NaN with their bits too. */
#include "safetensors/safetensors.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

char *psw_stored_tensor_text(const struct psw_stored_tensor *t, char *out, size_t n_bytes)
{
    size_t at = (size_t)snprintf(out, n_bytes, "%s ", t->type_name);
    for (int d = 0; d < t->n_dim && t->n_dim <= PSW_STORED_DIMS && at < n_bytes; d++)
        at += (size_t)snprintf(out + at, n_bytes - at, "[%lld]", (long long)t->shape[d]);
    if (t->n_dim > PSW_STORED_DIMS && at < n_bytes)
        snprintf(out + at, n_bytes - at, "of %d dimensions", t->n_dim);
    if (t->n_dim == 0 && at < n_bytes) snprintf(out + at, n_bytes - at, "one number");
    return out;
}

static void widen_bf16(const unsigned char *from, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* The exponent of F16 is 112 below that of float: multiplying by 2^112 moves it, and makes
 * numbers of its subnormals. Infinities and NaN keep their exponent of ones. */
static void widen_f16(const unsigned char *from, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t half;
        float x;
        memcpy(&half, from + 2 * i, sizeof half);
        const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
        uint32_t bits = (uint32_t)(half & 0x7fffu) << 13;
        const uint32_t is_special = (half & 0x7c00u) == 0x7c00u;
        memcpy(&x, &bits, sizeof x);
        x *= 0x1p112f;
        uint32_t moved;
        memcpy(&moved, &x, sizeof moved);
        bits = (is_special ? bits | 0x7f800000u : moved) | sign;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static void copy_f32(const unsigned char *from, int64_t n, float *out)
{
    if (n > 0) memcpy(out, from, (size_t)n * sizeof *out);
}

/* Whole pages of what was read; the first may hold the end of what was read before. */
static void give_back(const unsigned char *from, size_t n_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)from / page * page,
                    end = ((uintptr_t)from + n_bytes) / page * page;
    if (end > begin) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void psw_stored_tensor_read(const struct psw_stored_tensor *t, int64_t first, int64_t n,
                            float *out)
{
    static const struct {
        void (*widen)(const unsigned char *from, int64_t n, float *out);
        size_t n_bytes;
    } READERS[PSW_STORED_OTHER] = {[PSW_STORED_F32] = {copy_f32, 4},
                                   [PSW_STORED_F16] = {widen_f16, 2},
                                   [PSW_STORED_BF16] = {widen_bf16, 2}};
    PSW_ASSERT(t->type < PSW_STORED_OTHER && first >= 0 && n >= 0 && first + n <= t->n_elem);
    const size_t width = READERS[t->type].n_bytes;
    const unsigned char *from = t->data + (size_t)first * width;
    READERS[t->type].widen(from, n, out);
    give_back(from, (size_t)n * width);
}
