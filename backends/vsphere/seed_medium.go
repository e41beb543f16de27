package vsphere

import (
	"bytes"
	"context"
	"path"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/datastore"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/inventory"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// seedMedium puts a seed as a NoCloud volume into a drive of its own. Each seed is a new file beside the VM's others: that of
// a running guest is open and cannot be overwritten. The one before is removed once the drive holds the new one.
func (b *Backend) seedMedium(ctx context.Context, m *machine, now, had *seedMark, rendered cloudinit.Seed, s *seeding) error {
	iso, err := cloudinit.ISO(rendered)
	if err != nil {
		return backends.Errorf(backends.Invalid, "", "", "the cloud-init seed cannot be made: %w", err).At("cloud_init")
	}
	var home object.DatastorePath
	if !home.FromString(m.Config.Files.VmPathName) {
		return backends.Errorf(backends.Internal, "", "", "the VM's files are at %q, which is no datastore path", m.Config.Files.VmPathName)
	}
	file := object.DatastorePath{Datastore: home.Datastore, Path: path.Join(path.Dir(home.Path), "seed-"+cloudinit.Digest(rendered)[:12]+".iso")}
	now.ISO = file.String()
	if had != nil && had.ISO == now.ISO {
		return nil
	}
	if err := b.putFile(ctx, file, iso); err != nil {
		return blame(b.dropFile(ctx, now.ISO, err), "cloud_init")
	}
	s.undo = func(ctx context.Context, cause error) error { return b.takeSeedBack(ctx, m.id(), now.ISO, cause) }
	s.devices = append(s.devices, m.seedDrive(now, had)...)
	if had != nil && had.ISO != "" {
		s.after = func(ctx context.Context) error { return b.removeFile(ctx, had.ISO) }
	}
	return nil
}

// seedDrive puts the medium into the seed's drive, which is made where there is none.
func (m *machine) seedDrive(now, had *seedMark) []types.BaseVirtualDeviceConfigSpec {
	backing := &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: now.ISO}}
	connected := &types.VirtualDeviceConnectInfo{StartConnected: true, Connected: m.power() == backends.Running, AllowGuestControl: true}
	if had != nil && had.ISO != "" {
		if drive, ok := m.devices().FindByKey(m.seedDevice(had.ISO)).(*types.VirtualCdrom); ok {
			drive.Backing, drive.Connectable = backing, connected
			return []types.BaseVirtualDeviceConfigSpec{&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: drive}}
		}
	}
	var changes []types.BaseVirtualDeviceConfigSpec
	add := func(d types.BaseVirtualDevice) {
		changes = append(changes, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd, Device: d})
	}
	controller, unit := m.freeDriveSlot()
	if controller == 0 {
		controller, unit = -990, 0 // a temporary key, below those of other additions
		add(&types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: types.VirtualController{
			VirtualDevice: types.VirtualDevice{Key: controller}, BusNumber: m.freeSATABus(),
		}}})
	}
	add(&types.VirtualCdrom{VirtualDevice: types.VirtualDevice{
		Key: -991, ControllerKey: controller, UnitNumber: &unit, Backing: backing, Connectable: connected,
	}})
	return changes
}

// freeDriveSlot finds a place for a drive on a controller that takes drives; key 0 is none.
func (m *machine) freeDriveSlot() (key, unit int32) {
	used := map[[2]int32]bool{}
	for _, d := range m.devices() {
		if v := d.GetVirtualDevice(); v.UnitNumber != nil {
			used[[2]int32{v.ControllerKey, *v.UnitNumber}] = true
		}
	}
	for _, d := range m.devices() {
		units := int32(0)
		switch d.(type) {
		case types.BaseVirtualSATAController:
			units = 30
		case *types.VirtualIDEController:
			units = 2
		}
		for unit := range units {
			if key := d.GetVirtualDevice().Key; !used[[2]int32{key, unit}] {
				return key, unit
			}
		}
	}
	return 0, 0
}

