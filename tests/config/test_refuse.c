/* What a sweep file may not say, and the words in which it is refused. */
#include "sweep_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct refusal {
    const char *set; /* --set, or NULL */
    const char *text, *message;
};

static void refuse_all(const struct refusal *cases, size_t n)
{
    int n_wrong = 0;
    for (size_t i = 0; i < n; i++) {
        struct psw_sweep *sweep = NULL;
        struct psw_error err = {0};
        const psw_status rc = sweep_try(cases[i].text, cases[i].set, &sweep, &err);
        if (rc == PSW_OK) fail_msg("not refused: %s", cases[i].text);
        assert_null(sweep);
        assert_int_equal(rc, PSW_EINVAL);
        if (strcmp(err.text, cases[i].message) == 0) continue;
        print_error("got      %s\nexpected %s\n", err.text, cases[i].message);
        n_wrong++;
    }
    assert_int_equal(n_wrong, 0);
}
#define REFUSE(cases) refuse_all(cases, sizeof cases / sizeof cases[0])

static void broken_yaml_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "", "x.yaml:1:1: the file is empty"},
        {0, "# nothing\n", "x.yaml:2:1: the file is empty"},
        {0, "base: {seed: 1\n", "x.yaml:2:1: not YAML: missing comma in flow mapping"},
        {0, "base: [1, 2\nx: 1\n",
         "x.yaml:3:1: not YAML: flow sequence without a closing bracket"},
        {0, "base:\n\tseed: 1\n",
         "x.yaml:2:1: not YAML: tab character may not be used as indentation"},
        {0, "name: a\xff\n", "x.yaml:1:8: byte 0xff is not UTF-8 text"},
        {0, "\x89HDF\r\n\x1a\n", "x.yaml: is an HDF5 file, perhaps of results; expected YAML"},
        {0, "name: a\nname: b\n", "x.yaml:2:1: key \"name\" is given twice, first in line 1"},
        {0, "name: a\n---\n# more\nnmae: b\n",
         "x.yaml:4:1: unknown key \"nmae\"; did you mean \"name\"?"},
        {0, "base: &b {seed: 1}\nlimits: *b\n",
         "x.yaml:2:10: anchors and aliases are not supported: use base, set and variants"},
        {0, "base: {seed: !!int 1}\n", "x.yaml:1:20: tags are not supported"},
        {0, "- a\n- b\n",
         "x.yaml:1:1: expected a map of name, base, blocks, replicates, seeds, limits, "
         "families, stop"},
        {0, "just words\n",
         "x.yaml:1:1: expected a map of name, base, blocks, replicates, seeds, limits, "
         "families, stop"},
        {0, "base: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
         "x.yaml:1:22: nested more than 16 deep"},
    };
    REFUSE(CASES);
}

static void unknown_keys_are_refused_with_the_nearest(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "base:\n  policy.betta: 1\n",
         "x.yaml:2:3: unknown key \"policy.betta\"; did you mean \"policy.beta\"?"},
        {0, "base:\n  policy: {betta: 1}\n",
         "x.yaml:2:12: unknown key \"policy.betta\"; did you mean \"policy.beta\"?"},
        {0, "base:\n  beta: 1\n",
         "x.yaml:2:3: unknown key \"beta\"; did you mean \"policy.beta\"?"},
        {0, "base:\n  polcy: {beta: 1}\n",
         "x.yaml:2:3: unknown section \"polcy\"; did you mean \"policy\"?"},
        {0, "base:\n  policy.negativ: {off_until: 1}\n",
         "x.yaml:2:3: unknown section \"policy.negativ\"; did you mean \"policy.negative\"?"},
        {0, "bases: {}\n", "x.yaml:1:1: unknown key \"bases\"; did you mean \"base\"?"},
        {0, "policy: {beta: 1}\n",
         "x.yaml:1:1: \"policy\" belongs under base, or a block's set"},
        {0, "blocks:\n  - policy.beta: 1\n",
         "x.yaml:2:5: \"policy.beta\" belongs under set, axes, zip or variants"},
        {0, "blocks:\n  - axis: {policy.beta: [1]}\n",
         "x.yaml:2:5: unknown key \"axis\"; did you mean \"axes\"?"},
        {0, "blocks:\n  - variants: {a: {preset: cpdo}}\n",
         "x.yaml:2:28: unknown preset \"cpdo\"; did you mean \"cdpo\"?"},
        {0, "blocks:\n  - variants: [vanila]\n", "x.yaml:2:16: unknown preset \"vanila\""},
        {0, "limits: {ranks: 1}\n",
         "x.yaml:1:10: unknown key \"limits.ranks\"; did you mean \"limits.ranks_per_run\"?"},
        {"polcy.steps=3", "name: a\n",
         "--set polcy.steps=3: x.yaml: unknown key \"polcy.steps\"; did you mean "
         "\"policy.steps\"?"},
    };
    REFUSE(CASES);
}

