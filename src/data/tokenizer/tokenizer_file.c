/* Which files make a tokenizer, and what else stands beside them: the name of EOS. */
#include <posweep/data/tokenizer_file.h>

#include "bpe_read.h"
#include "json_rows.h"

#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/** Sets of files that make a tokenizer, the first that is there is taken. */
static const struct {
    const char *vocab, *merges; /* merges NULL: one file */
} SETS[] = {
    {"tokenizer.json", NULL},
    {"tokenizer.json.gz", NULL},
    {"vocab.json", "merges.txt"},
    {"encoder.json", "vocab.bpe"},
};
enum { N_SET = sizeof SETS / sizeof *SETS };

#define CONVERT                                                                                \
    "this is a SentencePiece model; posweep reads tokenizer.json. With the Python packages "   \
    "transformers and sentencepiece, AutoTokenizer.from_pretrained(FOLDER)"                    \
    ".save_pretrained(FOLDER) writes one beside it"

/* ---- a file ---- */

/** A file's text, plain or gzip. Owns: the caller closes lines. */
struct source {
    char path[PSW_PATH_BYTES];
    struct psw_lines *lines; /* owned; NULL: not read */
    struct psw_text text;
    json_t *json; /* owned, or NULL */
};

/** By its name, or as a message of protobuf: a list of pieces, each of which begins with its
 *  text. */
static int is_sentencepiece(const struct source *s)
{
    static const char END[] = ".model";
    const size_t n = strlen(s->path), n_end = sizeof END - 1;
    if (n > n_end && !strcmp(s->path + n - n_end, END)) return 1;
    return s->text.n > 4 && s->text.at[0] == '\n' && !psw_is_blank(s->text.at[1]) &&
           s->text.at[2] == '\n';
}

static psw_status read_text(struct source *s, struct psw_error *err)
{
    static const struct psw_text LFS = {"version https://git-lfs", 23};
    const char *text = NULL;
    size_t n = 0;
    psw_status rc = psw_lines_open(s->path, NULL, &s->lines, err);
    if (rc == PSW_OK) rc = psw_lines_rest(s->lines, &text, &n, err);
    if (rc != PSW_OK) return rc;
    s->text = (struct psw_text){text ? text : "", n};
    if (psw_text_starts_with(s->text, LFS))
        return psw_fail(err, PSW_EUNSUP,
                        "%s: this is a Git LFS pointer, not the file; run: git lfs pull",
                        s->path);
    if (is_sentencepiece(s)) return psw_fail(err, PSW_EUNSUP, "%s: " CONVERT, s->path);
    return PSW_OK;
}

static void source_clear(struct source *s)
{
    json_decref(s->json);
    psw_lines_close(s->lines);
}

static int exists_in(const char *folder, const char *name)
{
    char path[PSW_PATH_BYTES];
    return psw_path(path, sizeof path, NULL, "%s/%s", folder, name) == PSW_OK &&
           psw_file_exists(path);
}

/* ---- which files ---- */

/** The files of a tokenizer. */
struct place {
    char folder[PSW_PATH_BYTES];
    struct source vocab, merges; /* merges.path "": one file */
};

/** Take a set of files of the folder. */
static psw_status take(struct place *p, int set, struct psw_error *err)
{
    const char *merges = SETS[set].merges;
    psw_status rc =
        psw_path(p->vocab.path, sizeof p->vocab.path, err, "%s/%s", p->folder, SETS[set].vocab);
    if (rc == PSW_OK && merges)
        rc = psw_path(p->merges.path, sizeof p->merges.path, err, "%s/%s", p->folder, merges);
    return rc;
}

