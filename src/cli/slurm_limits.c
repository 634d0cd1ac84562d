/* What a job may ask for at this site. Of each limit the first that is set counts, in Slurm's
 * order: the partition's QOS, the job's QOS, the user's association. Time and nodes are bounded
 * by the partition as well, unless the QOS says that it is exempt. Three or four questions,
 * each asked once; where there is no answer, there is no limit. */
#include "submit_internal.h"
#include <math.h>
#include <posweep/util/log.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 18, NAME_BYTES = 64, N_FIELD = 10 };

/* ---- texts ---- */

/* The value of KEY=VALUE among blanks; "" where there is none. */
static char *value_in(const char *line, const char *key, char *out, size_t n_bytes)
{
    const size_t n_key = strlen(key);
    out[0] = 0;
    for (const char *at = line; (at = strstr(at, key)) != NULL; at += n_key) {
        if (at[n_key] != '=' || (at > line && at[-1] != ' ')) continue;
        snprintf(out, n_bytes, "%.*s", (int)strcspn(at + n_key + 1, " \n"), at + n_key + 1);
        break;
    }
    return out;
}

/* Whether a comma list has a name; "ALL" has any. */
static int has_name(const char *list, const char *name)
{
    const size_t n_name = strlen(name);
    if (!strcmp(list, "ALL") || !strcmp(list, "(null)") || !list[0]) return 1;
    for (const char *at = list; *at;) {
        const size_t n = strcspn(at, ",");
        if (n == n_name && !strncmp(at, name, n)) return 1;
        at += n + (at[n] == ',');
    }
    return 0;
}

/* Cut a line at its bars, in place. */
static int split(char *line, char *field[N_FIELD])
{
    int n = 0;
    for (char *at = line; at && n < N_FIELD; n++) {
        field[n] = at;
        at = strchr(at, '|');
        if (at) *at++ = 0;
    }
    return n;
}

static double number(const char *text)
{
    char *end = NULL;
    const double x = strtod(text, &end);
    return end > text && x >= 0 ? x : INFINITY;
}

static double time_limit(const char *text)
{
    const double s = psw_slurm_time_s(text);
    return s > 0 ? s : INFINITY;
}

/* One of "cpu=128,mem=512G,node=4"; memory in MiB. */
static double tres(const char *list, const char *name)
{
    static const char UNITS[] = "KMGTP";
    const size_t n_name = strlen(name);
    for (const char *at = list; *at;) {
        char *end = NULL;
        const size_t n = strcspn(at, ",");
        if (n > n_name + 1 && !strncmp(at, name, n_name) && at[n_name] == '=') {
            const double x = strtod(at + n_name + 1, &end);
            const char *unit = *end && strchr(UNITS, *end) ? strchr(UNITS, *end) : UNITS + 1;
            return x * pow(1024, (double)(unit - UNITS) - 1);
        }
        at += n + (at[n] == ',');
    }
    return INFINITY;
}

/* ---- limits ---- */

/* The first that is set counts. */
static void set(struct psw_slurm_limits *to, enum psw_slurm_limit which, double most,
                const char *name, const char *of)
{
    struct psw_slurm_bound *bound = &to->bound[which];
    if (!isfinite(most) || isfinite(bound->most)) return;
    bound->most = most;
    snprintf(bound->of, sizeof bound->of, "%s of %.150s", name, of);
}

/* The limits of a QOS or an association: fields in the order of FORMAT below, from MaxWall on.
 */
static void set_level(struct psw_slurm_limits *to, char *const *field, const char *per_user,
                      const char *of)
{
    set(to, PSW_SLURM_TIME, time_limit(field[0]), "MaxWall", of);
    set(to, PSW_SLURM_NODES, tres(field[1], "node"), "MaxTRES node", of);
    set(to, PSW_SLURM_CPUS, tres(field[1], "cpu"), "MaxTRES cpu", of);
    set(to, PSW_SLURM_MEMORY, tres(field[1], "mem"), "MaxTRES mem", of);
    set(to, PSW_SLURM_NODES_ALL, tres(per_user, "node"), "MaxTRESPerUser node", of);
    set(to, PSW_SLURM_CPUS_ALL, tres(per_user, "cpu"), "MaxTRESPerUser cpu", of);
    set(to, PSW_SLURM_NODES_ALL, tres(field[2], "node"), "GrpTRES node", of);
    set(to, PSW_SLURM_CPUS_ALL, tres(field[2], "cpu"), "GrpTRES cpu", of);
    set(to, PSW_SLURM_JOBS, number(field[3]), "MaxSubmitJobs", of);
    set(to, PSW_SLURM_JOBS, number(field[4]), "GrpSubmitJobs", of);
}