static void wrong_types_and_ranges_are_refused_at_the_value(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "base:\n  policy: {beta: high}\n",
         "x.yaml:2:18: policy.beta: expected number in (0, 1000], found \"high\""},
        {0, "base:\n  policy.beta: '0.1'\n",
         "x.yaml:2:17: policy.beta: expected number in (0, 1000], found the text '0.1'"},
        {0, "base:\n  policy.beta:\n",
         "x.yaml:2:3: policy.beta: expected number in (0, 1000], found nothing"},
        {0, "base:\n  policy.beta: [0.1, 0.2]\n",
         "x.yaml:2:16: policy.beta: expected number in (0, 1000], found a list (lists belong "
         "under axes or zip)"},
        {0, "base:\n  policy.beta: {a: 1}\n",
         "x.yaml:2:16: policy.beta: expected number in (0, 1000], found a map"},
        {0, "base:\n  policy: 3\n",
         "x.yaml:2:11: expected a map of settings below policy, found \"3\""},
        {0, "base: 3\n", "x.yaml:1:7: expected a map of settings, found \"3\""},
        {0, "base: {policy.steps: -1}\n",
         "x.yaml:1:22: policy.steps: expected whole number in [0, 1000000000], found \"-1\""},
        {0, "base: {lists.error: 1.5}\n",
         "x.yaml:1:21: lists.error: expected number in [0, 1], found \"1.5\""},
        {0, "base: {task: sum}\n",
         "x.yaml:1:14: task: expected none | lists | sums, found \"sum\""},
        {0, "replicates: 0\n",
         "x.yaml:1:13: replicates: expected a whole number >= 1, found \"0\""},
        {0, "replicates: [3]\n", "x.yaml:1:13: replicates: expected a whole number >= 1"},
        {0, "replicates: {batch: 6, max: 18, metric: score}\n",
         "x.yaml:1:13: replicates: expected baseline, for example {batch: 4, max: 16, "
         "baseline: "
         "vanilla, metric: score}"},
        {0, "replicates: {batch: 6, max: 3, baseline: vanilla, metric: score}\n",
         "x.yaml:1:29: replicates.max: expected a number in [6, 1000], found \"3\""},
        {0, "replicates: {batch: 2, max: 5, baseline: vanilla, metric: score}\n",
         "x.yaml:1:29: replicates.max: 5 seeds cannot show anything at alpha 0.05: expected 6 "
         "or "
         "more"},
        {0, "replicates: {batch: 6, max: 9, baseline: vanilla, metric: score, alpha: 2}\n",
         "x.yaml:1:73: replicates.alpha: expected a number in [1e-06, 0.5], found \"2\""},
        {0, "replicates: {batch: 6, max: 9, baseline: vanila, metric: score}\n",
         "x.yaml: replicates.baseline: the sweep has no variant \"vanila\""},
        {0, "replicates: {batch: 6, max: 9, baseline: 1, by: policy.beta, metric: score}\n",
         "x.yaml: replicates.by: policy.beta is not varied: expected variant, method or a "
         "swept setting such as policy.beta"},
        {0, "families: [score]\n",
         "x.yaml:1:11: families: expected a map of 1 to 16 families, such as {quality: "
         "{metrics: [score]}}"},
        {0, "families: {q: {variants: [vanilla]}}\n",
         "x.yaml:1:15: families: q: expected {metrics: [score, ...], variants: [...]}"},
        {0, "families: {q: {metrics: score}}\n",
         "x.yaml:1:25: families: metrics: expected a list of 1 to 32 names"},
        {0, "families: {q: {metrics: [score, score]}}\n",
         "x.yaml:1:33: families: metrics: \"score\" is given twice"},
        {0, "families: {q: {metrics: [a], variant: [b]}}\n",
         "x.yaml:1:30: unknown key \"variant\"; did you mean \"variants\"?"},
        {0, "families: {q: {metrics: [a]}, r: {metrics: [b, a], variants: [vanilla]}}\n",
         "x.yaml:1:31: families: q and r have a test in common: a test is in one family"},
        {0, "families: {q: {metrics: [a], variants: [cdpo]}}\n",
         "x.yaml:1:41: families: q: the sweep has no variant \"cdpo\""},
        {0, "replicates: {bacth: 6, max: 9}\n",
         "x.yaml:1:14: unknown key \"bacth\"; did you mean \"batch\"?"},
        {0, "replicates: 99999\n", "x.yaml:1:13: 99999 seeds: expected 1 to 10000"},
        {0, "seeds: 3\n", "x.yaml:1:8: seeds: expected a list of whole numbers, [1, 2, 3]"},
        {0, "seeds: []\n", "x.yaml:1:8: seeds: expected a list of whole numbers, [1, 2, 3]"},
        {0, "seeds: [1, x]\n", "x.yaml:1:12: seeds: expected a whole number >= 0, found \"x\""},
        {0, "seeds: [4, 4]\n", "x.yaml:1:12: seed 4 is given twice"},
        {0, "name: a/b\n",
         "x.yaml:1:7: name \"a/b\": expected letters, digits, _ - and ., below 64 characters"},
        {0, "blocks: {}\n", "x.yaml:1:9: blocks: expected a list, \"- {set: ..., axes: ...}\""},
        {0, "blocks: [a]\n",
         "x.yaml:1:10: a block: expected a map of set, axes, zip, variants, except"},
        {0, "blocks:\n  - variants: {Flat: {}}\n",
         "x.yaml:2:16: variant \"Flat\": expected a name of a-z, 0-9 and _, below 64 "
         "characters"},
        {0, "blocks:\n  - variants:\n    - flat: {}\n",
         "x.yaml:3:7: variants: expected the name of a preset in this list; settings go into a "
         "map, without the \"-\": variants: {name: {settings}}"},
        {0, "blocks:\n  - variants: {}\n", "x.yaml:2:15: variants is empty"},
        {"policy.steps", "name: a\n", "--set policy.steps: x.yaml: expected key=value"},
        {"policy.steps=few", "name: a\n",
         "--set policy.steps=few: x.yaml: policy.steps: expected whole number in [0, "
         "1000000000], found \"few\""},
    };
    REFUSE(CASES);
}

