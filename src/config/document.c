/* The documents of a text: pieces between lines "---". */
#include "config_internal.h"

#include <string.h>

static const char *line_end(const char *at, const char *end)
{
    const char *feed = memchr(at, '\n', (size_t)(end - at));
    return feed ? feed + 1 : end;
}

/* "---" and nothing but blanks or a comment behind it. */
static int is_separator(const char *at, const char *end)
{
    if (end - at < 3 || memcmp(at, "---", 3) != 0) return 0;
    for (at += 3; at < end && (*at == ' ' || *at == '\t'); at++) continue;
    return at == end || *at == '\n' || *at == '\r' || *at == '#';
}

/* Blank lines and comments only. */
static int says_nothing(const char *at, const char *end)
{
    for (; at < end; at = line_end(at, end)) {
        while (at < end && strchr(" \t\r", *at)) at++;
        if (at < end && *at != '\n' && *at != '#') return 0;
    }
    return 1;
}

int psw_document_next(const char **at, const char *end, const char **begin, const char **stop)
{
    while (*at < end) {
        *begin = *stop = *at;
        while (*stop < end && !is_separator(*stop, end)) *stop = line_end(*stop, end);
        *at = line_end(*stop, end);
        if (!says_nothing(*begin, *stop)) return 1;
    }
    return 0;
}
