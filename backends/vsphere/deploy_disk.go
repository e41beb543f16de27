package vsphere

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
)

// deployDisk makes a VM whose disk "root" is a copy of a virtual disk, as on a stand-alone ESXi, which clones nothing. The VM
// comes first, so that whatever ends this, its mark says what to remove; then the copy, which is attached and from then on goes with
// the VM. Where that fails nothing stays, and the id comes next to the error only where it could not be removed.
func (b *Backend) deployDisk(ctx context.Context, spec *backends.VMSpec, from origin) (backends.ID, error) {
	want, err := withImage(spec, from)
	if err != nil {
		return "", err
	}
	place, err := b.inv.Place(ctx, want.Placement)
	if err != nil {
		return "", err
	}
	if id, err := b.claim(ctx, place, spec); id != "" || err != nil {
		return id, err
	}
	bld, err := b.buildConfig(ctx, place, want, nil, nil)
	if err != nil {
		return "", err
	}
	root, err := bld.takeRoot()
	if err != nil {
		return "", err
	}
	id, err := b.make(ctx, want, bld)
	if err == nil {
		err = b.copyImage(ctx, id, root, from)
	}
	if err == nil {
		return id, b.finish(ctx, id, want, bld)
	}
	if id == "" {
		return "", err
	}
	left := id
	err = datastore.Undo(ctx, err, "the VM "+string(id), func(ctx context.Context) error {
		err := b.DeleteVM(ctx, id, backends.DeleteOptions{})
		if err == nil || backends.CodeOf(err) == backends.NotFound {
			left = ""
		}
		return err
	})
	return left, err
}

// withImage is spec with the disk that receives an image, of the image's size where none is asked for.
func withImage(spec *backends.VMSpec, from origin) (*backends.VMSpec, error) {
	want := *spec
	want.Disks = maps.Clone(spec.Disks)
	if want.Disks == nil {
		want.Disks = map[string]backends.Disk{}
	}
	path := backends.Path("disks").Key(rootKey)
	root := want.Disks[rootKey]
	switch least := wholeGiB(from.SizeBytes); {
	case root.Volume != nil:
		return nil, backends.Errorf(backends.Invalid, "", "", "the disk receives the image, so it cannot be an existing one").At(path.Attr("volume"))
	case root.SizeGiB == nil:
		root.SizeGiB = &least
	case *root.SizeGiB < least:
		return nil, backends.Errorf(backends.Invalid, "", "", "%d GiB is too small: the image has %d GiB", *root.SizeGiB, least).At(path.Attr("size_gib"))
	}
	want.Disks[rootKey] = root
	return &want, nil
}

// takeRoot takes the disk that receives the image out of the VM in the making, which stays partial without it.
func (bld *build) takeRoot() (*types.VirtualDisk, error) {
	path := backends.Path("disks").Key(rootKey)
	for i, c := range bld.spec.DeviceChange {
		disk, ok := c.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk)
		if !ok || bld.blames[i] != path {
			continue
		}
		bld.spec.DeviceChange = slices.Delete(bld.spec.DeviceChange, i, i+1)
		bld.blames = slices.Delete(bld.blames, i, i+1)
		bld.mark.Partial = true
		return disk, bld.sign()
	}
	return nil, backends.Errorf(backends.Internal, "", "", "the VM was laid out without a disk for the image").At(path)
}

