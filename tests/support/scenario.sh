# shellcheck shell=sh
# For scenario tests in POSIX sh: `. "$POSWEEP_SOURCE/tests/support/scenario.sh"`.
#
# Gives a scratch folder $SCRATCH (the working directory; removed at the end unless a check
# failed), and checks that say what was expected and what came.

set -u
: "${POSWEEP:?}" "${POSWEEP_SOURCE:?}"
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/posweep-test.XXXXXX") || exit 1
cd "$SCRATCH" || exit 1
N_BAD=0
N_OK=0

finish_scenario() {
    status=$?
    if [ "$N_BAD" -eq 0 ] && [ "$status" -eq 0 ]; then
        cd / && rm -rf "$SCRATCH"
    elif [ "$status" -ne 77 ]; then
        echo "files are kept in $SCRATCH" >&2
        exit 1
    else
        cd / && rm -rf "$SCRATCH"
    fi
}
trap finish_scenario EXIT

bad() {
    N_BAD=$((N_BAD + 1))
    echo "FAILED: $*" >&2
}

# expect STATUS PATTERN COMMAND...: runs it; the exit status and, in stdout and stderr together, a
# line that matches the basic regular expression are required. '' matches anything.
expect() {
    want=$1 pattern=$2
    shift 2
    "$@" >out.txt 2>&1
    got=$?
    if [ "$got" -ne "$want" ]; then
        bad "'$*' ended with $got, expected $want. It said:"
        sed 's/^/    /' out.txt >&2
    elif ! grep -q -e "$pattern" out.txt; then
        bad "'$*' never said '$pattern'. It said:"
        sed 's/^/    /' out.txt >&2
    else
        N_OK=$((N_OK + 1))
    fi
}

# check TEXT COMMAND...: the command must succeed.
check() {
    what=$1
    shift
    if "$@"; then N_OK=$((N_OK + 1)); else bad "$what"; fi
}

# may_skip TEXT: may something be left out for this reason? Anything may, but where
# POSWEEP_NO_SKIP is set: there the reason has to be a line of may_skip.txt.
may_skip() {
    [ -z "${POSWEEP_NO_SKIP:-}" ] && return 0
    grep -q -x -F -e "$*" "$POSWEEP_SOURCE/tests/support/may_skip.txt"
}

# skip TEXT: this machine cannot run the test.
skip() {
    may_skip "$*" || { bad "left out where nothing may be: $*" && exit 1; }
    echo "skipped: $*"
    exit 77
}

# left_out TEXT: this machine cannot run a part of the test.
left_out() {
    if may_skip "$*"; then echo "left out: $*"; else bad "left out where nothing may be: $*"; fi
}

# same_datasets A.h5 B.h5 [EXCEPT...]: are the datasets of two results files the same?
same_datasets() {
    /usr/bin/python3 "$POSWEEP_SOURCE/tests/support/compare_h5.py" "$@" >compare.txt 2>&1
    compared=$?
    if [ "$compared" -eq 77 ]; then left_out 'no Python with h5py' && return 0; fi
    [ "$compared" -eq 0 ] || { cat compare.txt >&2 && return 1; }
}