static void axes_and_zips_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "blocks:\n  - axes: {policy.beta: []}\n", "x.yaml:2:25: axis policy.beta is empty"},
        {0, "blocks:\n  - axes: {policy.beta: 0.1}\n",
         "x.yaml:2:25: axis policy.beta: expected a list of values, [a, b]"},
        {0, "blocks:\n  - axes: {policy.beta: [0.1, low]}\n",
         "x.yaml:2:31: policy.beta: expected number in (0, 1000], found \"low\""},
        {0, "blocks:\n  - zip: {policy.beta: [1, 2], policy.lr: [1, 2, 3]}\n",
         "x.yaml:2:32: zip of unequal lengths: policy.beta has 2 values, policy.lr has 3"},
        {0, "blocks:\n  - axes: {seed: [1, 2]}\n",
         "x.yaml:2:12: seed cannot be an axis: use seeds or replicates"},
        {0, "blocks:\n  - axes: {limits.ranks_per_run: [1, 2]}\n",
         "x.yaml:2:12: limits.ranks_per_run cannot be an axis: it does not change what a run "
         "computes"},
        {0, "blocks:\n  - set: {policy.beta: 1}\n  - set: {limits.backend: reference}\n",
         "x.yaml:3:5: limits.backend is not that of the runs before: a sweep has one, because "
         "its runs share stages; give it in limits (block 2, variant vanilla)"},
        {0,
         "replicates: 10000\nblocks:\n  - axes: {policy.beta: [1, 2, 3, 4], policy.lr: [1, 2, "
         "3]}\n",
         "x.yaml:3:5: more than 100000 runs up to block 1: split the sweep"},
    };
    REFUSE(CASES);
}

