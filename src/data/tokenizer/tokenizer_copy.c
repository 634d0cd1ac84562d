/* Copying a tokenizer: by name, what there is. */
#include <posweep/data/tokenizer_copy.h>

#include <posweep/util/folder.h>
#include <string.h>
#include <sys/stat.h>

static const char *const NAMES[] = {"tokenizer.json",
                                    "tokenizer.json.gz",
                                    "vocab.json",
                                    "merges.txt",
                                    "encoder.json",
                                    "vocab.bpe",
                                    "tokenizer.model",
                                    "tokenizer_config.json",
                                    "added_tokens.json",
                                    "special_tokens_map.json",
                                    "generation_config.json",
                                    "chat_template.jinja"};
enum { N_NAME = sizeof NAMES / sizeof *NAMES };

static int is_known(const char *name)
{
    for (int i = 0; i < N_NAME; i++)
        if (!strcmp(name, NAMES[i])) return 1;
    return 0;
}

static psw_status copy(const char *from, const char *folder, const char *name,
                       struct psw_error *err)
{
    char to[PSW_PATH_BYTES];
    const psw_status rc = psw_path(to, sizeof to, err, "%s/%s", folder, name);
    return rc == PSW_OK ? psw_file_copy(from, to, err) : rc;
}

psw_status psw_tokenizer_copy(const char *path, const char *folder, struct psw_error *err)
{
    char source[PSW_PATH_BYTES], from[PSW_PATH_BYTES];
    struct stat info;
    const int is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    psw_status rc = is_folder ? psw_path(source, sizeof source, err, "%s", path)
                              : psw_path(source, sizeof source, err, "%.*s",
                                         slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (rc == PSW_OK && !is_folder && !is_known(name))
        return copy(path, folder, "tokenizer.json", err); /* by any other name, it is that */
    for (int i = 0; i < N_NAME && rc == PSW_OK; i++) {
        rc = psw_path(from, sizeof from, err, "%s/%s", source, NAMES[i]);
        if (rc == PSW_OK && psw_file_exists(from)) rc = copy(from, folder, NAMES[i], err);
    }
    return rc;
}
