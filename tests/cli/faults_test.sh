#!/bin/sh
# What goes wrong on real machines: every fault has a clear message, an exit status, and loses
# nothing that was done.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

sweep=$POSWEEP_SOURCE/sweeps/smallest.yaml
run() { "$POSWEEP" run "$@"; }
no_such_child() { ! [ -e "$1" ]; }

# --- Wrong command lines ---------------------------------------------------------------------
expect 64 '' run
expect 64 '' run "$sweep" more.yaml -o x.h5
expect 66 'nowhere.yaml' run nowhere.yaml -o x.h5
expect 66 'nowhere.h5' "$POSWEEP" show nowhere.h5
expect 66 'nowhere.h5' "$POSWEEP" check nowhere.h5
expect 66 'nowhere' "$POSWEEP" status nowhere.h5
check 'a refused command leaves no output behind' no_such_child x.h5

# --- Wrong sweep files: file:line:column and the nearest key ------------------------------------
# bad_sweep PATTERN: the YAML comes on standard input.
bad_sweep() {
    cat >bad.yaml
    expect 78 "$1" "$POSWEEP" plan bad.yaml
    expect 78 "$1" run bad.yaml -o bad.h5
    check "no output from a refused sweep ($1)" no_such_child bad.h5.journal
}
bad_sweep 'bad.yaml:3:[0-9]*:.*policy.steps' <<'END'
name: bad
base:
  policy: {stepz: 10}
END
bad_sweep 'bad.yaml:3:[0-9]*:' <<'END'
name: bad
base:
  policy: {steps: many}
END
bad_sweep 'bad.yaml:5:[0-9]*:' <<'END'
name: bad
base:
  policy: {steps: 2}
blocks:
  - axes: {policy.beta: []}
END
bad_sweep 'policy.beta' <<'END'
name: bad
blocks:
  - set: {policy.beta: 0.1}
    axes: {policy.beta: [0.1, 0.2]}
END
bad_sweep '[Dd]uplicate\|same' <<'END'
name: bad
blocks:
  - variants: {vanilla: {}, again: {policy.beta: 0.1}}
END
bad_sweep 'except' <<'END'
name: bad
blocks:
  - axes: {policy.beta: [0.1, 0.2]}
    except: [{policy.beta: 0.1}, {policy.beta: 0.2}]
END
printf 'name: bad\nbase: {policy: [\n' | bad_sweep 'bad.yaml:[0-9]*:[0-9]*:'
expect 78 'policy.beta' "$POSWEEP" plan "$sweep" --set policy.betta=0.1
expect 78 '' "$POSWEEP" plan "$sweep" --set policy.beta=-1

# --- Too little memory: a node's is shared by the ranks that work on it; limits.memory_gib decides -----
expect 71 'memory of this node.*set limits.memory_gib' \
    "$POSWEEP" plan "$sweep" --ranks-per-node 100000000
expect 0 '' "$POSWEEP" plan "$sweep" --ranks-per-node 100000000 --set limits.memory_gib=1
expect 71 'raise limits.memory_gib' run "$sweep" -o x.h5 --set limits.memory_gib=0.0001

# --- A refused start leaves nothing behind, and takes nothing away ---------------------------------------
nothing_of() { ! ls -d "$1"* >/dev/null 2>&1; }
check 'too little memory leaves nothing behind' nothing_of x.h5
expect 78 'asks for 4 ranks' run "$sweep" -o x.h5 --ranks-per-run 4
check 'too few ranks leave nothing behind' nothing_of x.h5
expect 78 'exceed.*model.context' run "$sweep" -o x.h5 --set model.context=18
check 'data that does not fit leaves nothing behind' nothing_of x.h5
expect 0 '2 of 2 runs done' run "$sweep" -o kept.h5
expect 78 'asks for 4 ranks' \
    run "$sweep" -o kept.h5 --set policy.steps=9 --ranks-per-run 4
expect 0 '(2 before)' run "$sweep" -o kept.h5

