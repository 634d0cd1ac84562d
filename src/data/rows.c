/* jansson parses and checks UTF-8; this file finds the rows and says where a fault stands. */
#include "json_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct psw_json_rows {
    struct psw_lines *lines; /* owned */
    json_t *array;           /* owned; NULL for one object per line */
    json_t *row;             /* owned; NULL for an array */
    size_t n_given;
    char path[512];
    char place[PSW_PLACE_BYTES];
};

#define UNPACK(NAME, HOW) "this is compressed by " NAME "; unpack it (" HOW "), or use gzip"
#define RECODE "; convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"

/** Files that people really pass, by the first bytes of their content. */
static const struct {
    const char *magic, *advice;
} FOREIGN[] = {
    {"PAR1", "this is Parquet; convert it to JSON lines first, e.g. python3 -c \"import sys, "
             "pandas; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient='records', "
             "lines=True)\" FILE.parquet FILE.jsonl"},
    {"version https://git-lfs", "this is a Git LFS pointer, not the data; run: git lfs pull"},
    {"ARROW1",
     "this is Arrow; convert it to JSON lines first, e.g. python3 -c \"import sys, "
     "pandas; pandas.read_feather(sys.argv[1]).to_json(sys.argv[2], orient='records', "
     "lines=True)\" FILE.arrow FILE.jsonl"},
    {"PK\x03\x04", UNPACK("zip", "unzip FILE")},
    {"\x28\xb5\x2f\xfd", UNPACK("zstd", "unzstd FILE")},
    {"BZh", UNPACK("bzip2", "bunzip2 FILE")},
    {"\xfd"
     "7zXZ",
     UNPACK("xz", "unxz FILE")},
    {"\xff\xfe", "this is UTF-16" RECODE},
    {"\xfe\xff", "this is UTF-16" RECODE},
    {"\xef\xbb\xbf",
     "it begins with a byte order mark, which is not JSON; take it off: tail -c "
     "+4 FILE > NEW"},
};

static psw_status refuse_foreign(const struct psw_json_rows *r, const char *text,
                                 size_t n_bytes, struct psw_error *err)
{
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++) {
        const size_t n = strlen(FOREIGN[i].magic);
        if (n_bytes >= n && !memcmp(text, FOREIGN[i].magic, n))
            return psw_fail(err, PSW_EUNSUP, "%s: %s", r->path, FOREIGN[i].advice);
    }
    return PSW_OK;
}

static psw_status open_array(struct psw_json_rows *r, struct psw_error *err)
{
    const char *text = NULL;
    size_t n_bytes = 0;
    const psw_status rc = psw_lines_rest(r->lines, &text, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    json_error_t fault;
    r->array = json_loadb(text, n_bytes, JSON_ALLOW_NUL, &fault);
    if (!r->array)
        return psw_fail(
            err, PSW_EDATA,
            "%s:%d:%d: %s; expected one JSON array of objects, in UTF-8: mend it, or "
            "fetch the file again",
            r->path, fault.line, fault.column, fault.text);
    return PSW_OK;
}

psw_status psw_json_rows_open(const char *path, const struct psw_data_limits *limits,
                              struct psw_json_rows **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_json_rows *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "%s: no memory to open it", path);
    snprintf(r->path, sizeof r->path, "%s", path);
    int first = 0;
    PSW_TRY(psw_lines_open(path, limits, &r->lines, err));
    PSW_TRY(psw_lines_peek(r->lines, &first, err));
    if (first < 0) {
        rc = psw_fail(err, PSW_EDATA,
                      "%s: the file is empty; expected one JSON object on each line", path);
        goto fail;
    }
    if (first == '[') PSW_TRY(open_array(r, err));
    *out = r;
    return PSW_OK;
fail:
    psw_json_rows_close(r);
    return rc;
}

void psw_json_rows_close(struct psw_json_rows *rows)
{
    if (!rows) return;
    psw_lines_close(rows->lines);
    json_decref(rows->array);
    json_decref(rows->row);
    free(rows);
}

