/* Asked of the system, of Slurm's environment, and of the control groups. */
#include <posweep/util/machine.h>

#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The number in a file of control groups; 0: no file, or "max". */
static double limit_in(const char *root, const char *mount, const char *group, const char *name)
{
    char path[PSW_PATH_BYTES], text[64] = "";
    if (psw_path(path, sizeof path, NULL, "%s%s%s/%s", root, mount, group, name) != PSW_OK)
        return 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const double x = fgets(text, sizeof text, file) ? strtod(text, NULL) : 0;
    fclose(file);
    return x > 0 ? x : 0;
}

/* The lowest limit of a group and those above it; the group's path is cut on the way. */
static double lowest_limit(const char *root, const char *mount, char *group, const char *name)
{
    double lowest = 0;
    for (;;) {
        const double x = limit_in(root, mount, group, name);
        if (x > 0 && (lowest == 0 || x < lowest)) lowest = x;
        char *end = strrchr(group, '/');
        if (!end) return lowest;
        *end = 0;
    }
}

/* Of a line "0::/path" (version 2) or "4:memory:/path" (version 1) of /proc/self/cgroup. */
static double limit_of_line(const char *root, char *line)
{
    char *kinds = strchr(line, ':'), *group = kinds ? strchr(kinds + 1, ':') : NULL;
    if (!group) return 0;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (kinds[1] == 0) return lowest_limit(root, "/sys/fs/cgroup", group, "memory.max");
    if (!strstr(kinds + 1, "memory")) return 0;
    return lowest_limit(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
}

static double cgroup_bytes(const char *root)
{
    char path[PSW_PATH_BYTES], line[PSW_PATH_BYTES];
    double lowest = 0;
    FILE *file = NULL;
    if (psw_path(path, sizeof path, NULL, "%s/proc/self/cgroup", root) == PSW_OK)
        file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        const double x = limit_of_line(root, line);
        if (x > 0 && (lowest == 0 || x < lowest)) lowest = x;
    }
    if (file) fclose(file);
    return lowest;
}

double psw_machine_bytes_under(const char *root)
{
    const double limit[] = {slurm_bytes(), cgroup_bytes(root)};
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < 2; i++)
        if (limit[i] > 0 && limit[i] < bytes) bytes = limit[i];
    return bytes;
}

double psw_machine_bytes(void)
{
    return psw_machine_bytes_under("");
}
