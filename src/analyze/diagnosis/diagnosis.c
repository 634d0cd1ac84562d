/* The table of rules, asking them, and their text. To add a rule: a row here, its test in the
 * file of rules_*.c that fits, and in the tests a file that fires it and one that does not. */
#include "diagnosis_internal.h"

#include <posweep/config/method.h>

#include <math.h>
#include <string.h>

enum { TEXT_WIDTH = 100, INDENT = 4 };

static const struct psw_diagnosis_rule RULES[] = {
    {"ended badly", PSW_FOR_ALL, "", "", 0, psw_rule_ended_badly,
     "a smaller policy.lr or a longer policy.warmup, a smaller policy.clip, a larger "
     "policy.beta; the attempts above tell of the machine's part"},
    {"ran away", PSW_FOR_ALL, "kl_ref", "a done run whose D' is drawn as the policy is", 0,
     psw_rule_ran_away,
     "a smaller policy.lr, fewer policy.steps, a larger policy.beta or policy.kl_coef"},
    {"moved at all", PSW_FOR_ALL, "kl_ref", "a done run whose D' is drawn as the policy is",
     0.01, psw_rule_unmoved,
     "a larger policy.lr or more policy.steps; no sign of G means anything before"},
    {"responses that are cut", PSW_FOR_ALL, "final_cut_rate", "a done run", 0.1, psw_rule_cut,
     "a larger final.max_new or model.context, reward.missing_eos, more SFT if that model does "
     "not end either"},
    {"collapse", PSW_FOR_ALL, "final_repetition_rate", "a done run", 0.1, psw_rule_repeats,
     "a smaller policy.lr, a larger policy.beta or policy.kl_coef; win rates of such responses "
     "say little"},
    {"length", PSW_FOR_ALL, "length length_sft", "eval.prompts > 0", 1.5, psw_rule_length,
     "policy.method simpo or dpo_norm, which divide by the length; compare at equal length"},
    {"over-optimisation", PSW_FOR_ALL, "reward_final reward_sft score score_sft",
     "a reward model beside a task with a scorer", 0, psw_rule_overoptimised,
     "more policy.kl_coef or policy.beta, fewer policy.steps, more reward.pairs"},
    {"worse than SFT", PSW_FOR_ALL, "win_rate win_rate_high", "eval.prompts > 0", 0.5,
     psw_rule_worse,
     "a smaller policy.lr, fewer policy.steps; look at lists.flip or the pairs"},

    {"both rewards fall", PSW_FOR_REFERENCE, "reward_chosen reward_rejected", "log.every", 0,
     psw_rule_both_fall,
     "if the chosen are to stay likely: policy.method dpop or rpo, a smaller "
     "policy.negative.from and .to, preset cdpo, or a larger policy.beta"},
    {"displacement", PSW_FOR_PAIRS, "logp_chosen", "log.every", 0, psw_rule_displaced,
     "policy.method rpo or cpo with a larger policy.alpha, a smaller policy.negative.from and "
     ".to"},
    {"first-order displacement", PSW_FOR_PAIRS, "G_dir", "trace.directions: on", 0.5,
     psw_rule_pushed_down,
     "damp the part that pushes down (policy.negative.from, .to or .off_until), or add an NLL "
     "term (policy.method rpo)"},
    {"entanglement", PSW_FOR_PAIRS, "grad_norm_component", "trace.cosine_every", 0.7,
     psw_rule_entangled,
     "pairs that differ in more than a few tokens; a smaller policy.negative.from and .to: "
     "what "
     "is undone costs nothing to leave out"},
    {"disentanglement band", PSW_FOR_PAIRS, "grad_norm_component", "trace.cosine_every", 0.25,
     psw_rule_out_of_band,
     "policy.positive.from and policy.negative.from (and .to) at those factors"},
    {"training loss", PSW_FOR_PAIRS, "train_loss", "log.every", 2, psw_rule_not_learning,
     "a larger policy.lr, more policy.steps; labels may be noise"},
    {"over-fitting", PSW_FOR_PAIRS, "trace_heldout_loss train_loss", "a pairwise method", 0.1,
     psw_rule_overfits,
     "fewer policy.steps, more pairs, policy.method dpo_smooth or dpo_robust"},

    {"idle clip", PSW_FOR_ROLLOUTS, "clip_fraction", "log.every", 1e-3, psw_rule_clip_idle,
     "nothing need be wrong; policy.clip_low and clip_high do not matter here, and more "
     "policy.epochs or a larger policy.lr would get more out of each step's rollouts"},
    {"clip everywhere", PSW_FOR_ROLLOUTS, "clip_fraction", "log.every", 0.4,
     psw_rule_clip_everywhere, "a smaller policy.lr, fewer policy.epochs"},
    {"groups of equal reward", PSW_FOR_GROUPS, "mixed_groups", "log.every", 0.2,
     psw_rule_equal_groups,
     "prompts that are neither too easy nor too hard, more rollout.samples, policy.method dapo "
     "with rollout.redraws"},
    {"value function", PSW_FOR_CRITIC, "explained_variance", "log.every", 0.05,
     psw_rule_blind_critic,
     "a larger policy.critic_lr or policy.value_coef, more policy.steps, policy.gae_lambda 1; "
     "grpo needs no critic"},
    {"entropy", PSW_FOR_ROLLOUTS, "train_entropy", "log.every", 0.2, psw_rule_entropy_gone,
     "policy.entropy_coef, a larger policy.kl_coef, policy.clip_high above clip_low"},

    {"part against the end", PSW_FOR_ALL, "G G_se", "a done run", 0.5, psw_rule_against_the_end,
     "damp that part from there on (policy.positive or policy.negative: schedule, from, to) as "
     "a variant of the next sweep, and see what it costs"},
    {"signs of G", PSW_FOR_ALL, "G G_se", "a done run", 0.75, psw_rule_unclear,
     "a larger trace.probe and final.prompts, trace.soft, more seeds"},
    {"size of D'", PSW_FOR_ALL, "v_norm v_halves", "a done run", 0.5, psw_rule_few_finals,
     "final.prompts as said, or G along v soft (trace.soft)"},
    {"length of trial steps", PSW_FOR_ALL, "predicted realised", "trace.cosine_every", 0.5,
     psw_rule_long_trial, "a smaller trace.eta"},
};
enum { N_RULE = sizeof RULES / sizeof *RULES };

