package libvirt

import (
	"context"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// DeleteVM removes a VM. The definition goes last: as long as a volume is there, the mark
// that names it is too, and the next try finds it.
func (b *Backend) DeleteVM(ctx context.Context, id backends.ID, opts backends.DeleteOptions) error {
	origin, err := b.deleteByID(ctx, id, opts)
	if err == nil && origin != "" {
		// Only now, without the clone's lock: whoever holds one VM's lock waits for no other's.
		b.tidyOrigin(ctx, origin)
	}
	return err
}

// deleteByID removes a VM and returns the one that it shared content with, or "".
func (b *Backend) deleteByID(ctx context.Context, id backends.ID, opts backends.DeleteOptions) (origin backends.ID, err error) {
	object := backends.VMObject(string(id))
	unlock, err := b.locks.lock(ctx, lockName(id))
	if err != nil {
		return "", backends.Wrap(err, "delete", object)
	}
	defer unlock()
	dom, err := b.lookup(ctx, id)
	if err != nil {
		return "", backends.Wrap(err, "delete", object)
	}
	object = backends.VMObject(dom.Name)
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return "", backends.Wrap(err, "delete", object)
	}
	if d.mark != nil {
		origin = backends.ID(d.mark.Origin)
	}
	return origin, backends.Wrap(b.deleteVM(ctx, dom, d, opts), "delete", object)
}

func (b *Backend) deleteVM(ctx context.Context, dom rpc.Domain, d *domain, opts backends.DeleteOptions) error {
	if d.mark != nil {
		own := d.mark.owned()
		for _, entry := range d.mark.Disks {
			if !entry.Owned && !d.mark.hasLayers(entry.Key) {
				delete(own, entry.ref()) // it stays
			}
		}
		var pools []string
		for ref := range own {
			pools = append(pools, ref.Pool)
		}
		if err := b.store.Refresh(ctx, pools...); err != nil {
			return err
		}
		if err := b.unshared(ctx, dom.UUID, own); err != nil {
			return err
		}
	}
	err := b.again(ctx, func(l *rpc.Libvirt) error { return l.DomainDestroyFlags(dom, rpc.DomainDestroyDefault) })
	if err != nil && !answered(err, rpc.ErrOperationInvalid) && backends.CodeOf(err) != backends.NotFound {
		return err
	}
	if d.mark != nil {
		if err := b.keepWhole(ctx, dom, d, opts.KeepDisks); err != nil {
			return err
		}
		if err := b.deleteOwned(ctx, d.mark, opts.KeepDisks); err != nil {
			return err
		}
		if err := b.restoreForCleanup(ctx, d); err != nil {
			return err
		}
	}
	err = b.undefine(ctx, dom)
	if backends.CodeOf(err) == backends.NotFound {
		return nil // a transient domain went with its process
	}
	return err
}

// deleteOwned removes the volumes that go with a VM: disks other than those kept, layers,
// the memory of snapshots, and the seed.
func (b *Backend) deleteOwned(ctx context.Context, m *mark, keep []string) error {
	for _, d := range m.Disks {
		if !d.Owned || d.Keep || slices.Contains(keep, d.Key) && !d.Retired {
			continue
		}
		if err := b.deleteVolume(ctx, storage.Ref{Pool: d.Pool, Name: d.Volume}); err != nil {
			return err
		}
	}
	for _, l := range slices.Backward(m.Layers) {
		entry := m.disk(l.Key)
		// What is not ours was merged to be whole, or stays.
		theirs := !m.owns(l) || entry != nil && !entry.Owned && !entry.External
		if theirs {
			continue
		}
		if err := b.deleteVolume(ctx, l.ref()); err != nil {
			return err
		}
	}
	for _, s := range m.Snapshots {
		if s.Volume == "" {
			continue
		}
		if err := b.deleteVolume(ctx, s.ref()); err != nil {
			return err
		}
	}
	if m.Seed != nil {
		return b.deleteVolume(ctx, m.Seed.ref())
	}
	return nil
}

// restoreForCleanup puts back a TPM that was taken from the VM: libvirt removes a TPM's
// state only with a definition that has one.
func (b *Backend) restoreForCleanup(ctx context.Context, d *domain) error {
	if !d.mark.HadTPM || hasTPM(d.xml) {
		return nil
	}
	setTPM(d.xml, true)
	return b.define(ctx, d)
}

// undefine removes a definition with all that libvirt keeps for it.
func (b *Backend) undefine(ctx context.Context, dom rpc.Domain) error {
	const (
		basic = rpc.DomainUndefineManagedSave | rpc.DomainUndefineSnapshotsMetadata | rpc.DomainUndefineNvram
		more  = basic | rpc.DomainUndefineCheckpointsMetadata
		all   = more | rpc.DomainUndefineTpm
	)
	var err error
	// Old libvirts refuse flags that they do not know; they remove a TPM's state anyway.
	for _, flags := range []rpc.DomainUndefineFlagsValues{all, more, basic} {
		err = b.again(ctx, func(l *rpc.Libvirt) error { return l.DomainUndefineFlags(dom, flags) })
		if !answered(err, rpc.ErrInvalidArg) {
			return err
		}
	}
	return err
}

// removeNVRAM removes a file of firmware variables that a VM no longer uses. libvirt
// removes one only together with a definition that has it, so it gets one for that.
func (b *Backend) removeNVRAM(ctx context.Context, h *hostFacts, path string) error {
	if path == "" {
		return nil
	}
	uuid := newUUID()
	d := &libvirtxml.Domain{
		Type: h.domainType(nil), Name: "virtrigaud-cleanup-" + uuid, UUID: uuid,
		Memory:   &libvirtxml.DomainMemory{Value: 1, Unit: "MiB"},
		OS:       &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "hvm", Arch: h.arch, Machine: "q35"}},
		Devices:  &libvirtxml.DomainDeviceList{Emulator: h.emulator},
		Features: &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}},
	}
	setFirmware(d, firmware{uefi: true, nvram: path})
	if err := b.define(ctx, &domain{xml: d}); err != nil {
		return err
	}
	parsed, _ := parseUUID(uuid)
	// Also after an interrupt, for the helper must not stay.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	return b.undefine(ctx, rpc.Domain{Name: d.Name, UUID: parsed})
}
