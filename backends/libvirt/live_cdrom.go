package libvirt

import (
	"context"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"
)

func (e *edit) liveCDROM(ctx context.Context, iso string) error {
	media, path, err := e.medium(ctx, iso)
	if err != nil {
		return err
	}
	i := e.d.userDrive()
	if i < 0 {
		taken := targets(e.d.xml)
		drive := driveDevice{target: freeTarget(driveBus, taken), bus: driveBus, source: media}
		if err := e.plug(ctx, ptr(drive.device())); err != nil {
			return at(err, "cdrom.iso")
		}
		e.d.mark.CDROM = &driveMark{Device: drive.target, ISO: iso, Path: path}
		return e.refresh(ctx)
	}
	drive := e.d.xml.Devices.Disks[i]
	drive.Source = nil
	if iso != "" {
		drive.Source = media.xml()
	}
	if err := e.changeMedium(ctx, drive); err != nil {
		return at(err, "cdrom.iso")
	}
	e.d.mark.CDROM = &driveMark{Device: targetOf(&drive), ISO: iso, Path: path}
	return e.refresh(ctx)
}

// changeMedium opens the drive, exchanges the medium and closes it.
func (e *edit) changeMedium(ctx context.Context, drive libvirtxml.DomainDisk) error {
	live, err := e.readDomain(ctx, e.dom, 0)
	if err != nil {
		return err
	}
	if findTarget(live.xml, targetOf(&drive)) < 0 {
		return e.replaceDrive(ctx, drive)
	}
	text, err := deviceXML(&drive)
	if err != nil {
		return err
	}
	// Force: a guest that has locked the drive would otherwise keep the medium.
	err = e.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainUpdateDeviceFlags(e.dom, text, rpc.DomainDeviceModifyLive|rpc.DomainDeviceModifyConfig|rpc.DomainDeviceModifyForce)
	})
	if err != nil && strings.Contains(err.Error(), "Tray of device") {
		return e.replaceDrive(ctx, drive)
	}
	return err
}

// replaceDrive puts another drive into a drive's place. It works around two faults of
// libvirt 9: of a drive that was plugged into a running VM it does not know that it has
// a tray, and never opens it; and an empty one it cannot plug, so that one waits in the
// definition until it gets a medium or the VM is started again.
func (e *edit) replaceDrive(ctx context.Context, drive libvirtxml.DomainDisk) error {
	if err := e.unplugDisk(ctx, targetOf(&drive), "cdrom.iso"); err != nil {
		return err
	}
	drive.Alias, drive.Address, drive.Boot = nil, nil, nil
	if drive.Source != nil {
		return e.plug(ctx, &drive)
	}
	text, err := deviceXML(&drive)
	if err != nil {
		return err
	}
	return e.once(ctx, func(l *rpc.Libvirt) error {
		return l.DomainAttachDeviceFlags(e.dom, text, uint32(rpc.DomainAffectConfig))
	})
}
