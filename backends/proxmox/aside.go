package proxmox

import (
	"context"
	"slices"
	"strings"
)

// A disk that changes its slot is at an unused key for a moment. Whatever fails in that moment must not leave the VM without it: it would start
// without, and the next plan would make an empty one in its place.

// noteAside is a description whose mark knows a disk that changes its slot by its volume; ok is false where it does already, or has no name for it.
func (m *machine) noteAside(d detach) (k *mark, notes string, ok bool) {
	key := slotKey(m.diskSlots(), d.Slot)
	if _, marked := m.marked().Disks[key]; d.Attach == "" || !marked {
		return nil, "", false
	}
	k = m.Mark.clone(m.hardware.VMID)
	disk := k.Disks[key]
	disk.Slot, disk.Volume = d.Slot, d.Volume
	k.Disks[key] = disk
	_, text, err := readMark(m.Config["description"], m.hardware.VMID)
	if err != nil {
		return nil, "", false
	}
	notes, err = k.describe(text)
	return k, notes, err == nil
}

// putBack puts disks into their slots again that were to change them, after what should have done so was refused. What cannot be put back the
// mark knows, see leftAside.
func (b *Backend) putBack(ctx context.Context, m *machine, p *plan) {
	form := map[string]any{}
	for _, d := range p.Detach {
		if d.Attach != "" {
			form[d.Slot] = m.Config[d.Slot]
		}
	}
	if len(form) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	now, err := b.configured(ctx, m.resident, m.Pool)
	if err != nil {
		return
	}
	for _, d := range p.Detach {
		if d.Attach != "" && slices.ContainsFunc(now.Config.Drives(), func(slot string) bool { return now.Config.Drive(slot).Volume() == d.Volume }) {
			delete(form, d.Slot) // it was heard
		}
	}
	if len(form) > 0 {
		_ = insist(ctx, func() error { return b.put(ctx, m.node, m.hardware.VMID, form) })
	}
}

// leftAside is the volume of a disk that was detached to change its slot, or by hand, and is at an unused key since; "" for none.
func (e *edit) leftAside(key string) string {
	m, marked := e.mark.Disks[key]
	if e.creating() || !marked || m.Volume == "" || m.External || slices.Contains(e.mark.Kept, m.Volume) {
		return ""
	}
	for slot, text := range e.cfg {
		if volume, _, _ := strings.Cut(text, ","); strings.HasPrefix(slot, "unused") && volume == m.Volume {
			return volume
		}
	}
	return ""
}
