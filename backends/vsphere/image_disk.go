package vsphere

import (
	"context"
	"errors"
	"io"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/nfc"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// open opens the image's content, with a size that is known.
func (a *arrival) open(ctx context.Context) (*backends.Content, error) {
	c, err := a.source.Open(ctx)
	if err != nil {
		return nil, nfc.ContentError(err)
	}
	if c.Format == "ova" {
		_ = c.Reader.Close() // nothing was written
		return nil, backends.Errorf(backends.Invalid, "", "", `the image is an OVA package, not a disk`).At("kind").Advise(`Import it with kind = "ova".`)
	}
	raw := c.Format == "raw" || c.Format == "iso"
	if !raw && c.Format != "vhd" {
		return c, nil // the format tells the size
	}
	if raw && c.Size >= 0 { // what is sent is what a guest sees
		c.VirtualSize = c.Size
	}
	if c.VirtualSize >= 0 {
		return c, nil
	}
	// A disk's size is sent before its content. A raw image that is compressed tells it only at its end,
	// so it is read twice rather than kept anywhere.
	size, err := a.measure(ctx, c)
	if err != nil {
		return nil, err
	}
	if c, err = a.source.Open(ctx); err != nil {
		return nil, nfc.ContentError(err)
	}
	c.VirtualSize = size
	return c, nil
}

// measure reads a content to its end.
func (a *arrival) measure(ctx context.Context, c *backends.Content) (int64, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Reader.Close() })
	defer stop()
	defer c.Reader.Close() //nolint:errcheck // nothing was written
	backends.Report(ctx, backends.Progress{Op: "measure image", Object: a.object(), Percent: -1, Total: -1})
	n, err := io.Copy(io.Discard, c.Reader)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return n, nfc.ContentError(err)
}

// stream makes a content a VMDK of at least that capacity.
func (a *arrival) stream(ctx context.Context, c *backends.Content, capacity int64) (*diskimage.StreamVMDK, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Reader.Close() }) // so that nothing waits for a source that hangs
	defer stop()
	v, err := diskimage.NewStreamVMDK(ctx, c.Reader, diskimage.Format(c.Format), diskimage.StreamOptions{
		Size: c.VirtualSize, Capacity: capacity, Name: a.spec.Name + ".vmdk",
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return v, nfc.ContentError(err)
}

// disk makes a template that has nothing but the image's content as its disk.
func (a *arrival) disk(ctx context.Context) (backends.ID, error) {
	k := a.mark(newInstanceUUID())
	k.Disks = map[string]diskMark{rootKey: {Slot: "scsi0:0"}}
	id, err := a.receiveDisk(ctx, k)
	if err != nil {
		return "", err
	}
	if err := a.seal(ctx, id, k); err != nil {
		return "", a.undo(ctx, id, err)
	}
	return id, nil
}

// receiveDisk makes a VM of the image's name with the content as its disk.
func (a *arrival) receiveDisk(ctx context.Context, k *mark) (backends.ID, error) {
	content, err := a.open(ctx)
	if err != nil {
		return "", err
	}
	defer content.Reader.Close() //nolint:errcheck // read to its end, or given up
	if err := a.room(ctx, content); err != nil {
		return "", err
	}
	vmdk, err := a.stream(ctx, content, 0)
	if err != nil {
		return "", err
	}
	config, err := a.shell(vmdk.Capacity(), k)
	if err != nil {
		return "", err
	}
	i, err := nfc.Begin(ctx, a.conn, a.importSpec(config))
	if err != nil {
		return "", err
	}
	err = i.Upload(ctx, nfc.Disk{
		Controller: "ParaVirtualSCSIController", Slot: "0:0", VMDK: vmdk, Source: content.Reader,
		Percent: func() int { return int(100 * vmdk.Position() / vmdk.Size()) },
	})
	if err == nil {
		err = i.Complete(ctx)
	}
	if err != nil {
		return "", i.Abort(ctx, err)
	}
	return backends.ID(i.VM.Value), nil
}

func (a *arrival) importSpec(config types.VirtualMachineConfigSpec) nfc.Spec {
	s := nfc.Spec{Pool: a.place.Pool.Ref, Config: config, Object: a.object()}
	if a.place.Folder.Ref.Value != "" {
		s.Folder = &a.place.Folder.Ref
	}
	if a.place.Host != nil {
		s.Host = &a.place.Host.Ref
	}
	return s
}

// shell is the least that a VM needs to have a disk. What is made of it gets hardware of its own.
func (a *arrival) shell(capacity int64, k *mark) (types.VirtualMachineConfigSpec, error) {
	begun := *k
	begun.Partial = true
	option, err := begun.option()
	if err != nil {
		return types.VirtualMachineConfigSpec{}, err
	}
	const controller, unit = int32(-101), int32(0)
	where := &types.VirtualDiskFlatVer2BackingInfo{
		VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{
			FileName: (&object.DatastorePath{Datastore: escaped(a.store.Name)}).String(), Datastore: &a.store.Ref,
		},
		DiskMode: string(types.VirtualDiskModePersistent), ThinProvisioned: types.NewBool(true),
	}
	add := func(d types.BaseVirtualDevice, file types.VirtualDeviceConfigSpecFileOperation) types.BaseVirtualDeviceConfigSpec {
		return &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, FileOperation: file, Device: d}
	}
	return types.VirtualMachineConfigSpec{
		Name: escaped(a.spec.Name), InstanceUuid: k.VM,
		GuestId: string(types.VirtualMachineGuestOsIdentifierOtherGuest64), NumCPUs: 1, MemoryMB: 512,
		Annotation:  "Image of a disk. VMs are made of it; it never runs.",
		Files:       &types.VirtualMachineFileInfo{VmPathName: (&object.DatastorePath{Datastore: escaped(a.store.Name)}).String()},
		ExtraConfig: []types.BaseOptionValue{option},
		DeviceChange: []types.BaseVirtualDeviceConfigSpec{
			add(&types.ParaVirtualSCSIController{VirtualSCSIController: types.VirtualSCSIController{
				SharedBus:         types.VirtualSCSISharingNoSharing,
				VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: controller}},
			}}, ""),
			add(&types.VirtualDisk{
				VirtualDevice:   types.VirtualDevice{Key: -102, ControllerKey: controller, UnitNumber: types.NewInt32(unit), Backing: where},
				CapacityInBytes: capacity, CapacityInKB: capacity / 1024,
			}, types.VirtualDeviceConfigSpecFileOperationCreate),
		},
	}, nil
}

