"""The program under test, run as a user would."""
import os
import subprocess


def posweep(*arguments, status=0, ranks=0, text=None):
    """What it says on standard output, or of a refusal on standard error. ranks: under mpiexec;
    text: its standard input."""
    start = [os.environ["MPIEXEC"], "-n", str(ranks)] if ranks else []
    out = subprocess.run([*start, os.environ["POSWEEP"], *arguments], capture_output=True, text=True, input=text)
    assert out.returncode == status, (arguments, out.returncode, out.stderr)
    return out.stdout if status == 0 else out.stderr
