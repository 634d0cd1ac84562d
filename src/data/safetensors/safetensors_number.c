/* A tensor of a checkpoint: in words, and its numbers widened to float. F16 and BF16 lose
 * nothing: every value of both is a float, infinities and NaN with their bits too. */
#include "safetensors/safetensors.h"

#include <posweep/util/minmax.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 32768 };

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

psw_status psw_safetensors_pread(const char *name, int fd, void *out, size_t n, int64_t at,
                                 struct psw_error *err)
{
    for (size_t done = 0; done < n;) {
        const ssize_t m = pread(fd, (char *)out + done, n - done, (off_t)(at + (int64_t)done));
        if (m < 0 && errno == EINTR) continue;
        if (m < 0) return psw_fail(err, PSW_EIO, "%s: cannot read: %s", name, strerror(errno));
        if (m == 0)
            return psw_fail(err, PSW_EDATA,
                            "%s: ends at byte %lld, was longer when it was opened", name,
                            (long long)(at + (int64_t)done));
        done += (size_t)m;
    }
    return PSW_OK;
}

static psw_status read_halves(const struct psw_stored_tensor *t, int64_t first, int64_t n,
                              float *out, struct psw_error *err)
{
    unsigned char half[2 * BLOCK];
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n && rc == PSW_OK; i += BLOCK) {
        const int64_t m = psw_min(n - i, BLOCK);
        rc = psw_safetensors_pread(t->file, t->fd, half, 2 * (size_t)m, t->at + 2 * (first + i),
                                   err);
        if (rc == PSW_OK)
            (t->type == PSW_STORED_F16 ? widen_f16 : widen_bf16)(half, m, out + i);
    }
    return rc;
}

psw_status psw_stored_tensor_read(const struct psw_stored_tensor *t, int64_t first, int64_t n,
                                  float *out, struct psw_error *err)
{
    PSW_ASSERT(t->type < PSW_STORED_OTHER && first >= 0 && n >= 0 && first + n <= t->n_elem);
    if (t->type != PSW_STORED_F32) return read_halves(t, first, n, out, err);
    const int64_t width = sizeof *out;
    return psw_safetensors_pread(t->file, t->fd, out, (size_t)(n * width),
                                 t->at + first * width, err);
}
