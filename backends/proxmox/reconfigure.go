package proxmox

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// reconfigureTries is how often changes are tried on a VM that somebody else keeps changing.
const reconfigureTries = 5

// Reconfigure carries out changes: the VM is read once, and what differs goes into one request with the digest of what was read. Where somebody else
// changes the VM in between, it begins again with what the VM is then.
func (b *Backend) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	defer b.estate.changed()
	for try := 1; ; try++ {
		m, err := b.machine(ctx, id)
		if err != nil {
			return fault.Wrap(err, "change", backends.VMObject(string(id)))
		}
		err = b.reconfigure(ctx, m, r)
		moved := backends.CodeOf(err) == backends.NotFound && b.moved(ctx, m)
		if try == reconfigureTries || !moved && !errors.Is(err, fault.ErrDigest) || ctx.Err() != nil {
			return fault.Wrap(b.nameHolder(ctx, id, err), "change", m.object())
		}
		b.estate.changed()
	}
}

// moved reports whether a VM is at another node than it was.
func (b *Backend) moved(ctx context.Context, m *machine) bool {
	b.estate.forget(m.hardware.VMID)
	node, err := b.estate.search(ctx, m.hardware.VMID)
	return err == nil && node != m.node
}

func (b *Backend) reconfigure(ctx context.Context, m *machine, r backends.Reconfiguration) error {
	changes := slices.DeleteFunc(slices.Clone(r.Changes), backends.Change.PartOfAddition)
	if len(changes) == 0 {
		return nil
	}
	w, err := b.worldOf(ctx, m.node, r.Desired)
	if err != nil {
		return err
	}
	from := m.hardware.observe(w, true).Spec
	if err := b.admit(m, &from, r, changes); err != nil {
		return err
	}
	if err := b.thawed(ctx, m, changes); err != nil {
		return err
	}
	if err := b.checkNames(ctx, m, &from, r.Desired, changes); err != nil {
		return err
	}
	p, err := makePlan(request{
		World: w, VMID: m.hardware.VMID, Node: m.node, Have: m.hardware, Want: picked(&from, r.Desired, changes),
		Running: r.Mode == backends.Live && m.power() != backends.Stopped,
		UUID:    uuid.NewString(), MAC: newMAC, SeedVolume: b.seedVolume(w, m.hardware.VMID, m.Config.UUID()),
	})
	if err != nil {
		return err
	}
	if err := b.admitVolumes(ctx, m.node, m.hardware.VMID, m.hardware, p); err != nil {
		return err
	}
	if err := b.carryOut(ctx, m, p, r.Mode); err != nil {
		return blame(err, p)
	}
	if p.Node != nil && *p.Node != m.node {
		return b.migrate(ctx, m, backends.PlacementSpec{Host: p.Node})
	}
	return nil
}

// admit refuses what the mode of a change does not allow, before anything is changed.
func (b *Backend) admit(m *machine, from *backends.VMSpec, r backends.Reconfiguration, changes []backends.Change) error {
	if err := backends.Vet(b.catalogue(), from, r.Desired, changes, "change", m.object()); err != nil {
		return err
	}
	if r.Mode == backends.Cold && m.power() != backends.Stopped {
		for _, c := range changes {
			if !c.IsNote() && b.catalogue().ImpactOf(from, r.Desired, c).Effect != backends.EffectLive {
				return backends.Errorf(backends.Precondition, "", "", "the VM is %s, and this needs it stopped", m.power()).At(c.Path).Advise("Stop the VM first.")
			}
		}
	}
	if r.Mode == backends.Live && m.power() == backends.Running {
		for _, c := range changes {
			if impact := b.catalogue().ImpactOf(from, r.Desired, c); impact.Effect == backends.EffectRestart {
				return backends.Errorf(backends.Precondition, "", "", "%s", impact.Reason).At(c.Path).Advise("Stop the VM first.")
			}
		}
	}
	return nil
}

// carryOut executes a plan in the order of its fields. The first write says with the digest what it is about, and may be refused as a whole; what
// follows is insisted on.
func (b *Backend) carryOut(ctx context.Context, m *machine, p *plan, mode backends.ReconfigureMode) (err error) {
	node, vmid := m.node, m.hardware.VMID
	if p.Seed != nil {
		if err := b.uploadSeed(ctx, node, p.Seed); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				b.discardSeed(ctx, node, vmid, p.Seed)
			}
		}()
	}
	begun := false
	do := func(write func() error) error {
		if begun {
			return insist(ctx, write)
		}
		err := write()
		begun = err == nil
		return err
	}
	digest := m.digest
	for _, d := range p.Detach {
		if d.Attach != "" && mode == backends.Deferred && m.power() != backends.Stopped {
			return backends.Errorf(backends.Precondition, "", "", "Proxmox VE would take the disk from the running VM at once").At(d.Path).Advise("Stop the VM first.")
		}
		if err := do(func() error { return b.detachAt(ctx, m, d, mode, digest) }); err != nil {
			return err
		}
		digest = "" // it is another one now
	}
	if len(p.Set) > 0 || len(p.Delete) > 0 {
		form := map[string]any{}
		for key, text := range p.Set {
			form[key] = text
		}
		if len(p.Delete) > 0 {
			form["delete"] = strings.Join(p.Delete, ",")
		}
		if digest != "" {
			form["digest"] = digest
		}
		if err := do(func() error { return b.applyMarked(ctx, m, form, mode, p) }); err != nil {
			b.putBack(ctx, m, p)
			return err
		}
	}
	for _, mv := range p.Move {
		if err := do(func() error { return b.moveDisk(ctx, node, vmid, mv) }); err != nil {
			return err
		}
	}
	for _, r := range p.Resize {
		if err := do(func() error { return b.resize(ctx, node, vmid, r) }); err != nil {
			return err
		}
	}
	for _, volume := range p.Free {
		if err := do(func() error { return b.freeVolume(ctx, node, volume) }); err != nil && backends.CodeOf(err) != backends.NotFound {
			return err
		}
	}
	if p.Pool != nil {
		return do(func() error { return b.setPool(ctx, vmid, m.Pool, *p.Pool) })
	}
	return nil
}

