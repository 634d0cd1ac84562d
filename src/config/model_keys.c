/* What config.json says, as tables: a row per key that is a setting, with the default of each
 * type of model, and a row per key of which one value alone can be computed. */
#include "model_dir_internal.h"

#include <math.h>

/* gpt_neox, llama, mistral, qwen2, qwen3. Source: the configuration classes of Hugging Face's
 * transformers. 0 of kv_heads and head_width: as many as heads, width / heads. */
static const struct psw_model_key KEYS[] = {
    {"num_hidden_layers", NULL, "model.layers", AS_IS, {44, 32, 32, 32, 32}},
    {"hidden_size", NULL, "model.width", AS_IS, {6144, 4096, 4096, 4096, 4096}},
    {"intermediate_size", NULL, "model.hidden", AS_IS, {24576, 11008, 14336, 22016, 22016}},
    {"num_attention_heads", NULL, "model.heads", AS_IS, {64, 32, 32, 32, 32}},
    {"num_key_value_heads", NULL, "model.kv_heads", NULL_IS_0, {NAN, 0, 8, 32, 32}},
    {"head_dim", NULL, "model.head_width", NULL_IS_0, {NAN, 0, 0, 0, 128}},
    {"max_position_embeddings",
     NULL,
     "model.context",
     AS_IS,
     {2048, 2048, 131072, 32768, 32768}},
    {"vocab_size", NULL, "model.vocab", AS_IS, {50432, 32000, 32000, 151936, 151936}},
    {"rotary_emb_base", "rope_theta", "model.rotary_base", AS_IS, {10000, NAN, NAN, NAN, NAN}},
    {"rope_theta", NULL, "model.rotary_base", AS_IS, {NAN, 10000, 10000, 10000, 10000}},
    {"rotary_pct",
     "partial_rotary_factor",
     "model.rotary_pct",
     AS_IS,
     {0.25, NAN, NAN, NAN, NAN}},
    {"layer_norm_eps", NULL, "model.norm_eps", AS_IS, {1e-5, NAN, NAN, NAN, NAN}},
    {"rms_norm_eps", NULL, "model.norm_eps", AS_IS, {NAN, 1e-6, 1e-6, 1e-6, 1e-6}},
    {"initializer_range", NULL, "model.init_std", AS_IS, {0.02, 0.02, 0.02, 0.02, 0.02}},
    {"use_parallel_residual", NULL, "model.sequential", NEGATED, {1, NAN, NAN, NAN, NAN}},
    {"sliding_window", NULL, "model.window", NULL_IS_0, {NAN, NAN, 4096, NAN, NAN}},
    {"tie_word_embeddings", NULL, "model.tied", AS_IS, {0, 0, 0, 0, 0}},
};

static const struct psw_model_fixed FIXED[] = {
    {"hidden_act", "\"gelu\"", NEOX},
    {"hidden_act", "\"silu\"", LLAMAS},
    {"attention_bias", "true", NEOX},
    {"attention_bias", "false", LLAMA | MISTRAL | QWEN3},
    {"mlp_bias", "false", LLAMA},
    {"partial_rotary_factor", "1.0", LLAMAS},
    {"attention_dropout", "0.0", NEOX | LLAMAS},
    {"hidden_dropout", "0.0", NEOX},
    {"quantization_config", "null", NEOX | LLAMAS},
};

const struct psw_model_type PSW_MODEL_TYPES[PSW_N_MODEL_TYPE] = {
    {"gpt_neox", "GPTNeoX"}, {"llama", "Llama"}, {"mistral", "Mistral"},
    {"qwen2", "Qwen2"},      {"qwen3", "Qwen3"},
};

const struct psw_model_key *psw_model_keys(int *n)
{
    *n = sizeof KEYS / sizeof *KEYS;
    return KEYS;
}

const struct psw_model_fixed *psw_model_fixed(int *n)
{
    *n = sizeof FIXED / sizeof *FIXED;
    return FIXED;
}
