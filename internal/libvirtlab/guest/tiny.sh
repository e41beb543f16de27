#!/bin/bash
# tiny.sh OUT.qcow2 - build the everyday guest: it answers the guest agent about three seconds after power-on.
#
# The disk is one bootable FAT file system (BIOS, syslinux) that holds a Debian cloud kernel and an
# initramfs with busybox and Debian's own qemu-ga. There is no systemd and no cloud-init: /init
# reads the host name and the addresses of a NoCloud seed ("cidata") itself and asks DHCP for the rest.
#
# Runs as root. Needs mmdebstrap, qemu-utils, mtools, dosfstools, syslinux, syslinux-common,
# busybox-static, cpio, and a Debian mirror.
set -euo pipefail

out=$(realpath -m "${1:?usage: tiny.sh OUT.qcow2}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debian=$work/debian
ram=$work/initramfs

# The cloud kernel's real package name changes with every security update.
kernel_package() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/ *Depends: //p'; }
kernel=$(kernel_package)
if [ -z "$kernel" ]; then
  apt-get -q=2 update
  kernel=$(kernel_package)
fi

# "extract" unpacks packages without running their scripts: nothing of them needs to be configured.
mmdebstrap --quiet --variant=extract \
  --include="qemu-guest-agent,libselinux1,libpcre2-8-0,kmod,$kernel" bookworm "$debian"
release=$(basename "$debian"/lib/modules/*)

mkdir -p "$ram"/{bin,sbin,usr/sbin,lib64,proc,sys,dev,run,tmp,mnt,modules,var/run,etc/qemu,etc/acpi/PWRF}
cp /bin/busybox "$ram/bin/"
cp "$debian/usr/sbin/qemu-ga" "$ram/usr/sbin/"
# The agent's libraries, as its own loader resolves them inside the unpacked tree.
chroot "$debian" /lib64/ld-linux-x86-64.so.2 --list /usr/sbin/qemu-ga | grep -o '/[^ ]*' | while read -r lib; do
  mkdir -p "$ram$(dirname "$lib")"
  cp -L "$debian$lib" "$ram$lib"
done

# Modules in load order: modules.dep lists a module's needs last to first.
chroot "$debian" /sbin/depmod "$release"
dep=$debian/lib/modules/$release/modules.dep
for module in virtio_pci virtio_blk virtio_scsi virtio_net e1000 e1000e virtio_console virtio_balloon isofs vfat nls_cp437 nls_ascii sr_mod sd_mod ext4 button evdev; do
  sed -n "s#^\([^:]*/$module\.ko[^:]*\): *\(.*\)#\1 \2#p" "$dep" | tr ' ' '\n' | tac
done | awk 'NF && !seen[$0]++' | while read -r file; do
  cp "$debian/lib/modules/$release/$file" "$ram/modules/"
  basename "$file"
done > "$ram/modules/order"

cat > "$ram/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
while read -r module; do insmod "/modules/$module" 2>/dev/null; done < /modules/order

# Without udev nobody names the agent's port: look for it.
for port in /sys/class/virtio-ports/*/name; do
  [ "$(cat "$port" 2>/dev/null)" = org.qemu.guest_agent.0 ] && agent=/dev/$(basename "$(dirname "$port")")
done
# guest-shutdown of the agent runs shutdown(8).
printf '#!/bin/sh\ncase "$*" in *-r*) exec reboot -f;; *) exec poweroff -f;; esac\n' > /sbin/shutdown
chmod +x /sbin/shutdown
# The power button.
(acpid -d -c /etc/acpi >/dev/null 2>&1 &)

hostname tiny
ip link set lo up
: > /run/addresses
seed=$(findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null)
if [ -n "$seed" ] && mount -o ro "$seed" /mnt; then
  name=$(sed -n 's/^local-hostname: *//p; s/^hostname: *//p' /mnt/meta-data /mnt/user-data 2>/dev/null | head -n 1 | tr -d "\"'")
  [ -n "$name" ] && hostname "$name"
  [ -f /mnt/network-config ] && awk -f /bin/netplan.awk /mnt/network-config > /run/addresses
fi
for link in /sys/class/net/*; do
  nic=${link##*/}
  mac=$(cat "$link/address")
  [ "$nic" = lo ] && continue
  ip link set "$nic" up
  if grep -q "^$mac address " /run/addresses; then
    sed -n "s/^$mac address //p" /run/addresses | while read -r a; do ip addr add "$a" dev "$nic"; done
    sed -n "s/^$mac gateway //p" /run/addresses | while read -r g; do ip route add default via "$g" dev "$nic"; done
  else
    udhcpc -q -b -i "$nic" -s /bin/lease >/dev/null 2>&1 &
  fi