static void contradictions_are_refused_with_both_places(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "base:\n  policy.beta: 1\n  policy: {beta: 2}\n",
         "x.yaml:3:18: policy.beta is given twice, first in line 2"},
        {0, "base: {limits.max_attempts: 1}\nlimits: {max_attempts: 2}\n",
         "x.yaml:2:24: limits.max_attempts is given twice, first in line 1"},
        {0, "blocks:\n  - set: {policy.beta: 1}\n    axes: {policy.beta: [1, 2]}\n",
         "x.yaml:2:24: contradictory: policy.beta is an axis of this block (line 3) and given "
         "by set"},
        {0,
         "blocks:\n  - axes: {policy.beta: [1, 2]}\n    variants: {a: {}, b: {policy.beta: "
         "3}}\n",
         "x.yaml:3:40: contradictory: policy.beta is an axis of this block (line 2) and given "
         "by variant b"},
        {0,
         "blocks:\n  - axes: {policy.reweight: [on, off]}\n    variants: {a: {preset: flat}}\n",
         "x.yaml:3:28: contradictory: policy.reweight is an axis of this block (line 2) and "
         "given by preset flat of variant a (to sweep it, put the preset under set)"},
        {0, "blocks:\n  - axes: {policy.beta: [1]}\n    zip: {policy.beta: [2]}\n",
         "x.yaml:3:11: contradictory: policy.beta is an axis of this block (line 2) and given "
         "by another axis or zip"},
        {0, "blocks:\n  - axes:\n      policy.beta: [1]\n      policy: {beta: [2]}\n",
         "x.yaml:4:16: policy.beta is given twice, first in line 3"},
        {0, "blocks:\n  - set: {seed: 3}\n",
         "x.yaml:2:17: contradictory: seed in a block; seeds come from seeds, replicates or "
         "base"},
        {0, "base: {seed: 3}\nreplicates: 2\n",
         "x.yaml:1:14: contradictory: seed is given besides seeds or replicates"},
        {0, "seeds: [1]\nreplicates: 2\n",
         "x.yaml:2:13: contradictory: replicates and seeds (line 1)"},
        {"seed=3", "replicates: 2\n",
         "x.yaml:1:13: contradictory: seed is given besides seeds or replicates"},
        {"replicates=2", "seeds: [1]\n",
         "--set replicates=2: x.yaml:1:8: contradictory: the file gives seeds"},
        {"policy.beta=2", "blocks:\n  - axes: {policy.beta: [1]}\n",
         "x.yaml:2:26: contradictory: --set policy.beta=2, but block 1 gives it again here; "
         "edit the file"},
        {"policy.reweight=on", "blocks:\n  - variants: {a: {preset: flat}}\n",
         "x.yaml:2:28: contradictory: --set policy.reweight=on, but block 1 gives it again "
         "here; edit the file"},
    };
    REFUSE(CASES);
}

static void duplicate_runs_are_refused_with_both_places(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    assert_int_equal(
        sweep_try("blocks:\n  - set: {policy.beta: 0.2}\n  - variants:\n      a: {}\n"
                  "      b: {policy.beta: 0.2}\n",
                  NULL, &sweep, &err),
        PSW_EINVAL);
    assert_non_null(strstr(err.text, "x.yaml:5:1: duplicate run "));
    assert_non_null(strstr(err.text, " (seed 1): variant vanilla of block 1 (line 2) and "
                                     "variant b of block 2 (line 5) are the same"));
    assert_int_equal(
        sweep_try("blocks:\n  - axes: {policy.beta: [0.1, 0.10]}\n", NULL, &sweep, &err),
        PSW_EINVAL);
    assert_non_null(strstr(err.text, "x.yaml:2:1: duplicate run "));
}