// copyImage copies the image, grows the copy to the size of disk, and attaches it as that.
func (b *Backend) copyImage(ctx context.Context, id backends.ID, disk *types.VirtualDisk, from origin) error {
	m, err := b.machine(ctx, id, "create")
	if err != nil {
		return err
	}
	store, file, err := b.imageCopy(ctx, m)
	if err != nil {
		return err
	}
	if path.Dir(file) == ourFolder {
		if err := store.MakeFolder(ctx, ourFolder); err != nil {
			return err
		}
	}
	at, err := m.mark.slotOf(rootKey)
	if err != nil {
		return err
	}
	like := copySpec(flatBacking(disk), at)
	if err := store.CopyDisk(ctx, from.Disk, file, like); err != nil {
		return copying(err, from)
	}
	if disk.CapacityInBytes > from.SizeBytes {
		grow := store.ExtendDisk
		if like.DiskType == string(types.VirtualDiskTypeEagerZeroedThick) {
			grow = store.ExtendZeroedDisk
		}
		if err := grow(ctx, file, disk.CapacityInBytes); err != nil {
			return copying(err, from)
		}
	}
	own := *disk
	newLayout(m.devices(), hardwareVersion(m.Config.Version), "").connect(&own.VirtualDevice, at)
	own.CapacityInBytes, own.CapacityInKB = 0, 0 // the file's
	backing := *flatBacking(disk)
	backing.FileName, backing.Datastore = store.Path(file), nil
	own.Backing = &backing
	err = b.reconfigure(ctx, m, "create", types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: &own},
	}})
	return explain(err, []backends.Path{backends.Path("disks").Key(rootKey)})
}

// copySpec is how a copy is laid out: as the new disk would be.
func copySpec(like *types.VirtualDiskFlatVer2BackingInfo, at slot) *types.VirtualDiskSpec {
	kind, adapter := types.VirtualDiskTypePreallocated, types.VirtualDiskAdapterTypeLsiLogic
	switch {
	case value(like.ThinProvisioned):
		kind = types.VirtualDiskTypeThin
	case value(like.EagerlyScrub):
		kind = types.VirtualDiskTypeEagerZeroedThick
	}
	if at.bus == "ide" {
		adapter = types.VirtualDiskAdapterTypeIde
	}
	return &types.VirtualDiskSpec{DiskType: string(kind), AdapterType: string(adapter)}
}

// copying says in an error what was copied; operation and object are the caller's.
func copying(err error, from origin) error {
	var e *backends.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Op, c.Object = "", ""
	c.Err = fmt.Errorf("the image %q is not copied: %w", from.Disk, e.Err)
	return blame(&c, "image")
}

// imageCopy is the file of a VM's disk "root" that is made of an image: with the VM's own files, or, where they are on another
// datastore, in the directory of what is ours. No other VM's has its name, so that it can be removed knowing nothing but the mark.
func (b *Backend) imageCopy(ctx context.Context, m *machine) (*datastore.Datastore, string, error) {
	home, vmx, ok := datastore.Parse(m.Config.Files.VmPathName)
	if !ok {
		return nil, "", backends.Errorf(backends.Internal, "", "", "the VM has its files at %q", m.Config.Files.VmPathName)
	}
	dir, uuid := path.Dir(vmx), m.Config.InstanceUuid
	file := fmt.Sprintf("%s-root-%s.vmdk", path.Base(dir), uuid[strings.LastIndex(uuid, "-")+1:])
	store, err := b.storeNamed(ctx, home)
	if asked := m.mark.Disks[rootKey].Storage; err == nil && asked != "" {
		var o inventory.Object
		if o, err = b.inv.Find(ctx, inventory.Datastore, asked); err == nil && o.Ref != store.Ref {
			store, err = b.storeNamed(ctx, o.Name)
			dir = ourFolder
		}
	}
	return store, path.Join(dir, file), err
}

// removeImageCopy removes what DestroyVM_Task leaves of a VM whose creation ended between the copy of its image and its attachment.
func (b *Backend) removeImageCopy(ctx context.Context, m *machine) error {
	if b.conn.VCenter() || m.mark == nil || !m.mark.Partial || m.Config == nil {
		return nil
	}
	if root, ok := m.mark.Disks[rootKey]; !ok || root.Device != 0 || root.Volume != "" {
		return nil
	}
	store, file, err := b.imageCopy(ctx, m)
	if err != nil {
		return err
	}
	return store.RemoveDisk(ctx, file)
}

// slotOf is where the mark says that a disk is connected.
func (k *mark) slotOf(key string) (slot, error) {
	if k == nil || k.Disks[key].Slot == "" {
		return slot{}, backends.Errorf(backends.Internal, "", "", "the VM's mark does not say where the disk %q goes", key)
	}
	text := k.Disks[key].Slot
	i := max(strings.IndexAny(text, "0123456789"), 0)
	return parsePlace(text[:i], text[i:])
}
