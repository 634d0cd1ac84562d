/* Rows of a stranger's data file, and a stranger's chat template: they are read in whatever
 * form they are found to be, plain and by templates. Nothing may crash, leak or hang; what is
 * taken has a prompt, and responses that end. */
#include "fuzz.h"

#include <posweep/data/files.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_rows: %s\n", what);
    abort();
}

static void check_list(const struct psw_dataset *data, const struct psw_examples *list)
{
    for (int64_t i = 0; i < list->n; i++) {
        const struct psw_example item = psw_examples_at(list, i), *e = &item;
        require(e->n_prompt > 0, "no prompt");
        for (int32_t k = 0; k < e->n_prompt; k++)
            require(e->prompt[k] >= 0 && e->prompt[k] < data->tokenizer->n_vocab,
                    "an id beyond all");
        for (int32_t s = 0; s < e->n_seq; s++)
            require(e->n_response[s] > 0 &&
                        e->response[s][e->n_response[s] - 1] == data->tokenizer->eos,
                    "a response without an end");
    }
}

static void look(const char *path, const char *chat_template, int all_turns)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    const struct psw_file_opts opts = {.rows.all_turns = all_turns};
    if (psw_files_look(path, "", chat_template, &opts, &data, &err) == PSW_OK) {
        check_list(data, &data->pairs);
        check_list(data, &data->sft);
        check_list(data, &data->prompts_heldout);
    } else {
        require(data == NULL && err.text[0] != 0, "refused without a message");
    }
    psw_dataset_destroy(data);
}

static int write_to(int *file, const char *name, const void *data, size_t n, char path[64])
{
    if (*file < 0) *file = memfd_create(name, MFD_CLOEXEC);
    snprintf(path, 64, "/proc/self/fd/%d", *file);
    return *file >= 0 && ftruncate(*file, 0) == 0 && pwrite(*file, data, n, 0) == (ssize_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char CHAT[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
        "\"u\"},{\"role\":\"assistant\",\"content\":\"a\"}]}";
    static int file = -1, chat = -1; /* made once */
    char path[64], chat_path[64];
    psw_log_setup(PSW_LOG_ERROR, "");
    require(write_to(&file, "rows", data, n, path) &&
                write_to(&chat, "chat", CHAT, sizeof CHAT - 1, chat_path),
            "cannot write");
    look(path, "hh", 0);
    look(path, "llama2", 1);
    look(chat_path, path, 0);
    return 0;
}