func (m *machine) freeSATABus() int32 {
	bus := int32(0)
	for _, d := range m.devices() {
		if c, ok := d.(types.BaseVirtualSATAController); ok {
			bus = max(bus, c.GetVirtualSATAController().BusNumber+1)
		}
	}
	return bus
}

// seedDevice is the key of the drive that a seed's medium is in, 0 where it is in none.
func (m *machine) seedDevice(iso string) int32 {
	for _, d := range m.devices() {
		drive, ok := d.(*types.VirtualCdrom)
		if !ok {
			continue
		}
		if backing, ok := drive.Backing.(*types.VirtualCdromIsoBackingInfo); ok && backing.FileName == iso {
			return drive.Key
		}
	}
	return 0
}

// removeSeed removes what DestroyVM_Task leaves, because it is no file of the VM's: the medium of its seed.
func (b *Backend) removeSeed(ctx context.Context, m *machine) error {
	if m.mark == nil || m.mark.Seed == nil || m.mark.Seed.ISO == "" {
		return nil
	}
	err := b.removeFile(ctx, m.mark.Seed.ISO)
	if backends.CodeOf(err) == backends.NotFound {
		return nil
	}
	return err
}

// takeSeedBack removes a seed's medium after a failure, since nobody else would. It stays where the VM has it in a drive all the same, or may
// get it there: the answer was lost.
func (b *Backend) takeSeedBack(ctx context.Context, id backends.ID, iso string, cause error) error {
	if backends.CodeOf(cause) == backends.Transient {
		return cause
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	m, err := b.machine(look, id, "read")
	switch {
	case err != nil && backends.CodeOf(err) != backends.NotFound,
		err == nil && (m.Config == nil || m.seedDevice(iso) != 0):
		return cause
	}
	return b.dropFile(ctx, iso, cause)
}

// dropFile removes a file that a failed operation left, and returns the cause of the failure.
func (b *Backend) dropFile(ctx context.Context, file string, cause error) error {
	return datastore.Undo(ctx, cause, `the file "`+file+`"`, func(ctx context.Context) error { return b.removeFile(ctx, file) })
}

// putFile writes a small file to a datastore.
func (b *Backend) putFile(ctx context.Context, file object.DatastorePath, data []byte) error {
	ds, err := b.datastore(ctx, file.Datastore)
	if err != nil {
		return err
	}
	err = ds.Upload(ctx, bytes.NewReader(data), file.Path, &soap.Upload{Method: "PUT", ContentLength: int64(len(data)), Type: "application/octet-stream"})
	return fault.Wrap(err, "upload "+file.String(), "")
}

// removeFile removes a file of a datastore; one that is gone is a NotFound.
func (b *Backend) removeFile(ctx context.Context, file string) error {
	var p object.DatastorePath
	if !p.FromString(file) {
		return backends.Errorf(backends.Internal, "", "", "%q is no datastore path", file)
	}
	o, err := b.inv.Find(ctx, inventory.Datastore, p.Datastore)
	if err != nil {
		return err
	}
	op := "remove " + file
	_, err = b.conn.Await(ctx, op, "", func(ctx context.Context) (*object.Task, error) {
		return object.NewFileManager(b.conn.VIM()).DeleteDatastoreFile(ctx, file, object.NewDatacenter(b.conn.VIM(), o.Datacenter))
	})
	return err
}

// datastore is the handle of a datastore for transfers.
func (b *Backend) datastore(ctx context.Context, name string) (*object.Datastore, error) {
	o, err := b.inv.Find(ctx, inventory.Datastore, name)
	if err != nil {
		return nil, err
	}
	index, err := b.inv.Index(ctx)
	if err != nil {
		return nil, err
	}
	dc, _ := index.Object(o.Datacenter)
	ds := object.NewDatastore(b.conn.VIM(), o.Ref)
	ds.SetInventoryPath(o.Path)
	ds.DatacenterPath = dc.Path
	return ds, nil
}
