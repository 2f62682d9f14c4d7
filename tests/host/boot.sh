#!/usr/bin/env bash
# Becomes a throwaway host: systemd as PID 1 on an overlay of this machine's own root.
#   boot.sh NAME MOUNT_POINT [NSPAWN_OPTION...]
# It is called in a mount namespace of its own, so every mount ends with the host, however that
# ends. Nothing of the machine's own services is started: the host stops at basic.target.
set -euo pipefail
name=$1 base=$2
shift 2

# Two hosts in one control group would be one to systemd. (Read first: the moves change the file.)
memberships=$(cat /proc/self/cgroup)
while IFS=: read -r _ controllers path; do
    case $controllers in
        name=systemd) dir=/sys/fs/cgroup/systemd ;;
        '') dir=/sys/fs/cgroup; [ -e "$dir/cgroup.procs" ] || dir=/sys/fs/cgroup/unified ;;
        *) continue ;;
    esac
    [ -d "$dir" ] || continue
    mkdir -p "$dir${path%/}/$name"
    echo $$ > "$dir${path%/}/$name/cgroup.procs"
done <<< "$memberships"

mount -t tmpfs -o mode=0755 tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
echo "$name" > "$base/root/etc/hostname"
rm -f "$base/root/etc/machine-id"
: > "$base/root/etc/machine-id"

# It ends with 133 when the host is to boot again, with the same disk and nothing else of before.
status=133
while [ $status = 133 ]; do
    status=0
    systemd-nspawn --quiet --settings=no --register=no --keep-unit --kill-signal=KILL --private-network \
        --resolv-conf=off --timezone=off --link-journal=no \
        --machine="$name" --directory="$base/root" "$@" \
        --boot systemd.unit=basic.target &
    trap "kill -TERM $!" TERM
    wait $! || status=$?
done
