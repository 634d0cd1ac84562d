/* The presets. They set defaults of a block or variant: explicit keys beside them win. */
#include <posweep/config/preset.h>

#include <string.h>

static const struct psw_preset PRESETS[] = {
    {"no_negative_early",
     "no negative learning for the first 3000 steps [the paper]; set policy.negative.off_until",
     {{"policy.negative.off_until", "3000"}}},
    {"no_positive",
     "negative learning only",
     {{"policy.positive.schedule", "constant"}, {"policy.positive.from", "0"}}},
    {"no_negative",
     "positive learning only",
     {{"policy.negative.schedule", "constant"}, {"policy.negative.from", "0"}}},
    {"flat",
     "no reweighting: pairs weigh what they would at zero margin, tokens the mean |A|",
     {{"policy.reweight", "off"}}},
    {"drop_top",
     "leave out the third of the pairs or tokens with the largest weights",
     {{"policy.drop", "top"}}},
    {"drop_mid",
     "leave out the middle third of the pairs or tokens by weight",
     {{"policy.drop", "mid"}}},
    {"drop_bot",
     "leave out the third of the pairs or tokens with the smallest weights",
     {{"policy.drop", "bot"}}},
    {"cdpo",
     "coordinated: a+ = 2(1-l), a- = 2l, l linear from 0.25 to 0.75 (schedule ours)",
     {{"policy.positive.schedule", "linear"},
      {"policy.positive.from", "1.5"},
      {"policy.positive.to", "0.5"},
      {"policy.negative.schedule", "linear"},
      {"policy.negative.from", "0.5"},
      {"policy.negative.to", "1.5"}}},
    {"cppo",
     "coordinated ppo: a+ = 2(1-l), a- = 2l, l linear from 0.25 to 0.75 (schedule ours)",
     {{"policy.positive.schedule", "linear"},
      {"policy.positive.from", "1.5"},
      {"policy.positive.to", "0.5"},
      {"policy.negative.schedule", "linear"},
      {"policy.negative.from", "0.5"},
      {"policy.negative.to", "1.5"}}},
    {"hppo",
     "drop the negative tokens with the largest advantages: above their (1 - tau)-quantile",
     {{"policy.damp", "below"}, {"policy.tau", "0.2"}}},
    {"ppo_reference",
     "PPO as for Pythia on TL;DR (arXiv 2403.17031); give policy.steps",
     {{"policy.method", "ppo"},
      {"policy.lr", "3e-6"},
      {"policy.decay", "linear"},
      {"policy.eps", "1e-5"},
      {"policy.batch", "512"},
      {"policy.temperature", "0.7"}}},
};
enum { N_PRESET = sizeof PRESETS / sizeof PRESETS[0] };

const struct psw_preset *psw_presets(int *n_preset)
{
    *n_preset = N_PRESET;
    return PRESETS;
}

const struct psw_preset *psw_preset_find(const char *name)
{
    for (int i = 0; i < N_PRESET; i++)
        if (strcmp(PRESETS[i].name, name) == 0) return &PRESETS[i];
    return NULL;
}