# --- Outputs that cannot be written ------------------------------------------------------------
: >file
"$POSWEEP" run "$sweep" -o file/x.h5 >out.txt 2>&1
check 'a folder that is a file is named' grep -q 'file/x.h5' out.txt
"$POSWEEP" run "$sweep" -o /proc/x.h5 >out.txt 2>&1
status=$?
check "a folder nobody can write to ends with 66, 73, 74 or 77, not $status" \
    test "$status" -eq 66 -o "$status" -eq 73 -o "$status" -eq 74 -o "$status" -eq 77
check 'and is named' grep -q '/proc/x.h5' out.txt

# --- The sweep itself, for comparison ------------------------------------------------------------
expect 0 '' run "$sweep" -o good.h5
expect 0 'good' "$POSWEEP" check good.h5
same_as_good() { same_datasets good.h5 "$1"; }

# --- A second posweep on the same output ------------------------------------------------------------
"$POSWEEP" run "$sweep" -o held.h5 >first.txt 2>&1 &
first=$!
n=0
until [ -s held.h5.journal ] || [ $n -gt 300 ]; do
    n=$((n + 1))
    sleep 0.05
done
kill -STOP $first
expect 73 "pid $first\|process $first" run "$sweep" -o held.h5
kill -CONT $first
wait $first
check 'the first one is not disturbed' test $? -eq 0
check 'and writes the same file' same_as_good held.h5

# --- A torn tail is cut off; corruption in the middle is refused -------------------------------------
cp good.h5.journal torn.h5.journal
printf 'half a rec' >>torn.h5.journal
expect 0 '' run "$sweep" -o torn.h5
check 'a torn tail costs nothing' same_as_good torn.h5
cp good.h5.journal corrupt.h5.journal
printf 'XXXXXXXX' | dd of=corrupt.h5.journal bs=1 seek=400 conv=notrunc 2>/dev/null
expect 65 'corrupt.h5.journal.*[0-9]' run "$sweep" -o corrupt.h5

# --- A file of something else --------------------------------------------------------------------------
echo 'not HDF5 at all' >other.h5
expect 65 'other.h5' "$POSWEEP" show other.h5
expect 65 'other.h5' "$POSWEEP" check other.h5
sed 's/^name:.*/name: another/' "$sweep" >another.yaml
cp good.h5 before.h5
expect 78 'another' run another.yaml -o good.h5
check 'the refused file is untouched' cmp -s before.h5 good.h5

# --- NaN in training: a recorded result ------------------------------------------------------------------
expect 0 '2 diverged' run "$sweep" -o nan.h5 --set policy.lr=1000 --set policy.weight_decay=1000
expect 0 '2 diverged' "$POSWEEP" status nan.h5

# --- A full disk: the journal is intact, the next start goes on -----------------------------------------
cat >full.sh <<'END'
mkdir small && mount -t tmpfs -o size=48k tmpfs small || exit 77
"$POSWEEP" run "$1" -o small/x.h5 >full.txt 2>&1
echo $? >full.status
mount -o remount,size=256m small
"$POSWEEP" run "$1" -o small/x.h5 >>full.txt 2>&1
echo $? >again.status
cp small/x.h5 full.h5
exit 0 # what went wrong from here on is for the checks to say
END
export POSWEEP
rc=77
unshare -m true 2>/dev/null && {
    rc=0
    unshare -m sh full.sh "$sweep" 2>full.errors || rc=$?
}
if [ "$rc" -ne 77 ]; then
    check "the full disk's script ends with 0, not $rc" test "$rc" -eq 0
    check "a full disk ends with 74, not $(cat full.status)" test "$(cat full.status)" -eq 74
    check 'and says so' grep -q -i 'no space\|disk is full\|full' full.txt
    check 'the next start goes on' test "$(cat again.status)" -eq 0
    check 'and writes the same file' same_as_good full.h5
else
    left_out 'the full disk needs root and mount'
fi
[ "$N_BAD" -eq 0 ]