static void exceptions_that_remove_everything_are_refused(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0,
         "replicates: 2\nblocks:\n  - axes: {policy.beta: [1, 2]}\n    except:\n      - "
         "{policy.beta: 1}\n      - {policy.beta: 2}\n",
         "x.yaml:4:5: except removes everything: all 4 runs of block 1"},
        {0, "blocks:\n  - except: [{}]\n",
         "x.yaml:2:14: except: an empty item would remove everything"},
        {0, "blocks:\n  - except: {policy.beta: 1}\n",
         "x.yaml:2:13: except: expected a list of settings, \"- {key: value}\""},
        {0, "blocks:\n  - variants: [flat]\n    except: [{variant: flit}]\n",
         "x.yaml:3:14: except: no variant \"flit\" in this block; did you mean \"flat\"?"},
    };
    REFUSE(CASES);
}

static void rules_between_keys_are_told_at_the_key(void **state)
{
    (void)state;
    static const struct refusal CASES[] = {
        {0, "base:\n  policy.shards: 6\n",
         "x.yaml:2:18: policy.shards is 6: expected a power of two (block 1, variant vanilla)"},
        {0, "base:\n  sft.shards: 12\n",
         "x.yaml:2:15: sft.shards is 12: expected a power of two (block 1, variant vanilla)"},
        {0, "limits: {ranks_per_run: 3}\n",
         "x.yaml:1:25: limits.ranks_per_run is 3: expected a power of two (block 1, variant "
         "vanilla)"},
        {0, "limits: {ranks_per_run: 16}\n",
         "x.yaml:1:25: limits.ranks_per_run is 16: more than sft.shards (8) or policy.shards "
         "(8), so some ranks would have no work (block 1, variant vanilla)"},
        {0, "base:\n  model: {width: 64, heads: 5}\n",
         "x.yaml:2:29: model.heads 5 does not divide model.width 64 (block 1, variant "
         "vanilla)"},
        {0, "base:\n  model: {family: llama, kv_heads: 3}\n",
         "x.yaml:2:36: model.kv_heads 3 does not divide model.heads 4 (block 1, variant "
         "vanilla)"},
        {0, "base:\n  model: {kv_heads: 2}\n",
         "x.yaml:2:21: model.kv_heads is 2: model.family gpt_neox has as many as heads, 4 "
         "(block 1, variant vanilla)"},
        {0, "base:\n  model: {family: llama, head_width: 7}\n",
         "x.yaml:2:38: model.heads: a head's width is 7: expected an even number, because "
         "model.family llama rotates all of it (block 1, variant vanilla)"},
        {0, "base:\n  model: {width: 60}\n",
         "x.yaml:2:18: model.rotary_pct 0.25 of a head's width 15 rotates 3 dimensions: "
         "expected an even number (block 1, variant vanilla)"},
        {0, "blocks:\n  - variants: {a: {}, b: {trace.every: 500}}\n",
         "x.yaml:2:40: trace.every 500 is more than policy.steps 400: nothing would be traced "
         "but the start (block 1, variant b)"},
        {"policy.steps=10", "name: a\n",
         "x.yaml:1:1: trace.every 20 is more than policy.steps 10: nothing would be traced but "
         "the start (block 1, variant vanilla)"},
        {0, "base: {trace.sketch: 100}\n",
         "x.yaml:1:22: trace.sketch 100: expected 0, a power of two from 16, or a multiple of "
         "64; an inner product of two sketches has an error of 1 / sqrt(trace.sketch) of the "
         "norms, so 1024 is a good start (block 1, variant vanilla)"},
        {0, "base: {trace.cosine_every: 30}\n",
         "x.yaml:1:28: trace.cosine_every 30 is not a multiple of trace.every 20 (block 1, "
         "variant vanilla)"},
        {0, "base: {policy.warmup: 500}\n",
         "x.yaml:1:23: policy.warmup 500 is longer than policy.steps 400 (block 1, variant "
         "vanilla)"},
        {0, "base: {policy.flat_from: 9, policy.flat_until: 3}\n",
         "x.yaml:1:26: policy.flat_from 9 is not before policy.flat_until 3 (block 1, variant "
         "vanilla)"},
        {0, "base: {final.max_new: 64}\n",
         "x.yaml:1:23: final.max_new 64 leaves no room for a prompt in model.context 64 (block "
         "1, variant vanilla)"},
        {0,
         "base: {policy.method: ppo, policy.kl_target: 6, policy.batch: 50, "
         "policy.kl_horizon: 10}\n",
         "x.yaml:1:86: policy.kl_horizon 10 is too short for policy.batch 50: one step could "
         "turn the coefficient of the KL off or negative; expected more than 10 (block 1, "
         "variant vanilla)"},
        {0, "base: {policy.method: ppo, policy.kl_coef: -0.05}\n",
         "x.yaml:1:44: policy.kl_coef is -0.05: expected 0 or more, or -1 for the method's own "
         "(block 1, variant vanilla)"},
        {0, "base: {trace.probe: 9, lists.pairs: 8}\n",
         "x.yaml:1:21: trace.probe 9 is more than lists.pairs 8 (block 1, variant vanilla)"},
    };
    REFUSE(CASES);
}

