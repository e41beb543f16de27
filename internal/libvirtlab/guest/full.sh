#!/bin/bash
# full.sh OUT.qcow2 - build a small Debian 13 guest with real cloud-init and qemu-guest-agent.
#
# It boots by BIOS (syslinux) and by UEFI with Secure Boot (shim, signed grub, signed kernel), grows its
# root file system to the size of the disk, and is done with cloud-init in about half a minute
# under software emulation. What costs time there and proves nothing is left out; each piece says why.
#
# Runs as root. Needs mmdebstrap, qemu-utils, mtools, dosfstools, syslinux, syslinux-common, fdisk,
# cpio, e2fsprogs, busybox-static, and a Debian mirror. It mounts nothing and uses no loop device.
set -euo pipefail

out=$(realpath -m "${1:?usage: full.sh OUT.qcow2}")
suite=trixie esp_mib=40 root_mib=520
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
# quiet: each line on the serial console costs CPU. mitigations=off: cheaper system calls.
cmdline="root=LABEL=rootfs ro console=ttyS0 quiet mitigations=off fsck.mode=skip"

mmdebstrap --quiet --variant=minbase --skip=cleanup/apt/lists \
  --include=kmod,systemd-sysv,systemd-resolved,udev,dbus,iproute2,cloud-init,cloud-guest-utils,qemu-guest-agent,e2fsprogs,fdisk \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
  "$suite" "$root"

# Kernel and boot loaders are unpacked, not installed: installing would pull in initramfs-tools.
guest_apt() {
  apt-get -q=2 -o Dir::State="$root/var/lib/apt" -o Dir::State::status="$root/var/lib/dpkg/status" \
    -o Dir::Etc="$root/etc/apt" -o Dir::Cache="$work" -o APT::Sandbox::User=root "$@"
}
kernel=$(chroot "$root" apt-cache depends linux-image-cloud-amd64 | sed -n 's/ *Depends: //p')
cd "$work"
guest_apt download "$kernel" shim-signed grub-efi-amd64-signed
dpkg-deb --fsys-tarfile "$kernel"_*.deb | tar -x --keep-directory-symlink -C "$root"
rm "$kernel"_*.deb
for deb in *.deb; do dpkg-deb -x "$deb" "$work/efi"; done
release=$(basename "$root"/lib/modules/*)
chroot "$root" depmod "$release"
mv "$root/boot/vmlinuz-$release" "$work/vmlinuz"
rm -rf "$root"/boot/*

# --- services -------------------------------------------------------------------------------
# Nothing periodic and no console but the serial one. logind stays: it makes the ACPI power button work.
chroot "$root" systemctl -q enable systemd-networkd serial-getty@ttyS0
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  fstrim.timer e2scrub_reap.service systemd-pstore.service getty@tty1.service remote-fs.target \
  systemd-networkd-wait-online.service cloud-init-hotplugd.socket systemd-update-utmp.service \
  systemd-timesyncd.service systemd-hwdb-update.service ldconfig.service systemd-rfkill.socket \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount dev-hugepages.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount sys-kernel-config.mount dev-mqueue.mount systemd-ask-password-wall.path \
  systemd-tmpfiles-clean.timer
# Debian's agent unit waits until udev has seen every device. This one needs its port only, which
# the initramfs has made already; enabling it at sysinit replaces the link that udev would pull in.
cat > "$root/etc/systemd/system/qemu-guest-agent.service" <<'UNIT'
[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
[Service]
ExecStart=/bin/sh -c 'for p in /sys/class/virtio-ports/*; do read n <$p/name; [ "$n" = org.qemu.guest_agent.0 ] && exec qemu-ga -m virtio-serial -p /dev/$${p##*/} -t /run; done'
Restart=on-failure
[Install]
WantedBy=sysinit.target
UNIT
chroot "$root" systemctl -q enable qemu-guest-agent
# Rules for devices a virtual machine has not got, and the hardware database: seconds of emulated CPU.
# 60-input-id and 70-power-switch must stay, logind finds the power button by them.
rm -f "$root"/usr/lib/udev/hwdb.bin
rm -f "$root"/usr/lib/udev/rules.d/{60-evdev,60-sensor,60-infiniband,60-fido-id,60-qemu-guest-agent}.rules \
  "$root"/usr/lib/udev/rules.d/60-persistent-{alsa,input,v4l,storage-tape}.rules \
  "$root"/usr/lib/udev/rules.d/70-{camera,joystick,mouse,touchpad,memory}.rules \
  "$root"/usr/lib/udev/rules.d/{71-seat,73-seat-late,75-probe_mtd,78-sound-card,81-net-dhcp,90-iocost}.rules

