package datastore

import (
	"context"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (d *Datastore) disks() *object.VirtualDiskManager {
	return object.NewVirtualDiskManager(d.conn.VIM())
}

// CreateDisk makes a virtual disk that reads as zeros. A file that has its name is a Conflict.
func (d *Datastore) CreateDisk(ctx context.Context, file string, spec *types.FileBackedVirtualDiskSpec) error {
	_, err := d.conn.Await(ctx, "create", d.object(file), func(ctx context.Context) (*object.Task, error) {
		return d.disks().CreateVirtualDisk(ctx, d.Path(file), d.datacenter(), spec)
	})
	return err
}

// ExtendDisk grows a virtual disk that no VM uses.
func (d *Datastore) ExtendDisk(ctx context.Context, file string, bytes int64) error {
	return d.extend(ctx, file, bytes, nil)
}

// ExtendZeroedDisk grows a virtual disk that no VM uses and that was zeroed beforehand, as what is added then is, too.
func (d *Datastore) ExtendZeroedDisk(ctx context.Context, file string, bytes int64) error {
	eager := true
	return d.extend(ctx, file, bytes, &eager)
}

func (d *Datastore) extend(ctx context.Context, file string, bytes int64, eager *bool) error {
	_, err := d.conn.Await(ctx, "resize", d.object(file), func(ctx context.Context) (*object.Task, error) {
		return d.disks().ExtendVirtualDisk(ctx, d.Path(file), d.datacenter(), bytes/1024, eager)
	})
	return err
}

// CopyDisk copies a virtual disk, given by its datastore path, to one of this datastore in the same datacenter. Of a nil spec
// vSphere makes a disk that takes all its space.
func (d *Datastore) CopyDisk(ctx context.Context, from, to string, spec types.BaseVirtualDiskSpec) error {
	_, err := d.conn.Await(ctx, "copy", `file "`+from+`"`, func(ctx context.Context) (*object.Task, error) {
		dc := d.datacenter()
		return d.disks().CopyVirtualDisk(ctx, from, dc, d.Path(to), dc, spec, false)
	})
	return err
}

// MoveDisk moves a virtual disk, given by its datastore path, to one of this datastore.
func (d *Datastore) MoveDisk(ctx context.Context, from, to string) error {
	_, err := d.conn.Await(ctx, "move", `file "`+from+`"`, func(ctx context.Context) (*object.Task, error) {
		dc := d.datacenter()
		return d.disks().MoveVirtualDisk(ctx, from, dc, d.Path(to), dc, false)
	})
	return err
}

// RemoveDisk deletes a virtual disk; one that is gone is fine.
func (d *Datastore) RemoveDisk(ctx context.Context, file string) error {
	_, err := d.conn.Await(ctx, "delete", d.object(file), func(ctx context.Context) (*object.Task, error) {
		return d.disks().DeleteVirtualDisk(ctx, d.Path(file), d.datacenter())
	})
	if backends.CodeOf(err) == backends.NotFound {
		return nil
	}
	return err
}
