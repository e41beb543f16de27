package proxmox

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// appliance makes a template of an OVA or OVF package: its hardware as far as Proxmox VE has the same, and its disks, which are
// brought to the node as files first. Proxmox VE's own import of a package would not look at its manifest.
func (a *arrival) appliance(ctx context.Context, place landing) (backends.ID, error) {
	pack, err := a.source.OpenAppliance(ctx)
	if err != nil {
		return "", contentError(ctx, err)
	}
	defer pack.Close() //nolint:errcheck // read to its end, or given up
	spec := a.applianceSpec(place, &pack.Hardware)
	from, err := a.receive(ctx, place, pack, spec)
	defer func() {
		for _, s := range from {
			a.discard(ctx, place.node, s.volume)
		}
	}()
	if err != nil {
		return "", err
	}
	return a.compose(ctx, place, spec, from)
}

// receive takes the disks of a package in its order. io.EOF is that the package was what its manifest says. What was received is returned
// also next to an error.
func (a *arrival) receive(ctx context.Context, place landing, pack *backends.Appliance, spec *backends.VMSpec) (map[string]staged, error) {
	from := map[string]staged{}
	for {
		key, content, err := pack.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return from, contentError(ctx, err)
		}
		disk, known := spec.Disks[key]
		if _, twice := from[key]; twice || !known {
			_ = content.Reader.Close() // it is given up
			return from, backends.Errorf(backends.Invalid, "", "", "the package has content for a disk %q that it does not describe", key)
		}
		s, err := a.stage(ctx, place, content, nil)
		if err != nil {
			return from, err
		}
		from[key] = s
		if size := value(disk.SizeGiB) * vmconf.GiB; disk.SizeGiB != nil && s.bytes > size {
			return from, backends.Errorf(backends.Invalid, "", "", "the disk %q of the package has %d bytes, and its description says %d", key, s.bytes, size)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Disks)) {
		if _, ok := from[key]; !ok {
			return from, backends.Errorf(backends.Invalid, "", "", "the package describes a disk %q and has no content for it", key)
		}
	}
	return from, nil
}

// applianceSpec is the VM that a package describes, in the terms of what Proxmox VE has. What it has not becomes what guests of
// that kind can do with. The package's names of networks mean nothing here.
func (a *arrival) applianceSpec(place landing, hardware *backends.VMSpec) *backends.VMSpec {
	accepts := catalogues.Proxmox().Accepts
	known := func(path, value string) bool { return slices.Contains(accepts[path], value) }
	windows := value(hardware.GuestOS) == "windows"
	vm := &backends.VMSpec{
		Description: hardware.Description, GuestOS: hardware.GuestOS,
		CPU:    backends.CPU{Cores: hardware.CPU.Cores, Sockets: hardware.CPU.Sockets},
		Memory: backends.Memory{SizeMiB: hardware.Memory.SizeMiB}, Firmware: hardware.Firmware, SecureBoot: hardware.SecureBoot, TPM: hardware.TPM,
		Placement: backends.PlacementSpec{Storage: &place.storage},
		Disks:     maps.Clone(hardware.Disks),
		Networks:  maps.Clone(hardware.Networks),
	}
	for key, disk := range vm.Disks {
		disk = backends.Disk{SizeGiB: disk.SizeGiB, Bus: disk.Bus, Storage: &place.storage, Format: a.spec.Format}
		if disk.Bus == nil || !known("disks.bus", *disk.Bus) {
			disk.Bus = nil
			if windows { // which has no driver for anything else
				disk.Bus = new("sata")
			}
		}
		vm.Disks[key] = disk
	}
	for key, nic := range vm.Networks {
		nic = backends.NIC{Model: nic.Model, Order: nic.Order}
		if nic.Model == nil || !known("networks.model", *nic.Model) {
			nic.Model = nil
			if windows {
				nic.Model = new("e1000e")
			}
		}
		vm.Networks[key] = nic
	}
	return vm
}