static psw_status search_folder(struct place *p, struct psw_error *err)
{
    for (int i = 0; i < N_SET; i++) {
        const char *merges = SETS[i].merges;
        if (exists_in(p->folder, SETS[i].vocab) && (!merges || exists_in(p->folder, merges)))
            return take(p, i, err);
    }
    if (exists_in(p->folder, "tokenizer.model"))
        return psw_fail(err, PSW_EUNSUP, "%s/tokenizer.model: " CONVERT, p->folder);
    return psw_fail(err, PSW_ENOENT,
                    "%s: no tokenizer in this folder; looked for tokenizer.json (.gz), for "
                    "vocab.json with merges.txt, and for encoder.json with vocab.bpe",
                    p->folder);
}

/** One of two files brings the other; any other name is that of a tokenizer.json. */
static psw_status take_file(struct place *p, const char *path, struct psw_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    psw_status rc = psw_path(p->folder, sizeof p->folder, err, "%.*s",
                             slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (rc == PSW_OK && slash == path) rc = psw_path(p->folder, sizeof p->folder, err, "/");
    for (int i = 0; i < N_SET && rc == PSW_OK; i++)
        if (SETS[i].merges && (!strcmp(name, SETS[i].vocab) || !strcmp(name, SETS[i].merges)))
            return take(p, i, err);
    return rc == PSW_OK ? psw_path(p->vocab.path, sizeof p->vocab.path, err, "%s", path) : rc;
}

static psw_status find(struct place *p, const char *path, struct psw_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        const psw_status rc = psw_path(p->folder, sizeof p->folder, err, "%s", path);
        return rc == PSW_OK ? search_folder(p, err) : rc;
    }
    return take_file(p, path, err);
}

/* ---- EOS ---- */

/** The name under "eos_token": a string, or an object with one. */
static struct psw_text eos_name(const json_t *json)
{
    const struct psw_text name = psw_bpe_string(json, "eos_token");
    return name.at ? name : psw_bpe_string(json_object_get(json, "eos_token"), "content");
}

/** EOS by a file beside the tokenizer; *eos stays -1 where none says it. */
static psw_status eos_of_file(const struct place *p, const char *name,
                              const struct psw_bpe *bpe, int32_t *eos, struct psw_error *err)
{
    struct source s = {.lines = NULL};
    psw_status rc = PSW_OK;
    if (!exists_in(p->folder, name)) return PSW_OK;
    PSW_TRY(psw_path(s.path, sizeof s.path, err, "%s/%s", p->folder, name));
    PSW_TRY(read_text(&s, err));
    /* A length without bound is written there as 1e30, in digits. */
    PSW_TRY(psw_bpe_parse(s.path, s.text, JSON_DECODE_INT_AS_REAL, &s.json, err));
    const struct psw_text token = eos_name(s.json);
    if (token.at) *eos = psw_bpe_vocab_find(&bpe->vocab, token);
    if (token.at && *eos < 0)
        rc = psw_fail(err, PSW_EDATA, "%s: eos_token \"%.*s\" is not in the vocabulary of %s",
                      s.path, (int)psw_text_cut(token, 60).n, token.at, p->vocab.path);
fail:
    source_clear(&s);
    return rc;
}

static psw_status find_eos(const struct place *p, const struct psw_bpe *bpe, int32_t *eos,
                           struct psw_error *err)
{
    static const char *const FILES[] = {"tokenizer_config.json", "special_tokens_map.json"};
    static const char *const NAMES[] = {"<|endoftext|>", "</s>", "<|end_of_text|>",
                                        "<|im_end|>", "<eos>"};
    psw_status rc = PSW_OK;
    *eos = -1;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES && *eos < 0 && rc == PSW_OK; i++)
        rc = eos_of_file(p, FILES[i], bpe, eos, err);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && *eos < 0; i++)
        *eos = psw_bpe_vocab_find(&bpe->vocab, (struct psw_text){NAMES[i], strlen(NAMES[i])});
    return rc;
}

/* ---- the whole ---- */

