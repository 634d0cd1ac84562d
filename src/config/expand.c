/* From blocks to runs: products of variants, axes and seeds, less the exceptions; each run
 * resolved, checked against the rules, hashed, and compared with all others. */
#include "config_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEAVES = 256, RUN_WORDS_BYTES = 400 };

/* A configuration under construction, and where each leaf was last given. */
struct build {
    struct psw_config config;
    struct psw_place origin[MAX_LEAVES];
    uint8_t is_given[MAX_LEAVES]; /* also by --set, which has no place */
    struct psw_model_dirs *dirs;  /* borrowed */
};

/* One point of a block's product. */
struct point {
    const struct psw_block *block;
    const struct psw_variant *variant;
    int64_t tuple; /* mixed radix over the dimensions, the last one fastest */
    int32_t block_index;
};

static void apply(const struct psw_spec *spec, const struct psw_setting *setting,
                  struct build *build)
{
    int n;
    const psw_status rc =
        psw_leaf_set(setting->leaf, setting->text, spec->folder, &build->config, NULL);
    PSW_ASSERT(rc == PSW_OK); /* every setting was tried when it was read */
    const ptrdiff_t row = setting->leaf - psw_leaves(&n);
    build->origin[row] = setting->at;
    build->is_given[row] = 1;
}

static void apply_settings(const struct psw_spec *spec, const struct psw_settings *settings,
                           struct build *build)
{
    const struct psw_preset *preset = settings->preset;
    for (int i = 0; preset && i < PSW_PRESET_SETTINGS && preset->setting[i].path; i++) {
        const struct psw_setting setting = {psw_leaf_find(preset->setting[i].path),
                                            preset->setting[i].value, settings->preset_at};
        apply(spec, &setting, build);
    }
    for (int i = 0; i < settings->n; i++) apply(spec, &settings->item[i], build);
}

static void apply_tuple(const struct psw_spec *spec, const struct point *at,
                        struct build *build)
{
    int64_t rest = at->tuple;
    for (int d = at->block->n_dim - 1; d >= 0; d--) {
        const struct psw_axis *dim = &at->block->dim[d];
        const int64_t i = rest % dim->n_value;
        rest /= dim->n_value;
        for (int j = 0; j < dim->n_leaf; j++)
            apply(spec, &dim->value[i * dim->n_leaf + j], build);
    }
}

static void resolve(const struct psw_spec *spec, const struct build *base,
                    const struct point *at, struct build *out)
{
    *out = *base;
    apply_settings(spec, &at->block->set, out);
    struct psw_settings preset_first = at->variant->settings;
    preset_first.n = 0;
    apply_settings(spec, &preset_first, out);
    apply_tuple(spec, at, out);
    preset_first = at->variant->settings;
    preset_first.preset = NULL;
    apply_settings(spec, &preset_first, out);
}

static int matches(const struct psw_spec *spec, const struct psw_settings *item,
                   const struct point *at, const struct psw_config *config)
{
    struct psw_config wanted;
    if (item->variant && strcmp(item->variant, at->variant->name) != 0) return 0;
    for (int i = 0; i < item->n; i++) {
        const psw_status rc =
            psw_leaf_set(item->item[i].leaf, item->item[i].text, spec->folder, &wanted, NULL);
        PSW_ASSERT(rc == PSW_OK);
        if (!psw_leaf_equal(item->item[i].leaf, config, &wanted)) return 0;
    }
    return 1;
}

/* A broken rule is reported at the first of its keys that the file gives. */
static psw_status check(const struct psw_spec *spec, const struct point *at,
                        const struct build *build, struct psw_error *err)
{
    int n;
    struct psw_error why = {0};
    const struct psw_rule *broken;
    const struct psw_leaf *schema = psw_leaves(&n);
    if (psw_config_check(&build->config, &broken, &why) == PSW_OK) return PSW_OK;
    struct psw_place place = at->block->at;
    for (int i = PSW_RULE_KEYS - 1; i >= 0; i--) {
        const struct psw_leaf *leaf = psw_leaf_find(broken->keys[i] ? broken->keys[i] : "");
        if (!leaf) continue;
        const struct psw_place p = build->origin[leaf - schema];
        if (p.line > 0) place = p;
    }
    return psw_spec_fail(spec, place, err, "%s (block %d, variant %s)", why.text,
                         at->block_index + 1, at->variant->name);
}

/* run: all zeros. Its settings are the last of the sweep's configurations; its variant is known
 * to the sweep. */
