#!/usr/bin/python3
"""posweep sample: a run's own responses come out again, from the work folder, from an export and at a
terminal; a real model says what the reference says."""
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from program import posweep  # noqa: E402
from skip import skip  # noqa: E402

try:
    import h5py
except ImportError as missing:
    skip(str(missing))

POSWEEP = os.environ["POSWEEP"]
DATA = pathlib.Path(os.environ.get("POSWEEP_DATA", "/nowhere"))
SWEEP = """
seeds: [7]
limits: {keep: checkpoints}
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 60, batch: 16, lr: 1e-2}
  policy: {method: dpo, steps: 4, batch: 16, lr: 1e-2}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 40, samples: 40}
  trace: {every: 2, probe: 8}
blocks:
  - variants: {drawn: {final: {top_k: 20, top_p: 0.9}}, greedy: {final.temperature: 0}}
"""


def objects(*arguments, **more):
    return [json.loads(line) for line in posweep("sample", *arguments, "--json", **more).splitlines()]


def texts_of(f, name, row):
    return [t.decode() if isinstance(t, bytes) else t for t in f[name][row]]


def check_own_responses(f):
    """40 prompts are more than one block of 32."""
    posweep("export", "x.h5", "greedy", "-o", "exported")
    for row, variant in enumerate(("drawn", "greedy")):
        prompts = texts_of(f, "sample_prompt", row)
        lines = "\n\n".join(p if i % 2 else json.dumps({"prompt": p}) for i, p in enumerate(prompts))
        pathlib.Path("p.txt").write_text(lines)
        for name, more in (("sample_response", []), ("sample_response_sft", ["--stage", "sft"]),
                           ("sample_response_sft", ["--step", "0"])):
            said = objects("x.h5", variant, "--prompts", "p.txt", *more)
            assert [s["prompt"] for s in said] == prompts
            assert [s["response"] for s in said] == texts_of(f, name, row), (variant, name)
        for s in said:
            assert len(s["logp"]) == len(s["tokens"]) <= 16 and max(s["logp"]) < 0
            assert s["ended"] == (len(s["tokens"]) < 16 or s["tokens"][-1] == 0)
    said = posweep("sample", "--model", "exported", "--task", "lists", "--temperature", "0", "--max-new", "16", text=lines)
    pairs = zip(prompts, texts_of(f, "sample_response", 1))
    assert said == "\n".join(f"> {p}\n{r}\n" for p, r in pairs), said


def check_draws(f):
    """A response depends on seed and place alone."""
    prompt = texts_of(f, "sample_prompt", 0)[0]
    four = [s["tokens"] for s in objects("x.h5", "drawn", "-p", prompt, "-n", "4")]
    assert four[0] == objects("x.h5", "drawn", "-p", prompt)[0]["tokens"] and len(set(map(str, four))) > 1
    assert four[1] == objects("x.h5", "drawn", text=f"{prompt}\n{prompt}\n")[1]["tokens"]
    other = [s["tokens"] for s in objects("x.h5", "drawn", "-p", prompt, "-n", "4", "--seed", "8")]
    assert other != four and other == [s["tokens"] for s in objects("x.h5", "drawn", "-p", prompt, "-n", "4", "--seed", "8")]
    assert posweep("sample", "x.h5", "drawn", "-p", prompt) == texts_of(f, "sample_response", 0)[0] + "\n"


def check_terminal(f):
    """What is typed is answered at once; what cannot be said is told, and not the end."""
    prompt, answer = texts_of(f, "sample_prompt", 1)[0], texts_of(f, "sample_response", 1)[0]
    parent, child = pty.openpty()
    run = subprocess.Popen([POSWEEP, "sample", "x.h5", "greedy"], stdin=child, stdout=child, stderr=child)
    os.close(child)
    os.write(parent, f"nonsense\n{prompt}\n\x04".encode())
    said = b""
    while True:
        try:
            block = os.read(parent, 4096)
        except OSError:
            break
        if not block:
            break
        said += block
    assert run.wait() == 0
    lines = said.decode().replace("\r", "").split("\n")
    assert any('"nonsense" is none of the task' in line for line in lines), lines
    assert any(line in (answer, "> " + answer) for line in lines), (answer, lines)


def check_refusals():
    assert "limits: {keep: final}" in posweep("sample", "x.h5", "drawn", "--work-dir", "nowhere", "-p", "x", status=66)
    assert "prompt 1: \"cars\" is none of the task" in posweep("sample", "x.h5", "drawn", "-p", "give cars", status=65)
    assert "standard input:2: " in posweep("sample", "x.h5", "drawn", text="give four metal\n{\"text\": 1}\n", status=65)
    assert "step 3 of the run" in posweep("sample", "x.h5", "drawn", "--step", "3", "-p", "x", status=66)
    assert "(0, 1], found \"2\"" in posweep("sample", "x.h5", "drawn", "--top-p", "2", "-p", "x", status=78)
    assert "tokens that are bytes" in posweep("sample", "--model", "exported", "-p", "x", status=78)
    assert "which run" in posweep("sample", "x.h5", status=64)
    assert "whose answers" in posweep("sample", status=64)
    long = " ".join(["give"] * 64)
    assert "64 tokens leave no room" in posweep("sample", "x.h5", "drawn", "-p", long, status=65)


def check_real_model():
    folder = DATA / "model-stories260K"
    if not folder.exists():
        return
    want = json.loads((folder / "reference.json").read_text())["greedy_from_bos"]
    said = objects("--model", str(folder), "-p", "", "--temperature", "0", "--max-new", "199")[0]
    assert said["tokens"] == want["ids"][1:] and said["response"] == want["text"].lstrip(" ")
    for a, b in zip(said["logp"], want["logprob_of_each_generated_id"]):
        assert abs(a - b) < 1e-4, (a, b)  # float32 against double


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        f = h5py.File("x.h5")
        check_own_responses(f)
        check_draws(f)
        check_terminal(f)
        check_refusals()
        check_real_model()
        os.chdir("/")
    print("they say what they said")


main()
