package vsphere

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/nfc"
)

// appliance makes a template of an OVA or OVF package: its hardware as far as vSphere has the same, and its disks, made into
// VMDKs that can be streamed as they come.
func (a *arrival) appliance(ctx context.Context) (backends.ID, error) {
	pack, err := a.source.OpenAppliance(ctx)
	if err != nil {
		return "", packageError(nfc.ContentError(err))
	}
	defer pack.Close() //nolint:errcheck // read to its end, or given up
	spec := a.applianceSpec(&pack.Hardware)
	bld, err := a.buildConfig(ctx, a.place, spec, nil, nil)
	if err != nil {
		return "", err
	}
	k := a.mark(bld.spec.InstanceUuid)
	bld.mark.Image, bld.mark.Fingerprint, bld.mark.Partial = k.Image, k.Fingerprint, true
	if err := bld.sign(); err != nil {
		return "", err
	}
	in := applianceDisks(bld)
	i, err := nfc.Begin(ctx, a.conn, a.importSpec(bld.spec))
	if err != nil {
		return "", err
	}
	err = a.receive(ctx, i, pack, in)
	if err == nil {
		err = i.Complete(ctx)
	}
	if err != nil {
		return "", i.Abort(ctx, err)
	}
	id := backends.ID(i.VM.Value)
	bld.mark.Partial = false
	if err := a.seal(ctx, id, bld.mark); err != nil {
		return "", a.undo(ctx, id, err)
	}
	return id, nil
}

// incoming is a disk that waits for its content.
type incoming struct {
	number           int
	controller, slot string
	bytes            int64
	done             bool
}

// applianceDisks are the disks of a build by key, as vSphere names them.
func applianceDisks(bld *build) map[string]*incoming {
	at := map[string]*incoming{} // by slot
	number := 0
	var devices []types.BaseVirtualDevice
	for _, c := range bld.spec.DeviceChange {
		devices = append(devices, c.GetVirtualDeviceConfigSpec().Device)
	}
	for _, d := range devices {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		in := &incoming{number: number, bytes: capacityOf(disk)}
		number++
		if s, ok := slotOf(devices, disk); ok {
			in.slot = fmt.Sprintf("%d:%d", s.ctl, s.unit)
			in.controller = map[string]string{"scsi": "SCSIController", "sata": "AHCIController", "nvme": "NVMEController", "ide": "IDEController"}[s.bus]
			at[s.String()] = in
		}
	}
	disks := map[string]*incoming{}
	for key, k := range bld.mark.Disks {
		if in := at[k.Slot]; in != nil {
			disks[key] = in
		}
	}
	return disks
}

// receive sends the disks of a package in its order. io.EOF is that the package was what its manifest says.
func (a *arrival) receive(ctx context.Context, i *nfc.Import, pack *backends.Appliance, disks map[string]*incoming) error {
	received := 0
	for {
		key, content, err := pack.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return packageError(nfc.ContentError(err))
		}
		in := disks[key]
		if in == nil || in.done {
			_ = content.Reader.Close() // it is given up
			return backends.Errorf(backends.Invalid, "", "", "the package has content for a disk %q that it does not describe", key)
		}
		if err := a.receiveInto(ctx, i, key, in, content, received, len(disks)); err != nil {
			return packageError(err)
		}
		in.done = true
		received++
	}
	for _, key := range slices.Sorted(maps.Keys(disks)) {
		if !disks[key].done {
			return backends.Errorf(backends.Invalid, "", "", "the package describes a disk %q and has no content for it", key)
		}
	}
	return nil
}

func (a *arrival) receiveInto(ctx context.Context, i *nfc.Import, key string, in *incoming, c *backends.Content, before, all int) error {
	defer c.Reader.Close() //nolint:errcheck // read to its end, or given up
	if c.Format == "raw" && c.Size >= 0 {
		c.VirtualSize = c.Size
	}
	vmdk, err := a.stream(ctx, c, in.bytes)
	if err != nil {
		return err
	}
	if vmdk.Size() > in.bytes {
		return backends.Errorf(backends.Invalid, "", "", "the disk %q of the package has %d bytes, and its description says %d", key, vmdk.Size(), in.bytes)
	}
	return i.Upload(ctx, nfc.Disk{
		Number: in.number, Controller: in.controller, Slot: in.slot, VMDK: vmdk, Source: c.Reader,
		Percent: func() int { return (100*before + int(100*vmdk.Position()/vmdk.Size())) / all },
	})
}

// applianceSpec is the VM that a package describes, in the terms of what vSphere has. What it has not becomes what
// guests of that kind can do with.
func (a *arrival) applianceSpec(hardware *backends.VMSpec) *backends.VMSpec {
	accepts := catalogues.VSphere().Accepts
	known := func(path, value string) bool { return slices.Contains(accepts[path], value) }
	windows := value(hardware.GuestOS) == "windows"
	vm := &backends.VMSpec{
		Name: a.spec.Name, Description: hardware.Description, GuestOS: hardware.GuestOS,
		CPU:    backends.CPU{Cores: hardware.CPU.Cores, Sockets: hardware.CPU.Sockets},
		Memory: backends.Memory{SizeMiB: hardware.Memory.SizeMiB}, Firmware: hardware.Firmware, SecureBoot: hardware.SecureBoot, TPM: hardware.TPM,
		Placement: backends.PlacementSpec{Storage: a.spec.Storage},
		Disks:     maps.Clone(hardware.Disks),
		Networks:  maps.Clone(hardware.Networks),
	}
	for key, disk := range vm.Disks {
		disk = backends.Disk{SizeGiB: disk.SizeGiB, Bus: disk.Bus, Storage: a.spec.Storage}
		if disk.Bus != nil && !known("disks.bus", *disk.Bus) {
			disk.Bus = nil
			if windows { // which has no driver for anything else
				disk.Bus = new("sata")
			}
		}
		vm.Disks[key] = disk
	}
	for key, nic := range vm.Networks {
		nic = backends.NIC{Model: nic.Model, Order: nic.Order}
		if nic.Model != nil && !known("networks.model", *nic.Model) {
			nic.Model = nil
			if windows {
				nic.Model = new("e1000e")
			}
		}
		vm.Networks[key] = nic
	}
	return vm
}

// packageError is an error of a package's source as the cause of a failed import.
func packageError(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) || e.Op == "" || e.Err == nil {
		return err
	}
	out := *e
	out.Op, out.Object = "", ""
	out.Err = fmt.Errorf("u%s: %w", e.Summary()[1:], e.Err)
	return &out
}
