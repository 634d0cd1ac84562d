/* What became of the rows of a data set: counts, and how much of each list was cut. */
#include "data_internal.h"

#include <math.h>
#include <stdio.h>

/* More than this much cut, and a reader must know. */
static const double CUT_SHARE_TOLD = 0.05;

const char *psw_data_list_name(enum psw_data_list list)
{
    static const char *const NAMES[PSW_N_DATA_LIST] = {[PSW_DATA_PAIRS] = "pairs",
                                                       [PSW_DATA_SFT] = "sft",
                                                       [PSW_DATA_HELDOUT] = "heldout",
                                                       [PSW_DATA_PROMPTS] = "prompts",
                                                       [PSW_DATA_FINAL_PROMPTS] =
                                                           "final_prompts"};
    return NAMES[list];
}

static void count_list(const struct psw_examples *list, struct psw_data_counts *counts)
{
    counts->length.n_prompt = list->n;
    counts->length.n_response = counts->length.n_cut_response = 0;
    for (int64_t i = 0; i < list->n; i++) {
        counts->length.n_response += psw_examples_at(list, i).n_seq;
        counts->length.n_cut_response += psw_examples_n_cut(list, i);
    }
}

void psw_dataset_count_cuts(struct psw_dataset *dataset)
{
    struct psw_dataset *d = dataset;
    count_list(&d->pairs, &d->counts[PSW_DATA_PAIRS]);
    count_list(&d->sft, &d->counts[PSW_DATA_SFT]);
    count_list(d->pairs_heldout.n ? &d->pairs_heldout : &d->prompts_heldout,
               &d->counts[PSW_DATA_HELDOUT]);
    count_list(&d->prompts, &d->counts[PSW_DATA_PROMPTS]);
    if (d->counts[PSW_DATA_FINAL_PROMPTS].n_row)
        count_list(&d->prompts_heldout, &d->counts[PSW_DATA_FINAL_PROMPTS]);
}

static double share_of(int64_t n, int64_t n_all)
{
    return n_all > 0 ? (double)n / (double)n_all : NAN;
}

struct psw_data_cut psw_dataset_cut(const struct psw_dataset *dataset, enum psw_data_list list)
{
    const struct psw_data_counts *c = &dataset->counts[list];
    return (struct psw_data_cut){
        .prompts = share_of(c->length.n_cut_prompt, c->length.n_prompt),
        .responses = share_of(c->length.n_cut_response, c->length.n_response)};
}

/** A text that grows to the end of its room. */
struct growing_text {
    char *out;
    size_t n_bytes, n;
};

static void add_share(struct growing_text *line, const char *list, const char *what, int64_t n,
                      int64_t n_all)
{
    if (!(share_of(n, n_all) > CUT_SHARE_TOLD) || line->n >= line->n_bytes) return;
    line->n +=
        (size_t)snprintf(line->out + line->n, line->n_bytes - line->n,
                         "%s%lld of %lld %s of %s (%.0f %%)", line->n ? ", " : "", (long long)n,
                         (long long)n_all, what, list, 100 * share_of(n, n_all));
}

char *psw_dataset_cut_text(const struct psw_dataset *dataset, const struct psw_config *config,
                           char *out, size_t n_bytes)
{
    struct growing_text line = {.out = out, .n_bytes = n_bytes};
    out[0] = 0;
    for (int l = 0; l < PSW_N_DATA_LIST; l++) {
        const char *name = psw_data_list_name((enum psw_data_list)l);
        const struct psw_data_counts *c = &dataset->counts[l];
        add_share(&line, name, "responses", c->length.n_cut_response, c->length.n_response);
        add_share(&line, name, "prompts", c->length.n_cut_prompt, c->length.n_prompt);
    }
    if (line.n && line.n < n_bytes)
        snprintf(out + line.n, n_bytes - line.n,
                 " are cut to data.max_response %lld and data.max_prompt %lld: how cut replies "
                 "end is not learnt; raise the limits (and model.context), or leave long items "
                 "out with data.long: drop",
                 (long long)config->data.max_response, (long long)config->data.max_prompt);
    return out;
}

char *psw_data_counts_text(const struct psw_data_counts *counts, char *out, size_t n_bytes)
{
    const struct {
        int64_t n;
        const char *what;
    } row[] = {
        {counts->prompt.n_differs, "with different prompts"},
        {counts->prompt.n_common, "of them kept with the common prefix"},
        {counts->prompt.n_taken, "with the prompt repeated and taken off"},
        {counts->sides.n_equal, "with chosen = rejected"},
        {counts->sides.n_empty, "with an empty reply"},
        {counts->sides.n_ends_human, "ending with a human turn"},
        {counts->sides.n_unequal_marks, "with unequal marks"},
        {counts->prompt.n_empty, "without a prompt"},
        {counts->length.n_cut_prompt, "with the prompt cut"},
        {counts->length.n_cut_response, "responses cut"},
        {counts->length.n_too_long, "dropped as too long"},
        {counts->dropped.n_no_answer, "dropped as without a final answer"},
        {counts->dropped.n_conflict, "dropped as their prompt has another answer"},
        {counts->dropped.n_repeated, "dropped as met before"},
        {counts->dropped.n_overlap, "dropped as on the other side"},
        {counts->made.n_flipped, "flipped"},
        {counts->made.n_redrawn, "ties drawn again"},
    };
    int n = snprintf(out, n_bytes, "%lld rows, %lld kept", (long long)counts->n_row,
                     (long long)counts->n_kept);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        if (row[i].n == 0 || n < 0 || (size_t)n >= n_bytes) continue;
        n += snprintf(out + n, n_bytes - (size_t)n, ", %lld %s", (long long)row[i].n,
                      row[i].what);
    }
    return out;
}
