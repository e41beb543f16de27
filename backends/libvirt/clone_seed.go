package libvirt

import (
	"context"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/cloudinit"
)

// maxForeignSeed bounds the media that are looked into for a seed.
const maxForeignSeed = 4 << 20

// readForeignSeed looks for the seed of a VM that was made elsewhere: a small medium in a drive, labelled
// as seeds are. The clone gets one with the same user and vendor data, and an instance id of its own;
// with the source's medium its guest would take itself for the source.
func (o *origin) readForeignSeed(ctx context.Context, pools poolPaths) error {
	for i := range o.d.xml.Devices.Disks {
		drive := &o.d.xml.Devices.Disks[i]
		path := pathOf(drive)
		if drive.Device != "cdrom" || path == "" {
			continue
		}
		v, err := o.findVolume(ctx, pools.ref(path), path)
		if err != nil || v.CapacityBytes > maxForeignSeed {
			if ctx.Err() != nil {
				return err
			}
			continue // out of reach, or an installation medium
		}
		iso, err := o.store.ReadSmall(ctx, v.Ref)
		if ctx.Err() != nil {
			return err
		}
		seed, seedErr := cloudinit.ReadISO(iso)
		if err != nil || seedErr != nil {
			continue // no seed
		}
		ci := &backends.CloudInit{MetaData: &seed.MetaData}
		if seed.VendorData != "" {
			ci.VendorData = &seed.VendorData
		}
		o.spec.CloudInit, o.userData = ci, &seed.UserData
		o.seed, o.seedBus = targetOf(drive), drive.Target.Bus
		if o.userDrive() < 0 {
			o.spec.CDROM = nil
		}
		return nil
	}
	return nil
}

// userDrive is the drive of the source that is not its seed's, or -1.
func (o *origin) userDrive() int {
	i := o.d.userDrive()
	if i < 0 || targetOf(&o.d.xml.Devices.Disks[i]) != o.seed {
		return i
	}
	return -1
}