static void put_run(const struct point *at, const struct psw_config *config,
                    struct psw_sweep *sweep, struct psw_run *run)
{
    run->config = sweep->configs.n - 1;
    run->block = at->block_index;
    run->line = at->variant->settings.at.line;
    run->seed = config->seed;
    run->method = psw_config_method(config);
    run->variant = psw_run_set_variant(sweep, at->variant->name);
}

/* The sizes of a model that is given. */
static psw_status take_model(const struct psw_spec *spec, const struct point *at,
                             struct build *build, struct psw_error *err)
{
    int n;
    struct psw_error why = {0};
    const struct psw_leaf *culprit = NULL, *schema = psw_leaves(&n);
    const psw_status rc =
        psw_model_from(build->dirs, build->is_given, &build->config, &culprit, &why);
    if (rc == PSW_OK) return rc;
    const struct psw_place place = culprit ? build->origin[culprit - schema] : at->block->at;
    psw_spec_fail(spec, place, err, "%s (block %d, variant %s)", why.text, at->block_index + 1,
                  at->variant->name);
    if (err) err->code = rc;
    return rc;
}

/* Runs share stages, whose bits are a backend's. */
static psw_status check_backend(const struct psw_spec *spec, const struct point *at,
                                const struct psw_config *config, const struct psw_sweep *sweep,
                                struct psw_error *err)
{
    if (sweep->n_run == 0 || config->limits.backend == sweep->configs.first.limits.backend)
        return PSW_OK;
    return psw_spec_fail(spec, at->block->at, err,
                         "limits.backend is not that of the runs before: a sweep has one, "
                         "because its runs share stages; give it in limits (block %d, variant "
                         "%s)",
                         at->block_index + 1, at->variant->name);
}

/* What all seeds of a point share. */
static psw_status begin_config(const struct psw_spec *spec, const struct point *at,
                               const struct build *build, struct psw_sweep *sweep,
                               struct psw_error *err)
{
    psw_status rc = check(spec, at, build, err);
    if (rc == PSW_OK) rc = check_backend(spec, at, &build->config, sweep, err);
    if (rc == PSW_OK && !psw_run_set_variant(sweep, at->variant->name))
        rc = psw_fail(err, PSW_ENOMEM, "%s: variants", spec->path);
    return rc == PSW_OK ? psw_config_list_add(&sweep->configs, &build->config, err) : rc;
}

/* All seeds of one point. n_removed [n_except] counts what each exception took. */
static psw_status expand_point(const struct psw_spec *spec, const struct build *base,
                               const struct point *at, struct psw_sweep *sweep,
                               int64_t *n_removed, struct psw_error *err)
{
    struct build build;
    struct psw_identity identity;
    int checked = 0;
    resolve(spec, base, at, &build);
    psw_status rc = take_model(spec, at, &build, err);
    if (rc != PSW_OK) return rc;
    psw_identity_init(&build.config, PSW_CFG_IN_RUN, &identity);
    const uint64_t group = psw_config_hash(&build.config, PSW_CFG_IN_GROUP);
    for (int s = 0; s < spec->n_seed; s++) {
        int removed = 0;
        build.config.seed = spec->seed[s];
        for (int i = 0; i < at->block->n_except; i++)
            if (matches(spec, &at->block->except[i], at, &build.config))
                n_removed[i]++, removed = 1;
        if (removed) continue;
        if (!checked++) rc = begin_config(spec, at, &build, sweep, err);
        if (rc != PSW_OK) return rc;
        struct psw_run *run = &sweep->run[sweep->n_run++];
        put_run(at, &build.config, sweep, run);
        run->hash = psw_identity_hash(&identity, run->seed);
        run->group = group;
    }
    return PSW_OK;
}

/* Product that stops counting just above the largest number of runs. */
static int64_t times(int64_t a, int64_t b)
{
    return a * b > PSW_MAX_RUNS ? PSW_MAX_RUNS + 1 : a * b;
}

static int64_t n_tuple(const struct psw_block *block)
{
    int64_t n = 1;
    for (int d = 0; d < block->n_dim; d++) n = times(n, block->dim[d].n_value);
    return n;
}

