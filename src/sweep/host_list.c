/* The records about hosts, the last of each. */
#include "host_list.h"

#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct psw_failed_host *find(const struct psw_host_list *list, const char *name)
{
    for (int32_t i = 0; i < list->n; i++)
        if (strcmp(list->host[i].name, name) == 0) return &list->host[i];
    return NULL;
}

static void forget(struct psw_host_list *list, struct psw_failed_host *host)
{
    free(host->name);
    free(host->why);
    *host = list->host[--list->n];
}

static psw_status add(struct psw_host_list *list, const char *name, const char *why,
                      double at_s, struct psw_error *err)
{
    struct psw_failed_host *grown =
        realloc(list->host, ((size_t)list->n + 1) * sizeof *list->host);
    if (grown) list->host = grown;
    struct psw_failed_host host = {strdup(name), strdup(why), at_s};
    if (!grown || !host.name || !host.why) {
        free(host.name);
        free(host.why);
        return psw_fail(err, PSW_ENOMEM, "hosts: %d of them", list->n);
    }
    list->host[list->n++] = host;
    return PSW_OK;
}

/* One record: it replaces what is known of its host, unless that is younger, as it may be where
 * journals were merged. */
static psw_status see(struct psw_host_list *list, struct psw_journal *journal, int64_t i,
                      struct psw_error *err)
{
    void *bytes = NULL;
    const double at_s = psw_journal_entry_at(journal, i)->time_s;
    psw_status rc = psw_journal_payload(journal, i, &bytes, err);
    if (rc != PSW_OK) return rc;
    char *name = bytes, *why = strchr(name, '\n');
    if (why) *why++ = 0;
    struct psw_failed_host *before = find(list, name);
    const int is_older = before && at_s < before->at_s;
    if (before && !is_older) forget(list, before);
    if (!is_older) rc = add(list, name, why ? why : "", at_s, err);
    free(bytes);
    return rc;
}

psw_status psw_host_list_read(struct psw_journal *journal, double since_s,
                              struct psw_host_list *out, struct psw_error *err)
{
    struct psw_host_list list = {.since_s = since_s};
    psw_status rc = PSW_OK;
    for (int64_t i = 0; rc == PSW_OK && i < psw_journal_n_entry(journal); i++)
        if (psw_journal_entry_at(journal, i)->type == PSW_J_HOST)
            rc = see(&list, journal, i, err);
    if (rc == PSW_OK)
        *out = list;
    else
        psw_host_list_clear(&list);
    return rc;
}

void psw_host_list_clear(struct psw_host_list *list)
{
    while (list->n > 0) forget(list, list->host);
    free(list->host);
    *list = (struct psw_host_list){0};
}

const char *psw_host_list_why(const struct psw_host_list *list, const char *name,
                              char out[PSW_HOST_WHY_BYTES])
{
    char age[32];
    const struct psw_failed_host *host = find(list, name);
    out[0] = 0;
    if (!host || !host->why[0]) return NULL;
    if (host->at_s < list->since_s) return out;
    psw_clock_text(fmax(0, psw_clock_unix_s() - host->at_s), age);
    snprintf(out, PSW_HOST_WHY_BYTES, "%.700s; %s ago", host->why, age);
    return out;
}

psw_status psw_host_list_record(struct psw_journal *journal, const char *name, const char *why,
                                struct psw_error *err)
{
    char text[PSW_HOST_WHY_BYTES];
    snprintf(text, sizeof text, "%.64s\n%.700s", name, why);
    const struct psw_journal_entry e = {.type = PSW_J_HOST, .n_bytes = strlen(text)};
    return psw_journal_append(journal, e, text, err);
}
