/* A tokenizer.json of a stranger: it is read, and if it is taken, texts are encoded and ids are
 * decoded. Nothing may crash, leak or hang; what is decoded is UTF-8 always. */
#include "fuzz.h"

#include <posweep/data/tokenizer_file.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utf8proc.h>

static const char *const TEXTS[] = {
    "",
    "Hello world, it's 12,345 o'clock!  \n\n\tab<s></s>--#",
    "e\xCC\x81 \xC3\xA9 \xEF\xAC\x81 \xE2\x96\x81 \xF0\x9F\x98\x80 \xE6\x97\xA5\xE6\x9C\xAC "
    "\xC2\xA0\xC2\x85",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aa",
};

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_tokenizer: %s\n", what);
    abort();
}

static void decode(const struct psw_tokenizer *t, struct psw_tokens tokens, int with_special)
{
    struct psw_text_buffer text = {0};
    const psw_status rc = psw_tokenizer_decode(t, tokens, with_special, &text, NULL);
    for (size_t at = 0; rc == PSW_OK && at < text.n;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.at + at,
                                                    (utf8proc_ssize_t)(text.n - at), &c);
        require(n > 0, "the text of ids is no UTF-8");
        at += (size_t)n;
    }
    free(text.at);
}

static void use(const struct psw_tokenizer *t)
{
    struct psw_token_list ids = {0};
    (void)psw_tokenizer_hash(t);
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        const struct psw_text text = {TEXTS[i], strlen(TEXTS[i])};
        ids.n = 0;
        if (psw_tokenizer_encode(t, text, &ids, NULL) != PSW_OK) continue;
        for (int64_t j = 0; j < ids.n; j++)
            require(ids.id[j] >= 0 && ids.id[j] < t->n_vocab, "an id beyond the vocabulary");
        decode(t, (struct psw_tokens){ids.id, ids.n}, 1);
    }
    free(ids.id);
    for (int32_t id = -1; id <= t->n_vocab && id < 300; id++)
        decode(t, (struct psw_tokens){&id, 1}, id % 2);
    decode(t, t->before, 0);
    decode(t, t->after, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int file = -1; /* made once: thousands of files cost more than what they test */
    char path[64];
    struct psw_tokenizer *t = NULL;
    struct psw_error err = {0};
    psw_log_setup(PSW_LOG_ERROR, "");
    if (file < 0) file = memfd_create("tokenizer.json", MFD_CLOEXEC);
    require(file >= 0 && ftruncate(file, 0) == 0 && pwrite(file, data, n, 0) == (ssize_t)n,
            "cannot write");
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (psw_tokenizer_create(path, &t, &err) == PSW_OK)
        use(t);
    else
        require(t == NULL && err.text[0] != 0, "refused without a message");
    psw_tokenizer_destroy(t);
    return 0;
}