static psw_status expand_block(const struct psw_spec *spec, const struct build *base, int b,
                               struct psw_sweep *sweep, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_block *block = &spec->block[b];
    const int64_t n = n_tuple(block), n_before = sweep->n_run;
    int64_t *n_removed = calloc((size_t)block->n_except + 1, sizeof *n_removed);
    if (!n_removed) return psw_fail(err, PSW_ENOMEM, "%s: except", spec->path);
    for (int v = 0; rc == PSW_OK && v < block->n_variant; v++)
        for (int64_t t = 0; rc == PSW_OK && t < n; t++) {
            const struct point at = {block, &block->variant[v], t, b};
            rc = expand_point(spec, base, &at, sweep, n_removed, err);
        }
    for (int i = 0; rc == PSW_OK && i < block->n_except; i++)
        if (n_removed[i] == 0)
            rc = psw_sweep_add_warning(sweep, err, "%s:%d:%d: this except removes nothing",
                                       spec->path, block->except[i].at.line,
                                       block->except[i].at.column);
    if (rc == PSW_OK && sweep->n_run == n_before)
        rc = psw_spec_fail(spec, block->except_at, err,
                           "except removes everything: all %lld runs of block %d",
                           (long long)(n * block->n_variant * spec->n_seed), b + 1);
    free(n_removed);
    return rc;
}

static psw_status count_runs(const struct psw_spec *spec, int64_t *out, struct psw_error *err)
{
    int64_t n = 0;
    for (int b = 0; b < spec->n_block; b++) {
        const struct psw_block *block = &spec->block[b];
        n += times(times(n_tuple(block), block->n_variant), spec->n_seed);
        if (n > PSW_MAX_RUNS)
            return psw_spec_fail(spec, block->at, err,
                                 "more than %d runs up to block %d: split the sweep",
                                 PSW_MAX_RUNS, b + 1);
    }
    *out = n;
    return PSW_OK;
}

struct ranked {
    uint64_t hash;
    int64_t index;
};

static int by_hash(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* "variant flat of block 1 (line 7)" */
static char *run_words(const struct psw_run *run, char out[RUN_WORDS_BYTES])
{
    snprintf(out, RUN_WORDS_BYTES, "variant %s of block %d (line %d)", run->variant,
             run->block + 1, run->line);
    return out;
}

static psw_status say_duplicate(const struct psw_spec *spec, const struct psw_sweep *sweep,
                                int64_t first, int64_t again, struct psw_error *err)
{
    char a[RUN_WORDS_BYTES], b[RUN_WORDS_BYTES], hash[PSW_HASH_TEXT_BYTES];
    const struct psw_run *run = &sweep->run[again];
    const struct psw_place at = {run->line, 1};
    return psw_spec_fail(spec, at, err,
                         "duplicate run %s (seed %lld): %s and %s are the same configuration",
                         psw_hash_text(run->hash, hash), (long long)run->seed,
                         run_words(&sweep->run[first], a), run_words(run, b));
}

/* No run twice. */
static psw_status refuse_duplicates(const struct psw_spec *spec, struct psw_sweep *sweep,
                                    struct psw_error *err)
{
    const size_t n = (size_t)sweep->n_run;
    struct ranked *ranked = calloc(n, sizeof *ranked);
    psw_status rc = ranked ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%zu runs", n);
    for (size_t i = 0; rc == PSW_OK && i < n; i++)
        ranked[i] = (struct ranked){sweep->run[i].hash, (int64_t)i};
    if (rc == PSW_OK) qsort(ranked, n, sizeof *ranked, by_hash);
    int64_t first = -1, again = -1; /* the earliest pair in file order */
    for (size_t i = 0; rc == PSW_OK && i < n; i++) {
        if (i == 0 || ranked[i].hash != ranked[i - 1].hash) continue;
        if (again >= 0 && ranked[i].index > again) continue;
        first = ranked[i - 1].index, again = ranked[i].index;
    }
    if (again >= 0) rc = say_duplicate(spec, sweep, first, again, err);
    free(ranked);
    return rc;
}

psw_status psw_spec_expand(const struct psw_spec *spec, struct psw_sweep *sweep,
                           struct psw_error *err)
{
    struct build base = {0};
    int64_t n = 0;
    psw_status rc = count_runs(spec, &n, err);
    if (rc != PSW_OK) return rc;
    sweep->run = calloc((size_t)n, sizeof *sweep->run);
    if (!sweep->run)
        return psw_fail(err, PSW_ENOMEM, "%s: %lld runs", spec->path, (long long)n);
    base.dirs = psw_model_dirs_create();
    if (!base.dirs) return psw_fail(err, PSW_ENOMEM, "%s: model.from", spec->path);
    psw_config_default(&base.config);
    apply_settings(spec, &spec->base, &base);
    apply_settings(spec, &spec->sets, &base);
    for (int b = 0; rc == PSW_OK && b < spec->n_block; b++)
        rc = expand_block(spec, &base, b, sweep, err);
    psw_model_dirs_destroy(base.dirs);
    if (rc == PSW_OK) rc = refuse_duplicates(spec, sweep, err);
    if (rc == PSW_OK) rc = psw_run_set_hash(sweep, err);
    return rc == PSW_OK ? psw_run_set_swept(sweep, err) : rc;
}
