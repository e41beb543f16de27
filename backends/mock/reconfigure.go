package mock

import (
	"context"
	"slices"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Reconfigure carries out changes. It is strict about the mode: a change that
// needs a restart is a Precondition while the VM runs, whoever asked.
func (b *Backend) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	c, err := b.onVM(id, "Reconfigure", "", "change")
	if err != nil {
		return err
	}
	return b.write(ctx, c, func(w *world) error {
		m, err := w.edit(id)
		if err != nil {
			return err
		}
		before := w.Machines[id]
		changes := remaining(before, r)
		if err := b.allowed(m, r, changes); err != nil {
			return err
		}
		if r.Mode == backends.Deferred && m.Power != backends.Stopped && m.Active == nil {
			active := clone(m.Spec)
			m.Active = &active
		}
		var kept []string
		for _, change := range changes {
			if change.PartOfAddition() {
				continue
			}
			if d := before.Disks[change.Key]; change.Path.Generic() == "disks" && change.Action == backends.Remove &&
				d.Owned && value(before.Spec.Disks[change.Key].KeepOnDestroy) {
				kept = append(kept, change.Key)
			}
			if err := b.apply(m, r.Desired, change); err != nil {
				return err
			}
		}
		if other := w.named(m.Spec.Name); other != nil && other.ID != id {
			return nameTaken(other)
		}
		if err := b.complete(w, m, r.Desired, nil); err != nil {
			return err
		}
		if m.Power == backends.Running && r.Mode == backends.Live {
			b.follow(w, before, m, changes)
		}
		for _, key := range kept {
			w.release(before, key)
		}
		b.attach(w, before, m)
		w.put(m)
		return nil
	})
}

// remaining returns those of the changes asked for that do not hold already.
func remaining(m *machine, r backends.Reconfiguration) []backends.Change {
	asked := map[backends.Path]bool{}
	for _, c := range r.Changes {
		asked[c.Path] = true
	}
	return slices.DeleteFunc(backends.Diff(&m.Spec, r.Desired), func(c backends.Change) bool { return !asked[c.Path] })
}

// allowed checks changes against the catalogue and against the state that the
// VM is in.
func (b *Backend) allowed(m *machine, r backends.Reconfiguration, changes []backends.Change) error {
	if err := backends.Vet(b.catalogue, &m.Spec, r.Desired, changes, "change", m.object()); err != nil {
		return err
	}
	if m.Partial {
		return backends.Errorf(backends.Precondition, "", "", "its creation did not end").Advise("Delete the VM and create it again.")
	}
	for _, c := range changes {
		if err := b.frozen(m, c); err != nil {
			return err
		}
	}
	if r.Mode == backends.Deferred {
		if err := b.catalogue.Require(backends.FeatureDeferredChange, "change", m.object()); err != nil {
			return err
		}
	}
	if r.Mode == backends.Cold && m.Power != backends.Stopped {
		return backends.Errorf(backends.Precondition, "", "", "the VM is %s, and a cold change needs it stopped", m.Power)
	}
	if r.Mode != backends.Live || m.Power == backends.Stopped {
		return nil
	}
	for _, c := range changes {
		for _, from := range []*backends.VMSpec{&m.Spec, m.now()} {
			if im := b.catalogue.ImpactOf(from, r.Desired, c); im.Effect != backends.EffectLive {
				return backends.Errorf(backends.Precondition, "", "", "to %s the VM must be stopped: %s", c, im.Reason).At(c.Path)
			}
		}
	}
	return nil
}

// frozen refuses a change that the VM's snapshots are in the way of.
func (b *Backend) frozen(m *machine, c backends.Change) error {
	if len(m.Snapshots) == 0 {
		return nil
	}
	reason := b.catalogue.FrozenBy(c)
	if reason == "" {
		return nil
	}
	return refusal(backends.Precondition, c.Path, "to %s is not possible while the VM has snapshots (%s): %s", c, m.snapshotNames(), reason).
		Advise("Delete the snapshots first.")
}

// follow lets a running VM see what was changed live: interfaces that came or
// moved get an address. Where other changes wait for the next start, what the
// VM runs with gets the live ones too.
func (b *Backend) follow(w *world, before, m *machine, changes []backends.Change) {
	b.lease(w, m)
	for key, n := range m.Spec.Networks {
		was := before.Spec.Networks[key]
		if lease := before.Leases[key]; lease != "" && n.IPv4 == nil && value(was.Network) == *n.Network {
			m.Leases[key] = lease
		}
	}
	if m.Active == nil {
		return
	}
	active := machine{Spec: *m.Active}
	for _, c := range changes {
		if !c.PartOfAddition() && b.apply(&active, &m.Spec, c) == nil {
			*m.Active = active.Spec
		}
	}
}
