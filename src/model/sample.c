/* Who is decoded when. Sequences stand in one queue, prompt by prompt; slots hold those under
 * way. Each step feeds what every slot knows and has not fed: one token when decoding, pieces
 * of the prompt at first. Responses of one prompt that start together wait for the first of
 * them to feed it and then copy its cache and share its logits; later ones copy the cache of a
 * slot that still holds the prompt (one always does: slots turn to other prompts only after the
 * last response has started) and feed the prompt's last token again. */
#include "decoder.h"

#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/model/sample.h>
#include <posweep/util/minmax.h>
#include <string.h>

enum {
    MAX_SLOT = 32,    /* sequences at a time: beyond it weights are not read less often */
    MIN_SLOT = 4,     /* whatever the cache costs */
    PREFILL_ROW = 64, /* prompt tokens fed in a step, beside one row per slot */
    CACHE_MIB = 512,  /* memory bound of the cache, for more than MIN_SLOT */
    NONE = -1
};

/** One place in the batch. */
struct slot {
    int64_t seq;      /* NONE: free */
    int64_t prompt;   /* whose first n_prompt positions are in the cache; NONE at first */
    int64_t wait_for; /* slot that feeds our prompt; NONE: we feed ourselves */
    int64_t logit;    /* row of logits of this step, or NONE */
    int32_t n_fed;    /* positions in the cache */
    int32_t n_known;  /* prompt and drawn tokens */
};

/** One call of psw_model_sample. */
struct sampler {
    struct psw_decoder dec;
    struct slot *slot; /* [n_slot] */
    float *weight;     /* [V] scratch of a draw */
    const struct psw_example *const *prompt;
    const struct psw_sample_opts *opts;
    struct psw_sample_listener listener;
    struct psw_sample_stop stop;
    int64_t n_seq, next; /* queue */
    int32_t n_sample;
    int32_t *token, *n_token; /* outputs */
    float *logp;
};

static struct psw_decoder_size size_for(const struct psw_model *model,
                                        const struct psw_sample_shape *shape)
{
    const int64_t length = psw_min(shape->max_prompt + shape->max_new, model->dims.context);
    const struct psw_backend *backend = shape->backend ? shape->backend : &psw_backend_cpu;
    struct psw_decoder_size s = {.attention = backend->op.attention};
    s.capacity = s.attention->cache_capacity(length);
    const int64_t slot_bytes =
        model->layout.d.L * (int64_t)sizeof(float) * psw_decoder_cache_n_elem(model, s);
    const int64_t n_fit = ((int64_t)CACHE_MIB << 20) / slot_bytes;
    s.n_slot = n_fit > MAX_SLOT ? MAX_SLOT : n_fit < MIN_SLOT ? MIN_SLOT : n_fit;
    s.n_slot = psw_min(s.n_slot, shape->n_seq > 0 ? shape->n_seq : 1);
    s.max_row = s.n_slot + PREFILL_ROW;
    return s;
}

static void sampler_init(struct sampler *s, const struct psw_model *model,
                         const struct psw_sample_shape *shape, struct psw_arena *arena)
{
    psw_decoder_init(&s->dec, model, size_for(model, shape), arena);
    s->weight = psw_arena_f32(arena, model->layout.d.V);
    s->slot = psw_arena_alloc(arena, (size_t)s->dec.size.n_slot * sizeof *s->slot);
}

void psw_model_sample_layout(const struct psw_model *model,
                             const struct psw_sample_shape *shape, struct psw_arena *arena)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct sampler s;
    sampler_init(&s, model, shape, arena);
    psw_arena_rewind(arena, mark);
}

psw_status psw_model_sample_bytes(const struct psw_model *model,
                                  const struct psw_sample_shape *shape, size_t *n_bytes,
                                  struct psw_error *err)
{
    struct psw_arena *arena = NULL;
    psw_status rc = psw_arena_create_measuring("sampling plan", &arena, err);
    if (rc != PSW_OK) return rc;
    psw_model_sample_layout(model, shape, arena);
    *n_bytes = psw_arena_peak_bytes(arena);
    psw_arena_destroy(arena);
    return PSW_OK;
}

int64_t psw_model_sample_n_slot(const struct psw_model *model,
                                const struct psw_sample_shape *shape)
{
    return size_for(model, shape).n_slot;
}

static const struct psw_example *prompt_of(const struct sampler *s, const struct slot *slot)
{
    return s->prompt[slot->seq / s->n_sample];
}

static int32_t token_at(const struct sampler *s, const struct slot *slot, int32_t position)
{
    const struct psw_example *p = prompt_of(s, slot);
    if (position < p->n_prompt) return p->prompt[position];
    return s->token[slot->seq * s->opts->max_new + position - p->n_prompt];
}

/** A slot, other than i, whose cache begins with that prompt; NONE if there is none. *is_fed
 *  tells whether all of it is there yet. */
