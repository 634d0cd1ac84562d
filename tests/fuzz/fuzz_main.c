/* HARNESS SEEDS N [SEED]: damage the files of the folder SEEDS N times, by bits, bytes, blocks
 * and words, and give each to the harness. The same numbers give the same files. */
#include "fuzz.h"

#include <posweep/util/file.h>
#include <posweep/util/rng.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEEDS = 32, MAX_DAMAGE = 6 };

/** The bytes that are damaged, and where the random numbers come from. */
struct input {
    unsigned char *byte; /* room for twice as many */
    size_t n;
    struct psw_rng rng;
    uint64_t n_draw;
};

static size_t below(struct input *in, size_t n)
{
    return n ? (size_t)psw_rng_below(in->rng, 0, in->n_draw++, n) : 0;
}

static void flip_bit(struct input *in)
{
    in->byte[below(in, in->n)] ^= (unsigned char)(1u << below(in, 8));
}

static void set_byte(struct input *in)
{
    in->byte[below(in, in->n)] = (unsigned char)below(in, 256);
}

static void cut_block(struct input *in)
{
    const size_t at = below(in, in->n), n = below(in, in->n - at);
    memmove(in->byte + at, in->byte + at + n, in->n - at - n);
    in->n -= n;
}

static void copy_block(struct input *in)
{
    const size_t n = below(in, 64 < in->n ? 64 : in->n);
    memmove(in->byte + below(in, in->n - n), in->byte + below(in, in->n - n), n);
}

/** Put a word of its syntax over what is there: numbers and marks that break parsers. */
static void set_word(struct input *in)
{
    static const char *const WORDS[] = {"null", "true", "-1",      "4294967296", "1e300", "[]",
                                        "{}",   "\"\"", "\\u0000", "99999",      ",",     "}",
                                        "(",    "]",    "\\\\",    "\xFF",       "+",     "0"};
    const char *word = WORDS[below(in, sizeof WORDS / sizeof *WORDS)];
    const size_t n = strlen(word);
    if (in->n > n) memcpy(in->byte + below(in, in->n - n), word, n);
}

/** One quoted word in the place of another of the same file. */
static void swap_strings(struct input *in)
{
    const unsigned char *from = memchr(in->byte, '"', in->n), *to = NULL;
    const size_t skip = below(in, in->n), skip_to = below(in, in->n);
    if (!from) return;
    from = memchr(in->byte + skip, '"', in->n - skip);
    to = memchr(in->byte + skip_to, '"', in->n - skip_to);
    if (!from || !to) return;
    const size_t n_from = in->n - (size_t)(from - in->byte),
                 n_to = in->n - (size_t)(to - in->byte);
    const size_t n = 2 + below(in, 12), n_room = n_from < n_to ? n_from : n_to;
    memmove(in->byte + (to - in->byte), from, n < n_room ? n : n_room);
}

static void (*const DAMAGE[])(struct input *) = {flip_bit,   set_byte, cut_block,
                                                 copy_block, set_word, swap_strings};

static void die(const char *what)
{
    fprintf(stderr, "fuzz_main: %s\n", what);
    exit(2);
}

/** The seeds' names, in their order. */
static int names_of(const char *folder, char name[MAX_SEEDS][256])
{
    struct dirent **entry = NULL;
    const int n_entry = scandir(folder, &entry, NULL, alphasort);
    int n = 0;
    for (int i = 0; i < n_entry; i++) {
        if (entry[i]->d_name[0] != '.' && n < MAX_SEEDS)
            snprintf(name[n++], 256, "%s", entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return n;
}

static void fuzz(const char *path, uint64_t seed, int64_t n_round)
{
    char *data = NULL;
    size_t n = 0;
    if (psw_file_read(path, &data, &n, NULL) != PSW_OK) die("cannot read a seed");
    struct input in = {.byte = malloc(2 * n + 64)};
    if (!in.byte) die("no memory");
    LLVMFuzzerTestOneInput((const uint8_t *)data, n);
    for (int64_t i = 0; i < n_round; i++) {
        in.rng = (struct psw_rng){.seed = seed, .use = PSW_RNG_TEST, .step = (uint32_t)i};
        in.n_draw = 0;
        in.n = n;
        memcpy(in.byte, data, n);
        for (size_t k = 0, m = 1 + below(&in, MAX_DAMAGE); k < m && in.n > 64; k++)
            DAMAGE[below(&in, sizeof DAMAGE / sizeof *DAMAGE)](&in);
        LLVMFuzzerTestOneInput(in.byte, in.n);
    }
    free(in.byte);
    free(data);
}

int main(int argc, char **argv)
{
    static char name[MAX_SEEDS][256];
    char path[PSW_PATH_BYTES];
    if (argc < 3) die("SEEDS N [SEED]");
    const int n_seed = names_of(argv[1], name);
    if (n_seed == 0) die("no seeds");
    for (int i = 0; i < n_seed; i++) {
        if (psw_path(path, sizeof path, NULL, "%s/%s", argv[1], name[i]) != PSW_OK)
            die("a name");
        fuzz(path, (argc > 3 ? strtoull(argv[3], NULL, 0) : 1) + (uint64_t)i,
             atoll(argv[2]) / n_seed);
    }
    printf("%d seeds, %lld damaged copies\n", n_seed, atoll(argv[2]) / n_seed * n_seed);
    return 0;
}
