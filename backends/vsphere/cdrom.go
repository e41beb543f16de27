package vsphere

import (
	"context"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// driveBus is the bus of drives that are made here. Guests find them there with BIOS and with EFI.
const driveBus = "sata"

// drives are the VM's drives other than the seed's.
func (m *machine) drives() []*types.VirtualCdrom {
	seed := int32(0)
	if m.mark != nil && m.mark.Seed != nil && m.mark.Seed.ISO != "" {
		seed = m.seedDevice(m.mark.Seed.ISO)
	}
	var all []*types.VirtualCdrom
	for _, d := range m.devices() {
		if drive, ok := d.(*types.VirtualCdrom); ok && drive.Key != seed {
			all = append(all, drive)
		}
	}
	return all
}

// cdrom puts a medium into the first drive, which is made where there is none.
func (e *edit) cdrom(ctx context.Context) error {
	if e.creating && e.m != nil {
		for _, d := range e.m.devices().SelectByType((*types.VirtualCdrom)(nil)) {
			e.remove(d, "cdrom.iso")
			if s, ok := slotOf(e.m.devices(), d); ok {
				delete(e.layout.taken, s)
			}
		}
	}
	want := e.to.CDROM
	if want == nil || !e.creating && e.from.CDROM != nil && *e.from.CDROM == *want {
		return nil
	}
	backing, err := e.medium(ctx, want.ISO)
	if err != nil {
		return err
	}
	connected := &types.VirtualDeviceConnectInfo{StartConnected: want.ISO != "", Connected: want.ISO != "", AllowGuestControl: true}
	if !e.creating {
		if drives := e.m.drives(); len(drives) > 0 {
			drive := *drives[0]
			drive.Backing, drive.Connectable = backing, connected
			e.change(&drive, "cdrom.iso")
			return nil
		}
	}
	at, err := e.layout.free(driveBus, "cdrom")
	if err != nil {
		return err
	}
	drive := &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{Key: e.layout.newKey(), Backing: backing, Connectable: connected}}
	e.layout.connect(&drive.VirtualDevice, at)
	e.add(drive, "cdrom.iso")
	return nil
}

// medium is what lies in a drive: an ISO of a datastore, or nothing.
func (e *edit) medium(ctx context.Context, iso string) (types.BaseVirtualDeviceBackingInfo, error) {
	if iso == "" {
		return &types.VirtualCdromRemotePassthroughBackingInfo{
			VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{UseAutoDetect: new(false)},
		}, nil
	}
	none := backends.Errorf(backends.NotFound, "", "", "there is no image %q", iso).At("cdrom.iso").
		Advise(`Give the id of a virtrigaud_image of kind "iso", or a datastore path such as "[datastore] iso/debian.iso".`)
	var p object.DatastorePath
	if !isDatastorePath(iso) || !p.FromString(iso) {
		return nil, none
	}
	ds, err := e.storeNamed(ctx, p.Datastore)
	if err == nil {
		_, err = ds.Stat(ctx, p.Path)
	}
	if err != nil {
		if backends.CodeOf(err) == backends.NotFound {
			return nil, none
		}
		return nil, blame(err, "cdrom.iso")
	}
	return &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: iso}}, nil
}

// observeCDROM tells what lies in the first drive; one of the client's or the host's counts as empty.
func (m *machine) observeCDROM() *backends.CDROM {
	drives := m.drives()
	if len(drives) == 0 {
		return nil
	}
	if iso, ok := drives[0].Backing.(*types.VirtualCdromIsoBackingInfo); ok {
		return &backends.CDROM{ISO: iso.FileName}
	}
	return &backends.CDROM{}
}
