package vsphere

import (
	"context"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// volumes checks the disks that are attached instead of made: each exists, and no other VM has it
// that does not share it.
func (e *edit) volumes(ctx context.Context) error {
	for _, key := range diskOrder(e.to.Disks) {
		want := e.to.Disks[key]
		if want.Volume == nil {
			continue
		}
		if have, ok := e.from.Disks[key]; ok && !e.creating && backends.SameDisk(have, want) {
			continue
		}
		path := backends.Path("disks").Key(key).Attr("volume")
		volume, err := e.GetDisk(ctx, *want.Volume)
		if err != nil {
			return e.noVolume(err, *want.Volume).At(path)
		}
		if volume.AttachedTo == "" || !e.creating && volume.AttachedTo == e.m.id() {
			continue
		}
		if err := e.shares(ctx, volume.AttachedTo, *want.Volume, value(want.Shared)); err != nil {
			return blame(err, path)
		}
	}
	return nil
}

func (e *edit) noVolume(err error, id string) *backends.Error {
	if backends.CodeOf(err) == backends.NotFound {
		return backends.Errorf(backends.NotFound, "", "", "there is no disk %q", id)
	}
	return backends.Errorf(backends.CodeOf(err), "", "", "disk %q: %w", id, err)
}

// shares refuses a disk that another VM has, unless both say that they share it.
func (e *edit) shares(ctx context.Context, holder backends.ID, volume string, shared bool) error {
	m, err := e.machine(ctx, holder, "read")
	if backends.CodeOf(err) == backends.NotFound {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	theirs := false
	for _, d := range m.devices() {
		if disk, ok := d.(*types.VirtualDisk); ok && flatBacking(disk).FileName == volume {
			theirs = flatBacking(disk).Sharing == string(types.VirtualDiskSharingSharingMultiWriter)
		}
	}
	switch {
	case shared && theirs:
		return nil
	case shared:
		return backends.Errorf(backends.Precondition, "", "", "disk %q is attached to VM %q, which does not share it", volume, m.Name).
			Advise("Set shared = true on the disk there too.")
	}
	return backends.Errorf(backends.Precondition, "", "", "disk %q is attached to VM %q", volume, m.Name).
		Advise("Detach it there first, or set shared = true on the disk of both VMs if what runs in them agrees on who writes.")
}
