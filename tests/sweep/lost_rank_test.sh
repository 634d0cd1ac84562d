#!/bin/sh
# Ranks that hang or die: a hung one does not keep a request to stop waiting for ever, nor the job when
# nobody asks; a run that always kills its rank is given up after the second death, and the others
# are done.
# $BAD_RANK_LIB is the library of tests/support/bad_rank.c.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >sweep.yaml <<'END'
name: lost
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8}
  policy: {method: dpo, steps: 4, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 12}
  trace: {every: 2, probe: 8, cosine_every: 0}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
  - set: {policy.method: grpo, reward.source: scorer, rollout.samples: 4, rollout.max_new: 12}
    variants: {killer: {}}
END

# --- A worker that is stopped ---------------------------------------------------------------------
rank_pid() { # of mpirun $1, rank $2
    for pid in $(ps -o pid= --ppid "$1"); do
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null |
            grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$pid"
    done
}
"$MPIEXEC" -n 3 "$POSWEEP" run sweep.yaml -o hung.h5 --set policy.steps=100000 --set policy.lr=1e-6 \
    --set trace.every=50000 --set log.every=10000 --set limits.stop_s=3 >hung.txt 2>&1 &
job=$!
n=0
until ls -d hung.h5.work/policy-* >/dev/null 2>&1 || [ $n -gt 1200 ]; do
    n=$((n + 1))
    sleep 0.05
done
sleep 1
kill -STOP "$(rank_pid $job 2)"
kill -USR1 $job
wait $job
status=$?
check "a hung rank ends with 75, not $status" test $status -eq 75
check 'it is named' grep -q 'rank 2 on .* did not answer the request to stop within 3 s' hung.txt
check 'the other has answered' sh -c '! grep -q "rank 1 on .* did not answer" hung.txt'
expect 0 'rank 2 on .* did not answer' "$POSWEEP" status hung.h5
"$POSWEEP" status hung.h5 --json >hung.json
check 'programs are told of the rank, too' \
    python3 -c 'import json; r = json.load(open("hung.json"))["remarks"]
assert len(r) == 1 and r[0].startswith("rank 2 on ") and "did not answer" in r[0], r'
expect 0 'good' "$POSWEEP" check hung.h5

# --- A worker that is stopped, and nobody asks ------------------------------------------------------
hang() { # of the ranks $1, each on a host of its own, after 1 s of training; then the arguments of run
    bad=$1
    shift
    "$MPIEXEC" -n 3 -x LD_PRELOAD="$BAD_RANK_LIB" -x BAD_HOSTS=1 \
        -x ASAN_OPTIONS=verify_asan_link_order=0 "$POSWEEP" run sweep.yaml -o silent.h5 \
        --set policy.lr=1e-6 --set trace.every=50000 --set log.every=10000 --set limits.silent_s=3 --set policy.steps=100000 "$@" >silent.txt 2>&1 &
    job=$!
    n=0
    until ls -d silent.h5.work/policy-* >/dev/null 2>&1 || [ $n -gt 1200 ]; do
        n=$((n + 1))
        sleep 0.05
    done
    sleep 1
    kill -STOP "$(rank_pid $job "$bad")"
    began=$(date +%s)
    wait $job
    status=$?
    took=$(($(date +%s) - began))
}
hang 2 --ranks-per-run 2
check "a silent rank ends the job with 75, not $status" test $status -eq 75
check "in time, not in $took s" test $took -lt 60
check 'it is told of before' grep -q 'rank 2 on .*, which is stopped, .*; after [0-9]* s the job ends without it' silent.txt
check 'who waits for it is not' sh -c '! grep -q "rank 1 on .* not been heard" silent.txt'
expect 0 'rank 2 on .*, which is stopped, has not been heard of for .* at work on policy' "$POSWEEP" status silent.h5
expect 0 'its rank hung: rank 2' "$POSWEEP" why silent.h5 "$(sed -n 's/.*at work on policy \(.*\): the job ends.*/\1/p' silent.txt | head -n 1)"

# Its host gets no work from the next start, if that can do without it.
next_start() {
    "$MPIEXEC" -n 3 -x LD_PRELOAD="$BAD_RANK_LIB" -x BAD_HOSTS=1 \
        -x ASAN_OPTIONS=verify_asan_link_order=0 "$POSWEEP" run sweep.yaml -o silent.h5 "$@"
}
expect 0 'host2 is left out, .* met: rank 2 on host2, which is stopped, has not been heard of' next_start
expect 0 'host2 failed in an earlier start, but gets work: the others are too few: rank 2 on host2' \
    next_start --ranks-per-run 2 --set policy.lr=2e-4
expect 0 '3 runs done' next_start --set policy.lr=3e-4
check 'it works again, and is not left out' sh -c '! grep -q host2 out.txt'

# --- A coordinator that hangs ---------------------------------------------------------------------------
hang 0
check "a silent coordinator ends the job with 75, not $status" test $status -eq 75
check "in time, not in $took s" test $took -lt 60
check 'it is told of' grep -q 'rank 0, the coordinator, has not been heard of for [0-9]* s' silent.txt
expect 0 '3 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run sweep.yaml -o silent.h5 --set policy.lr=4e-4

# --- A run that always kills its rank ----------------------------------------------------------------
n_death=0
status=137
while [ $status -ge 128 ] && [ $n_death -lt 10 ]; do
    "$MPIEXEC" -n 3 -x LD_PRELOAD="$BAD_RANK_LIB" -x BAD_RANKS=1,2 -x BAD_ERRNO=kill \
        -x BAD_PATH=/rollout- -x ASAN_OPTIONS=verify_asan_link_order=0 \
        "$POSWEEP" run sweep.yaml -o killer.h5 --set limits.memory_gib=100000 >>killer.txt 2>&1
    status=$?
    [ $status -lt 128 ] || n_death=$((n_death + 1))
done
check "the last start ends with 70, not $status" test $status -eq 70
check "it takes 2 deaths, not $n_death" test $n_death -eq 2
check 'the others are done' grep -q '^2 of 3 runs done.* 1 failed' killer.txt
expect 0 'killer.*: it cost 2 starts their ranks; the last: rank . on .*; the plan is [0-9.]* [KMG]iB per rank, there are' "$POSWEEP" status killer.h5
expect 0 '(limits.memory_gib; memory of this node per working rank: [0-9.]* [MG]iB)' "$POSWEEP" status killer.h5
expect 0 'rank . on .* died at work on policy grpo killer' "$POSWEEP" why killer.h5 killer
expect 70 '^2 of 3 runs done (3 before), 1 failed' "$POSWEEP" run sweep.yaml -o killer.h5
expect 0 '^3 of 3 runs done (2 before)' "$POSWEEP" run sweep.yaml -o killer.h5 --retry-failed
[ "$N_BAD" -eq 0 ]