static void missing_data_is_told_before_anything_runs(void **state)
{
    (void)state;
    unsetenv("POSWEEP_DATA");
    static const struct refusal CASES[] = {
        {0, "base:\n  task: none\n",
         "x.yaml:2:9: task is none, data.format is auto and data.pairs is not given: expected "
         "the path of preference pairs, or task: lists (block 1, variant vanilla)"},
        {0, "base: {data.pairs: a.jsonl}\n",
         "x.yaml:1:20: data.pairs is given, but task is lists (the default): write task: none "
         "to read files (block 1, variant vanilla)"},
        {0, "base: {task: sums, data.pairs: a.jsonl}\n",
         "x.yaml:1:32: data.pairs is given, but task is sums: write task: none to read files "
         "(block 1, variant vanilla)"},
        {0, "base: {task: sums, sums.pairs: 100}\n",
         "x.yaml:1:32: trace.probe 128 is more than sums.pairs 100 (block 1, variant vanilla)"},
        {0, "base: {task: none, data.format: gsm8k}\n",
         "x.yaml:1:33: task is none, data.format is gsm8k and data.sft is not given: expected "
         "the path of rows with question and answer (block 1, variant vanilla)"},
        {0, "base: {task: none, data: {format: gsm8k, pairs: a.jsonl, sft: a.jsonl}}\n",
         "x.yaml:1:49: data.pairs is given, but data.format is gsm8k, whose rows are no pairs: "
         "expected their path in data.sft alone (block 1, variant vanilla)"},
        {0, "base: {task: none, data: {format: gsm8k, sft: a.jsonl}}\n",
         "x.yaml:1:35: policy.method dpo learns from pairs, but data.format gsm8k has none: "
         "expected a method that samples (block 1, variant vanilla)"},
        {0, "base: {task: none, data.pairs: /no/where.jsonl}\n",
         "x.yaml:1:32: data.pairs: there is no file /no/where.jsonl (relative paths start from "
         "the folder of the sweep file, then from $POSWEEP_DATA) (block 1, variant vanilla)"},
        {0, "base: {task: none, data.pairs: /tmp}\n",
         "x.yaml:1:32: data.pairs: /tmp is not a file (block 1, variant vanilla)"},
        {0, "base: {task: none, data.pairs: /dev/null}\n",
         "x.yaml:1:32: data.pairs: /dev/null is not a file (block 1, variant vanilla)"},
        {"trace.every=20", "base: {task: none, data.pairs: x.yaml}\n",
         "x.yaml:1:1: data.max_prompt 256 + data.max_response 256 = 512 tokens do not fit into "
         "model.context 64 (block 1, variant vanilla)"},
    };
    REFUSE(CASES);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_sweep_read("/no/such.yaml", NULL, 0, &sweep, &err), PSW_ENOENT);
    assert_string_equal(err.text, "/no/such.yaml: cannot open: No such file or directory");
    assert_int_not_equal(psw_sweep_read("/tmp", NULL, 0, &sweep, &err), PSW_OK);
    assert_null(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_yaml_is_refused_with_its_place),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(wrong_types_and_ranges_are_refused_at_the_value),
        cmocka_unit_test(axes_and_zips_that_make_no_sense_are_refused),
        cmocka_unit_test(contradictions_are_refused_with_both_places),
        cmocka_unit_test(duplicate_runs_are_refused_with_both_places),
        cmocka_unit_test(exceptions_that_remove_everything_are_refused),
        cmocka_unit_test(rules_between_keys_are_told_at_the_key),
        cmocka_unit_test(missing_data_is_told_before_anything_runs),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
