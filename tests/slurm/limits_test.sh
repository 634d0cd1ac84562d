#!/bin/sh
# posweep submit and what a site allows: limits of partition, QOS and association, as Slurm's own
# programs write them (stand-ins, because a throw-away cluster has no accounting).
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
mkdir bin && PATH=$PWD/bin:$PATH
ENFORCE='associations,limits,qos'
export ENFORCE

cat >bin/scontrol <<'SCRIPT'
#!/bin/sh
echo "scontrol $*" >>asked.txt
case $* in
'show config')
    echo "AccountingStorageEnforce = $ENFORCE"
    echo 'ClusterName             = here'
    echo 'JobRequeue              = 1'
    echo 'MaxArraySize            = 1001' ;;
*--oneliner*partition\ nosuch) echo 'Partition nosuch not found' && exit 1 ;;
*--oneliner*partition\ drained) echo 'PartitionName=drained AllowQos=ALL QoS=N/A MaxNodes=UNLIMITED MaxTime=UNLIMITED State=DOWN TotalNodes=9' ;;
*--oneliner*partition\ own) echo 'PartitionName=own AllowAccounts=ALL AllowQos=ALL Default=NO QoS=part MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 State=UP TotalCPUs=640 TotalNodes=10' ;;
*--oneliner*)
    echo 'PartitionName=debug AllowAccounts=ALL AllowQos=ALL Default=NO QoS=N/A MaxNodes=1 MaxTime=00:10:00 MinNodes=0 State=UP TotalNodes=2'
    echo 'PartitionName=main AllowGroups=ALL AllowAccounts=ml,bio AllowQos=normal,long,wide Default=YES QoS=N/A DefaultTime=NONE MaxNodes=8 MaxTime=1-00:00:00 MinNodes=0 State=UP TotalCPUs=6400 TotalNodes=100' ;;
esac
SCRIPT
cat >bin/sacctmgr <<'SCRIPT'
#!/bin/sh
echo "sacctmgr $*" >>asked.txt
case $* in
*'show user'*) echo ml ;;
*'show assoc'*)
    echo 'bio||normal,long|long|||||'
    echo 'ml||long,normal,wide||02:00:00|cpu=64|node=6|20|' ;;
*'name=normal '*) echo 'normal|||||||' ;;
*'name=long '*) echo 'long|12:00:00|cpu=128,mem=16G,node=4|node=3|5|||DenyOnLimit' ;;
*'name=wide '*) echo 'wide|2-00:00:00|node=32||||node=40|PartitionTimeLimit,PartitionMaxNodes' ;;
*'name=part '*) echo 'part|00:30:00|||||cpu=8|' ;;
esac
SCRIPT
cat >bin/sinfo <<'SCRIPT'
#!/bin/sh
echo 64
SCRIPT
cat >bin/sbatch <<'SCRIPT'
#!/bin/sh
echo submitted >>submitted.txt
echo 4711
SCRIPT
chmod +x bin/*
submit() { "$POSWEEP" submit "$SWEEP" -o limits.h5 --ntasks-per-node 2 --mem-per-cpu 500 --yes "$@"; }
refuse() { # TEXT OPTION...
    text=$1
    shift
    expect 78 "$text" submit "$@"
}
accept() { expect 0 'Submitted job 4711' submit "$@"; }

# --- The partition's: of the default one, or of that which is named ---------------------------------
refuse '--nodes: 2 nodes, but 1 are the most (MaxNodes of the partition debug)' -p debug --nodes 2 --time 5
refuse '--time: 15 minutes, but 10 are the most (MaxTime of the partition debug)' -p debug --time 15
refuse '--nodes: 9 nodes, but 8 are the most (MaxNodes of the partition main)' --nodes 9 --time 60
refuse '--partition nosuch: there is no such partition' -p nosuch
refuse '--qos idle: the partition main takes normal,long,wide only (AllowQos)' --qos idle
refuse '--account chem: the partition main takes ml,bio only (AllowAccounts)' --account chem

# --- The user's, where the QOS says nothing ----------------------------------------------------------
refuse '--time: 180 minutes, but 120 are the most (MaxWall of your association with the account ml)' --time 180
refuse '--nodes: 7 nodes, but 6 are the most (GrpTRES node of your association' --nodes 7
refuse 'ntasks-per-node: 80 cores, but 64 are the most (MaxTRES cpu of your' --nodes 2 --ntasks-per-node 40
refuse '--jobs: 21 jobs, but 20 are the most (MaxSubmitJobs of your' --jobs 21
check 'what is refused is not submitted' test ! -e submitted.txt

# --- The QOS comes first: the job's, named or by default; and before it that of the partition ------------
accept --qos long --time 600
refuse '--time: 800 minutes, but 720 are the most (MaxWall of the QOS long)' --qos long --time 800
refuse 'memory of all ranks: 20000 MiB, but 16384 are the most (MaxTRES mem of the QOS long)' --qos long \
    --nodes 2 --ntasks-per-node 10 --mem-per-cpu 1000
refuse '--jobs: 6 jobs, but 5 are the most (MaxSubmitJobs of the QOS long)' --qos long --jobs 6
refuse '--chain: 6 jobs, but 5 are the most' --qos long --chain 6
refuse '--nodes: 4 nodes, but 3 are the most (GrpTRES node of the QOS long)' --account bio --nodes 4
refuse '--time: 60 minutes, but 30 are the most (MaxWall of the QOS part, which is that of the partition' \
    --qos long -p own --time 60
refuse 'ntasks-per-node: 10 cores, but 8 are the most (MaxTRESPerUser cpu of the QOS part' -p own --nodes 5 --time 20
accept --qos wide --time 2-00:00:00 --nodes 20
refuse '--time: 2940 minutes, but 2880 are the most (MaxWall of the QOS wide)' --qos wide --time 2-01
refuse '--nodes: 33 nodes, but 32 are the most (MaxTRES node of the QOS wide)' --qos wide --nodes 33

# --- What was not said is made to fit -----------------------------------------------------------------
expect 0 'a job has at most 120 minutes here (MaxWall of your association.*): that is --time' submit --gflops 1e-4
check 'that is what is asked for' grep -q '^#SBATCH --time=2:00:00' out.txt

# --- Asked once each; accounting only where it is enforced; silence is no limit -------------------------
rm -f asked.txt
accept --time 60
check 'one question each' test "$(sort asked.txt | uniq -d | wc -l)" -eq 0
check 'five in all' test "$(wc -l <asked.txt)" -eq 5
rm -f asked.txt
ENFORCE=none
accept --time 180
check 'sacctmgr is not asked' test "$(grep -c sacctmgr asked.txt)" -eq 0
refuse '--time: 2160 minutes, but 1440 are the most (MaxTime of the partition main)' --time 1-12
accept -p debug,main --time 1-12
expect 0 'the partition drained is DOWN: the job waits until it is UP' submit -p drained
ENFORCE=limits
printf '#!/bin/sh\nexit 1\n' >bin/sacctmgr
accept --time 180
[ "$N_BAD" -eq 0 ]