/* ---- the three levels ---- */

/** What applies to a job. */
struct levels {
    char partition[NAME_BYTES], partition_qos[NAME_BYTES], account[NAME_BYTES], qos[NAME_BYTES];
    double part_time_s, part_nodes;
    int is_exempt_time, is_exempt_nodes; /* of the partition's limits */
};

/* The line of a QOS into fields: 0 where Slurm does not know it. */
static int ask_qos(const char *name, char *answer, char *field[N_FIELD])
{
    char where[NAME_BYTES + 8];
    snprintf(where, sizeof where, "name=%s", name);
    const char *argv[] = {"sacctmgr",
                          "-nP",
                          "show",
                          "qos",
                          "where",
                          where,
                          "format=Name,MaxWall,MaxTRESPerJob,GrpTRES,MaxSubmitJobsPerUser,"
                          "GrpSubmitJobs,MaxTRESPerUser,Flags",
                          NULL};
    if (!name[0] || psw_slurm_ask(argv, NULL, answer, ANSWER_BYTES, NULL) != PSW_OK) return 0;
    answer[strcspn(answer, "\n")] = 0;
    return split(answer, field) == 8 && !strcmp(field[0], name);
}

/* The QOS of a job that names none. */
static void default_qos(const char *list, const char *fallback, char out[NAME_BYTES])
{
    if (fallback[0])
        snprintf(out, NAME_BYTES, "%.63s", fallback);
    else if (list[0] && !strchr(list, ','))
        snprintf(out, NAME_BYTES, "%.63s", list);
    else if (has_name(list, "normal"))
        snprintf(out, NAME_BYTES, "normal");
}

/* The user's association with the account and partition of the job; the one without a partition
 * if none has it. Its line is kept in `line`; fields as of set_level, behind four. */
static int ask_association(const char *cluster, struct levels *l, char *answer,
                           char *field[N_FIELD])
{
    char who[NAME_BYTES + 8], what[NAME_BYTES + 8], where[NAME_BYTES + 16];
    const struct passwd *user = getpwuid(geteuid());
    snprintf(who, sizeof who, "user=%.63s", user ? user->pw_name : "");
    snprintf(what, sizeof what, "account=%.63s", l->account);
    snprintf(where, sizeof where, "cluster=%.63s", cluster);
    const char *argv[] = {"sacctmgr",
                          "-nP",
                          "show",
                          "assoc",
                          "where",
                          who,
                          where,
                          "format=Account,Partition,QOS,DefaultQOS,MaxWall,MaxTRESPerJob,"
                          "GrpTRES,MaxSubmitJobs,GrpSubmitJobs",
                          l->account[0] ? what : NULL,
                          NULL};
    if (!user || psw_slurm_ask(argv, NULL, answer, ANSWER_BYTES, NULL) != PSW_OK) return 0;
    char *best = NULL, *next;
    for (char *line = answer; line && *line; line = next) {
        char *copy[N_FIELD], text[4096];
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        snprintf(text, sizeof text, "%s", line);
        if (split(text, copy) != 9) continue;
        if (!l->account[0]) snprintf(l->account, NAME_BYTES, "%.63s", copy[0]);
        if (strcmp(copy[0], l->account) != 0) continue;
        if (!strcmp(copy[1], l->partition) || (!copy[1][0] && !best)) best = line;
    }
    return best && split(best, field) == 9;
}

/* The account of a job that names none. */
static void default_account(struct levels *l, char *answer)
{
    char who[NAME_BYTES + 8];
    const struct passwd *user = getpwuid(geteuid());
    snprintf(who, sizeof who, "name=%.63s", user ? user->pw_name : "");
    const char *argv[] = {
        "sacctmgr", "-nP", "show", "user", "where", who, "format=DefaultAccount", NULL};
    if (l->account[0] || !user) return;
    if (psw_slurm_ask(argv, NULL, answer, ANSWER_BYTES, NULL) != PSW_OK) return;
    snprintf(l->account, NAME_BYTES, "%.*s", (int)strcspn(answer, "|\n"), answer);
}

/* One level: the limits of a QOS, and what it is exempt from. Returns whether it comes before
 * that of the partition. */
