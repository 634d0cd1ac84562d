/* fuzz_results FOLDER N [SEED]: damage a small results file N times and read each.
 * fuzz_results --seal FILE...: give files a new seal, as their hostile author would.
 *
 * Half of the damaged files get a new seal, so that HDF5 and the checks behind it see the
 * damage. Every file is checked and read whole in a child with limits, as `posweep check` and
 * `show` do. Wrong are: a file that is called good though its data differ from the original,
 * and data that differ and are given to the caller without a word. */
#include <store/fixture.h>

#include "results_internal.h"

#include <posweep/util/guard.h>
#include <posweep/util/log.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum verdict { GOOD, WRONG, LESS, REFUSED };

static const struct psw_guard_limits LIMITS = {.memory_bytes = (int64_t)1 << 30, .cpu_s = 1};

static void die(const char *what)
{
    fprintf(stderr, "fuzz_results: %s\n", what);
    exit(2);
}

/* ---- damage ---- */

/** The bytes that are damaged, and where the random numbers come from. */
struct victim {
    unsigned char *byte; /* room for twice as many */
    size_t n;
    struct psw_rng rng;
    uint64_t n_draw;
};

static size_t below(struct victim *v, size_t n)
{
    return (size_t)psw_rng_below(v->rng, 0, v->n_draw++, n);
}

static void flip_bits(struct victim *v)
{
    for (size_t i = 0, n = 1 + below(v, 16); i < n; i++)
        v->byte[below(v, v->n)] ^= (unsigned char)(1u << below(v, 8));
}

static void set_bytes(struct victim *v)
{
    for (size_t i = 0, n = 1 + below(v, 8); i < n; i++)
        v->byte[below(v, v->n)] = (unsigned char)below(v, 256);
}

/** Lengths and addresses that break parsers. */
static void set_number(struct victim *v)
{
    static const uint64_t VALUES[] = {0,          1,          0x7f,       0xff,
                                      0xffff,     0x7fffffff, 0xffffffff, 0x100000000u,
                                      UINT64_MAX, 1u << 20,   48,         96};
    const uint64_t x = VALUES[below(v, sizeof VALUES / sizeof *VALUES)];
    const size_t n = (size_t)1 << below(v, 4);
    memcpy(v->byte + below(v, v->n - n), &x, n);
}

static void cut(struct victim *v)
{
    v->n = below(v, v->n);
}

static void swap_blocks(struct victim *v)
{
    unsigned char kept[4096];
    const size_t n = 8 + below(v, sizeof kept - 8), a = below(v, v->n - n),
                 b = below(v, v->n - n);
    memcpy(kept, v->byte + a, n);
    memmove(v->byte + a, v->byte + b, n);
    memcpy(v->byte + b, kept, n);
}

static void copy_block(struct victim *v)
{
    const size_t n = 8 + below(v, 1000);
    memmove(v->byte + below(v, v->n - n), v->byte + below(v, v->n - n), n);
}

static void clear_block(struct victim *v)
{
    const size_t n = 1 + below(v, 4096);
    memset(v->byte + below(v, v->n - n), below(v, 2) ? 0xff : 0, n);
}

static void insert_bytes(struct victim *v)
{
    const size_t n = 1 + below(v, 64), at = below(v, v->n);
    memmove(v->byte + at + n, v->byte + at, v->n - at);
    v->n += n;
}

static void append_bytes(struct victim *v)
{
    const size_t n = 1 + below(v, 64);
    memset(v->byte + v->n, (int)below(v, 256), n);
    v->n += n;
}

static void (*const DAMAGE[])(struct victim *) = {flip_bits,   set_bytes,    set_number,
                                                  cut,         swap_blocks,  copy_block,
                                                  clear_block, insert_bytes, append_bytes};

