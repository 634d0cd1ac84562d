/* See kept_responses.h. A file has consecutive shards, and the first one's number in its name.
 */
#include "kept_responses.h"

#include <posweep/parallel/reduce.h>
#include <posweep/store/record_file.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <posweep/util/minmax.h>

#include <stdlib.h>
#include <string.h>

static const double LEAST_S = 1; /* of drawing that is worth a file */

/* The responses of shards. */
struct seqs {
    int64_t begin, end;
};

static struct seqs seqs_of(const struct psw_kept_responses *k, int begin, int end)
{
    struct seqs s = {0, 0};
    int64_t unused;
    if (begin == end) return s;
    psw_shard_items(k->r->n_prompt, k->team->n_shard, begin, &s.begin, &unused);
    psw_shard_items(k->r->n_prompt, k->team->n_shard, end - 1, &unused, &s.end);
    s.begin *= k->r->n_sample;
    s.end *= k->r->n_sample;
    return s;
}

static psw_status path_of(const struct psw_kept_responses *k, int shard,
                          char out[PSW_PATH_BYTES], struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s-%06d.responses", k->path, shard);
}

/* ---- reading ---- */

/* One field of all responses; NULL: it is not what it should be. */
static const int32_t *field(const struct psw_record *record, const char *name, int64_t n)
{
    const struct psw_field *f = psw_record_get(record, name);
    return f && f->type == PSW_I32 && psw_shape_count(f->shape) == n ? f->data : NULL;
}

/* Put the responses of a file, those of other ranks' shards too, into their places. */
static int take_tokens(struct psw_kept_responses *k, const struct psw_record *record,
                       struct seqs s)
{
    struct psw_responses *r = k->r;
    int64_t n_token = 0;
    const int32_t *length = field(record, "n_token", s.end - s.begin);
    for (int64_t q = s.begin; length && q < s.end; q++) {
        const int32_t n = length[q - s.begin];
        if (n < 1 || n > r->stride) return 0;
        n_token += n;
    }
    const int32_t *token = length ? field(record, "token", n_token) : NULL;
    if (!token) return 0;
    for (int64_t q = s.begin; q < s.end; q++) {
        r->n_token[q] = length[q - s.begin];
        memcpy(r->token + q * r->stride, token, sizeof *token * (size_t)r->n_token[q]);
        token += r->n_token[q];
    }
    return 1;
}

static psw_status take(struct psw_kept_responses *k, int shard, const char *path,
                       struct psw_error *err)
{
    struct psw_record *record = NULL;
    const psw_status rc = psw_record_read(path, &record, err);
    if (rc != PSW_OK) return rc;
    const int64_t end = psw_record_i64(record, "shard_end", 0, 0);
    const int fits = end > shard && end <= k->team->n_shard &&
                     take_tokens(k, record, seqs_of(k, shard, (int)end));
    psw_record_destroy(record);
    if (!fits) return psw_fail(err, PSW_EDATA, "%s: does not fit the run", path);
    memset(k->has + shard, 1, (size_t)(end - shard));
    return PSW_OK;
}

static psw_status find(struct psw_kept_responses *k, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    for (int s = 0; s < k->team->shard_end; s++) {
        const psw_status rc = path_of(k, s, path, err);
        if (rc != PSW_OK) return rc;
        struct psw_error why = {0};
        if (psw_file_exists(path) && take(k, s, path, &why) != PSW_OK)
            psw_log(PSW_LOG_WARN, "%s: its responses are drawn again", why.text);
    }
    return PSW_OK;
}

/* ---- writing ---- */

static void put_tokens(const struct psw_kept_responses *k, struct psw_record *record,
                       int32_t *token, struct seqs s)
{
    const struct psw_responses *r = k->r;
    int64_t n_token = 0;
    for (int64_t q = s.begin; q < s.end; q++) {
        memcpy(token + n_token, r->token + q * r->stride,
               sizeof *token * (size_t)r->n_token[q]);
        n_token += r->n_token[q];
    }
    psw_record_put_i64(record, "shard_end", k->end);
    psw_record_put(record, "n_token", PSW_I32, psw_shape_1d(s.end - s.begin),
                   r->n_token + s.begin);
    psw_record_put(record, "token", PSW_I32, psw_shape_1d(n_token), token);
}

static psw_status write_shards(const struct psw_kept_responses *k, struct seqs s,
                               struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_record *record = NULL;
    psw_status rc = path_of(k, k->begin, path, err);
    if (rc == PSW_OK) rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    int32_t *token = malloc(sizeof *token * (size_t)((s.end - s.begin) * k->r->stride) + 1);
    if (token) {
        put_tokens(k, record, token, s);
        rc = psw_record_write(record, path, err);
    } else {
        rc = psw_fail(err, PSW_ENOMEM, "%s: out of memory", path);
    }
    free(token);
    psw_record_destroy(record);
    return rc;
}

/* The next file begins at that shard. */
static void flush(struct psw_kept_responses *k, int shard)
{
    struct psw_error err = {0};
    const struct seqs s = seqs_of(k, k->begin, k->end);
    if (s.begin < s.end && write_shards(k, s, &err) != PSW_OK)
        psw_log(PSW_LOG_WARN, "%s: after a stop these responses are drawn again", err.text);
    k->begin = k->end = shard;
    k->since_s = psw_clock_s();
}

static int is_worth_it(const struct psw_kept_responses *k)
{
    return psw_clock_s() - k->since_s >= LEAST_S;
}

/* Shards come in ascending order; those that were found leave gaps. */
static int has(void *ctx, int shard)
{
    struct psw_kept_responses *k = ctx;
    if (!k->has[shard] && shard != k->end) flush(k, shard);
    return k->has[shard];
}

static void done(void *ctx, int shard)
{
    struct psw_kept_responses *k = ctx;
    k->end = shard + 1;
    if (is_worth_it(k)) flush(k, shard + 1);
}

/* ---- the whole ---- */

psw_status psw_kept_responses_open(const struct psw_team *team, const char *path,
                                   struct psw_responses *r, struct psw_kept_responses *k,
                                   struct psw_error *err)
{
    *k = (struct psw_kept_responses){.team = team, .r = r, .path = path};
    k->has = calloc((size_t)team->n_shard, 1);
    if (!k->has) return psw_fail(err, PSW_ENOMEM, "responses: %d shards", team->n_shard);
    flush(k, team->shard_begin);
    return find(k, err);
}

struct psw_shard_keeper psw_kept_responses_keeper(struct psw_kept_responses *k)
{
    return (struct psw_shard_keeper){.ctx = k, .has = has, .done = done};
}

void psw_kept_responses_close(struct psw_kept_responses *k, int is_stopped)
{
    if (k->has && (is_stopped || is_worth_it(k))) flush(k, k->end);
    free(k->has);
    *k = (struct psw_kept_responses){0};
}
