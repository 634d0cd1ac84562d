/* Asked of the scheduler's affinity mask and of /sys. */
#include <posweep/util/cores.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>

int psw_cores_has(const struct psw_core_set *set, int core)
{
    return (int)(set->word[core / 64] >> (core % 64) & 1);
}

void psw_cores_add(struct psw_core_set *set, int core)
{
    set->word[core / 64] |= (uint64_t)1 << (core % 64);
}

int psw_cores_count(const struct psw_core_set *set)
{
    int n = 0;
    for (int i = 0; i < PSW_MAX_CORES / 64; i++) n += __builtin_popcountll(set->word[i]);
    return n;
}

/* The first hardware thread of the core to which this one belongs. */
static int core_of(int thread)
{
    char path[96];
    int first = thread;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             thread);
    FILE *file = fopen(path, "r");
    if (!file) return thread;
    if (fscanf(file, "%d", &first) != 1 || first < 0 || first >= PSW_MAX_CORES) first = thread;
    fclose(file);
    return first;
}

enum { MASK_BYTES = PSW_MAX_CORES / 8 };

static struct psw_core_set cores_of(const cpu_set_t *mask)
{
    struct psw_core_set set = {{0}};
    for (int i = 0; i < PSW_MAX_CORES; i++)
        if (CPU_ISSET_S(i, MASK_BYTES, mask)) psw_cores_add(&set, core_of(i));
    return set;
}

/** Room for more hardware threads than the type itself has. */
union mask {
    cpu_set_t set;
    char bytes[MASK_BYTES];
};

struct psw_core_set psw_cores_bound(void)
{
    union mask mask = {.bytes = {0}};
    if (sched_getaffinity(0, MASK_BYTES, &mask.set) != 0) return (struct psw_core_set){{0}};
    return cores_of(&mask.set);
}

/* The system cuts a wider mask to what the control group has, so asking tells; then the binding
 * is put back. */
struct psw_core_set psw_cores_allowed(void)
{
    union mask before = {.bytes = {0}}, all;
    memset(&all, 0xff, sizeof all);
    if (sched_getaffinity(0, MASK_BYTES, &before.set) != 0) return (struct psw_core_set){{0}};
    if (sched_setaffinity(0, MASK_BYTES, &all.set) != 0) return cores_of(&before.set);
    const struct psw_core_set allowed = psw_cores_bound();
    sched_setaffinity(0, MASK_BYTES, &before.set);
    return allowed;
}

/** Who holds a core, while processes look for one. */
struct search {
    const struct psw_core_set *set;
    int holder[PSW_MAX_CORES];
    struct psw_core_set tried; /* by the process that looks now */
};

/* Kuhn's augmenting path: take a free core, or one whose holder finds another. */
static int find_core(struct search *s, int process)
{
    for (int c = 0; c < PSW_MAX_CORES; c++) {
        if (!psw_cores_has(&s->set[process], c) || psw_cores_has(&s->tried, c)) continue;
        psw_cores_add(&s->tried, c);
        if (s->holder[c] < 0 || find_core(s, s->holder[c])) {
            s->holder[c] = process;
            return 1;
        }
    }
    return 0;
}

int psw_cores_assign(const struct psw_core_set *set, int n, int *core)
{
    struct search s = {.set = set};
    int n_got = 0;
    for (int c = 0; c < PSW_MAX_CORES; c++) s.holder[c] = -1;
    for (int p = 0; p < n; p++) {
        core[p] = -1;
        s.tried = (struct psw_core_set){{0}};
        n_got += find_core(&s, p);
    }
    for (int c = 0; c < PSW_MAX_CORES; c++)
        if (s.holder[c] >= 0) core[s.holder[c]] = c;
    return n_got;
}

char *psw_cores_text(const struct psw_core_set *set, char *out, int n_bytes)
{
    int at = 0;
    out[0] = 0;
    for (int c = 0; c < PSW_MAX_CORES; c++) {
        int last = c;
        if (!psw_cores_has(set, c)) continue;
        while (last + 1 < PSW_MAX_CORES && psw_cores_has(set, last + 1)) last++;
        if (at > n_bytes - 24) {
            snprintf(out + at, (size_t)(n_bytes - at), ",...");
            break;
        }
        at += snprintf(out + at, (size_t)(n_bytes - at), "%s%d", at > 0 ? "," : "", c);
        if (last > c) at += snprintf(out + at, (size_t)(n_bytes - at), "-%d", last);
        c = last;
    }
    return out;
}
