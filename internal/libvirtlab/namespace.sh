#!/bin/bash
# namespace.sh DIR - run one private libvirtd in namespaces of its own and obey commands from stdin.
#
# Mounts: DIR/{etc,lib,run,cache,log} stand in for the system's libvirt folders.
# Network: bridges, taps, dnsmasq and firewall rules of one lab never meet another's or the host's.
# Processes: when stdin closes, for whatever reason, this script ends, it is the first process of its
#   namespace, and so the kernel ends libvirtd, every guest and every dnsmasq with it.
# Control groups: DIR's base name is the root of the tree that libvirt sees.
#
# Commands, one a line, each answered by "done COMMAND": start, stop (TERM), kill (KILL), ovs, and
# alive, which is answered by "dead" where the daemon has ended by itself.
# The first line of output is "pid N", the number of the first process as the host sees it.
set -euo pipefail
dir=$1
name=${dir##*/}
hierarchies() { awk '/ - cgroup2? / && $5 ~ "^/sys/fs/cgroup" && !seen[$5]++ { print $5 }' /proc/self/mountinfo; }

if [ "${2-}" != inside ]; then
  for hierarchy in $(hierarchies); do
    group=$hierarchy/$name
    mkdir "$group" 2>/dev/null || continue
    # A new v1 cpuset is empty, and no process may enter it before it has CPUs and memory.
    for file in cpuset.cpus cpuset.mems; do
      if [ -f "$group/cgroup.clone_children" ] && [ -f "$group/$file" ]; then cat "$hierarchy/$file" > "$group/$file"; fi
    done
    echo $$ > "$group/cgroup.procs"
  done
  exec unshare --mount --net --pid --cgroup --fork --kill-child --propagation private bash "$0" "$dir" inside
fi

# --- from here on inside -----------------------------------------------------------------------
read -r pid _ < /proc/self/stat # the host's /proc is still mounted, so this is the host's number
mount -t proc proc /proc
ip link set lo up

# /sys must show this network namespace; the control groups mounted below it are carried over.
trees=$(hierarchies)
mount --rbind /sys/fs/cgroup "$dir/mnt"
mount -t sysfs sysfs /sys
mount --rbind "$dir/mnt" /sys/fs/cgroup
umount -l "$dir/mnt"
for tree in $trees; do
  [ -d "$tree/$name" ] || continue
  mount --bind "$tree/$name" "$tree"
  # On v2 only a group without processes of its own can have children with limits.
  if [ -s "$tree/cgroup.controllers" ]; then
    mkdir "$tree/init"
    echo 1 > "$tree/init/cgroup.procs"
  fi
done

bind() {
  mkdir -p "$2"
  mount --bind "$dir/$1" "$2"
}
bind etc /etc/libvirt
bind lib /var/lib/libvirt
bind run /run/libvirt
bind cache /var/cache/libvirt
bind log /var/log/libvirt
bind localca /var/lib/swtpm-localca
bind swtpmlog /var/log/swtpm
bind ovs /run/openvswitch
# A machine manager on the host's bus would be told of processes that it cannot see.
if [ -d /run/dbus ]; then mount -t tmpfs tmpfs /run/dbus; fi
# A /dev/kvm that exists but does not work slows down the first connection and offers a domain type
# that cannot start. LAB_KVM=1 keeps it.
if [ -z "${LAB_KVM-}" ] && [ -e /dev/kvm ]; then mount --bind "$dir/nokvm" /dev/kvm; fi

# A plain bridge, and a link whose one end carries macvtap devices. An IPv4 address besides the loopback's
# must exist, or the resolver takes 127.0.0.1 for an address family that the machine has not got.
ip link add br-lab type bridge
ip link set br-lab up
ip link add lab0 type veth peer name lab1
ip link set lab0 up
ip link set lab1 up
ip addr add 10.150.1.1/24 dev br-lab
echo 1 > /proc/sys/net/ipv4/ip_forward

daemon=
start() {
  rm -f "$dir/run/libvirt-sock"
  # LAB_EXEC is a program that becomes the one that follows it, without the right to raise a limit; see memlock_linux.go.
  LIBVIRTLAB_EXEC=${LAB_EXEC:+1} ${LAB_EXEC-} libvirtd --listen --pid-file "$dir/run/libvirtd.pid" < /dev/null >> "$dir/log/libvirtd.log" 2>&1 &
  daemon=$!
}
halt() {
  [ -n "$daemon" ] || return 0
  kill "-$1" "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  daemon=
}
# Open vSwitch in user space: the kernel's module is not needed.
ovs() {
  ovsdb-tool create "$dir/ovs/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server "$dir/ovs/conf.db" --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir --log-file="$dir/log/ovsdb.log"
  ovs-vsctl --no-wait init
  ovs-vswitchd --pidfile --detach --no-chdir --log-file="$dir/log/vswitchd.log"
  ovs-vsctl --timeout=10 add-br br-ovs -- set bridge br-ovs datapath_type=netdev
}

echo "pid $pid"
while read -r command; do
  case $command in
  start) start ;;
  stop) halt TERM ;;
  kill) halt KILL ;;
  alive) [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null || echo dead ;;
  ovs) ovs < /dev/null >> "$dir/log/ovs.log" 2>&1 ;;
  esac
  echo "done $command"
done