// applyMarked is apply of a form that may have a new mark. Where something is taken back, the mark goes on telling of what stays.
func (b *Backend) applyMarked(ctx context.Context, m *machine, form map[string]any, mode backends.ReconfigureMode, p *plan) error {
	err := b.apply(ctx, m, form, mode)
	var back *takenBack
	if !errors.As(err, &back) || form["description"] == nil {
		return err
	}
	text, markErr := p.Mark.except(back.keys, m.Mark).describe(value(p.Spec.Description))
	if markErr == nil {
		markErr = insist(ctx, func() error { return b.put(ctx, m.node, m.hardware.VMID, map[string]any{"description": text}) })
	}
	if markErr != nil {
		return errors.Join(err, markErr)
	}
	return err
}

// detach takes a drive away. It becomes an unusedN of the VM, which is then deleted, freed of the VM, or left for the slot that gets its volume.
func (b *Backend) detach(ctx context.Context, m *machine, d detach, mode backends.ReconfigureMode) error {
	return b.detachAt(ctx, m, d, mode, "")
}

// detachAt is detach of the VM as it was with a digest, "" as it is.
func (b *Backend) detachAt(ctx context.Context, m *machine, d detach, mode backends.ReconfigureMode, digest string) error {
	node, vmid := m.node, m.hardware.VMID
	form := map[string]any{"delete": d.Slot}
	if digest != "" {
		form["digest"] = digest
	}
	if stays := !d.Delete && d.Attach == "" && vmconf.ParseVolume(d.Volume).Owner() == vmid; stays {
		k, notes, err := m.noteKept(d.Volume)
		if err != nil {
			return at(err, d.Path)
		}
		form["description"], m.Mark = notes, k
	}
	if k, notes, ok := m.noteAside(d); ok {
		form["description"], m.Mark = notes, k
	}
	if err := b.apply(ctx, m, form, mode); err != nil {
		return at(err, d.Path)
	}
	if d.Attach != "" || d.Volume == "" {
		return nil
	}
	after, err := b.configured(ctx, m.resident, m.Pool)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(after.current) {
		volume, _, _ := strings.Cut(after.current[key], ",")
		if !strings.HasPrefix(key, "unused") || volume != d.Volume {
			continue
		}
		if !d.Delete && m.power() != backends.Stopped {
			return nil // it is noted in the mark, and let go of when the VM is removed
		}
		if !d.Delete {
			return at(insist(ctx, func() error { return b.keepVolume(ctx, node, vmid, key, volume) }), d.Path)
		}
		return at(insist(ctx, func() error { return b.put(ctx, node, vmid, map[string]any{"delete": key}) }), d.Path)
	}
	return nil // it is no volume of this VM's, and nothing is left of it here; or it waits, as a change that is deferred does
}

// moveDisk puts a disk on another storage or into another format; what it was is deleted.
func (b *Backend) moveDisk(ctx context.Context, node string, vmid int64, mv move) error {
	form := map[string]any{"disk": mv.Slot, "storage": mv.Storage, "delete": true}
	if mv.Format != "" {
		form["format"] = mv.Format
	}
	_, err := b.conn.Task(ctx, "move a disk", backends.VMObject(string(idOf(vmid))), "POST", pve.Path("nodes", node, "qemu", vmid, "move_disk"), form)
	if err != nil && strings.Contains(err.Error(), "same storage with same format") {
		return nil // it is there: an earlier try was heard
	}
	return at(nameless(err), mv.Path)
}

// setPool puts a VM into a pool, or takes it out where pool is "".
func (b *Backend) setPool(ctx context.Context, vmid int64, from, pool string) error {
	form := map[string]any{"vms": vmid, "allow-move": true}
	name := pool
	if pool == "" {
		if from == "" {
			return nil
		}
		name, form = from, map[string]any{"vms": vmid, "delete": true}
	}
	path := pve.Path("pools", name)
	if strings.Contains(name, "/") { // a pool in a pool, which versions have that can be asked so
		path, form["poolid"] = "/pools", name
	}
	err := b.conn.Put(ctx, path, form, nil)
	if err != nil && (strings.Contains(err.Error(), "is already a pool member") || pool == "" && strings.Contains(err.Error(), "is not a pool member")) {
		return nil
	}
	return at(err, "placement.pool")
}
