/* A checkpoint of a stranger: it is opened, and if it is taken, every tensor is described and
 * all of its numbers are read. Nothing may crash, leak, hang, or be read outside the file. */
#include "fuzz.h"

#include <posweep/data/safetensors.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK = 1000 };

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_safetensors: %s\n", what);
    abort();
}

static void use(const struct psw_safetensors *st, size_t n_bytes)
{
    int64_t n = 0, n_all = 0;
    float block[BLOCK];
    char text[64];
    const struct psw_stored_tensor *t = psw_safetensors_table(st, &n);
    require(n > 0, "taken without a tensor");
    for (int64_t i = 0; i < n; i++) {
        require(psw_safetensors_find(st, t[i].name) == &t[i], "not found by its name");
        require(psw_stored_tensor_text(&t[i], text, sizeof text)[0] != 0, "not described");
        n_all += t[i].n_elem;
        for (int64_t at = 0; t[i].type != PSW_STORED_OTHER && at < t[i].n_elem; at += BLOCK)
            require(psw_stored_tensor_read(&t[i], at,
                                           t[i].n_elem - at < BLOCK ? t[i].n_elem - at : BLOCK,
                                           block, NULL) == PSW_OK,
                    "cannot be read");
    }
    require(n_all <= (int64_t)n_bytes, "more numbers than bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int file = -1; /* made once: thousands of files cost more than what they test */
    char path[64];
    struct psw_safetensors *st = NULL;
    struct psw_error err = {0};
    if (file < 0) file = memfd_create("model.safetensors", MFD_CLOEXEC);
    require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, n, 0) == (ssize_t)n,
            "cannot write");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (psw_safetensors_open(path, &st, &err) == PSW_OK)
        use(st, n);
    else
        require(st == NULL && err.text[0] != 0, "refused without a message");
    psw_safetensors_close(st);
    return 0;
}