static void write_bytes(const char *path, const void *bytes, size_t n, int is_sealed)
{
    FILE *f = fopen(path, "w+b"); /* thousands of files: not one fsync each */
    if (!f || fwrite(bytes, 1, n, f) != n || fflush(f) != 0) die("cannot write");
    if (is_sealed && psw_seal_append(fileno(f), path, NULL) != PSW_OK) die("cannot seal");
    if (fclose(f) != 0) die("cannot write");
}

/* ---- verdicts, each in a child ---- */

/** What the children know. */
struct job {
    const char *path;
    struct psw_results *original; /* read whole before the first child */
};

static int check(const struct job *job)
{
    int64_t n_violation = 0;
    FILE *out = fopen("/dev/null", "w");
    const psw_status rc = psw_results_check(job->path, out, &n_violation, NULL);
    if (out) fclose(out);
    return rc == PSW_OK && n_violation == 0 ? GOOD : REFUSED;
}

/** Whether a dataset that the file has differs from the original. */
static int differs(struct psw_results *original, struct psw_results *r,
                   const struct psw_dataset_view *want)
{
    const int64_t n = psw_shape_count(want->shape);
    if (psw_shape_count(psw_results_view(r, want->name)->shape) != n) return 1;
    if (want->value.i64) {
        const int64_t *x = psw_results_i64(r, want->name);
        return !x || memcmp(x, want->value.i64, sizeof *x * (size_t)n) != 0;
    }
    if (want->value.f64) {
        const double *x = psw_results_f64(r, want->name);
        for (int64_t i = 0; x && i < n; i++)
            if (x[i] != want->value.f64[i] && !(isnan(x[i]) && isnan(want->value.f64[i])))
                return 1;
        return x == NULL;
    }
    for (int64_t i = 0; i < n; i++)
        if (strcmp(psw_results_text(r, want->name, i),
                   psw_results_text(original, want->name, i)) != 0)
            return 1;
    return 0;
}

/** Read everything, as show might. GOOD: the data are the original's. LESS: a dataset is not
 *  there, the others are the original's. WRONG: values differ, and nothing said so. */
static int read_all(const struct job *job)
{
    struct psw_results *r = NULL;
    int n_different = 0, n_less = 0;
    if (psw_results_open(job->path, &r, NULL) != PSW_OK) return REFUSED;
    for (int i = 0; i < job->original->n_set; i++) {
        const int is_there = psw_results_has(r, job->original->set[i].name);
        n_less += !is_there;
        n_different += is_there && differs(job->original, r, &job->original->set[i]);
    }
    if (psw_results_fault(r, NULL) != PSW_OK) return REFUSED;
    return n_different ? WRONG : n_less ? LESS : GOOD;
}

/** What became of all of them. */
struct tally {
    int64_t n_good, n_refused, n_by_seal, n_signal, n_limit, n_wrong;
};

/** Both verdicts as one exit status. */
static int check_and_read(void *ctx)
{
    const int checked = check(ctx);
    return checked + 4 * read_all(ctx);
}

static int only_read(void *ctx)
{
    return REFUSED + 4 * read_all(ctx);
}

/** One child; what it died of is not the caller's to see, but is counted. */
static int ask(int (*work)(void *), struct job *job, struct tally *t, int *verdicts)
{
    struct psw_error err = {0};
    *verdicts = REFUSED + 4 * REFUSED;
    if (psw_guard(work, job, LIMITS, job->path, verdicts, &err) == PSW_OK) return 1;
    if (strstr(err.text, "CPU time"))
        t->n_limit++;
    else
        t->n_signal++;
    return 0;
}

/** Whether the seal alone refuses the file, as the reader does before HDF5 sees it. */
static int is_refused_by_seal(const char *path)
{
    int fd = -1, is_sealed = 0;
    if (psw_file_open(path, PSW_FILE_READ, &fd, NULL) != PSW_OK) die("cannot read");
    const psw_status rc = psw_seal_check(fd, path, &is_sealed, NULL);
    close(fd);
    return rc != PSW_OK;
}

