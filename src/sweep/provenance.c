/* Comparing builds and machines by the notes about them. */
#include <posweep/sweep/provenance.h>
#include <posweep/util/hash.h>

#include <stdio.h>
#include <string.h>

static int decides_bits(const char *key)
{
    static const char *const KEYS[] = {"commit", "compiler",     "flags",
                                       "blas",   "blas_threads", "cpu"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (strcmp(KEYS[i], key) == 0) return 1;
    return 0;
}

uint64_t psw_provenance_hash(const struct psw_results_note *note, int n_note)
{
    uint64_t hash = 0;
    for (int i = 0; i < n_note; i++) {
        if (!decides_bits(note[i].key)) continue;
        hash = psw_hash_bytes(note[i].key, strlen(note[i].key) + 1, hash);
        hash = psw_hash_bytes(note[i].value, strlen(note[i].value) + 1, hash);
    }
    return hash;
}

/* The value of a key and its length; NULL when there is none. */
static const char *value_of(const char *lines, const char *key, int *n)
{
    const size_t n_key = strlen(key);
    for (const char *at = lines; at && *at; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        if (strncmp(at, key, n_key) != 0 || at[n_key] != '=') continue;
        *n = (int)strcspn(at + n_key + 1, "\n");
        return at + n_key + 1;
    }
    return NULL;
}

int psw_provenance_compare(const char *before, const struct psw_results_note *note, int n_note,
                           char *out, size_t n_bytes)
{
    int n_differ = 0, n = 0;
    size_t at = 0;
    if (n_bytes) out[0] = 0;
    for (int i = 0; i < n_note; i++) {
        if (!decides_bits(note[i].key)) continue;
        const char *was = value_of(before, note[i].key, &n);
        if (!was || ((size_t)n == strlen(note[i].value) && !strncmp(was, note[i].value, n)))
            continue;
        if (at < n_bytes)
            at += (size_t)snprintf(out + at, n_bytes - at, "%s%s (%.*s before, %s now)",
                                   n_differ ? ", " : "", note[i].key, n, was, note[i].value);
        n_differ++;
    }
    return n_differ;
}