static int is_for(enum psw_rule_for who, int method)
{
    const struct psw_method_row *row = method >= 0 ? psw_method_row(method) : NULL;
    const int is_onpolicy = method >= PSW_N_PAIRWISE;
    switch (who) {
    case PSW_FOR_ALL:
        return 1;
    case PSW_FOR_PAIRS:
        return row && !is_onpolicy && row->compares;
    case PSW_FOR_REFERENCE:
        return row && !is_onpolicy && row->compares && row->has_reference;
    case PSW_FOR_ROLLOUTS:
        return is_onpolicy;
    case PSW_FOR_GROUPS:
        return is_onpolicy && !psw_method_reads(method, PSW_USE_CRITIC);
    case PSW_FOR_CRITIC:
        return is_onpolicy && psw_method_reads(method, PSW_USE_CRITIC);
    }
    return 0;
}

/** Whether every dataset of a list has a value of this run. */
static int has_all(const struct psw_patient *p, const char *needs)
{
    char name[PSW_FIELD_BYTES];
    while (*needs) {
        const int n = (int)strcspn(needs, " ");
        snprintf(name, sizeof name, "%.*s", n, needs);
        if (!psw_fact_is_there(p, name)) return 0;
        needs += n;
        needs += strspn(needs, " ");
    }
    return 1;
}

int psw_diagnose(struct psw_results *results, int64_t run, struct psw_diagnosis *out)
{
    struct psw_patient p = {.results = results, .run = run};
    p.method = psw_method_find(psw_results_text(results, "method", run));
    p.has_trace = psw_traces_init(results, &p.traces, NULL) == PSW_OK;
    p.n_checkpoint = p.has_trace ? psw_trace_length(&p.traces, run) + 1 : 0;
    for (int i = 0; i < N_RULE; i++) {
        const struct psw_diagnosis_rule *rule = &RULES[i];
        out[i] = (struct psw_diagnosis){.verdict = PSW_VERDICT_NOT_ASKED,
                                        .name = rule->name,
                                        .advice = rule->advice,
                                        .needs = rule->needs,
                                        .stored_by = rule->stored_by};
        if (!is_for(rule->who, p.method)) continue;
        out[i].verdict = PSW_VERDICT_NO_DATA;
        if (!has_all(&p, rule->needs)) continue;
        out[i].verdict =
            rule->test(&p, rule, out[i].says) ? PSW_VERDICT_FIRES : PSW_VERDICT_SILENT;
    }
    return N_RULE;
}

/** Words from column `used` on, broken at TEXT_WIDTH, further lines indented. Control bytes,
 *  which a message of a hostile file may have, become blanks. */
static void put_wrapped(FILE *out, const char *text, int used)
{
    while (*text) {
        int n = 0, width = 0;
        for (; text[n] && text[n] != ' '; n++) width += ((unsigned char)text[n] & 0xC0) != 0x80;
        if (used > INDENT && used + 1 + width > TEXT_WIDTH) {
            fprintf(out, "\n%*s", INDENT, "");
            used = INDENT;
        } else if (used > INDENT) {
            fputc(' ', out);
            used++;
        }
        for (int i = 0; i < n; i++) fputc((unsigned char)text[i] < 0x20 ? ' ' : text[i], out);
        used += width;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void put_rule(FILE *out, const struct psw_diagnosis *d)
{
    const int used = fprintf(out, "  %s:", d->name);
    put_wrapped(out, d->says, used);
    fprintf(out, "%*stry:", INDENT, "");
    put_wrapped(out, d->advice, INDENT + 4);
}

/** "  looked at and found nothing: a, b, c". */
static void put_names(FILE *out, const char *title, const struct psw_diagnosis *d, int n,
                      enum psw_verdict verdict)
{
    char text[2048] = "";
    size_t used = 0;
    for (int i = 0; i < n && used + 200 < sizeof text; i++) {
        if (d[i].verdict != verdict) continue;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 verdict == PSW_VERDICT_NO_DATA ? "%s%s (%s)" : "%s%s",
                                 used ? ", " : "", d[i].name, d[i].stored_by);
    }
    if (used == 0) return;
    fprintf(out, "  %s:", title);
    put_wrapped(out, text, (int)strlen(title) + 3);
}

psw_status psw_diagnosis_show(FILE *out, struct psw_results *results, int64_t run,
                              struct psw_error *err)
{
    struct psw_diagnosis d[PSW_MAX_RULES];
    const int n = psw_diagnose(results, run, d);
    int n_fired = 0;
    fputs("\n# diagnosis\n", out);
    for (int i = 0; i < n; i++)
        if (d[i].verdict == PSW_VERDICT_FIRES) {
            put_rule(out, &d[i]);
            n_fired++;
        }
    if (n_fired == 0) fputs("  nothing conspicuous\n", out);
    put_names(out, "looked at without finding anything", d, n, PSW_VERDICT_SILENT);
    put_names(out, "not to be had from this file, and what stores it", d, n,
              PSW_VERDICT_NO_DATA);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the diagnosis") : PSW_OK;
}
