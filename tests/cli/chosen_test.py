#!/usr/bin/python3
"""Samples stand beside the pair that their prompt came from: chosen and rejected text, the token ids
of all, and the reward model's scores; sample prints them, judge sets responses against them."""
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from program import posweep  # noqa: E402
from skip import skip  # noqa: E402

try:
    import h5py
    import numpy as np
except ImportError as missing:
    skip(str(missing))

WORDS = "red blue green tin gold salt pine oak rose fox hen owl".split()
PAIRS = {f"name {WORDS[i % 12]} {i}": (f"yes {WORDS[i % 12]} \u00e9{i}", f"no {WORDS[(i + 1) % 12]}") for i in range(480)}
SWEEP = """
replicates: 2
base:
  task: none
  data: {pairs: p.jsonl, max_prompt: 40, max_response: 16}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8, lr: 1e-2}
  reward: {steps: 4, batch: 8}
  policy: {method: dpo, steps: 3, batch: 8, lr: 1e-2}
  final: {prompts: 4, max_new: 12}
  eval: {prompts: 8, samples: 6, judge: reward}
  trace: {every: 3, probe: 8}
"""
END = 256  # the end token of the byte tokenizer
ALL = ["--max-kl", "inf"]


def text_of(t):
    return t.decode() if isinstance(t, bytes) else t


def texts(f, name, row):
    return [text_of(t) for t in f[name][row]]


def said(ids):
    """What a reader who knows the byte tokenizer makes of ids; bytes that are no text are left out."""
    ids = [int(i) for i in ids.split()]
    return bytes(i for i in ids if i < END).decode(errors="ignore"), ids


def check_samples(f):
    for row in range(f["run"].shape[0]):
        prompts = texts(f, "sample_prompt", row)
        assert len(set(prompts)) == 6
        for k, side in enumerate(("chosen", "rejected")):
            assert texts(f, f"sample_{side}", row) == [PAIRS[p][k] for p in prompts]
            for p, ids in zip(prompts, texts(f, f"sample_{side}_ids", row)):
                assert said(ids) == (PAIRS[p][k], [*PAIRS[p][k].encode(), END])
            assert np.isfinite(f[f"sample_reward_{side}"][row]).all()
        for name in ("sample_response", "sample_response_sft"):
            for words, ids in zip(texts(f, name, row), texts(f, f"{name}_ids", row)):
                assert said(ids)[0] == words.replace("\ufffd", "") and 1 <= len(said(ids)[1]) <= 12, (words, ids)
        for p, ids in zip(prompts, texts(f, "sample_prompt_ids", row)):
            assert said(ids) == (p, list(p.encode()))


def check_ranks(f):
    """The reward model's scores of pairs have the same bits in a team of two."""
    posweep("run", "x.yaml", "-o", "two.h5", "-q", "--ranks-per-run", "2", ranks=3)
    with h5py.File("two.h5") as two:
        for name in (n for n in f if n.startswith("sample_") and n != "sample_s"):
            same = f[name][()] == two[name][()]
            assert np.all(same | (f[name][()] != f[name][()])), name


def check_judge(f, side, *stage):
    posweep("judge", "x.h5", *ALL, "--against", side, *stage, "--responses", "p.out")
    asked = [json.loads(line) for line in pathlib.Path("p.out").read_text().splitlines()]
    row_of = {text_of(h): i for i, h in enumerate(f["run"])}
    own_name, own_reward = ("sample_response_sft", "sample_reward_sft") if stage else ("sample_response", "sample_reward")
    won, n = 0, 0
    with open("v.jsonl", "w") as out:
        for p in asked:
            run, other, k, _ = p["id"].split("-")
            row, k = row_of[run], int(k)
            own, record = texts(f, own_name, row)[k], texts(f, f"sample_{side}", row)[k]
            assert other == side and {p["response_a"], p["response_b"]} == {own, record}
            d = f[own_reward][row, k] - f[f"sample_reward_{side}"][row, k]
            won, n = won + (d > 0) + 0.5 * (d == 0), n + 1
            print(json.dumps({"id": p["id"], "winner": "a" if p["response_a"] == record else "b"}), file=out)
    assert n == 12
    read = ["judge", "x.h5", *ALL, "--against", side, *stage, "--verdicts", "v.jsonl"]
    row = json.loads(posweep(*read, "--json"))["rows"][0]
    assert row["against"] == side and row["judge_win_rate"] == 0 and row["n_pair"] == 12, row
    assert abs(row["own_win_rate"] - won / n) < 1e-12, row
    assert f"against the {side} ones of the data" in posweep(*read)


