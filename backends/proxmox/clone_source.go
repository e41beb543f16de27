package proxmox

import (
	"context"
	"maps"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/inherit"
)

// cloneAs is what clones differ in beside their specification.
type cloneAs struct {
	source   backends.ID
	snapshot string // of source, "" for its present state
	linked   bool
	path     backends.Path // the attribute that names the source
	partial  bool          // who asks for it has more to do
}

// source is what a clone is made from: a VM or template as it is, or a snapshot of it.
type source struct {
	now    *machine
	then   *machine // what is cloned: now, or what it was when the snapshot was taken
	spec   backends.VMSpec
	slots  map[string]string // of its disks, by key
	object string
}

// source reads the source of a clone.
func (b *Backend) source(ctx context.Context, as cloneAs) (*source, error) {
	now, err := b.machine(ctx, as.source)
	if backends.CodeOf(err) == backends.NotFound {
		return nil, backends.Errorf(backends.NotFound, "", "", "there is no VM or template with the id %q", string(as.source)).At(as.path)
	}
	if err != nil {
		return nil, at(err, as.path)
	}
	s := &source{now: now, then: now, object: now.object()}
	if as.snapshot != "" {
		l, err := b.snapshots(ctx, now)
		if err != nil {
			return nil, err
		}
		if l.find(as.snapshot) == nil {
			return nil, backends.Errorf(backends.NotFound, "", "", "%s has no snapshot with the id %q", s.object, as.snapshot).At("source_snapshot")
		}
		if s.then, err = b.held(ctx, now, as.snapshot); err != nil {
			return nil, at(err, "source_snapshot")
		}
		s.object += ` at its snapshot "` + as.snapshot + `"`
	}
	w, err := b.storagesKnown(ctx, backends.AspectConfig)
	if err != nil {
		return nil, err
	}
	o := s.then.hardware.observe(w, true)
	s.spec, s.slots = o.Spec, o.Slots
	if as.snapshot != "" {
		s.spec.Description = now.hardware.observe(w, false).Spec.Description // a snapshot has one of its own
	}
	return s, nil
}

// canClone refuses a source that Proxmox VE cannot clone now.
func (s *source) canClone(as cloneAs) error {
	not := func(format string, args ...any) *backends.Error {
		return backends.Errorf(backends.Precondition, "", "", format, args...).At(as.path)
	}
	power := s.now.power()
	switch {
	case s.now.Mark != nil && s.now.Mark.Partial:
		return not("%s is still being made, or its creation failed half-way", s.object)
	case power == backends.Suspended && as.snapshot == "":
		return not("%s is suspended", s.object).Advise("Resume or stop it first.")
	case power != backends.Stopped && as.snapshot == "" && s.then.Config[tpmSlot] != "":
		return not("%s runs, and Proxmox VE cannot copy the state of its TPM meanwhile", s.object).Advise("Stop it first.")
	}
	return nil
}

// inherit completes what was asked for with what the source has. What a disk is like where it lies does not bind it where it goes.
func (s *source) inherit(spec *backends.VMSpec, as cloneAs) *backends.VMSpec {
	want := inherit.Clone(&s.spec, spec)
	want.Disks = maps.Clone(want.Disks)
	for key, d := range want.Disks {
		have, ok := s.spec.Disks[key]
		if ok && (as.linked || value(d.Storage) != value(have.Storage)) {
			d.Format, d.Provisioning = spec.Disks[key].Format, spec.Disks[key].Provisioning
		}
		want.Disks[key] = d
	}
	return want
}

// findPlace finds the node of the clone: the one that is asked for, else the provider's where all volumes can be reached from there,
// else that of the source.
func (c *cloning) findPlace(ctx context.Context) error {
	home := c.src.now.node
	shared, err := c.allShared(ctx, c.src.then)
	if err != nil {
		return err
	}
	switch {
	case c.asked.Placement.Host != nil || c.asked.Placement.Cluster != nil:
		if c.node, err = c.place(ctx, c.asked.Placement, nil, 0); err != nil {
			return err
		}
	case shared && c.cfg.Node != "":
		if c.node, err = c.place(ctx, backends.PlacementSpec{}, nil, 0); err != nil {
			return err
		}
	default:
		c.node = home
	}
	c.direct = shared
	return nil
}

// allShared reports whether every node sees all volumes of a VM.
func (b *Backend) allShared(ctx context.Context, m *machine) (bool, error) {
	shared, err := b.sharedStorages(ctx, m.node)
	if err != nil {
		return false, err
	}
	for _, slot := range append(m.Config.Drives(), efiSlot, tpmSlot) {
		if storage := m.Config.Drive(slot).Storage(); storage != "" && !shared[storage] {
			return false, nil
		}
	}
	return true, nil
}

// sharedStorages are those of a node's storages that all nodes see.
func (b *Backend) sharedStorages(ctx context.Context, node string) (map[string]bool, error) {
	rows, err := b.storageRows(ctx, node)
	if err != nil {
		return nil, err
	}
	shared := map[string]bool{}
	for _, r := range rows {
		if r.Shared {
			shared[string(r.Storage)] = true
		}
	}
	return shared, nil
}

// localMedia are the drives with media that only the VM's node has; Proxmox VE makes its own cloud-init drive anew anywhere.
func (b *Backend) localMedia(ctx context.Context, m *machine) ([]string, error) {
	shared, err := b.sharedStorages(ctx, m.node)
	if err != nil {
		return nil, err
	}
	var slots []string
	for _, slot := range m.Config.Drives() {
		d := m.Config.Drive(slot)
		if d.IsCDROM() && !d.IsCloudInit() && d.Volume() != emptyDrive && !shared[d.Storage()] {
			slots = append(slots, slot)
		}
	}
	return slots, nil
}

// chooseStorage has all disks copied to where they shall be, where that is one place: others are moved afterwards.
func (c *cloning) chooseStorage() {
	if c.as.linked {
		return
	}
	places, moved := map[string]bool{}, false
	for key := range c.src.slots {
		want, kept := c.want.Disks[key]
		if !kept || want.Volume != nil {
			continue
		}
		places[value(want.Storage)] = true
		moved = moved || value(want.Storage) != value(c.src.spec.Disks[key].Storage)
	}
	if !moved || len(places) != 1 || c.node != c.src.now.node && !c.direct {
		return
	}
	for storage := range places {
		c.storage = storage
	}
}
