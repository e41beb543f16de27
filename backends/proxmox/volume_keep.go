package proxmox

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// keepVolume makes a VM that does not run forget a volume of its own, which is at an unusedN key: removal of the key would remove the volume,
// and so would the removal of the VM. Proxmox VE takes a key whose volume is not the VM's own away and leaves the volume alone; so the key
// is first made to name a volume of nobody. The volume keeps its name, and belongs to no VM.
func (b *Backend) keepVolume(ctx context.Context, node string, vmid int64, key, volume string) error {
	if err := b.put(ctx, node, vmid, map[string]any{key: nobodys(volume)}); err != nil {
		return err
	}
	// What waits for the next start did not take the volume's place: then the removal of the key would be the volume's.
	var now pve.Values
	if err := b.conn.Get(ctx, config(node, vmid), map[string][]string{"current": {"1"}}, &now); err != nil {
		return err
	}
	if got, _, _ := strings.Cut(now[key], ","); got != nobodys(volume) {
		err := backends.Errorf(backends.Precondition, "", "", "Proxmox VE lets go of the disk %q without deleting it only where the VM is stopped", volume).
			Advise("Stop the VM first.")
		if undo := b.put(ctx, node, vmid, map[string]any{"revert": key}); undo != nil {
			return undo
		}
		return err
	}
	return b.put(ctx, node, vmid, map[string]any{"delete": key})
}

// nobodys is the id of a volume beside another one, that does not exist and belongs to no VM.
func nobodys(volume string) string {
	v, owner := vmconf.ParseVolume(volume), strconv.FormatInt(volumeOwner, 10)
	name := "vm-" + owner + "-released"
	if strings.Contains(v.Name, "/") && strings.Contains(v.Name, ".") {
		name = owner + "/" + name + ".raw"
	}
	return vmconf.Volume{Storage: v.Storage, Name: name}.String()
}

// letGo frees a VM that does not run, and is to be removed, of volumes that carry its VMID and are to stay: what was detached to
// be kept while the VM ran, and disks with a life of their own that once were another VM's of the same VMID.
func (b *Backend) letGo(ctx context.Context, m *machine) error {
	for slot, volume := range m.kept() {
		var err error
		if strings.HasPrefix(slot, "unused") {
			err = b.keepVolume(ctx, m.node, m.hardware.VMID, slot, volume)
		} else {
			err = b.detach(ctx, m, detach{Slot: slot, Volume: volume}, backends.Cold)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kept are the volumes that would go with the VM and are to stay, by their keys.
func (m *machine) kept() map[string]string {
	kept := map[string]string{}
	slots := m.diskSlots()
	for key, d := range m.marked().Disks {
		slot := slots[key]
		volume := m.Config.Drive(slot).Volume()
		if slot != "" && d.External && vmconf.ParseVolume(volume).Owner() == m.hardware.VMID {
			kept[slot] = volume
		}
	}
	for key, text := range m.Config {
		volume, _, _ := strings.Cut(text, ",")
		if strings.HasPrefix(key, "unused") && (slices.Contains(m.marked().Kept, volume) || m.detachedByHand(slots, volume)) {
			kept[key] = volume
		}
	}
	return kept
}

// detachedByHand reports whether an unused volume can be a disk with keep_on_destroy that somebody detached in Proxmox VE.
func (m *machine) detachedByHand(slots map[string]string, volume string) bool {
	for key, d := range m.marked().Disks {
		if d.Keep && slots[key] == "" && (d.Volume == volume || d.Volume == "") {
			return true
		}
	}
	return false
}

// admitVolumes refuses disks with a life of their own that another VM has, or that do not exist, and media that do not: Proxmox VE would notice
// these when the VM starts. have is nil for a new VM.
func (b *Backend) admitVolumes(ctx context.Context, node string, vmid int64, have *hardware, p *plan) error {
	for slot, blame := range p.Blame {
		medium := p.Set.Drive(slot).Volume()
		if blame != "cdrom.iso" || !isVolume(medium) {
			continue
		}
		l, err := b.locateFrom(ctx, node, medium)
		if err != nil {
			return at(err, blame)
		}
		if !l.shared && l.node != node {
			return backends.Errorf(backends.Precondition, "", "", "the ISO %q is at the node %q, and the VM at %q", medium, l.node, node).At(blame).
				Advise("Import it to a storage that the nodes share, or that the VM's has.")
		}
	}
	for key, d := range p.Mark.Disks {
		if !d.External || have != nil && have.Mark != nil && have.Mark.Disks[key].External && have.Mark.Disks[key].Volume == d.Volume {
			continue
		}
		path := backends.Path("disks").Key(key).Attr("volume")
		l, err := b.locate(ctx, d.Volume)
		if err != nil {
			return at(err, path)
		}
		if !l.shared && l.node != node {
			return backends.Errorf(backends.Precondition, "", "", "the volume %q is at the node %q, and the VM at %q", d.Volume, l.node, node).At(path).
				Advise("Place the VM there, or keep such disks on a storage that the nodes share.")
		}
		users, err := b.released(ctx, d.Volume, l, false)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(u user) bool { return have != nil && u.vmid == vmid })
		if len(users) > 0 && users[0].idle {
			return backends.Errorf(backends.Precondition, "", "", "the volume %q is an unused disk of %s, and would go with it", d.Volume, names(users[:1])).At(path).
				Advise("Give it to this VM in Proxmox VE (Reassign Owner), or use a disk that no VM has.")
		}
		if len(users) > 0 {
			return backends.Errorf(backends.Precondition, "", "", "the volume %q is attached to %s", d.Volume, names(users)).At(path).Advise("Detach it there first.")
		}
	}
	return nil
}
