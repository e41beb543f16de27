package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// admit checks that changes can be made at all, before any of them is.
func (e *edit) admit(ctx context.Context, r backends.Reconfiguration, changes []backends.Change) error {
	cat := e.catalogue()
	if err := backends.Vet(cat, e.from, e.to, r.Changes, "change", e.m.object()); err != nil {
		return err
	}
	if err := e.admitFrozen(ctx, cat, changes); err != nil {
		return err
	}
	if e.to.Name != e.from.Name {
		if err := checkName(e.to.Name); err != nil {
			return err
		}
	}
	if onlyNotes(changes) {
		return nil
	}
	switch power := e.m.power(); {
	case e.m.Config.Template && slices.ContainsFunc(changes, func(c backends.Change) bool { return !c.IsNote() && c.Path != "name" && c.Path != "guest_os" }):
		return backends.Errorf(backends.Precondition, "", "", "the VM is a template, whose hardware does not change").At(changes[0].Path)
	case power == backends.Suspended:
		return backends.Errorf(backends.Precondition, "", "", "the VM is suspended: its saved memory only fits the hardware that it had").
			Advise("Resume it, or stop it, which discards the saved memory.")
	case power == backends.Stopped:
		return nil
	case r.Mode == backends.Cold:
		return backends.Errorf(backends.Precondition, "", "", "the VM runs").Advise("Stop the VM first.")
	}
	for _, c := range changes {
		if im := cat.ImpactOf(e.from, e.to, c); im.Effect != backends.EffectLive {
			return backends.Errorf(backends.Precondition, "", "", "to %s while the VM runs is not possible: %s", c, im.Reason).
				At(c.Path).Advise("Stop the VM first.")
		}
	}
	return nil
}

// admitFrozen refuses what snapshots are in the way of.
func (e *edit) admitFrozen(ctx context.Context, cat backends.Catalogue, changes []backends.Change) error {
	i := slices.IndexFunc(changes, func(c backends.Change) bool { return cat.FrozenBy(c) != "" })
	if i < 0 || e.m.Snapshot == nil || len(e.m.Snapshot.RootSnapshotList) == 0 {
		return nil
	}
	return backends.Errorf(backends.Precondition, "", "", "to %s is not possible while the VM has %s: %s", changes[i], e.m.heldBy(), cat.FrozenBy(changes[i])).
		At(changes[i].Path).Advise("Delete them first.%s", e.tellClones(ctx))
}

// tellClones is a sentence on which linked clones need the VM's disks, "" where there are none or they cannot be read.
func (e *edit) tellClones(ctx context.Context) string {
	bases := slices.DeleteFunc(e.m.snapshots(), func(s *snapshot) bool { return !s.base() })
	if len(bases) == 0 {
		return ""
	}
	files, err := e.frozenFiles(ctx, bases)
	if err != nil {
		return ""
	}
	users, err := e.sharersSince(ctx, e.m, time.Now())
	if err != nil {
		return ""
	}
	names := namesOf(files, users)
	if len(names) == 0 {
		return fmt.Sprintf(" No linked clone is left that can be seen: what remains is the snapshot %q, to be deleted in the vSphere client.", bases[0].Name)
	}
	slices.Sort(names)
	return fmt.Sprintf(" The linked clones are %s.", strings.Join(slices.Compact(names), ", "))
}

// heldBy says in words what needs the VM's disks as they were. Those of its snapshots that users do not see are there for linked clones.
func (m *machine) heldBy() string {
	var names, what []string
	linked := false
	for _, name := range snapshotNames(m.Snapshot.RootSnapshotList) {
		if strings.HasPrefix(name, baseName) {
			linked = true
		} else {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		what = append(what, "snapshots ("+strings.Join(names, ", ")+")")
	}
	if linked {
		what = append(what, "linked clones")
	}
	return strings.Join(what, " and ")
}

func snapshotNames(trees []types.VirtualMachineSnapshotTree) []string {
	var names []string
	for _, t := range trees {
		names = append(append(names, plain(t.Name)), snapshotNames(t.ChildSnapshotList)...)
	}
	return names
}

// onlyNotes reports whether changes are about what no hardware depends on, so that they can be made in any state.
func onlyNotes(changes []backends.Change) bool {
	return !slices.ContainsFunc(changes, func(c backends.Change) bool { return !c.IsNote() })
}

// upgradeFirst raises the virtual hardware, in a task of its own, before anything that may need it.
func (e *edit) upgradeFirst(ctx context.Context) error {
	var have, want *int64
	if e.from.VSphere != nil {
		have = e.from.VSphere.HardwareVersion
	}
	if e.to.VSphere != nil {
		want = e.to.VSphere.HardwareVersion
	}
	if !changed(have, want) {
		return nil
	}
	if err := e.checkOptions(*e.to.VSphere); err != nil {
		return err
	}
	if err := e.upgrade(ctx, e.m, *want); err != nil {
		return err
	}
	m, err := e.machine(ctx, e.m.id(), "change")
	if err != nil {
		return err
	}
	e.m, e.disksOf = m, m.diskDevices()
	e.newLayout()
	return nil
}