const char *psw_json_rows_place(const struct psw_json_rows *rows)
{
    return rows->place;
}

static psw_status next_element(struct psw_json_rows *r, const json_t **row)
{
    *row = json_array_get(r->array, r->n_given);
    snprintf(r->place, sizeof r->place, "%s: element %zu", r->path, r->n_given++);
    return PSW_OK;
}

static psw_status next_line(struct psw_json_rows *r, const json_t **row, struct psw_error *err)
{
    const char *text = NULL;
    size_t n_bytes = 0;
    json_decref(r->row);
    r->row = NULL;
    do {
        psw_status rc = psw_lines_next(r->lines, &text, &n_bytes, err);
        if (rc == PSW_OK && text && r->n_given == 0) rc = refuse_foreign(r, text, n_bytes, err);
        if (rc != PSW_OK) return rc;
    } while (text && psw_text_is_blank((struct psw_text){text, n_bytes}));
    *row = NULL;
    if (!text) return PSW_OK;
    const long long number = psw_lines_number(r->lines);
    json_error_t fault;
    r->row = json_loadb(text, n_bytes, JSON_ALLOW_NUL, &fault);
    if (!r->row && r->n_given == 0 &&
        json_error_code(&fault) == json_error_premature_end_of_input)
        return psw_fail(err, PSW_EDATA,
                        "%s:%lld: the line ends within an object; expected one JSON object on "
                        "each line (jq -c . FILE > NEW makes that of objects over several "
                        "lines), or one array of objects; if it was cut short, fetch it again",
                        r->path, number);
    if (!r->row)
        return psw_fail(err, PSW_EDATA,
                        "%s:%lld:%d: %s; expected one JSON object on each line, in UTF-8: mend "
                        "or remove the line, or fetch the file again if it ends here",
                        r->path, number, fault.column, fault.text);
    snprintf(r->place, sizeof r->place, "%s:%lld", r->path, number);
    r->n_given++;
    *row = r->row;
    return PSW_OK;
}

char *psw_value_text(const json_t *value, char out[PSW_VALUE_BYTES])
{
    char *whole = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const struct psw_text all = {whole ? whole : "nothing", strlen(whole ? whole : "nothing")};
    const struct psw_text cut = psw_text_cut(all, PSW_VALUE_BYTES - 4);
    snprintf(out, PSW_VALUE_BYTES, "%.*s%s", (int)cut.n, cut.at, cut.n < all.n ? "..." : "");
    free(whole);
    return out;
}

psw_status psw_json_rows_next(struct psw_json_rows *rows, const json_t **row,
                              struct psw_error *err)
{
    const psw_status rc = rows->array ? next_element(rows, row) : next_line(rows, row, err);
    char found[PSW_VALUE_BYTES];
    if (rc == PSW_OK && *row && !json_is_object(*row))
        return psw_fail(err, PSW_EDATA, "%s: expected an object, found %s", rows->place,
                        psw_value_text(*row, found));
    return rc;
}

uint64_t psw_json_rows_hash(const struct psw_json_rows *rows, int64_t *n_bytes)
{
    return psw_lines_hash(rows->lines, n_bytes);
}

psw_status psw_json_rows_hash_file(struct psw_data_origin *origin, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_lines *lines = NULL;
    const char *text = "";
    size_t n_bytes = 0;
    int first = 0;
    const struct psw_data_limits wide = psw_data_limits_of(0x1p50);
    PSW_TRY(psw_lines_open(origin->path, &wide, &lines, err));
    PSW_TRY(psw_lines_peek(lines, &first, err));
    if (first == '[') PSW_TRY(psw_lines_rest(lines, &text, &n_bytes, err));
    for (int64_t i = 0; first != '[' && (origin->limit == 0 || i < origin->limit);) {
        PSW_TRY(psw_lines_next(lines, &text, &n_bytes, err));
        if (!text) break;
        i += !psw_text_is_blank((struct psw_text){text, n_bytes});
    }
    origin->hash = psw_lines_hash(lines, &origin->n_bytes);
fail:
    psw_lines_close(lines);
    return rc;
}