// seal says that a VM is a complete image, and makes it a template.
func (a *arrival) seal(ctx context.Context, id backends.ID, k *mark) error {
	const op = "import"
	m, err := a.machine(ctx, id, op)
	if err != nil {
		return err
	}
	k.VM = m.Config.InstanceUuid
	option, err := k.option()
	if err != nil {
		return err
	}
	err = a.reconfigure(ctx, m, op, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{option}})
	if err != nil || m.Config.Template {
		return err
	}
	return fault.Wrap(a.vm(id).MarkAsTemplate(ctx), op, a.object())
}

// putDisk makes an image of a disk where there are no templates: the VM that took the disk in gives it up.
func (a *arrival) putDisk(ctx context.Context, to *imageFile) error {
	id, err := a.receiveDisk(ctx, a.mark(newInstanceUUID()))
	if err != nil {
		return err
	}
	if err := a.harvest(ctx, id, to); err != nil {
		return a.undo(ctx, id, err)
	}
	return nil
}

// harvest moves the disk of a VM to a file of its own, and removes the VM.
func (a *arrival) harvest(ctx context.Context, id backends.ID, to *imageFile) error {
	const op = "import"
	m, err := a.machine(ctx, id, op)
	if err != nil {
		return err
	}
	disk := m.rootDisk()
	if disk == nil {
		return backends.Errorf(backends.Internal, op, a.object(), "the disk that was sent is not there")
	}
	file := fileOf(disk)
	err = a.reconfigure(ctx, m, op, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationRemove, Device: disk},
	}})
	if err != nil {
		return err
	}
	// From here on nothing but this removes the file.
	err = to.store.MoveDisk(ctx, file, to.file)
	if err == nil {
		_, err = a.conn.Await(ctx, op, a.object(), a.vm(id).Destroy)
		if err != nil {
			err = datastore.Undo(ctx, err, `the file "`+to.store.Path(to.file)+`"`, func(ctx context.Context) error { return to.store.RemoveDisk(ctx, to.file) })
		}
		return err
	}
	return datastore.Undo(ctx, err, `the file "`+file+`"`, func(ctx context.Context) error {
		_, name, _ := datastore.Parse(file)
		if backends.CodeOf(err) == backends.Conflict {
			return to.store.RemoveDisk(ctx, name) // the other file is another run's
		}
		return errors.Join(to.store.RemoveDisk(ctx, name), to.store.RemoveDisk(ctx, to.file))
	})
}

// thinDisk is how images lie on a datastore.
func thinDisk() *types.VirtualDiskSpec {
	return &types.VirtualDiskSpec{DiskType: string(types.VirtualDiskTypeThin), AdapterType: string(types.VirtualDiskAdapterTypeLsiLogic)}
}
