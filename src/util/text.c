#include <posweep/util/text.h>

#include <stdio.h>
#include <string.h>

int psw_is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct psw_text psw_text_trim(struct psw_text text)
{
    while (text.n > 0 && psw_is_blank(text.at[0]))
        text = (struct psw_text){text.at + 1, text.n - 1};
    while (text.n > 0 && psw_is_blank(text.at[text.n - 1])) text.n--;
    return text;
}

int psw_text_is_blank(struct psw_text text)
{
    return psw_text_trim(text).n == 0;
}

int psw_text_starts_with(struct psw_text text, struct psw_text beginning)
{
    return text.n >= beginning.n && !memcmp(text.at, beginning.at, beginning.n);
}

int psw_text_equal(struct psw_text a, struct psw_text b)
{
    return a.n == b.n && psw_text_starts_with(a, b);
}

int psw_is_inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

struct psw_text psw_text_cut(struct psw_text text, size_t n_max)
{
    if (text.n <= n_max) return text;
    while (n_max > 0 && psw_is_inside_character(text.at[n_max])) n_max--;
    return (struct psw_text){text.at, n_max};
}

char *psw_size_text(double n_bytes, char out[PSW_SIZE_BYTES])
{
    const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    double n = n_bytes / 1024;
    for (; i < 3 && n >= 1000; i++) n /= 1024;
    snprintf(out, PSW_SIZE_BYTES, "%.3g %s", n, unit[i]);
    return out;
}

static int min3(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int psw_edit_distance(const char *a, const char *b)
{
    const int n = (int)strnlen(a, PSW_EDIT_BYTES), m = (int)strnlen(b, PSW_EDIT_BYTES);
    int row[3][PSW_EDIT_BYTES + 1]; /* rows i-2, i-1, i of the table, by i mod 3 */
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
