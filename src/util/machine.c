/* Asked of the system, of Slurm's environment, and of the control groups. */
#include <posweep/util/machine.h>

#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* A positive number of the environment, else 0: Slurm writes 0 for all there is. */
static double env_number(const char *name)
{
    const char *text = getenv(name);
    const double x = text ? strtod(text, NULL) : 0;
    return x > 0 ? x : 0;
}

static double slurm_bytes(void)
{
    const double node = env_number("SLURM_MEM_PER_NODE");
    const double mib =
        node > 0 ? node : env_number("SLURM_MEM_PER_CPU") * env_number("SLURM_CPUS_ON_NODE");
    return mib * 0x1p20;
}

/* What is asked of the control groups: files of version 2 and 1, the word before the number (or
 * NULL), and whether the greatest of a group and those above it counts, or the lowest above 0.
 */
struct question {
    const char *file_v2, *file_v1, *word;
    int takes_greatest;
};

/* The number in a file; -1: no file, no such word, or "max". */
static double number_in(const char *path, const char *word)
{
    char line[128];
    double x = -1;
    FILE *file = fopen(path, "r");
    while (file && x < 0 && fgets(line, sizeof line, file)) {
        const size_t n = word ? strlen(word) : 0;
        char *end = NULL;
        if (word && (strncmp(line, word, n) != 0 || line[n] != ' ')) continue;
        const double value = strtod(line + n, &end);
        if (end > line + n) x = value;
        if (!word) break;
    }
    if (file) fclose(file);
    return x;
}

static double better(const struct question *q, double before, double x)
{
    if (x < 0 || (x == 0 && !q->takes_greatest)) return before;
    if (before < 0) return x;
    return q->takes_greatest == (x > before) ? x : before;
}

/* Of a group and those above it; the group's path is cut on the way. */
static double of_groups(const struct question *q, const char *root, int version, char *group)
{
    double best = -1;
    for (;;) {
        char path[PSW_PATH_BYTES];
        if (psw_path(path, sizeof path, NULL, "%s/sys/fs/cgroup%s%s/%s", root,
                     version == 2 ? "" : "/memory", group,
                     version == 2 ? q->file_v2 : q->file_v1) == PSW_OK)
            best = better(q, best, number_in(path, q->word));
        char *end = strrchr(group, '/');
        if (!end) return best;
        *end = 0;
    }
}

/* Of a line "0::/path" (version 2) or "4:memory:/path" (version 1) of /proc/self/cgroup. */
static double of_line(const struct question *q, const char *root, char *line)
{
    char *kinds = strchr(line, ':'), *group = kinds ? strchr(kinds + 1, ':') : NULL;
    if (!group) return -1;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (kinds[1] != 0 && !strstr(kinds + 1, "memory")) return -1;
    return of_groups(q, root, kinds[1] == 0 ? 2 : 1, group);
}

/* -1: nothing answers. */
static double ask(const struct question *q, const char *root)
{
    char path[PSW_PATH_BYTES], line[PSW_PATH_BYTES];
    double best = -1;
    FILE *file = NULL;
    if (psw_path(path, sizeof path, NULL, "%s/proc/self/cgroup", root) == PSW_OK)
        file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        best = better(q, best, of_line(q, root, line));
    if (file) fclose(file);
    return best;
}

double psw_machine_bytes_under(const char *root)
{
    static const struct question LIMIT = {"memory.max", "memory.limit_in_bytes", NULL, 0};
    const double limit[] = {slurm_bytes(), ask(&LIMIT, root)};
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < 2; i++)
        if (limit[i] > 0 && limit[i] < bytes) bytes = limit[i];
    return bytes;
}

double psw_machine_bytes(void)
{
    return psw_machine_bytes_under("");
}

double psw_machine_oom_kills_under(const char *root)
{
    static const struct question KILLS = {"memory.events", "memory.oom_control", "oom_kill", 1};
    return ask(&KILLS, root);
}

double psw_machine_oom_kills(void)
{
    return psw_machine_oom_kills_under("");
}

void psw_machine_give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
