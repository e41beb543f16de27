package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// createAppliance makes a template from an OVA or OVF package: its hardware as far as libvirt has the
// same, and its disks, converted as they come.
func (b *Backend) createAppliance(ctx context.Context, spec backends.ImageSpec, open func(context.Context) (*backends.Appliance, error)) (backends.ID, error) {
	h, err := b.guestHost(ctx)
	if err != nil {
		return "", err
	}
	if err := validateName(&backends.VMSpec{Name: spec.Name}, h); err != nil {
		return "", err
	}
	unlock, err := b.locks.lock(ctx, "name "+spec.Name)
	if err != nil {
		return "", err
	}
	defer unlock()
	pack, err := open(ctx)
	if err != nil {
		return "", packageError(err)
	}
	defer pack.Close() //nolint:errcheck // read to its end, or given up
	vm := applianceSpec(spec, &pack.Hardware)
	if err := refuse(h.narrow(catalogues.Libvirt()), &backends.VMSpec{}, vm, backends.Requirements(vm)); err != nil {
		return "", err
	}
	if err := validate(vm, h); err != nil {
		return "", err
	}
	c := &creation{
		Backend: b, spec: vm, host: h, uuid: newUUID(), next: pack.Next,
		image: &imageMark{kind: spec.Kind, fingerprint: spec.Fingerprint},
	}
	if _, err := c.adopt(ctx); err != nil {
		return c.id, err
	}
	if err := c.plan(ctx); err != nil {
		return c.id, err
	}
	return c.run(ctx)
}

// applianceSpec is the VM that a package describes, in the terms of what libvirt has. What it has not
// becomes what guests of that kind can do with: a bus or a card of QEMU's. It is pure.
func applianceSpec(image backends.ImageSpec, hardware *backends.VMSpec) *backends.VMSpec {
	accepts := catalogues.Libvirt().Accepts
	known := func(path, value string) bool { return slices.Contains(accepts[path], value) }
	windows := deref(hardware.GuestOS) == "windows"
	vm := &backends.VMSpec{
		Name: image.Name, Description: hardware.Description, GuestOS: hardware.GuestOS,
		CPU:    backends.CPU{Cores: hardware.CPU.Cores, Sockets: hardware.CPU.Sockets, Threads: hardware.CPU.Threads},
		Memory: backends.Memory{SizeMiB: hardware.Memory.SizeMiB}, Firmware: hardware.Firmware, SecureBoot: hardware.SecureBoot, TPM: hardware.TPM,
		Placement: backends.PlacementSpec{Storage: image.Storage},
		Disks:     maps.Clone(hardware.Disks),
		Networks:  maps.Clone(hardware.Networks),
	}
	if vm.Description != nil && !isXMLText(*vm.Description) {
		vm.Description = nil
	}
	for key, disk := range vm.Disks {
		disk = backends.Disk{SizeGiB: disk.SizeGiB, Bus: disk.Bus, Format: image.Format}
		if disk.Bus != nil && !known("disks.bus", *disk.Bus) {
			disk.Bus = ptr(choose(windows, "sata", "virtio"))
		}
		vm.Disks[key] = disk
	}
	for key, nic := range vm.Networks {
		// What the package calls its networks says nothing of those that are here.
		nic = backends.NIC{Model: nic.Model, Order: nic.Order}
		if nic.Model != nil && !known("networks.model", *nic.Model) {
			nic.Model = ptr(choose(windows, "e1000e", "virtio"))
		}
		vm.Networks[key] = nic
	}
	return vm
}

// receiveDisks fills the volumes of an appliance's disks from the package, in its order.
func (c *creation) receiveDisks(ctx context.Context, b *blueprint) error {
	received := map[string]bool{}
	for {
		key, content, err := c.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return packageError(err)
		}
		i := slices.IndexFunc(c.volumes, func(v newVolume) bool { return v.key == key })
		if i < 0 || received[key] {
			return backends.Errorf(backends.Internal, "", "", "the package has content for a disk %q that it does not describe", key)
		}
		backends.Report(ctx, backends.Progress{
			Op: fmt.Sprintf("import disk %q", key), Object: backends.ImageObject(c.spec.Name), Percent: 90 * len(received) / len(c.volumes),
		})
		v, err := c.store.Receive(ctx, *c.volumes[i].create, content)
		content.Reader.Close() //nolint:errcheck // read to its end, or given up
		if err != nil {
			return relocate(packageError(err), backends.Path("disks").Key(key))
		}
		if b.disks[i].source, err = c.sourceOf(ctx, v, c.volumes[i].kind); err != nil {
			return err
		}
		received[key] = true
	}
	for _, v := range c.volumes {
		if !received[v.key] {
			return backends.Errorf(backends.Invalid, "", "", "the package describes a disk %q and has no content for it", v.key)
		}
	}
	return nil
}

// packageError is an error of a package's source as the cause of a failed import.
func packageError(err error) error {
	var e *backends.Error
	if !errors.As(err, &e) || e.Op == "" || e.Err == nil {
		return err
	}
	out := *e
	out.Op, out.Object = "", ""
	out.Err = fmt.Errorf("%s: %w", strings.Replace(e.Summary(), "Unable", "unable", 1), e.Err)
	return &out
}
