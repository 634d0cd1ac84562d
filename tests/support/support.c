/* Comparisons, fills and places for tests. */
#include <support/support.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void support_close(double a, double b, double tolerance, const char *file, int line)
{
    const double scale = fabs(b) > 1.0 ? fabs(b) : 1.0;
    if (fabs(a - b) <= tolerance * scale) return;
    print_error("%.9g is not %.9g within %.3g\n", a, b, tolerance * scale);
    _fail(file, line);
}

void support_fill(float *x, int64_t n, float scale, uint64_t seed)
{
    uint64_t s = seed * 2862933555777941757u + 3037000493u;
    for (int64_t i = 0; i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        x[i] = scale * ((float)(s >> 40) / 8388608.0f - 1.0f);
    }
}

const char *support_data(const char *relative)
{
    static char path[1024];
    const char *root = getenv("POSWEEP_DATA");
    if (!root) root = PSW_SUPPORT_DATA; /* beside the checkout, where developers have it */
    snprintf(path, sizeof path, "%s/%s", root, relative);
    return access(path, R_OK) == 0 ? path : NULL;
}

int support_may_skip(const char *why)
{
    char line[256];
    int found = !getenv("POSWEEP_NO_SKIP");
    FILE *f = fopen(PSW_SUPPORT_MAY_SKIP, "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        found = strcmp(line, why) == 0;
    }
    if (f) fclose(f);
    return found;
}

void support_temp_dir(char out[256])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, 256, "%s/posweep-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(out)) fail_msg("cannot make a temporary folder %s", out);
}