static int64_t holder_of(const struct sampler *s, int64_t i, int64_t prompt)
{
    for (int64_t k = 0; k < s->dec.size.n_slot; k++)
        if (k != i && s->slot[k].prompt == prompt) return k;
    return NONE;
}

/** Start the next sequence of the queue in slot i. */
static void start(struct sampler *s, int64_t i)
{
    struct slot *slot = &s->slot[i];
    const int had_prompt = slot->prompt == s->next / s->n_sample;
    slot->seq = s->next++;
    slot->prompt = slot->seq / s->n_sample;
    slot->wait_for = slot->logit = NONE;
    slot->n_fed = 0;
    slot->n_known = prompt_of(s, slot)->n_prompt;
    const int64_t holder = had_prompt ? i : holder_of(s, i, slot->prompt);
    if (holder == NONE) return;
    if (holder != i && s->slot[holder].n_fed < slot->n_known) {
        slot->wait_for = s->slot[holder].wait_for == NONE ? holder : s->slot[holder].wait_for;
        return;
    }
    slot->n_fed = slot->n_known - 1;
    if (holder != i) psw_decoder_copy(&s->dec, holder, slot->n_fed, i);
}

/** Skip sequences that have no room for a token, and fill free slots. */
static void fill_slots(struct sampler *s)
{
    const int64_t context = s->dec.model->dims.context;
    for (int64_t i = 0; i < s->dec.size.n_slot; i++) {
        if (s->slot[i].seq != NONE) continue;
        while (s->next < s->n_seq && s->prompt[s->next / s->n_sample]->n_prompt >= context)
            s->next++;
        if (s->next == s->n_seq) return;
        start(s, i);
    }
}

/** Lay out the rows of a step: all slots that decode first, prompts as far as there is room. */
static void choose_rows(struct sampler *s)
{
    struct psw_decoder_feed *f = &s->dec.feed;
    int64_t room = PREFILL_ROW;
    f->n_row = f->n_pick = 0;
    for (int64_t i = 0; i < s->dec.size.n_slot; i++) {
        struct slot *slot = &s->slot[i];
        slot->logit = NONE;
        if (slot->seq == NONE || slot->wait_for != NONE) continue;
        const int64_t n_left = slot->n_known - slot->n_fed;
        const int64_t n = n_left == 1 ? 1 : psw_min(n_left, room + 1);
        room -= n - 1; /* every slot has one row of its own */
        for (int64_t k = 0; k < n; k++, f->n_row++) {
            f->slot[f->n_row] = (int32_t)i;
            f->position[f->n_row] = slot->n_fed;
            f->token[f->n_row] = token_at(s, slot, slot->n_fed++);
        }
        if (n < n_left) continue;
        slot->logit = f->n_pick;
        f->pick[f->n_pick++] = (int32_t)(f->n_row - 1);
    }
}

/** Slots whose prompt has just been fed by another take over its cache and logits. */
static void release_waiting(struct sampler *s)
{
    for (int64_t i = 0; i < s->dec.size.n_slot; i++) {
        struct slot *slot = &s->slot[i];
        if (slot->seq == NONE || slot->wait_for == NONE) continue;
        const struct slot *source = &s->slot[slot->wait_for];
        if (source->n_fed < slot->n_known) continue;
        psw_decoder_copy(&s->dec, slot->wait_for, slot->n_known, i);
        slot->n_fed = slot->n_known;
        slot->logit = source->logit;
        slot->wait_for = NONE;
    }
}

/** Take the token drawn for a slot; a finished sequence leaves it free. */
static psw_status take(struct sampler *s, struct slot *slot, int32_t token, float logp,
                       struct psw_error *err)
{
    const struct psw_sample_opts *o = s->opts;
    const int64_t seq = slot->seq, at = seq * o->max_new + s->n_token[seq];
    if (token < 0)
        return psw_fail(err, PSW_EDIVERGED,
                        "sample: logits of sequence %lld, token %d are not finite",
                        (long long)seq, s->n_token[seq]);
    s->token[at] = token;
    if (s->logp) s->logp[at] = logp;
    if (s->listener.hear) s->listener.hear(s->listener.ctx, seq, token);
    s->n_token[seq]++;
    slot->n_known++;
    if (token == o->eos || s->n_token[seq] == o->max_new ||
        slot->n_known == s->dec.model->dims.context)
        slot->seq = NONE;
    return PSW_OK;
}

