/* The texts of `posweep help config` and of the methods, from the tables. */
#include "config_internal.h"

#include <string.h>

/* Names and titles of the sections, from leaves.def. */
#define INT(...)
#define REAL(...)
#define BOOL(...)
#define ENUM(...)
#define ENUM_AS(...)
#define PATH(...)
#define HASH(...)
#define PATH_OR(...)
#define STAGE(...)
#define EMPHASIS(...)
#define END(s)
#define GROUP(s, title) {#s, title},
#define SECTION(s, title) {#s, title},
static const struct {
    const char *name, *what;
} SECTIONS[] = {
#include <posweep/config/leaves.def>
};

static const char PARTS[] =
    "A sweep file is YAML; dotted keys (policy.beta: 0.1) and nested maps mean the same.\n"
    "\n"
    "  name        of the sweep; default: the file's name\n"
    "  base        settings of every run\n"
    "  blocks      list; the sweep is the union of its blocks. A block has\n"
    "    set         settings of the block; may name a preset\n"
    "    axes        key: [values]; the product of all axes is taken\n"
    "    zip         key: [values]; these advance together (a list of maps: several zips)\n"
    "    variants    name: {settings, preset: name}; default: vanilla. Or a list of presets\n"
    "    except      list of partial settings, also variant: name, to leave out\n"
    "  replicates  n: seeds 1..n; or  seeds: [list]; or a plan to add seeds, batch by batch,\n"
    "              until each cell is decided from its baseline or max is reached:\n"
    "              {batch: 4, max: 16, baseline: vanilla, metric: score}, also by: "
    "policy.beta\n"
    "              (default variant), alpha: 0.01 (default 0.05)\n"
    "  limits      settings of limits, e.g. ranks_per_run: 2\n"
    "  families    name: {metrics: [score], variants: [cdpo]}: tests that `posweep compare`\n"
    "              adjusts together (Holm); all variants without a list\n"
    "  stop        asha, median, or {rule, metric: score, mode, grace, reduction: 3, min_runs: "
    "5}:\n"
    "              runs worse than the others at the same step are stopped early. A run that "
    "is\n"
    "              not stopped is the same to the bit as without the rule; which ones are "
    "stopped\n"
    "              may depend on the order in which ranks come to a rung, and what was "
    "decided\n"
    "              is kept and not decided again. A stopped run is `censored`: it has a "
    "training\n"
    "              log, and no final responses, so no G. asha: the best 1/reduction at a rung "
    "go\n"
    "              on, rungs at grace * reduction^k. median: every grace steps, against the\n"
    "              averages of min_runs finished runs. Metrics: score, train_loss,\n"
    "              train_accuracy, train_margin\n"
    "\n"
    "Several such files in one, with lines \"---\" between them, are the sweep of all their\n"
    "runs, each once: so two sweeps become one, also where no product gives their union.\n"
    "\n"
    "Later wins: defaults, preset of base, base, --set, preset of set, set, preset of the\n"
    "variant, axes and zip, variant. Refused as contradictory: an axis that set or a variant\n"
    "gives too, a --set that a block gives again, a run that is in the sweep twice.\n";

static const char *section_of(const char *path, char out[PSW_LEAF_COLUMN_BYTES])
{
    const char *dot = strchr(path, '.');
    snprintf(out, PSW_LEAF_COLUMN_BYTES, "%.*s", dot ? (int)(dot - path) : 0, path);
    return out;
}

/* Long lists of choices take several lines. */
static void print_wrapped(FILE *out, const char *text)
{
    const size_t most = 96;
    while (strlen(text) > most) {
        size_t n = most;
        while (n > 0 && text[n] != '|') n--;
        if (n == 0) break;
        fprintf(out, "        %.*s\n", (int)n, text);
        text += n;
    }
    fprintf(out, "        %s\n", text);
}

static void print_leaf(FILE *out, const struct psw_leaf *leaf, const struct psw_config *base)
{
    char expected[256], text[PSW_LEAF_TEXT_BYTES];
    fprintf(out, "  %-26s %-10s %s%s%s%s\n", leaf->path,
            psw_leaf_text(leaf, base, text)[0] ? text : "-", leaf->help,
            leaf->unit[0] ? " [" : "", leaf->unit, leaf->unit[0] ? "]" : "");
    if (leaf->type == PSW_LEAF_BOOL || (leaf->type == PSW_LEAF_PATH && !leaf->names)) return;
    print_wrapped(out, psw_leaf_expected(leaf, expected, sizeof expected));
}

int psw_config_help_one(FILE *out, const char *path)
{
    struct psw_config base;
    const struct psw_leaf *leaf = psw_leaf_find(path);
    if (!leaf) return 0;
    psw_config_default(&base);
    print_leaf(out, leaf, &base);
    return 1;
}

void psw_config_help(FILE *out)
{
    int n, n_preset;
    const struct psw_leaf *leaf = psw_leaves(&n);
    const struct psw_preset *preset = psw_presets(&n_preset);
    char section[PSW_LEAF_COLUMN_BYTES];
    struct psw_config base;
    psw_config_default(&base);
    fputs(PARTS, out);
    fputs("\nSettings: key, default, meaning, type and range\n", out);
    for (size_t s = 0; s < sizeof SECTIONS / sizeof SECTIONS[0]; s++) {
        fprintf(out, "\n%s\n", SECTIONS[s].what);
        for (int i = 0; i < n; i++)
            if (strcmp(section_of(leaf[i].path, section), SECTIONS[s].name) == 0)
                print_leaf(out, &leaf[i], &base);
    }
    fputs("\nPresets\n", out);
    for (int i = 0; i < n_preset; i++) {
        fprintf(out, "  %-18s %s\n", preset[i].name, preset[i].help);
        for (int j = 0; j < PSW_PRESET_SETTINGS && preset[i].setting[j].path; j++)
            fprintf(out, "  %-18s   %s: %s\n", "", preset[i].setting[j].path,
                    preset[i].setting[j].value);
    }
}

void psw_methods_help(FILE *out)
{
    fputs(
        "\nMethods: name, loss, source. z: summed log-probability, n: tokens, r: z less that "
        "of\n"
        "the SFT model, Delta = r+ - r-, + chosen, - rejected; rho: ratio to the policy that\n"
        "sampled, A: advantage\n",
        out);
    for (int m = 0; m < PSW_N_METHOD; m++) {
        const struct psw_method_row *row = psw_method_row(m);
        fprintf(out, "  %-11s %s\n  %-11s   %s\n", row->name, row->loss, "", row->source);
    }
}
