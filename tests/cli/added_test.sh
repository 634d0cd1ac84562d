#!/bin/sh
# A sweep file that is edited while it is performed: runs that were added are performed by the same
# start, or by the jobs that share it; a file that lost runs, or cannot be read, ends nothing.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

seeds() { sed "s/seeds: \[1\]/seeds: [$1]/" "$POSWEEP_SOURCE/sweeps/smallest.yaml"; }
run() {
    "$POSWEEP" run --set policy.steps=500 --set trace.every=250 --set trace.cosine_every=500 \
        --set log.every=100 "$@"
}
# while_it_runs FILE SEEDS ARGUMENT...: the sweep file becomes another one after the start.
while_it_runs() {
    file=$1 next=$2
    shift 2
    : >log
    run "$@" >log 2>&1 &
    tries=0
    until grep -q 'to do of' log || [ $tries -gt 400 ]; do tries=$((tries + 1)) && sleep 0.05; done
    seeds "$next" >new.yaml && mv new.yaml "$file"
    wait $!
}
seeds 1,2 >two.yaml
expect 0 '4 of 4 runs done' run two.yaml -o two.h5

seeds 1 >a.yaml
while_it_runs a.yaml 1,2 a.yaml -o a.h5
check 'it ends well' test $? -eq 0
check 'what was added is told' grep -q 'a.yaml asks for 2 more runs by now' log
check 'and done, by this start' grep -q '^4 of 4 runs done in ' log
check 'as if it had been asked for at once' same_datasets two.h5 a.h5

seeds 1,2 >b.yaml
while_it_runs b.yaml 2,3 b.yaml -o b.h5
check 'other runs are not performed' grep -q 'b.yaml asks for other runs by now' log
check 'what was asked for is' grep -q '4 of 4 runs done' log
check 'and is in the file' same_datasets two.h5 b.h5
while_it_runs a.yaml '1, 2, x' a.yaml -o a.h5 --set policy.lr=1e-5
check 'a file that cannot be read ends nothing' test $? -eq 0
check 'but is told' grep -q 'whether runs were added cannot be told: a.yaml:' log
check 'all the same it is done' grep -q '4 of 4 runs done' log

seeds 1 >c.yaml
while_it_runs c.yaml 1,2 c.yaml -o c.h5 --shared=2
check 'jobs that share it perform them, too' grep -q '4 of 4 runs done' log
check 'with the same bits' same_datasets two.h5 c.h5

# A shared sweep that was stopped, and whose file then gained runs: first its parts, then these.
seeds 1 >d.yaml
: >log
"$POSWEEP" run --set policy.steps=500 --set trace.every=250 --set trace.cosine_every=500 \
    --set log.every=100 d.yaml -o d.h5 --shared=2 >log 2>&1 &
tries=0
until grep -q 'to do of' log || [ $tries -gt 400 ]; do tries=$((tries + 1)) && sleep 0.05; done
kill -USR1 $!
wait $!
check 'it was stopped' test $? -eq 75
seeds 1,2 >d.yaml
expect 0 '4 of 4 runs done' run d.yaml -o d.h5 --shared=2
check 'with the same bits' same_datasets two.h5 d.h5