def check_recorded(f):
    """posweep sample --recorded says what stands in the file; no model was kept."""
    names = [t.decode() for t in f["run"]]
    for row, name in enumerate(names):
        said = [json.loads(line) for line in posweep("sample", "x.h5", name, "--recorded", "--json").splitlines()]
        assert [s["prompt"] for s in said] == texts(f, "sample_prompt", row)
        for side, column in (("sft", "response_sft"), ("policy", "response"), ("chosen", "chosen"), ("rejected", "rejected")):
            assert [s[side]["text"] for s in said] == texts(f, f"sample_{column}", row)
            reward = f["sample_reward" + column.removeprefix("response").replace("chosen", "_chosen").replace("rejected", "_rejected")]
            assert np.allclose([s[side]["reward"] for s in said], reward[row], rtol=1e-8)
    printed = posweep("sample", "x.h5", names[0], "--recorded")
    prompt, chosen, rejected = (texts(f, f"sample_{c}", 0)[5] for c in ("prompt", "chosen", "rejected"))
    assert printed.count("\n> ") == 5 and f"> {prompt}\nsft (reward " in printed
    assert f": {chosen}\nrejected (reward {f['sample_reward_rejected'][0, 5]:.3g}): {rejected}\n" in printed
    refused = "goes with FILE, RUN and --json alone"
    for more in (["-p", "a"], ["-n", "1"], ["--stage", "sft"], ["--top-k", "3"]):
        assert refused in posweep("sample", "x.h5", names[0], "--recorded", *more, status=64), more


def check_none():
    """Prompts of no pair have no chosen response, and no column where that is so of all."""
    rows = "".join(json.dumps({"prompt": f"tell {i}"}) + "\n" for i in range(20))
    pathlib.Path("final.jsonl").write_text(rows)
    pathlib.Path("y.yaml").write_text(SWEEP.replace("max_prompt", "final_prompts: final.jsonl, max_prompt"))
    posweep("run", "y.yaml", "-o", "y.h5", "-q")
    with h5py.File("y.h5") as f:
        assert "sample_prompt_ids" in f and not any("chosen" in n or "rejected" in n for n in f if n.startswith("sample_"))
    assert "no chosen responses" in posweep("judge", "y.h5", *ALL, "--against", "chosen", "--responses", "z", status=65)
    assert "is of --against chosen" in posweep("judge", "x.h5", "--stage", "sft", "--responses", "z", status=64)
    assert not pathlib.Path("z").exists()
    printed = posweep("sample", "y.h5", "seed 1", "--recorded")
    assert "> tell " in printed and "\npolicy" in printed and "chosen" not in printed and "rejected" not in printed
    pathlib.Path("z.yaml").write_text(SWEEP.replace("samples: 6", "samples: 0"))
    posweep("run", "z.yaml", "-o", "z.h5", "-q")
    assert "no samples of the run" in posweep("sample", "z.h5", "seed 1", "--recorded", status=65)
    posweep("report", "y.h5")
    assert "chosen in the data" not in pathlib.Path("y.html").read_text()


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("p.jsonl").write_text("".join(
            json.dumps({"prompt": p, "chosen": c, "rejected": r}) + "\n" for p, (c, r) in PAIRS.items()))
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        posweep("check", "x.h5")
        with h5py.File("x.h5") as f:
            check_samples(f)
            check_ranks(f)
            check_recorded(f)
            check_judge(f, "chosen")
            check_judge(f, "rejected")
            check_judge(f, "chosen", "--stage", "sft")
            posweep("report", "x.h5", *ALL)
            page = pathlib.Path("x.html").read_text()
            assert "chosen in the data" in page and texts(f, "sample_chosen", 0)[0] in page
            table = posweep("export", "x.h5", "--what", "samples")
            assert "sample_chosen_ids" in table.splitlines()[0] and texts(f, "sample_chosen_ids", 0)[0] in table
        check_none()
        os.chdir("/")
    print("what was chosen stands beside what is said")


main()
