#!/usr/bin/python3
"""posweep judge: the pairs are the responses of the file, in an order that is not told; verdicts come
back to the run they are on, and the numbers are those of a naive count."""
import collections
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
except ImportError as missing:
    skip(str(missing))

SWEEP = """
replicates: 3
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 60, batch: 16, lr: 1e-2}
  policy: {method: ppo, steps: 3, batch: 16, lr: 1e-2}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 24, samples: 20}
  rollout.max_new: 8
  trace: {every: 3, probe: 8}
blocks:
  - variants: {vanilla: {}, fast: {policy.lr: 0.1}, shifted: {final.prompts: 9}}
"""
ALL = ["--max-kl", "inf"]


def text(f, name, row, k):
    t = f[name][row, k]
    return t.decode() if isinstance(t, bytes) else t


def write(path, rows):
    pathlib.Path(path).write_text("".join(json.dumps(r) + "\n" for r in rows))


def pairs_of(*more):
    posweep("judge", "x.h5", *ALL, *more, "--responses", "p.jsonl")
    first = pathlib.Path("p.jsonl").read_text()
    posweep("judge", "x.h5", *ALL, *more, "--responses", "p.jsonl")
    assert first == pathlib.Path("p.jsonl").read_text()
    return [json.loads(line) for line in first.splitlines()]


def sides(f, pairs):
    """{id: (row, sample, is policy a)}; every pair says what the file says."""
    row_of = {h.decode() if isinstance(h, bytes) else h: i for i, h in enumerate(f["run"])}
    out = {}
    for p in pairs:
        assert set(p) == {"id", "prompt", "response_a", "response_b"}
        run, other, k, _ = p["id"].split("-")
        row, k = row_of[run], int(k)
        own = text(f, "sample_response", row, k)
        against = text(f, "sample_response_sft", row, k) if other == "sft" else text(f, "sample_response", row_of[other], k)
        assert p["prompt"] == text(f, "sample_prompt", row, k)
        assert (p["response_a"], p["response_b"]) in ((own, against), (against, own)) and own != against
        out[p["id"]] = (row, k, p["response_a"] == own)
    assert len(out) == len(pairs)
    n_a = sum(is_a for _, _, is_a in out.values())
    assert 0.25 < n_a / len(out) < 0.75  # 5 sd of a fair coin, and more
    return out


def kappa_of(table):
    """Cohen's kappa of (one, other) outcomes, from their marginal shares."""
    n = len(table)
    one, other = (collections.Counter(t[i] for t in table) for i in (0, 1))
    chance = sum(one[o] * other[o] for o in one) / n**2
    return (sum(a == b for a, b in table) / n - chance) / (1 - chance)


def close(a, b):
    return abs(a - b) < 1e-12


def check_numbers(f, pairs, verdicts):
    """Against a count that knows nothing of the program's pairs but their ids."""
    at = sides(f, pairs)
    said = json.loads(posweep("judge", "x.h5", *ALL, "--verdicts", "v.jsonl", "--json"))
    n_all = 0
    for i, row in enumerate(said["rows"]):
        value, own, table, n_a, n_decided = [], [], [], 0, 0
        for r in range(3 * i, 3 * i + 3):
            for k in range(20):
                if text(f, "sample_response", r, k) == text(f, "sample_response_sft", r, k):
                    value.append(0.5), own.append(0.5)
        for v in verdicts:
            r, k, is_a = at[v["id"]]
            if r // 3 != i:
                continue
            x = v.get("score", {"a": 1, "tie": 0.5, "b": 0}[v["winner"]])
            won = {"a": 1, "tie": 0, "b": -1}[v["winner"]] * (1 if is_a else -1)
            value.append(x if is_a else 1 - x), own.append(f["eval_outcome"][r, k] / 2)
            table.append((won, f["eval_outcome"][r, k] - 1))
            n_decided += won != 0
            n_a += v["winner"] == "a"
        n_all += len(table)
        assert row["n_pair"] == 60 and row["n_missing"] == 60 - len(value) and row["n_seed"] == 3, row
        assert close(row["judge_win_rate"], mean_by_seed(f, pairs, verdicts, at, i)), row
        if row["n_missing"] == 0:
            assert close(row["judge_win_rate"], sum(value) / 60) and close(row["own_win_rate"], sum(own) / 60)
        assert close(row["agreement"], sum(a == b for a, b in table) / len(table))
        assert close(row["kappa"], kappa_of(table)) and row["n_both"] == len(table)
        assert (row["n_decided"], row["n_response_a"]) == (n_decided, n_a)
        assert 0 <= row["judge_low"] <= row["judge_win_rate"] <= row["judge_high"] <= 1
    assert said["all"]["n_both"] == n_all
    return said


def mean_by_seed(f, pairs, verdicts, at, i):
    by = collections.defaultdict(list)
    for r in range(3 * i, 3 * i + 3):
        by[r] += [0.5 for k in range(20) if text(f, "sample_response", r, k) == text(f, "sample_response_sft", r, k)]
    for v in verdicts:
        r, _, is_a = at[v["id"]]
        x = v.get("score", {"a": 1, "tie": 0.5, "b": 0}[v["winner"]])
        if r // 3 == i:
            by[r].append(x if is_a else 1 - x)
    return sum(sum(x) / len(x) for x in by.values()) / len(by)


