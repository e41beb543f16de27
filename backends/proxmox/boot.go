package proxmox

import (
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// cdromKey stands for the CD-ROM in an order of boot.
const cdromKey = "cdrom"

// boot writes the order in which the firmware tries devices. One that nobody asked for follows the devices: the
// disk root, the CD-ROM, the first interface.
func (e *edit) boot() error {
	asked := e.wanted().BootOrder
	for _, key := range asked {
		_, disk := e.plan.Slots[key]
		_, nic := e.plan.NICs[key]
		if !disk && !nic && key != cdromKey {
			return invalid("proxmox.boot_order", `%q is neither a disk nor a network of the VM, nor "cdrom"`, key)
		}
	}
	keys := asked
	if asked == nil {
		keys = e.had().BootOrder
	}
	now := &hardware{VMID: e.VMID, Config: e.next, Mark: e.mark}
	natural := naturalBoot(now, e.plan.Slots)
	order := natural
	if len(keys) > 0 {
		order = nil
		for _, key := range keys {
			if slot := bootSlot(now, e.plan.Slots, e.plan.NICs, key); slot != "" && !slices.Contains(order, slot) {
				order = append(order, slot)
			}
		}
	}
	if asked != nil {
		e.mark.BootOrder = asked
	}
	if e.creating() {
		if len(order) > 0 {
			e.set("boot", vmconf.FormatBoot(order), "proxmox.boot_order")
		}
		return nil
	}
	if len(keys) == 0 && len(e.had().BootOrder) == 0 &&
		slices.Equal(natural, naturalBoot(e.Have, e.seen.Slots)) {
		return nil
	}
	if have, _ := e.cfg.Boot(); slices.Equal(now.known(have, e.plan.Slots, e.plan.NICs), order) {
		return nil
	}
	e.set("boot", vmconf.FormatBoot(order), "proxmox.boot_order")
	return nil
}

// naturalBoot is the order of boot of which nobody said anything.
func naturalBoot(h *hardware, disks map[string]string) []string {
	var order []string
	if slot := disks[rootKey]; slot != "" {
		order = append(order, slot)
	} else if first := h.diskDrives(); len(first) > 0 {
		order = append(order, first[0])
	}
	if slot := h.cdromDrive(); slot != "" {
		order = append(order, slot)
	}
	if all := h.Config.NICs(); len(all) > 0 {
		order = append(order, all[0])
	}
	return order
}

// bootSlot is the slot of what a key of an order of boot means, or "".
func bootSlot(h *hardware, disks, nics map[string]string, key string) string {
	switch {
	case disks[key] != "":
		return disks[key]
	case nics[key] != "":
		return nics[key]
	case key == cdromKey:
		return h.cdromDrive()
	}
	return ""
}

// known leaves out of an order of boot what has no key: a seed's drive, a device that is gone, a USB stick.
func (h *hardware) known(order []string, disks, nics map[string]string) []string {
	cdrom := h.cdromDrive()
	var known []string
	for _, slot := range order {
		if slotKey(disks, slot) != "" || slotKey(nics, slot) != "" || slot == cdrom && slot != "" {
			known = append(known, slot)
		}
	}
	return known
}

func (h *hardware) observeBoot(o *observation) []string {
	order, ok := h.Config.Boot()
	if !ok {
		return []string{}
	}
	order = h.known(order, o.Slots, o.NICs)
	if len(h.marked().BootOrder) == 0 && slices.Equal(order, naturalBoot(h, o.Slots)) {
		return []string{}
	}
	keys := []string{}
	for _, slot := range order {
		key := slotKey(o.Slots, slot)
		if key == "" && strings.HasPrefix(slot, "net") {
			key = slotKey(o.NICs, slot)
		}
		if key == "" {
			key = cdromKey
		}
		keys = append(keys, key)
	}
	return keys
}
