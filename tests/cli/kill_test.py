#!/usr/bin/python3
"""kill_test.py [N]: kill -9 small sweeps N times (default 30) at random moments, each time
followed by the same command, and demand the file of an undisturbed run, byte for byte in every
dataset that is not volatile. The sweeps take turns: one of dpo, one of all on-policy methods;
each with several seeds, whose data differ.

Victims in turn: a worker rank, the coordinator, mpirun itself, everything at once. The next
start follows at once, so stragglers of the killed job still run beside it. When a disturbed
sweep gets to its end it is compared and begun afresh. Environment: POSWEEP, POSWEEP_SOURCE,
MPIEXEC, KILL_SEED (default: the clock; printed), KILL_SWEEP (another sweep file, alone),
KILL_RANKS (default 3), KILL_ARGS (more arguments of `posweep run` for it; the defaults make sweeps
long enough for kills to find them at work).
"""
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(os.environ["POSWEEP_SOURCE"])
sys.path.insert(0, str(source / "tests/support"))
from skip import skip  # noqa: E402

N_RANK = int(os.environ.get("KILL_RANKS", "3"))
SEEDS = "seeds: [2, 1]"
# name: sweep file, more arguments
SWEEPS = {
    "pairs": (str(source / "sweeps/smallest.yaml"),
              "--set policy.steps=1000 --set trace.every=200 --set trace.cosine_every=1000"
              " --set log.every=100 --set limits.checkpoint_s=0.3"),
    "onpolicy": (str(source / "tests/support/onpolicy.yaml"),
                 "--set policy.steps=6 --set trace.every=2 --set trace.cosine_every=0"
                 " --set limits.checkpoint_s=0.05"),
}
if "KILL_SWEEP" in os.environ:
    SWEEPS = {"own": (os.environ["KILL_SWEEP"], os.environ.get("KILL_ARGS", ""))}
VICTIMS = ("a worker", "the coordinator", "mpirun", "everything")


def command(sweep, output):
    path, arguments = SWEEPS[sweep]
    return [os.environ.get("MPIEXEC", "mpirun"), "--bind-to", "none", "-n", str(N_RANK),
            os.environ["POSWEEP"], "run", path, "-o", str(output),
            # so many kills from outside look like a run that kills its rank
            "--set", "limits.max_attempts=1000", *shlex.split(arguments)]


def start(sweep, output, log):
    return subprocess.Popen(command(sweep, output), stdout=log, stderr=subprocess.STDOUT,
                            start_new_session=True)


def ranks_of(job):
    """{rank: pid} of the posweep processes that are children of this mpirun."""
    found = {}
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(job.pid)],
                              capture_output=True, text=True).stdout.split()
    for pid in children:
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for item in environment:
            if item.startswith(b"OMPI_COMM_WORLD_RANK="):
                found[int(item.split(b"=")[1])] = int(pid)
    return found


def kill(job, victim):
    ranks = ranks_of(job)
    if victim == "everything":
        targets = [job.pid, *ranks.values()]
    elif victim == "mpirun" or not ranks:
        targets = [job.pid]
    elif victim == "the coordinator":
        targets = [ranks[min(ranks)]]
    else:
        targets = [ranks[max(ranks)]]
    for pid in targets:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def bury(job):
    """mpirun may wait for ever for a rank that was killed while it connected."""
    try:
        job.wait(timeout=20)
    except subprocess.TimeoutExpired:
        kill(job, "everything")
        job.wait()


def with_seeds(folder, sweep):
    """A copy of the sweep file that runs every variant with SEEDS."""
    path, arguments = SWEEPS[sweep]
    text = pathlib.Path(path).read_text()
    assert "seeds: [1]" in text, path
    copy = folder / f"{sweep}.yaml"
    copy.write_text(text.replace("seeds: [1]", SEEDS))
    SWEEPS[sweep] = (str(copy), arguments)


def fail(folder, text, log_path):
    print(f"FAILED: {text}\nfiles are kept in {folder}; the end of the log:")
    print("\n".join(log_path.read_text(errors="replace").splitlines()[-30:]))
    sys.exit(1)


def undisturbed(folder, sweep):
    log_path = folder / f"{sweep}.log"
    begin = time.monotonic()
    with open(log_path, "wb") as log:
        status = start(sweep, folder / f"{sweep}.h5", log).wait()
    if status != 0:
        fail(folder, f"the undisturbed run ended with {status}", log_path)
    return time.monotonic() - begin


def compare(folder, sweep, round_name, log_path):
    """Exits with 77 without h5py."""
    done = subprocess.run([sys.executable, str(source / "tests/support/compare_h5.py"),
                           str(folder / f"{sweep}.h5"), str(folder / f"{round_name}.h5")],
                          capture_output=True, text=True)
    if done.returncode == 77:
        skip("no Python with h5py")
    if done.returncode != 0:
        fail(folder, f"{round_name} differs from the undisturbed run:\n{done.stdout}{done.stderr}",
             log_path)


def main():
    n_kill = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(os.environ.get("KILL_SEED", str(time.time_ns() % 1000003)))
    rng = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posweep-kill."))
    for sweep in SWEEPS:
        if "KILL_SWEEP" not in os.environ:
            with_seeds(folder, sweep)
    duration_s = {sweep: undisturbed(folder, sweep) for sweep in SWEEPS}
    for sweep in SWEEPS:
        compare(folder, sweep, sweep, folder / f"{sweep}.log")
        print(f"seed {seed}; {sweep} undisturbed: {duration_s[sweep]:.1f} s", flush=True)
    n_round, n_done, output = 0, 0, None
    while n_done < n_kill or output is not None:
        if output is None:
            sweep = list(SWEEPS)[n_round % len(SWEEPS)]
            n_round += 1
            output = folder / f"round{n_round}.h5"
        log_path = output.with_suffix(".log")
        with open(log_path, "ab") as log:
            log.write(f"--- start after {n_done} kills\n".encode())
            log.flush()
            job = start(sweep, output, log)
            patience_s = (rng.uniform(0.2, duration_s[sweep]) if n_done < n_kill
                          else 20 * duration_s[sweep] + 60)
            try:
                status = job.wait(timeout=patience_s)
            except subprocess.TimeoutExpired:
                if n_done >= n_kill:
                    kill(job, "everything")
                    fail(folder, f"no end after {patience_s:.0f} s", log_path)
                kill(job, VICTIMS[n_done % len(VICTIMS)])
                n_done += 1
                bury(job)
                continue
        if status != 0:
            fail(folder, f"{output.name} ended with {status} though nobody killed it", log_path)
        compare(folder, sweep, output.stem, log_path)
        output = None
    shutil.rmtree(folder)
    print(f"{n_done} kills over {n_round} sweeps: always the file of an undisturbed run")


main()