static void judge(struct job *job, int64_t i, struct tally *t)
{
    int verdicts = REFUSED + 4 * REFUSED;
    const int by_seal = is_refused_by_seal(job->path);
    if (!by_seal && !ask(check_and_read, job, t, &verdicts)) /* check died: reading may not */
        ask(only_read, job, t, &verdicts);
    const int checked = verdicts % 4, was_read = verdicts / 4;
    const int is_wrong = was_read == WRONG || (checked == GOOD && was_read != GOOD);
    if (is_wrong)
        fprintf(stderr, "file %lld: check says %d, its data %d\n", (long long)i, checked,
                was_read);
    t->n_wrong += is_wrong;
    t->n_by_seal += by_seal;
    t->n_good += checked == GOOD;
    t->n_refused += checked != GOOD;
}

/** A harness that cannot read what nothing has harmed sees no damage either. */
static void judge_unharmed(const char *path, struct psw_results *original)
{
    struct job job = {.path = path, .original = original};
    struct tally t = {0};
    int verdicts = 0;
    if (!ask(check_and_read, &job, &t, &verdicts) || verdicts != GOOD + 4 * GOOD)
        die("the unharmed file is not called good, or not read as it was written");
}

static struct psw_results *read_original(const char *path)
{
    struct psw_results *r = NULL;
    if (psw_results_open(path, &r, NULL) != PSW_OK) die("the original cannot be read");
    for (int i = 0; i < r->n_set; i++)
        if (!psw_results_load(r, &r->set[i])) die("the original cannot be read");
    return r;
}

static void seal(const char *path)
{
    char *data = NULL;
    size_t n = 0;
    if (psw_file_read(path, &data, &n, NULL) != PSW_OK) die("cannot read");
    write_bytes(path, data, n, 1);
    free(data);
}

static int64_t fuzz(const char *folder, int64_t n_file, uint64_t seed)
{
    char path[PSW_PATH_BYTES], damaged[PSW_PATH_BYTES], *data = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/fuzz.h5", folder);
    snprintf(damaged, sizeof damaged, "%s/damaged.h5", folder);
    fixture_write(path, NULL);
    if (psw_file_read(path, &data, &n, NULL) != PSW_OK) die("cannot read");
    struct job job = {.path = damaged, .original = read_original(path)};
    judge_unharmed(path, job.original);
    struct victim v = {.byte = malloc(2 * n + 4096)};
    struct tally t = {0};
    for (int64_t i = 0; v.byte && i < n_file; i++) {
        const int is_sealed = (int)(i % 2);
        v.n = is_sealed ? n - PSW_SEAL_BYTES : n;
        v.rng = (struct psw_rng){.seed = seed, .use = PSW_RNG_TEST, .step = (uint32_t)i};
        v.n_draw = 0;
        memcpy(v.byte, data, n);
        DAMAGE[(i / 2) % (int64_t)(sizeof DAMAGE / sizeof *DAMAGE)](&v);
        write_bytes(damaged, v.byte, v.n, is_sealed);
        judge(&job, i, &t);
    }
    printf(
        "%lld files: %lld good, %lld refused, %lld of them by their seal; children that died: "
        "%lld of a signal, %lld at a limit; %lld wrong\n",
        (long long)n_file, (long long)t.n_good, (long long)t.n_refused, (long long)t.n_by_seal,
        (long long)t.n_signal, (long long)t.n_limit, (long long)t.n_wrong);
    psw_results_close(job.original);
    free(v.byte);
    free(data);
    return t.n_wrong + (t.n_good + t.n_refused != n_file);
}

int main(int argc, char **argv)
{
    psw_log_setup(PSW_LOG_ERROR, "");
    if (argc < 3) die("FOLDER N [SEED] | --seal FILE...");
    if (strcmp(argv[1], "--seal") == 0) {
        for (int i = 2; i < argc; i++) seal(argv[i]);
        return 0;
    }
    return fuzz(argv[1], atoll(argv[2]), argc > 3 ? strtoull(argv[3], NULL, 0) : 1) != 0;
}