static int read_qos(const char *name, const char *whose, struct levels *l, char *answer,
                    struct psw_slurm_limits *out)
{
    char of[2 * NAME_BYTES + 48], *field[N_FIELD];
    if (!ask_qos(name, answer, field)) return 0;
    snprintf(of, sizeof of, "the QOS %.63s%.64s", name, whose);
    set_level(out, field + 1, field[6], of);
    l->is_exempt_time |= strstr(field[7], "PartitionTimeLimit") != NULL;
    l->is_exempt_nodes |= strstr(field[7], "PartitionMaxNodes") != NULL;
    return strstr(field[7], "OverPartQOS") != NULL;
}

static void read_accounting(const char *cluster, struct levels *l, char *answer,
                            struct psw_slurm_limits *out)
{
    char of[2 * NAME_BYTES], *field[N_FIELD];
    const struct psw_slurm_limits none = *out;
    struct psw_slurm_limits user = none, job = none, partition = none;
    default_account(l, answer);
    if (ask_association(cluster, l, answer, field)) {
        snprintf(of, sizeof of, "your association with the account %.63s", l->account);
        set_level(&user, field + 4, "", of);
        if (!l->qos[0]) default_qos(field[2], field[3], l->qos);
    }
    const int is_over = read_qos(l->qos, "", l, answer, &job);
    read_qos(l->partition_qos, ", which is that of the partition", l, answer, &partition);
    const struct psw_slurm_limits *order[] = {is_over ? &job : &partition,
                                              is_over ? &partition : &job, &user};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < PSW_N_SLURM_LIMIT; k++)
            if (!isfinite(out->bound[k].most)) out->bound[k] = order[i]->bound[k];
}

/* ---- the partition ---- */

static psw_status check_allowed(const char *line, const char *key, const char *option,
                                const char *name, const char *partition, struct psw_error *err)
{
    char list[1024];
    value_in(line, key, list, sizeof list);
    if (!name || has_name(list, name)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "%s %s: the partition %s takes %s only (%s)", option, name,
                    partition, list, key);
}

/* The line of a partition, or of the default one. Several (a,b): Slurm chooses, nothing is
 * known.
 */
static psw_status read_partition(const struct psw_slurm_job *job, char *answer,
                                 struct levels *l, struct psw_error *err)
{
    char value[NAME_BYTES], state[NAME_BYTES];
    const char *name = job->place.partition, *line = answer;
    const char *argv[] = {"scontrol", "--oneliner", "show", "partition", name, NULL};
    struct psw_error why = {0};
    if (name && strchr(name, ',')) return PSW_OK;
    if (psw_slurm_ask(argv, NULL, answer, ANSWER_BYTES, &why) != PSW_OK) {
        if (!name || !strstr(why.text, "not found")) return PSW_OK;
        return psw_fail(err, PSW_EINVAL, "--partition %s: there is no such partition here",
                        name);
    }
    if (!name && !(line = strstr(answer, "Default=YES"))) return PSW_OK;
    while (line > answer && line[-1] != '\n') line--;
    answer[line - answer + (long)strcspn(line, "\n")] = 0;
    value_in(line, "PartitionName", l->partition, sizeof l->partition);
    value_in(line, "QoS", l->partition_qos, sizeof l->partition_qos);
    if (!strcmp(l->partition_qos, "N/A")) l->partition_qos[0] = 0;
    l->part_time_s = time_limit(value_in(line, "MaxTime", value, sizeof value));
    l->part_nodes = number(value_in(line, "MaxNodes", value, sizeof value));
    const double n_total = number(value_in(line, "TotalNodes", value, sizeof value));
    if (n_total > 0 && n_total < l->part_nodes) l->part_nodes = n_total;
    value_in(line, "State", state, sizeof state);
    if (state[0] && strcmp(state, "UP") != 0)
        psw_log(PSW_LOG_WARN, "the partition %s is %s: the job waits until it is UP",
                l->partition, state);
    psw_status rc = check_allowed(line, "AllowQos", "--qos", job->place.qos, l->partition, err);
    if (rc == PSW_OK)
        rc = check_allowed(line, "AllowAccounts", "--account", job->place.account, l->partition,
                           err);
    return rc;
}

