#include "store/index_key.h"

#include "chat/template.h"
#include <posweep/data/tokenizer_file.h>
#include <posweep/util/hash.h>

#include <link.h>
#include <string.h>

static uint64_t add_text(uint64_t hash, const char *text)
{
    if (!text) text = "";
    return psw_hash_bytes(text, strlen(text) + 1, hash);
}

static uint64_t add_number(uint64_t hash, int64_t number)
{
    return psw_hash_bytes(&number, sizeof number, hash);
}

/** The note of the linker that tells builds apart. The first object is the program. */
static int take_build_id(struct dl_phdr_info *info, size_t n_bytes, void *hash)
{
    (void)n_bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE) continue;
        const void *note = (const void *)(info->dlpi_addr + p->p_vaddr);
        *(uint64_t *)hash = psw_hash_bytes(note, p->p_memsz, *(uint64_t *)hash);
    }
    return 1;
}

uint64_t psw_index_key(enum psw_source source, const struct psw_file_opts *opts,
                       const char *const *path, const struct psw_tokenizer *tokenizer,
                       int layout)
{
    uint64_t hash = 0;
    uint64_t share;
    const int64_t number[] = {(int64_t)source,
                              layout,
                              (int64_t)psw_tokenizer_hash(tokenizer),
                              tokenizer->eos,
                              opts->prompts.limit,
                              opts->final_prompts.limit,
                              opts->rows.limit,
                              opts->rows.all_turns,
                              opts->rows.drop_equal,
                              opts->rows.keep_prompt_mismatch,
                              opts->length.max_prompt,
                              opts->length.max_response,
                              opts->length.drop_long,
                              opts->look.keeps_all};
    const struct psw_template *t = opts->text.chat_template;
    dl_iterate_phdr(take_build_id, &hash);
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        hash = add_number(hash, number[i]);
    memcpy(&share, &opts->heldout_share, sizeof share);
    hash = add_number(hash, (int64_t)share);
    for (int r = 0; r < PSW_N_ROLE; r++) hash = add_text(hash, path[r]);
    hash = add_text(hash, opts->prompts.form);
    hash = add_text(hash, opts->final_prompts.form);
    hash = add_text(hash, opts->rows.form);
    hash = add_text(hash, opts->text.tokenizer_path);
    hash = add_text(hash, opts->text.template_path);
    hash = add_text(hash, t ? t->name : "hh");
    return add_number(hash, t ? (int64_t)t->content : 0);
}
