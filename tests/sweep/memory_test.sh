#!/bin/sh
# A process takes the memory that `posweep plan` says, within 10 %, beside what an almost empty run
# takes, data included; and 1,000 more steps take nothing more.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

command -v python3 >/dev/null || skip 'no python3'
"$POSWEEP" --version | grep -qi sanitize && skip 'sanitizers have memory of their own'
cat >memory.py <<'END'
import os, subprocess, sys

posweep, sweep = os.environ["POSWEEP"], os.environ["POSWEEP_SOURCE"] + "/sweeps/smallest.yaml"
MIB = 2.0**20


def settings(**values):
    return [x for k, v in values.items() for x in ("--set", f"{k.replace('__', '.')}={v}")]


def planned(more):
    text = subprocess.run([posweep, "plan", sweep] + more, capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return max(float(row[4]) for row in rows if row[:1] == ["dpo"]) * MIB


def taken(name, more):
    """Largest resident size of a whole sweep in one process, in bytes."""
    with open(name + ".txt", "w") as log:
        child = subprocess.Popen([posweep, "run", sweep, "-o", name + ".h5"] + more,
                                 stdout=log, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, open(name + ".txt").read()
    return usage.ru_maxrss * 1024


small = settings(policy__steps=20, trace__every=20, trace__cosine_every=0)
longer = settings(policy__steps=1020, trace__every=1020, trace__cosine_every=0)
wide = settings(model__width=192, model__layers=4, policy__steps=1, trace__every=1,
                trace__cosine_every=1, trace__directions="true", sft__steps=1, sft__batch=32,
                policy__batch=32, lists__sft=256, lists__pairs=64, trace__probe=16)
full = small + settings(lists__sft=300000)
base = taken("small", small)
grown = taken("longer", longer) - base
plan = planned(wide)
real = taken("wide", wide) - (base - planned(small))
print(f"planned {plan / MIB:.1f} MiB, taken {real / MIB:.1f} MiB, "
      f"by 1,000 steps more {grown / MIB:.2f} MiB")
data = planned(full)
held = taken("full", full) - (base - planned(small))
print(f"with 300,000 items planned {data / MIB:.1f} MiB, taken {held / MIB:.1f} MiB")
sys.exit(not (abs(real - plan) <= 0.1 * plan and grown <= 0.02 * base
              and abs(held - data) <= 0.1 * data))
END
expect 0 'planned' python3 memory.py
cat out.txt
