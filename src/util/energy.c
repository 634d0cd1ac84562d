/* Counters of sysfs. Of powercap, packages and memory: what is inside a package (core, uncore)
 * is counted with it, and psys and the mmio zones count the same once more. */
#include <posweep/util/energy.h>

#include <posweep/util/clock.h>

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double LOOK_EVERY_S = 10;

static int read_number(const char *path, uint64_t *out)
{
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const int there = fscanf(file, "%" SCNu64, out) == 1;
    fclose(file);
    return there;
}

/* The first word of a file; "" when there is none. */
static void read_word(const char *folder, const char *name, char word[32])
{
    char path[PSW_ENERGY_PATH];
    word[0] = 0;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (fscanf(file, "%31s", word) != 1) word[0] = 0;
    fclose(file);
}

/* A counter that cannot be read (by root only, often) does not count. */
static void add(struct psw_energy *m, const char *folder, const char *counter,
                const char *range)
{
    char path[PSW_ENERGY_PATH];
    uint64_t last_uj, range_uj = 0;
    if (m->n_zone == PSW_ENERGY_ZONES ||
        snprintf(path, sizeof path, "%s/%s", folder, counter) >= (int)sizeof path ||
        !read_number(path, &last_uj))
        return;
    memcpy(m->zone[m->n_zone].path, path, sizeof path);
    if (range && (snprintf(path, sizeof path, "%s/%s", folder, range) >= (int)sizeof path ||
                  !read_number(path, &range_uj)))
        range_uj = 0;
    m->zone[m->n_zone].last_uj = last_uj;
    m->zone[m->n_zone++].range_uj = range_uj;
}

static void add_powercap(struct psw_energy *m, const char *folder, const char *entry)
{
    char name[32];
    if (strncmp(entry, "intel-rapl:", 11) != 0) return;
    read_word(folder, "name", name);
    if (strncmp(name, "package", 7) == 0 || strcmp(name, "dram") == 0)
        add(m, folder, "energy_uj", "max_energy_range_uj");
}

static void add_hwmon(struct psw_energy *m, const char *folder, const char *entry)
{
    char name[32];
    read_word(folder, "name", name);
    if (strncmp(entry, "hwmon", 5) != 0 || strcmp(name, "amd_energy") != 0) return;
    for (int i = 1; i <= 1024; i++) {
        char file[32];
        snprintf(file, sizeof file, "energy%d_label", i);
        read_word(folder, file, name);
        if (!name[0]) return;
        snprintf(file, sizeof file, "energy%d_input", i);
        if (strncmp(name, "Esocket", 7) == 0) add(m, folder, file, NULL);
    }
}

void psw_energy_begin(struct psw_energy *m, const char *root)
{
    static const struct {
        const char *folder;
        void (*add)(struct psw_energy *m, const char *folder, const char *entry);
    } CLASSES[] = {{"/sys/class/powercap", add_powercap}, {"/sys/class/hwmon", add_hwmon}};
    *m = (struct psw_energy){.looked_s = psw_clock_s()};
    for (int i = 0; i < 2 && m->n_zone == 0; i++) {
        char path[PSW_ENERGY_PATH];
        if (snprintf(path, sizeof path, "%s%s", root, CLASSES[i].folder) >= (int)sizeof path)
            return;
        DIR *dir = opendir(path);
        for (const struct dirent *e; dir && (e = readdir(dir));) {
            char folder[PSW_ENERGY_PATH];
            if (snprintf(folder, sizeof folder, "%s/%s", path, e->d_name) < (int)sizeof folder)
                CLASSES[i].add(m, folder, e->d_name);
        }
        if (dir) closedir(dir);
    }
}

void psw_energy_look(struct psw_energy *m, int now)
{
    if (m->n_zone == 0) return;
    const double now_s = psw_clock_s();
    if (!now && now_s - m->looked_s < LOOK_EVERY_S) return;
    m->looked_s = now_s;
    for (int i = 0; i < m->n_zone; i++) {
        uint64_t uj;
        if (!read_number(m->zone[i].path, &uj)) continue;
        const uint64_t last_uj = m->zone[i].last_uj;
        m->zone[i].last_uj = uj;
        if (uj < last_uj && m->zone[i].range_uj < last_uj)
            continue; /* begun again, elsewhere */
        m->joules += 1e-6 * (double)(uj - last_uj + (uj < last_uj ? m->zone[i].range_uj : 0));
    }
}

double psw_energy_joules(const struct psw_energy *m)
{
    return m->n_zone > 0 ? m->joules : NAN;
}