static void set_partition(struct psw_slurm_limits *out, const struct levels *l)
{
    char of[NAME_BYTES + 16];
    snprintf(of, sizeof of, "the partition %.63s", l->partition);
    if (!l->is_exempt_time && l->part_time_s < out->bound[PSW_SLURM_TIME].most) {
        out->bound[PSW_SLURM_TIME].most = INFINITY;
        set(out, PSW_SLURM_TIME, l->part_time_s, "MaxTime", of);
    }
    if (!l->is_exempt_nodes && l->part_nodes < out->bound[PSW_SLURM_NODES].most) {
        out->bound[PSW_SLURM_NODES].most = INFINITY;
        set(out, PSW_SLURM_NODES, l->part_nodes, "MaxNodes", of);
    }
}

/* A key of `scontrol show config`, which stands as "Key   = value". */
static void config_text(const char *text, const char *key, char *out, size_t n_bytes)
{
    const size_t n_key = strlen(key);
    out[0] = 0;
    for (const char *at = text; at && *at;
         at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, key, n_key) != 0 || !strchr(" =", at[n_key])) continue;
        at += n_key + strspn(at + n_key, " =");
        snprintf(out, n_bytes, "%.*s", (int)strcspn(at, " \n"), at);
        return;
    }
}

psw_status psw_slurm_limits_read(const struct psw_slurm_job *job, const char *config,
                                 struct psw_slurm_limits *out, struct psw_error *err)
{
    char cluster[NAME_BYTES], enforced[256];
    struct levels l = {.part_time_s = INFINITY, .part_nodes = INFINITY};
    char *answer = malloc(ANSWER_BYTES);
    if (!answer) return psw_fail(err, PSW_ENOMEM, "what Slurm answers");
    for (int i = 0; i < PSW_N_SLURM_LIMIT; i++)
        out->bound[i] = (struct psw_slurm_bound){.most = INFINITY};
    snprintf(l.qos, sizeof l.qos, "%.63s", job->place.qos ? job->place.qos : "");
    snprintf(l.account, sizeof l.account, "%.63s",
             job->place.account ? job->place.account : "");
    config_text(config, "ClusterName", cluster, sizeof cluster);
    config_text(config, "AccountingStorageEnforce", enforced, sizeof enforced);
    const psw_status rc = read_partition(job, answer, &l, err);
    if (rc == PSW_OK && (strstr(enforced, "limits") || strstr(enforced, "safe")))
        read_accounting(cluster, &l, answer, out);
    if (rc == PSW_OK) set_partition(out, &l);
    free(answer);
    return rc;
}

psw_status psw_slurm_limits_check(const struct psw_slurm_limits *limits,
                                  const struct psw_slurm_job *job, struct psw_error *err)
{
    const double n_node = (double)job->size.n_node, n_cpu = n_node * (double)job->size.n_task;
    const double n_job = (double)job->size.n_job, n_chain = (double)job->end.n_chain;
    const struct {
        enum psw_slurm_limit limit;
        double asked;
        const char *unit, *what, *advice;
    } ROWS[] = {
        {PSW_SLURM_TIME, job->size.time_s / 60, "minutes", "--time", "ask for less"},
        {PSW_SLURM_NODES, n_node, "nodes", "--nodes", "ask for fewer, or for --jobs"},
        {PSW_SLURM_CPUS, n_cpu, "cores", "--nodes times --ntasks-per-node", "ask for fewer"},
        {PSW_SLURM_MEMORY, n_cpu * (double)job->size.mem_mib, "MiB", "memory of all ranks",
         "ask for fewer ranks, or for less with --mem-per-cpu"},
        {PSW_SLURM_NODES_ALL, n_node, "nodes", "--nodes", "ask for fewer"},
        {PSW_SLURM_CPUS_ALL, n_cpu, "cores", "--nodes times --ntasks-per-node",
         "ask for fewer"},
        {PSW_SLURM_JOBS, n_job * n_chain, "jobs", n_job > 1 ? "--jobs" : "--chain",
         "submit fewer"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct psw_slurm_bound *bound = &limits->bound[ROWS[i].limit];
        const double most = ROWS[i].limit == PSW_SLURM_TIME ? bound->most / 60 : bound->most;
        if (ROWS[i].asked <= most) continue;
        return psw_fail(
            err, PSW_EINVAL,
            "%s: %.10g %s, but %.10g are the most (%s): Slurm would refuse the job or "
            "let it wait for ever; %s",
            ROWS[i].what, ROWS[i].asked, ROWS[i].unit, most, bound->of, ROWS[i].advice);
    }
    return PSW_OK;
}
