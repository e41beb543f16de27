package vsphere

import (
	"github.com/vmware/govmomi/vim25/types"
)

// resolve finds the devices that the mark means: disks by their UUID, which stays wherever they are connected and
// through snapshots, else by the slot that was chosen for them; interfaces by their place on the bus.
func (k *mark) resolve(m *machine) {
	k.resolveDisks(m)
	units, keys := map[int32]int32{}, map[int32]int32{}
	for _, c := range m.cards() {
		card := c.GetVirtualEthernetCard()
		units[value(card.UnitNumber)], keys[card.Key] = card.Key, value(card.UnitNumber)
	}
	for key, n := range k.NICs {
		if n.Unit == 0 {
			n.Unit = keys[n.Device]
		} else {
			n.Device = units[n.Unit]
		}
		k.NICs[key] = n
	}
}

func (k *mark) resolveDisks(m *machine) {
	list := m.devices()
	bySlot, byUUID, slots := map[string]*types.VirtualDisk{}, map[string]*types.VirtualDisk{}, map[int32]string{}
	for _, d := range list {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if s, ok := slotOf(list, disk); ok {
			bySlot[s.String()], slots[disk.Key] = disk, s.String()
		}
		uuid := flatBacking(disk).Uuid
		if _, twice := byUUID[uuid]; twice {
			disk = nil // files that somebody copied cannot be told apart
		}
		byUUID[uuid] = disk
	}
	meant := map[int32]bool{}
	for key, d := range k.Disks {
		disk := byUUID[d.UUID]
		if d.UUID == "" || disk == nil {
			continue
		}
		d.Device, d.Slot = disk.Key, slots[disk.Key]
		meant[disk.Key] = true
		k.Disks[key] = d
	}
	for key, d := range k.Disks {
		if d.UUID != "" && byUUID[d.UUID] != nil {
			continue
		}
		switch disk := bySlot[d.Slot]; {
		case d.Slot == "":
			d.Slot = slots[d.Device]
		case disk != nil && !meant[disk.Key]:
			d.Device = disk.Key
		default:
			d.Device = 0 // it is gone
		}
		k.Disks[key] = d
	}
}

// identify notes the UUIDs of disks, which are known once they exist.
func (k *mark) identify(disks map[string]*types.VirtualDisk) {
	for key, disk := range disks {
		if d, ok := k.Disks[key]; ok {
			d.UUID = flatBacking(disk).Uuid
			k.Disks[key] = d
		}
	}
}