# --- cloud-init: the stages that tests look at; each further module imports more Python ---------
cat > "$root/etc/cloud/cloud.cfg.d/99-lab.cfg" <<'CFG'
datasource_list: [ NoCloud, None ]
datasource: { NoCloud: { fs_label: cidata } }
system_info: { distro: debian, network: { renderers: [networkd] } }
cloud_init_modules: [ bootcmd, write-files, growpart, resizefs, set_hostname, update_etc_hosts, users-groups ]
cloud_config_modules: [ set-passwords, runcmd ]
cloud_final_modules: [ scripts-user, final-message ]
CFG
# No shell script that probes for the seed of every cloud there is.
echo 'policy: enabled' > "$root/etc/cloud/ds-identify.cfg"

echo 'LABEL=rootfs / ext4 defaults,noatime 0 1' > "$root/etc/fstab"
: > "$root/etc/machine-id"
echo debian > "$root/etc/hostname"
rm -f "$root/etc/resolv.conf" "$root"/etc/apt/sources.list.d/* "$root"/var/cache/apt/*.bin
rm -rf "$root"/var/lib/apt/lists/*
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"

# --- initramfs of 2 MB: busybox and the drivers of virtio disks --------------------------------
ram=$work/initramfs
mkdir -p "$ram"/{bin,proc,sys,dev,mnt,modules}
cp /bin/busybox "$ram/bin/"
dep=$root/lib/modules/$release/modules.dep
for module in virtio_pci virtio_blk virtio_console sd_mod virtio_scsi sr_mod isofs virtio_net; do
  sed -n "s#^\([^:]*/$module\.ko[^:]*\): *\(.*\)#\1 \2#p" "$dep" | tr ' ' '\n' | tac
done | awk 'NF && !seen[$0]++' | while read -r file; do
  cp "$root/lib/modules/$release/$file" "$ram/modules/"
  echo "insmod /modules/${file##*/}"
done > "$ram/load"
cat > "$ram/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
. /load 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do disk=$(findfs LABEL=rootfs 2>/dev/null) && break; sleep 0.2; done
mount -t ext4 -o ro "$disk" /mnt || exec sh
for fs in dev proc sys; do mount --move "/$fs" "/mnt/$fs"; done
exec switch_root /mnt /sbin/init
INIT
chmod +x "$ram/init"
(cd "$ram" && find . | cpio -o -H newc --quiet) > "$work/initrd"

# --- EFI system partition, which syslinux boots from as well -------------------------------------
esp=$work/esp.img
truncate -s ${esp_mib}M "$esp"
mkfs.vfat -F 16 -n ESP "$esp" > /dev/null
syslinux --install "$esp"
printf 'DEFAULT full\nPROMPT 0\nLABEL full\n LINUX /vmlinuz\n INITRD /initrd\n APPEND %s\n' "$cmdline" > "$work/syslinux.cfg"
printf 'linux /vmlinuz %s\ninitrd /initrd\nboot\n' "$cmdline" > "$work/grub.cfg"
mmd -i "$esp" ::EFI ::EFI/BOOT ::EFI/debian
mcopy -i "$esp" "$work/vmlinuz" "$work/initrd" "$work/syslinux.cfg" ::
mcopy -i "$esp" "$work/efi/usr/lib/shim/shimx64.efi.signed" ::EFI/BOOT/BOOTX64.EFI
mcopy -i "$esp" "$work/efi/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::EFI/BOOT/grubx64.efi
mcopy -i "$esp" "$work/grub.cfg" ::EFI/debian/grub.cfg

# --- disk: partition 1 boots, partition 2 is the root, last so that it can grow ---------------------
mke2fs -q -t ext4 -L rootfs -E lazy_itable_init=0 -d "$root" "$work/root.img" ${root_mib}M
disk=$work/disk.img
truncate -s $((1 + esp_mib + root_mib + 1))M "$disk"
printf 'label: dos\nstart=2048, size=%dM, type=ef, bootable\nsize=%dM, type=83\n' $esp_mib $root_mib | sfdisk -q "$disk"
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc bs=440 count=1 status=none
dd if="$esp" of="$disk" conv=notrunc,sparse bs=1M seek=1 status=none
dd if="$work/root.img" of="$disk" conv=notrunc,sparse bs=1M seek=$((1 + esp_mib)) status=none
qemu-img convert -O qcow2 "$disk" "$out"
