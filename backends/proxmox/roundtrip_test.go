package proxmox

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/backendtest/randspec"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

var testInventory = randspec.Inventory{
	Networks: []string{"vmbr0", "vmbr1"}, Storages: []string{"local", "thin", "thick", "shared"}, ISOs: []string{"local:iso/a.iso", "local:iso/b.iso"},
}

// legal takes from a random spec what Proxmox VE has not, or not together.
func legal(s *backends.VMSpec, w world) {
	s.CPU.Threads, s.CPU.ReservationMHz, s.Memory.LimitMiB = nil, nil, nil
	if value(s.CPU.MaxCores) > max(value(s.CPU.Cores), 1) {
		s.CPU.HotAdd = nil
	}
	if s.NestedVirtualization != nil {
		s.CPU.Model = nil
	}
	m := &s.Memory
	if m.SizeMiB == nil || value(m.MaxMiB) > value(m.SizeMiB) || value(m.HotAdd) {
		m.SizeMiB = new(int64(1536)) // of modules
	}
	if value(m.MaxMiB) < *m.SizeMiB {
		m.MaxMiB = nil
	}
	if value(m.MaxMiB) > *m.SizeMiB {
		m.HotAdd = nil
	}
	for key, d := range s.Disks {
		d.Slot, d.Shared = nil, nil
		if key != rootKey && value(d.Bus) == "ide" { // of four places, two are for media
			d.Bus = new("sata")
		}
		if d.SizeGiB == nil {
			d.SizeGiB = new(int64(20))
		}
		if bus := orElse(d.Bus, usualBus); bus == "virtio" {
			d.SSD = nil
		} else if bus != "scsi" {
			d.IOThread = nil
		}
		if d.Storage != nil { // a place decides what is there
			if !slices.Contains(w.Storages[*d.Storage].formats(), value(d.Format)) {
				d.Format = nil
			}
			if d.Provisioning != nil {
				d.Provisioning = new(w.Storages[*d.Storage].provisioning())
			}
		}
		s.Disks[key] = d
	}
	for key, n := range s.Networks {
		if value(n.Model) != "" && *n.Model != "virtio" {
			n.MTU = nil
		}
		s.Networks[key] = n
	}
	if c := s.Console; c != nil {
		c.Address, c.Port, c.Password, c.PasswordVersion = nil, nil, nil, nil
	}
}

// unmet says what of want is not there.
func unmet(t *rapid.T, what string, have, want *backends.VMSpec) {
	for _, c := range backends.Diff(have, want) {
		t.Errorf("%s: the next plan would %s", what, c)
	}
}

// TestRoundTrip: a VM that is made, and then changed, is observed to be what was asked for, and another plan of the same changes
// nothing.
func TestRoundTrip(t *testing.T) {
	w := testWorld()
	rapid.Check(t, func(rt *rapid.T) {
		spec := randspec.Spec(rt, "from", "one", testInventory)
		legal(spec, w)
		if err := backends.Vet(catalogues.Proxmox(), &backends.VMSpec{}, spec, backends.Requirements(spec), "create", "VM"); err != nil {
			rt.Fatalf("the catalogue: %v", err)
		}
		k := &keeper{t: t, vmid: 100, world: w}
		macs := 0
		r := request{
			World: w, VMID: 100, Node: "pve1", Want: spec, UUID: "11111111-2222-3333-4444-555555555555", SeedVolume: "local:iso/seed-1.iso",
			MAC: func() string { macs++; return fmt.Sprintf("bc:24:11:11:00:%02x", macs) },
		}
		p, err := makePlan(r)
		if err != nil {
			rt.Fatalf("create: %v", err)
		}
		config := k.apply(nil, p)
		h := read(t, 100, config)
		o := h.observe(w, true)
		unmet(rt, "created", &o.Spec, spec)

		again := r
		again.Have, again.SeedVolume = h, "local:iso/seed-2.iso"
		if p, err = makePlan(again); err != nil {
			rt.Fatalf("again: %v", err)
		} else if !p.empty() {
			rt.Fatalf("a plan of what is there would set %v, delete %v, detach %v, move %v, resize %v, free %v", p.Set, p.Delete, p.Detach, p.Move, p.Resize, p.Free)
		}

		to := randspec.Change(rt, spec, "two", testInventory)
		legal(to, w)
		for key, d := range to.Disks { // what a disk has come to on its storage
			if have, ok := o.Spec.Disks[key]; ok {
				d.Storage, d.Format, d.Provisioning = nil, nil, nil
				d.SizeGiB = new(max(*d.SizeGiB, *have.SizeGiB))
				if bus := orElse(d.Bus, *have.Bus); bus == "virtio" {
					d.SSD = nil
				} else if bus != "scsi" {
					d.IOThread = nil
				}
				to.Disks[key] = d
			}
		}
		for key, n := range to.Networks {
			if have, ok := o.Spec.Networks[key]; ok && (orElse(n.Model, *have.Model) != usualModel || value(n.MTU)+value(have.MTU) > 0 && n.Model != nil) {
				n.MTU, n.Model = nil, nil
				to.Networks[key] = n
			}
		}
		if value(o.Spec.CPU.MaxCores)+value(to.CPU.MaxCores) > 0 {
			to.CPU.HotAdd = nil
		}
		if most := value(o.Spec.Memory.MaxMiB); most > 0 || value(o.Spec.Memory.HotAdd) { // made of modules already
			to.Memory.SizeMiB = new(int64(1536))
			to.Memory.HotAdd = nil
			if value(to.Memory.MaxMiB) < 1536 {
				to.Memory.MaxMiB = nil
			}
		}
		if to.CPU.Model == nil && to.NestedVirtualization == nil && spec.NestedVirtualization != nil {
			to.NestedVirtualization = spec.NestedVirtualization
		}
		again.Want = to
		p, err = makePlan(again)
		if err != nil {
			if backends.CodeOf(err) == backends.Precondition && (to.CloudInit == nil || to.CloudInit.UserData == nil) {
				return // user data that was write-only is not known any more
			}
			rt.Fatalf("change: %v", err)
		}
		config = k.apply(config, p)
		o = read(t, 100, config).observe(w, true)
		unmet(rt, "changed", &o.Spec, to)
	})
}
