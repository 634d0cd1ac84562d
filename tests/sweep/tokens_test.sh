#!/bin/sh
# The token table: kappa, log-probability and weight of every response token of the probe, from
# which G(total) of every run and checkpoint can be computed again.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'

expect 0 '2 of 2 runs done' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o t.h5 \
    --set trace.tokens=true --set policy.method=orpo
expect 0 '' "$POSWEEP" check t.h5
cat >again.py <<'END'
import h5py, numpy as np
f = h5py.File("t.h5")
size, run, checkpoint = f["row_size"][()], f["sequence_run"][()], f["sequence_checkpoint"][()]
owner = np.repeat(np.arange(len(size)), size)  # the sequence of every token
part = f["token_weight"][()].astype("f8") * f["token_kappa"][()]
assert len(part) == size.sum()
label = [x.decode() if isinstance(x, bytes) else x for x in f["component"][()].tolist()]
G = f["G"][()][:, :, label.index("total")]
n = 0
for r in range(G.shape[0]):
    for c in range(G.shape[1]):
        mine = (run[owner] == r) & (checkpoint[owner] == c)
        assert abs(part[mine].sum() - G[r, c]) <= 1e-6 * abs(part[mine]).sum(), (r, c)
        n += 1
# Two responses for each of eight pairs, in order; log-probabilities are no larger than 0.
first = (run == 0) & (checkpoint == 0)
assert f["sequence_item"][()][first].tolist() == [i // 2 for i in range(16)]
assert f["sequence_role"][()][first].tolist() == [i % 2 for i in range(16)]
assert (f["token_logp"][()] <= 0).all() and (f["token_id"][()] >= 0).all()
print(n, "sums equal G")
END
expect 0 '^6 sums equal G' "$python" again.py