done

# A file system for the agent to tell of. It is not needed any more.
mkdir -p /boot
disk=$(findfs LABEL=TINY 2>/dev/null) && mount -o ro "$disk" /boot

# Last, so that an agent that answers means: name, static addresses and power button are in place.
[ -n "$agent" ] && qemu-ga -d -m virtio-serial -p "$agent" -t /run -f /run/qemu-ga.pid
echo "tiny guest ready: $(hostname) $(cut -d' ' -f1 /proc/uptime)s"
while :; do setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'; done
INIT

# Prints "MAC address CIDR" and "MAC gateway IP" for a block-style network-config, version 2.
cat > "$ram/bin/netplan.awk" <<'AWK'
function flush(   i, n, list) {
  if (mac != "") {
    n = split(addresses, list, " "); for (i = 1; i <= n; i++) print mac " address " list[i]
    n = split(gateways, list, " ");  for (i = 1; i <= n; i++) print mac " gateway " list[i]
  }
  mac = addresses = gateways = ""
}
{ gsub(/["'\r]/, ""); indent = match($0, /[^ ]/) }
/^ *ethernets:/ { section = indent; key = 0; next }
!section || !indent { next }
indent <= section { flush(); section = 0; next }
!key { key = indent }
indent == key { flush() }
/macaddress:/ { if (match($0, /[0-9a-fA-F][0-9a-fA-F](:[0-9a-fA-F][0-9a-fA-F])+/)) mac = tolower(substr($0, RSTART, RLENGTH)) }
/(via|gateway4|gateway6): */ { line = $0; sub(/.*(via|gateway4|gateway6): */, "", line); sub(/[ ,}].*/, "", line); gateways = gateways " " line }
/to:/ { next }
{
  line = $0
  while (match(line, /[0-9a-fA-F][0-9a-fA-F.:]*\/[0-9]+/)) {
    addresses = addresses " " substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
  }
}
END { flush() }
AWK

cat > "$ram/bin/lease" <<'LEASE'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -n "$router" ] && ip route add default via "${router%% *}"
exit 0
LEASE
printf '#!/bin/sh\nexec /bin/poweroff -f\n' > "$ram/etc/acpi/PWRF/00000080" # the name busybox's acpid looks for
printf 'ID=tiny\nNAME="Tiny"\nPRETTY_NAME="Tiny test guest"\n' > "$ram/etc/os-release" # the agent tells it
echo 'root::0:0:root:/:/bin/sh' > "$ram/etc/passwd"
echo 'root:x:0:' > "$ram/etc/group"
echo 'root:*:19000:0:99999:7:::' > "$ram/etc/shadow"
chmod +x "$ram/init" "$ram/bin/lease" "$ram/etc/acpi/PWRF/00000080"
(cd "$ram" && find . | cpio -o -H newc --quiet) > "$work/initrd"

disk=$work/disk.img
truncate -s 40M "$disk"
mkfs.vfat -F 16 -n TINY "$disk" > /dev/null
syslinux --install "$disk"
printf 'DEFAULT tiny\nPROMPT 0\nLABEL tiny\n LINUX /vmlinuz\n INITRD /initrd\n APPEND console=ttyS0 quiet mitigations=off\n' > "$work/syslinux.cfg"
mcopy -i "$disk" "$debian/boot/vmlinuz-$release" ::vmlinuz
mcopy -i "$disk" "$work/initrd" "$work/syslinux.cfg" ::
qemu-img convert -O qcow2 "$disk" "$out"
