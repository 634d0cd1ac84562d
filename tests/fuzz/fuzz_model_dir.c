/* A config.json of a stranger: it is read as settings, and if it is taken, those are written as
 * a config.json again, which must say the same model. */
#include "fuzz.h"

#include <model_dir_internal.h>
#include <posweep/config/leaf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz_model_dir: %s\n", what);
    abort();
}

/** Settings of a text; 0: it is refused. */
static int settings_of(const char *text, size_t n, struct psw_config_model *out)
{
    struct psw_error err = {0};
    struct psw_model_json f = {.path = "config.json"};
    f.root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(f.root)) {
        json_decref(f.root);
        return 0;
    }
    const psw_status rc = psw_model_json_settings(&f, out, &err);
    require(rc == PSW_OK || err.text[0] != 0, "refused without a message");
    json_decref(f.root);
    return rc == PSW_OK;
}

static int same(const struct psw_config_model *a, const struct psw_config_model *b)
{
    int n, all = 1;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config x, y;
    psw_config_default(&x);
    y = x;
    x.model = *a;
    y.model = *b;
    for (int i = 0; i < n; i++) all &= psw_leaf_equal(&leaf[i], &x, &y);
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = NULL;
    struct psw_config config;
    struct psw_config_model back;
    const struct psw_model_facts facts = {.eos = 2, .dtype = "float32"};
    psw_config_default(&config);
    if (!settings_of((const char *)data, n, &config.model)) return 0;
    struct psw_model_facts rows = facts;
    rows.n_vocab = config.model.vocab;
    require(psw_model_dir_write(&config, &rows, &text, NULL) == PSW_OK, "cannot be written");
    require(settings_of(text, strlen(text), &back), "what was written is refused");
    require(same(&config.model, &back), "what was written says another model");
    free(text);
    return 0;
}