/** Draw a token for every slot that has logits. */
static psw_status draw(struct sampler *s, struct psw_error *err)
{
    const struct psw_sample_opts *o = s->opts;
    const struct psw_draw_opts how = {
        .temperature = o->temperature, .top_p = o->top_p, .top_k = o->top_k};
    struct slot *slot[MAX_SLOT];
    int32_t source[MAX_SLOT], token[MAX_SLOT];
    float logp[MAX_SLOT];
    double u[MAX_SLOT];
    int64_t n = 0;
    for (int64_t i = 0; i < s->dec.size.n_slot; i++) {
        const int64_t seq = s->slot[i].seq;
        if (seq == NONE || s->slot[i].logit == NONE) continue;
        slot[n] = &s->slot[i];
        source[n] = (int32_t)s->slot[i].logit;
        u[n++] =
            psw_rng_uniform(o->rng, o->first_item + (uint64_t)seq, (uint32_t)s->n_token[seq]);
    }
    psw_exec_ops(s->dec.exec)
        ->draw->tokens(s->dec.exec, &how, s->dec.model->layout.d.V, s->dec.logit,
                       (struct psw_draw_rows){n, source, u, token, s->logp ? logp : NULL},
                       s->weight);
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n && rc == PSW_OK; i++)
        rc = take(s, slot[i], token[i], s->logp ? logp[i] : 0.0f, err);
    return rc;
}

static psw_status run(struct sampler *s, struct psw_error *err)
{
    const int64_t n_slot = s->dec.size.n_slot;
    for (int64_t i = 0; i < n_slot; i++)
        s->slot[i] = (struct slot){.seq = NONE, .prompt = NONE, .wait_for = NONE};
    memset(s->n_token, 0, (size_t)s->n_seq * sizeof *s->n_token);
    for (int64_t step = 1;; step++) {
        fill_slots(s);
        choose_rows(s);
        if (s->dec.feed.n_row == 0) return PSW_OK;
        psw_decoder_step(&s->dec);
        release_waiting(s);
        const psw_status rc = draw(s, err);
        if (rc != PSW_OK) return rc;
        if (step % PSW_SAMPLE_ASK_STEPS == 0 && s->stop.is_wanted &&
            s->stop.is_wanted(s->stop.ctx))
            return psw_fail(err, PSW_ESTOP, "stopped in the sampling of %lld responses",
                            (long long)s->n_seq);
    }
}

static psw_status check_opts(const struct psw_sample_opts *o, int32_t n_sample,
                             struct psw_error *err)
{
    if (!(o->temperature >= 0.0) || !isfinite(o->temperature))
        return psw_fail(err, PSW_EINVAL, "sample: temperature %g", o->temperature);
    if (!(o->top_p > 0.0 && o->top_p <= 1.0))
        return psw_fail(err, PSW_EINVAL, "sample: top_p %g is not in (0, 1]", o->top_p);
    if (o->top_k < 0 || o->max_new < 1 || n_sample < 1)
        return psw_fail(err, PSW_EINVAL,
                        "sample: top_k %d, max_new %d or samples per prompt %d is not possible",
                        o->top_k, o->max_new, n_sample);
    return PSW_OK;
}

/** Check the prompts and find the longest. */
static psw_status check_prompts(const struct psw_model_dims *d,
                                const struct psw_example *const *prompt, int64_t n_prompt,
                                int64_t *longest, struct psw_error *err)
{
    *longest = 1;
    for (int64_t p = 0; p < n_prompt; p++) {
        const int32_t n = prompt[p]->n_prompt;
        if (n < 1 || n > d->context)
            return psw_fail(err, PSW_EINVAL,
                            "sample: prompt %lld has %d tokens; 1 to %lld are possible",
                            (long long)p, n, (long long)d->context);
        for (int32_t t = 0; t < n; t++)
            if (prompt[p]->prompt[t] < 0 || prompt[p]->prompt[t] >= d->n_vocab)
                return psw_fail(err, PSW_EINVAL,
                                "sample: token %d of prompt %lld is %d, outside the vocabulary "
                                "of %lld",
                                t, (long long)p, prompt[p]->prompt[t], (long long)d->n_vocab);
        if (n > *longest) *longest = n;
    }
    return PSW_OK;
}

psw_status psw_model_sample(const struct psw_model *model, struct psw_exec *exec,
                            const float *param, const struct psw_sample_in *in,
                            const struct psw_sample_out *out, struct psw_error *err)
{
    struct psw_sample_shape shape = {.backend = exec->backend,
                                     .n_seq = in->n_prompt * in->n_sample,
                                     .max_new = in->opts->max_new};
    psw_status rc = check_opts(in->opts, in->n_sample, err);
    if (rc != PSW_OK) return rc;
    rc = check_prompts(&model->dims, in->prompt, in->n_prompt, &shape.max_prompt, err);
    if (rc != PSW_OK) return rc;
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct sampler s = {.prompt = in->prompt,
                        .opts = in->opts,
                        .listener = in->listener,
                        .stop = in->stop,
                        .n_seq = shape.n_seq,
                        .n_sample = in->n_sample,
                        .token = out->token,
                        .n_token = out->n_token,
                        .logp = out->logp};
    sampler_init(&s, model, &shape, exec->scratch);
    s.dec.exec = exec;
    s.dec.param = param;
    if (!psw_arena_is_measuring(exec->scratch)) rc = run(&s, err);
    psw_arena_rewind(exec->scratch, mark);
    return rc;
}
