package proxmox

import (
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// driveOptions returns a drive with what is asked of it other than where it is and how large.
func (e *edit) driveOptions(d vmconf.Drive, bus string, have, want backends.Disk, path backends.Path) (vmconf.Drive, error) {
	if want.Cache != nil && changed(have.Cache, want.Cache) {
		switch *want.Cache {
		case "none", "writeback", "writethrough", "directsync", "unsafe":
			d = d.Put("cache", *want.Cache)
		default:
			return d, invalid(path.Attr("cache"), `%q is none of "none", "writeback", "writethrough", "directsync" and "unsafe"`, *want.Cache)
		}
	}
	threads := changed(have.IOThread, want.IOThread) || changed(have.Bus, &bus) || e.next["scsihw"] != e.cfg["scsihw"]
	switch {
	case value(want.SSD) && bus == "virtio" && (changed(have.SSD, want.SSD) || changed(have.Bus, &bus)):
		return d, invalid(path.Attr("ssd"), "disks on the virtio bus do not say what they are made of: use scsi")
	case !threads: // Proxmox VE does not mind a thread that it does not make, and who made the VM elsewhere may have asked for one
	case value(want.IOThread) && bus != "virtio" && bus != "scsi":
		return d, invalid(path.Attr("iothread"), "disks on the %s bus have no thread of their own: use scsi or virtio", bus)
	case value(want.IOThread) && bus == "scsi" && e.next["scsihw"] != usualSCSI:
		return d, invalid(path.Attr("iothread"), "a SCSI disk has a thread of its own with proxmox.scsi_controller = %q only, and the VM has %q", usualSCSI, orElse(e.had().SCSIController, e.next["scsihw"]))
	}
	discard := ""
	if value(want.Discard) {
		discard = "on"
	}
	if changed(have.Discard, want.Discard) {
		d = d.Put("discard", discard)
	}
	for _, flag := range []struct {
		key        string
		have, want *bool
	}{
		{"ssd", have.SSD, want.SSD},
		{"iothread", have.IOThread, want.IOThread},
	} {
		if !changed(flag.have, flag.want) {
			continue
		}
		text := ""
		if *flag.want {
			text = "1"
		}
		d = d.Put(flag.key, text)
	}
	for _, n := range []struct {
		attr, key  string
		have, want *int64
	}{
		{"iops_limit", "iops", have.IOPSLimit, want.IOPSLimit},
		{"throughput_mib", "mbps", have.ThroughputMiB, want.ThroughputMiB},
	} {
		if !changed(n.have, n.want) {
			continue
		}
		if *n.want < 0 {
			return d, invalid(path.Attr(n.attr), "%d is less than 0, which is none", *n.want)
		}
		d = d.Put(n.key, positive(*n.want))
	}
	return d, nil
}

// driveParts are the options of a drive that attributes speak for.
var driveParts = []string{
	"file", "volume", "size", "format", "media", "cache", "discard", "ssd", "iothread", "iops", "mbps", "import-from", "snapshot", "shared",
}

// fitting drops options that a bus does not have, when a disk comes to it.
func fitting(d vmconf.Drive, bus string) vmconf.Drive {
	if bus == "virtio" {
		d = d.Without("ssd")
	}
	if bus != "virtio" && bus != "scsi" {
		d = d.Without("iothread", "ro")
	}
	if bus != "scsi" {
		d = d.Without("queues", "scsiblock", "vendor", "product")
	}
	return d
}

// busOf is the bus of a slot.
func busOf(slot string) string { return strings.TrimRight(slot, "0123456789") }

func (h *hardware) observeDisks(w world, o *observation) {
	o.Spec.Disks = map[string]backends.Disk{}
	for key, slot := range o.Slots {
		drive := h.Config.Drive(slot)
		volume := vmconf.ParseVolume(drive.Volume())
		marked := h.marked().Disks[key]
		d := backends.Disk{
			SizeGiB: new(max(drive.Bytes()/vmconf.GiB, 1)), Storage: new(volume.Storage), Format: new(drive.Format()), Bus: new(busOf(slot)),
			Cache: new(drive.Get("cache")), Discard: new(drive.Get("discard") == "on"), SSD: new(drive.Bool("ssd", false)),
			IOThread: new(drive.Bool("iothread", false)), Options: observeParts(drive.Props, marked.Options),
			KeepOnDestroy: new(marked.Keep), IOPSLimit: new(whole(drive.Get("iops"))), ThroughputMiB: new(whole(drive.Get("mbps"))),
		}
		if *d.Cache == "" {
			d.Cache = new("none")
		}
		if facts, ok := w.Storages[volume.Storage]; ok && facts.Type != "" {
			d.Provisioning = new(facts.provisioning())
		}
		if marked.External {
			d.Volume = new(drive.Volume())
		}
		o.Spec.Disks[key] = d
		o.Disks[key] = backends.DiskStatus{
			Device: slot, Path: drive.Volume(), VolumeID: drive.Volume(), SizeBytes: drive.Bytes(),
			Owned: !marked.External && volume.Owner() == h.VMID, Backing: volume.Base(),
		}
		if status := o.Disks[key]; status.Backing == "" && marked.Base != "" && marked.Volume == status.VolumeID {
			status.Backing = marked.Base
			o.Disks[key] = status
		}
	}
}

// whole is a number without what is behind its point, 0 where it is none.
func whole(text string) int64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n < 1<<62) {
		return 0
	}
	return int64(n)
}
