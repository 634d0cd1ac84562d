/* What was meant by a misspelt word: optimal string alignment distance over short lists. */
#include "config_internal.h"

#include <string.h>

enum { WORD = 64 };

static int min3(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int psw_edit_distance(const char *a, const char *b)
{
    const int n = (int)strnlen(a, WORD), m = (int)strnlen(b, WORD);
    int row[3][WORD + 1]; /* rows i-2, i-1, i of the table, by i mod 3 */
    for (int j = 0; j <= m; j++) row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3];
        const int *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

static int near_enough(int distance, const char *word)
{
    const int n = (int)strnlen(word, WORD);
    return distance <= (n < 4 ? 1 : n < 9 ? 2 : 3);
}

const char *psw_nearest(const char *word, const char *const *names, int n)
{
    const char *best = NULL;
    int best_distance = WORD;
    for (int i = 0; i < n; i++) {
        const int d = psw_edit_distance(word, names[i]);
        if (d < best_distance) best = names[i], best_distance = d;
    }
    return best && near_enough(best_distance, word) ? best : NULL;
}

char *psw_did_you_mean(const char *name, char out[PSW_DID_BYTES])
{
    out[0] = 0;
    if (name) snprintf(out, PSW_DID_BYTES, "; did you mean \"%s\"?", name);
    return out;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

const struct psw_leaf *psw_leaf_nearest(const char *path)
{
    int n, best_distance = 2 * WORD;
    const struct psw_leaf *leaf = psw_leaves(&n), *best = NULL;
    for (int i = 0; i < n; i++) {
        const int whole = 2 * psw_edit_distance(path, leaf[i].path);
        const int last = 3 + 2 * psw_edit_distance(last_part(path), last_part(leaf[i].path));
        const int d = whole < last ? whole : last;
        if (d < best_distance) best = &leaf[i], best_distance = d;
    }
    return best && near_enough(best_distance / 2, last_part(path)) ? best : NULL;
}

int psw_leaf_is_section(const char *path)
{
    int n_leaf;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf);
    const size_t n = strlen(path);
    for (int i = 0; i < n_leaf; i++)
        if (strncmp(leaf[i].path, path, n) == 0 && leaf[i].path[n] == '.') return 1;
    return 0;
}

const char *psw_leaf_nearest_section(const char *path, char out[PSW_LEAF_COLUMN_BYTES])
{
    int n_leaf, best = WORD;
    const struct psw_leaf *leaf = psw_leaves(&n_leaf);
    for (int i = 0; i < n_leaf; i++)
        for (const char *dot = strchr(leaf[i].path, '.'); dot; dot = strchr(dot + 1, '.')) {
            char section[PSW_LEAF_COLUMN_BYTES];
            snprintf(section, sizeof section, "%.*s", (int)(dot - leaf[i].path), leaf[i].path);
            const int d = psw_edit_distance(path, section);
            if (d < best) best = d, memcpy(out, section, sizeof section);
        }
    return near_enough(best, path) ? out : NULL;
}
