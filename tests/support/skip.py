"""Leaving a test out, as in scenario.sh: exit 77, or a failure where POSWEEP_NO_SKIP is set and
the reason is none of may_skip.txt."""
import os
import pathlib
import sys


def may_skip(why):
    lines = (pathlib.Path(__file__).parent / "may_skip.txt").read_text().splitlines()
    return not os.environ.get("POSWEEP_NO_SKIP") or why in lines


def skip(why):
    if not may_skip(why):
        sys.exit(f"FAILED: left out where nothing may be: {why}")
    print(f"skipped: {why}")
    sys.exit(77)
