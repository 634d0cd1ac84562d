#!/bin/sh
# What a run's figures must satisfy among themselves, read as a user would read them.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'

# Steps of 1e-4 of the parameters: first order holds, so parts that add up hardly interact.
expect 0 '2 of 2 runs done' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o r.h5 \
    --set policy.method=orpo --set trace.eta=1e-4
expect 0 '2 of 2 runs done' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o cold.h5 \
    --set final.temperature=0.5 --set eval.pairs=8
expect 0 '2 diverged' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o nan.h5 \
    --set policy.lr=1000 --set policy.weight_decay=1000 --set log.every=1
expect 0 '^policy.method: orpo' "$POSWEEP" why r.h5 flat
cat >figures.py <<'END'
import json, h5py, numpy as np
f = h5py.File("r.h5")
settings = [json.loads(x.tobytes().rstrip(b"\0")) for x in f["config"]]  # all of them, swept or not
assert all(s["policy.method"] == "orpo" and s["trace.eta"] == 1e-4 for s in settings)
assert [s["policy.reweight"] for s in settings] == [bool(x) for x in f["policy_reweight"][()]]
assert [s["seed"] for s in settings] == f["seed"][()].tolist()
assert settings[0].keys() == settings[1].keys() and len(settings[0]) > 100
label = [x.decode() if isinstance(x, bytes) else x for x in f["component"][()].tolist()]
part = {k: f["realised"][()][:, :, label.index(k)] for k in ("total", "pos", "neg", "nll")}
interaction = f["interaction"][()]
rest = part["total"] - part["pos"] - part["neg"] - part["nll"]
assert np.allclose(interaction, rest, rtol=0, atol=1e-12)
size = sum(abs(part[k]) for k in ("pos", "neg", "nll"))
assert (abs(interaction) < 0.05 * size).all(), (interaction, size)
logp = f["logp_final"][()]
assert np.allclose(f["kl_ref"][()], logp[:, -1] - logp[:, 0], rtol=1e-12)
soft = f["v_soft_norm"][()]  # towards the policy at the end, which D' was drawn from
assert (soft[:, -1] == 0).all() and (soft[:, :-1] > 0).all(), soft
low, high = f["heldout_accuracy_low"][()], f["heldout_accuracy_high"][()]
assert (low < f["heldout_accuracy"][()]).all() and (f["heldout_accuracy"][()] < high).all()
assert (f["heldout_pairs"][()] == 512).all()  # all there are; the trace watches 8
assert (f["eval_prompts"][()] == 8).all() and (f["final_prompts"][()] == 8).all()
assert (f["final_cut_rate"][()] == 1 - f["final_eos_rate"][()]).all()
assert (f["final_degenerate"][()] & 1 == (f["final_cut_rate"][()] > 0.1)).all()
assert (abs(f["sft_loss"][()] - np.log(100)) < 1).all()  # hardly trained on 100 words
assert (f["peak_bytes"][()] > f["planned_bytes"][()]).all()
assert (f["planned_bytes"][()] > 4 * f["n_param"][()]).all()
spent = f["train_s"][()] + f["trace_s"][()] + f["sample_s"][()]
assert (spent > 0).all() and (spent <= f["wall_s"][()]).all()
cold = h5py.File("cold.h5")  # D' is then no sample of the policy
assert "kl_ref" not in cold or np.isnan(cold["kl_ref"][()]).all()
assert (cold["v_soft_norm"][()][:, -1] > 0).all()  # towards the distribution at 0.5
assert (cold["heldout_pairs"][()] == 8).all()
assert (cold["heldout_accuracy"][()] == cold["trace_heldout_accuracy"][()][:, -1]).all()
assert (cold["probe_accuracy"][()][:, 0] == 0.5).all()  # the policy is still its reference
bad = h5py.File("nan.h5")  # the steps before it went wrong are there
n_logged = (bad["train_step"][()] >= 0).sum(axis=1)
assert (n_logged == 1).all(), n_logged
assert (bad["param_norm"][()][:, 0] > 1e4).all(), bad["param_norm"][()]
assert np.isclose(bad["train_loss"][()][:, 0], np.log(2)).all(), bad["train_loss"][()]
assert "G" not in bad or np.isnan(bad["G"][()]).all()
print("figures agree")
END
expect 0 '^figures agree' "$python" figures.py

# They are read in a child: what it could not write is a failure of the command.
if [ -w /dev/full ]; then
    to_full_disk() { "$@" >/dev/full; }
    expect 74 'No space left' to_full_disk "$POSWEEP" check r.h5
    expect 74 'No space left' to_full_disk "$POSWEEP" show r.h5
fi
