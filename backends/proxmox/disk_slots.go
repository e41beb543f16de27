package proxmox

import (
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// diskDrives are the drives that are disks, in Proxmox VE's order.
func (h *hardware) diskDrives() []string {
	return slices.DeleteFunc(h.Config.Drives(), func(slot string) bool {
		d := h.Config.Drive(slot)
		return d.IsCDROM() || d.IsCloudInit()
	})
}

// diskSlots are the slots of disks by key. The mark knows a disk by its volume, wherever that is attached, else by its
// slot, for a volume gets another id when it is moved. A disk that the mark does not know has its slot for a key.
func (h *hardware) diskSlots() map[string]string {
	drives := h.diskDrives()
	byVolume := map[string]string{}
	for _, slot := range drives {
		byVolume[h.Config.Drive(slot).Volume()] = slot
	}
	slots, taken := map[string]string{}, map[string]bool{}
	marked := h.marked().Disks
	keys := slices.Sorted(maps.Keys(marked))
	for _, key := range keys {
		if slot, ok := byVolume[marked[key].Volume]; ok && marked[key].Volume != "" && !taken[slot] {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, key := range keys {
		if slot := marked[key].Slot; slots[key] == "" && slices.Contains(drives, slot) && !taken[slot] {
			slots[key], taken[slot] = slot, true
		}
	}
	for _, slot := range drives {
		if !taken[slot] {
			slots[free(slots, slot)] = slot
		}
	}
	return slots
}

// usualBus is that of disks which name none.
const usualBus = "scsi"

// freeSlot is a slot for a new disk.
func (e *edit) freeSlot(bus string, path backends.Path) (string, error) {
	size := vmconf.BusSize(bus)
	if size == 0 {
		return "", invalid(path.Attr("bus"), `%q is none of the buses "scsi", "virtio", "sata" and "ide"`, bus)
	}
	for i := range size {
		slot := vmconf.Slot{Kind: bus, Index: i}.String()
		if slot == cdromSlot { // the CD-ROM's place, where one may come
			continue
		}
		if e.isFree(slot) {
			return slot, nil
		}
	}
	if bus == "ide" && e.isFree(cdromSlot) {
		return cdromSlot, nil
	}
	return "", invalid(path.Attr("bus"), "the %s bus takes %d drives, and all its places are taken", strings.ToUpper(bus), size)
}

// isFree reports whether a slot has no drive, before and after the change: one that goes is told apart from one
// that comes only where the other is gone first.
func (e *edit) isFree(slot string) bool {
	if e.next.Free(slot) == "" {
		return false
	}
	return !e.Running || e.cfg.Free(slot) != ""
}