/** EOS and what belongs before and after a text are not text, whatever the file calls them. */
static void be_special(struct psw_tokenizer *t)
{
    const struct psw_token_list *const around[] = {&t->bpe->before, &t->bpe->after};
    struct psw_bpe_token *token = t->bpe->vocab.token;
    if (t->eos >= 0) token[t->eos].is_special = 1;
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0; k < around[i]->n; k++) token[around[i]->id[k]].is_special = 1;
    psw_bpe_finder_mark(&t->bpe->raw, &t->bpe->vocab);
    psw_bpe_finder_mark(&t->bpe->normalised, &t->bpe->vocab);
}

/** The texts of the files, and their hash. */
static psw_status read_texts(struct place *p, uint64_t *content, struct psw_error *err)
{
    int64_t n_bytes = 0;
    psw_status rc = read_text(&p->vocab, err);
    if (rc == PSW_OK) *content = psw_lines_hash(p->vocab.lines, &n_bytes);
    if (rc != PSW_OK || !p->merges.path[0]) return rc;
    rc = read_text(&p->merges, err);
    if (rc != PSW_OK) return rc;
    const uint64_t merges = psw_lines_hash(p->merges.lines, &n_bytes);
    *content = psw_hash_bytes(&merges, sizeof merges, *content);
    return PSW_OK;
}

static psw_status read_place(struct place *p, struct psw_tokenizer *t, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    PSW_TRY(read_texts(p, &t->content, err));
    PSW_TRY(psw_bpe_parse(p->vocab.path, p->vocab.text, JSON_REJECT_DUPLICATES, &p->vocab.json,
                          err));
    if (!p->merges.path[0]) {
        PSW_TRY(psw_bpe_read_json(p->vocab.path, p->vocab.json, t->bpe, err));
    } else {
        const struct psw_bpe_pair pair = {p->vocab.path, p->merges.path, p->vocab.json,
                                          p->merges.text};
        PSW_TRY(psw_bpe_read_pair(&pair, t->bpe, err));
    }
    PSW_TRY(find_eos(p, t->bpe, &t->eos, err));
    be_special(t);
    t->n_vocab = t->bpe->vocab.n;
    t->before = (struct psw_tokens){t->bpe->before.id, t->bpe->before.n};
    t->after = (struct psw_tokens){t->bpe->after.id, t->bpe->after.n};
fail:
    return rc;
}

psw_status psw_tokenizer_create(const char *path, struct psw_tokenizer **out,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct place *p = calloc(1, sizeof *p);
    struct psw_tokenizer *t = calloc(1, sizeof *t);
    if (t) *t = (struct psw_tokenizer){.kind = &PSW_BPE_KIND, .bpe = calloc(1, sizeof *t->bpe)};
    if (!p || !t || !t->bpe) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: no memory", path));
    PSW_TRY(psw_bpe_merger_create(&t->bpe->merger, err));
    PSW_TRY(find(p, path, err));
    PSW_TRY(read_place(p, t, err));
    *out = t;
    t = NULL;
fail:
    if (p) source_clear(&p->vocab);
    if (p) source_clear(&p->merges);
    free(p);
    psw_tokenizer_destroy(t);
    return rc;
}

psw_status psw_tokenizer_hash_files(const char *path, uint64_t *out, struct psw_error *err)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p) return psw_fail(err, PSW_ENOMEM, "%s: no memory", path);
    psw_status rc = find(p, path, err);
    if (rc == PSW_OK) rc = read_texts(p, out, err);
    source_clear(&p->vocab);
    source_clear(&p->merges);
    free(p);
    return rc;
}

size_t psw_tokenizer_bytes(const struct psw_tokenizer *tokenizer)
{
    if (!tokenizer->bpe) return 0;
    const struct psw_bpe_vocab *v = &tokenizer->bpe->vocab;
    return sizeof *tokenizer + sizeof *tokenizer->bpe + (size_t)v->n * sizeof *v->token +
           v->n_slot * sizeof *v->slot + v->n_merge_slot * sizeof *v->merge +
           PSW_BPE_JOINTS / 8 + v->block.n_room;
}

void psw_tokenizer_destroy(struct psw_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    psw_bpe_destroy(tokenizer->bpe);
    free(tokenizer);
}