def length_judge(pairs):
    """One that likes different words, and the first place where they are as many."""
    for p in pairs:
        a, b = (len(set(p[x].split())) for x in ("response_a", "response_b"))
        yield {"id": p["id"], "winner": "a" if a > b else "b" if b > a else "tie"}


def check_against_variant(f):
    pairs = pairs_of("--against", "vanilla")
    at = sides(f, pairs)
    assert {row // 3 for row, _, _ in at.values()} == {1}  # "shifted" has other prompts
    score = f["eval_score"]
    write("w.jsonl", ({"id": p["id"], "winner": verdict_by(score, at[p["id"]])} for p in pairs))
    said = json.loads(posweep("judge", "x.h5", *ALL, "--against", "vanilla", "--verdicts", "w.jsonl", "--json"))
    row = said["rows"][0]
    assert row["against"] == "ppo vanilla" and row["agreement"] == 1 and row["kappa"] == 1, row
    assert close(row["judge_win_rate"], row["own_win_rate"])
    assert "another prompt" in posweep("judge", "x.h5", *ALL, "--against", "vanilla", "--verdicts", "w.jsonl")


def verdict_by(score, place):
    row, k, is_a = place
    d = score[row, k] - score[row - 3, k]
    return "tie" if d == 0 else "a" if (d > 0) == is_a else "b"


def check_refusals(pairs):
    def refused(line, words, status=65):
        pathlib.Path("bad.jsonl").write_text(line)
        said = posweep("judge", "x.h5", *ALL, "--verdicts", "bad.jsonl", status=status)
        assert words in said, said

    one = pairs[0]["id"]
    refused("{\n", "bad.jsonl:1: expected an object")
    refused("\n[]\n", "bad.jsonl:2: expected an object")
    refused('{"winner": "a"}\n', "no id")
    refused(json.dumps({"id": one, "winner": "A"}), 'expected "a", "b" or "tie", found A')
    refused(json.dumps({"id": one, "winner": 1}), "found no text")
    refused(json.dumps({"id": one, "winner": "a", "score": 1.5}), "a number from 0 (b) to 1 (a)")
    refused(json.dumps({"id": one, "winner": "a", "score": 0.4}), "contradict each other")
    refused('{"id": "x", "winner": "a"}\n', "none of 1 ids is one of the")
    refused("\n", "no verdict")
    assert "cannot be opened" in posweep("judge", "x.h5", "--verdicts", "none.jsonl", status=66)
    assert "one of the two" in posweep("judge", "x.h5", status=64)
    assert "against which value" in posweep("judge", "x.h5", "--by", "seed", "--responses", "z", status=64)
    assert "did you mean" in posweep("judge", "x.h5", "--against", "vanila", "--responses", "z", status=78)
    said = posweep("judge", "x.h5", "--against", "chosenn", "--responses", "z", status=78)
    assert 'no variant "chosenn"; did you mean "chosen"? There are reference, chosen, rejected, ' in said, said
    said = posweep("judge", "x.h5", "--by", "policy.lr", "--against", "chosen", "--responses", "z", status=78)
    assert "There are reference, " in said and "rejected" not in said, said
    assert not pathlib.Path("z").exists()


def check_counts(pairs, verdicts):
    write("v.jsonl", [*verdicts[:-2], verdicts[0], {"id": "strange", "winner": "a"}])
    said = posweep("judge", "x.h5", *ALL, "--verdicts", "v.jsonl")
    n = len(pairs)
    for words in (f"{n - 2} of {n} verdicts are there, 2 are missing", "1 verdicts are on pairs that had one already",
                  f"1 verdicts are on none of these pairs, the first in line {n}."):
        assert words in said, said
    assert max(map(len, said.splitlines())) <= 100
    rows = posweep("judge", "x.h5", *ALL, "--verdicts", "v.jsonl", "--csv").splitlines()
    assert len(rows) == 4 and len({len(r.split(",")) for r in rows}) == 1
    write("a.jsonl", ({"id": p["id"], "winner": "a"} for p in pairs))
    assert "prefers what stands first" in posweep("judge", "x.h5", *ALL, "--verdicts", "a.jsonl")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        f = h5py.File("x.h5")
        pairs = pairs_of()
        verdicts = list(length_judge(pairs))
        write("v.jsonl", reversed(verdicts))
        check_numbers(f, pairs, verdicts)
        for i, v in enumerate(verdicts):
            v["score"] = {"a": 0.9 - i % 3 / 10, "tie": 0.5, "b": 0.1}[v["winner"]]
        write("v.jsonl", verdicts[7:])
        check_numbers(f, pairs, verdicts[7:])
        check_against_variant(f)
        check_refusals(pairs)
        check_counts(pairs, verdicts)
        os.chdir("/")
    print("verdicts come back to their runs")


main()
