package proxmox

import (
	"context"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// thawed refuses changes that snapshots of the VM are in the way of. Only who asks for such a change pays for the question.
func (b *Backend) thawed(ctx context.Context, m *machine, changes []backends.Change) error {
	catalogue := b.catalogue()
	i := slices.IndexFunc(changes, func(c backends.Change) bool { return catalogue.FrozenBy(c) != "" })
	if i < 0 {
		return nil
	}
	l, err := b.snapshots(ctx, m)
	if err != nil || len(l.rows) == 0 {
		return err
	}
	var names []string
	for _, r := range l.rows {
		names = append(names, string(r.Name))
	}
	return backends.Errorf(backends.Precondition, "", "", "the VM has the snapshots %s, and %s", strings.Join(names, ", "), catalogue.FrozenBy(changes[i])).
		At(changes[i].Path).Advise("Delete the snapshots first.")
}

// unlinked refuses to remove a VM with which linked clones share content, and names them. Proxmox VE itself notices where the
// names of their volumes tell; the mark knows the others.
func (b *Backend) unlinked(ctx context.Context, m *machine) error {
	if !m.hardware.Template {
		return nil
	}
	all, err := b.configs(ctx)
	if err != nil {
		return err
	}
	own := map[string]bool{}
	for _, slot := range m.Config.Drives() {
		own[m.Config.Drive(slot).Volume()] = true
	}
	var names []string
	for _, hw := range all {
		if hw.VMID != m.hardware.VMID && hw.shares(m.hardware.VMID, own) {
			names = append(names, nameOf(hw.Config["name"], hw.VMID))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return backends.Errorf(backends.Precondition, "", "", "the VMs %s share what its disks hold", strings.Join(names, ", ")).Advise("Delete these linked clones first.")
}

// shares reports whether a disk of the VM is a linked clone of one of volumes of the VM origin.
func (h *hardware) shares(origin int64, volumes map[string]bool) bool {
	if h.Mark == nil || h.Mark.Origin != origin {
		return slices.ContainsFunc(h.Config.Drives(), func(slot string) bool {
			base := vmconf.ParseVolume(h.Config.Drive(slot).Volume()).Base()
			return base != "" && volumes[base]
		})
	}
	for _, d := range h.observe(world{}, false).Disks {
		if volumes[d.Backing] {
			return true
		}
	}
	return false
}

// dropAll deletes a VM's snapshots, for who is going to take disks from it that they hold.
func (b *Backend) dropAll(ctx context.Context, m *machine) error {
	l, err := b.snapshots(ctx, m)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range l.rows {
		names = append([]string{string(r.Name)}, names...)
	}
	return b.dropSnapshots(ctx, m, l, names)
}
