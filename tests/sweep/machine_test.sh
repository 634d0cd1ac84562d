#!/bin/sh
# Trouble of the machine is no end of a run: a bad rank is left out and named, damaged and purged
# files are computed again, a work folder belongs to one sweep. $BAD_RANK_LIB is the library of
# tests/support/bad_rank.c.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >sweep.yaml <<'END'
name: machine
seeds: [1, 2, 3]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {method: dpo, steps: 8, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 16}
  trace: {every: 4, probe: 8, cosine_every: 4}
  log: {every: 2}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
END
run() { "$MPIEXEC" -n 4 "$POSWEEP" run sweep.yaml "$@"; }
bad_run() { # RANKS ERRNO PATH, then the arguments of run
    bad=$1 number=$2 part=$3
    shift 3
    "$MPIEXEC" -n 4 -x LD_PRELOAD="$BAD_RANK_LIB" -x BAD_RANKS="$bad" -x BAD_ERRNO="$number" \
        -x BAD_PATH="$part" -x ASAN_OPTIONS=verify_asan_link_order=0 \
        "$POSWEEP" run sweep.yaml "$@"
}
same_as_good() { same_datasets good.h5 "$1"; }
expect 0 '^6 of 6 runs done' run -o good.h5

# --- One rank that cannot use the work folder any more: ESTALE, EACCES --------------------------
for number in 116 13; do
    expect 0 '^6 of 6 runs done' bad_run 2 $number "bad$number.h5.work/" -o bad$number.h5
    check "errno $number: the file is that of good ranks" same_as_good bad$number.h5
    check "errno $number: the rank is named" \
        grep -q 'rank 2 on .* is left out: .* the last: .*work/' out.txt
    expect 0 'rank 2 on .* is left out' "$POSWEEP" status bad$number.h5
done

# --- A host that failed is left out by later starts, too, until it is forgotten -------------------
hosts_run() { # RANKS, all on a host of their own, then the arguments of run
    bad=$1
    shift
    "$MPIEXEC" -n 4 -x LD_PRELOAD="$BAD_RANK_LIB" -x BAD_HOSTS=1 -x BAD_RANKS="$bad" -x BAD_ERRNO=116 \
        -x BAD_PATH=hosts.h5.work/ -x ASAN_OPTIONS=verify_asan_link_order=0 \
        "$POSWEEP" run sweep.yaml -o hosts.h5 "$@"
}
expect 0 '^6 of 6 runs done' hosts_run 2
expect 0 'rank 2 on host2 is left out' "$POSWEEP" status hosts.h5
expect 0 '^6 of 6 runs done' hosts_run none --set policy.lr=2e-4
check 'the next start names it' grep -q \
    'host2 is left out, for what an earlier start met: 3 tasks in a row met trouble on its 1 rank; the last: rank 2 on host2: .* ago (limits.left_out_s)' out.txt
expect 0 'host2 is left out, for what' "$POSWEEP" status hosts.h5
on_host2() { /usr/bin/python3 -c '
import h5py
print(sum(h == b"host2" for h in h5py.File("hosts.h5")["hosts"][:]))'; }
check 'and gives it nothing' test "$(on_host2)" = 0
expect 0 '^6 of 6 runs done' hosts_run none --set policy.lr=3e-4 --set limits.left_out_s=0
check 'forgotten, it gets work' test "$(on_host2)" != 0
expect 0 '^6 of 6 runs done' hosts_run none --set policy.lr=4e-4
check 'since it works, it is remembered no more' test "$(grep -c 'host2 is left out' out.txt)" = 0

# --- All ranks: nothing is lost, and the next start does it all ---------------------------------
expect 74 'trouble of the machine.*Nothing is lost' bad_run 1,2,3 5 'sft-' -o all.h5
expect 0 '^machine: 6 queued of 6 runs' "$POSWEEP" status all.h5
expect 0 '^6 of 6 runs done' run -o all.h5
check 'after all ranks were bad, the file is the same' same_as_good all.h5

# --- Damaged files of the work folder are said once, set aside and computed again ---------------
expect 0 '^6 of 6 runs done' run -o damaged.h5 --keep-work
rm -f damaged.h5 damaged.h5.journal
for file in damaged.h5.work/sft-*.state damaged.h5.work/ref-*.bin; do
    printf 'XXXX' | dd of="$file" bs=1 seek=100 conv=notrunc 2>/dev/null
done
expect 0 '^6 of 6 runs done' run -o damaged.h5 --keep-work
check 'what is damaged is said with its path' grep -q 'sft-.*damaged; moved to .*damaged-1' out.txt
check 'it is kept aside' test -e "$(echo damaged.h5.work/sft-*.damaged-1 | cut -d ' ' -f 1)"
check 'and the file is the same' same_as_good damaged.h5

# --- A work folder that is purged while the sweep runs ------------------------------------------
run -o purged.h5 --set policy.steps=400 --set trace.every=200 --set trace.cosine_every=0 --set log.every=100 \
    >purged.txt 2>&1 &
sweep=$!
n=0
until ls purged.h5.work/policy-* >/dev/null 2>&1 || [ $n -gt 600 ]; do
    n=$((n + 1))
    sleep 0.05
done
rm -rf purged.h5.work 2>/dev/null || rm -rf purged.h5.work
wait $sweep
status=$?
check "a purged folder ends with 0, not $status" test $status -eq 0
check 'everything is done' grep -q '^6 of 6 runs done' purged.txt
check 'the purge was noticed' grep -q 'trouble of the machine, will be tried again' purged.txt
expect 0 'good' "$POSWEEP" check purged.h5

# --- A work folder belongs to one sweep ----------------------------------------------------------
expect 0 '' run -o one.h5 --work-dir shared
expect 73 "shared: .* belongs to the sweep of .*/one.h5 and cannot serve .*/two.h5" \
    run -o two.h5 --work-dir shared
check 'the refused start leaves nothing behind' test ! -e two.h5.journal
expect 0 '(6 before)' run -o one.h5 --work-dir shared
mkdir elsewhere && mv one.h5 one.h5.journal elsewhere
expect 0 '(6 before)' run -o elsewhere/one.h5 --work-dir shared
check 'a finished sweep leaves no work folder' test ! -e good.h5.work
[ "$N_BAD" -eq 0 ]
