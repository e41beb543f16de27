package tfx

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// patience is how long a plan waits, once, for something to turn up in state:
// Terraform reads what it has while it plans what is new.
const patience = 2 * time.Second

// inState reports whether Terraform has a VM in state.
func (v *Inventory) inState(ctx context.Context, id backends.ID) bool {
	return v.turnsUp(ctx, func() bool { return v.managed[id] })
}

// turnsUp waits until there holds, for as long as all who ask are patient
// together. there is called with the lock held.
func (v *Inventory) turnsUp(ctx context.Context, there func() bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.patient.IsZero() {
		v.patient = time.Now().Add(patience)
	}
	for !there() {
		left := time.Until(v.patient)
		if left <= 0 || ctx.Err() != nil {
			return false
		}
		v.wait(ctx, v.noticed, left)
	}
	return true
}

// wait gives up the lock until something was noticed or the time is over.
func (v *Inventory) wait(ctx context.Context, noticed <-chan struct{}, atMost time.Duration) {
	v.mu.Unlock()
	defer v.mu.Lock()
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-noticed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// VM reads the configuration of the VM or template that has an id or, where only
// one has it, a name. missing says that the hypervisor has none; where nobody
// knows, vm is nil and missing false.
func (v *Inventory) VM(ctx context.Context, asked string) (vm *backends.VM, missing bool) {
	all, ok := v.list(ctx)
	if !ok {
		return nil, false
	}
	name, byName := strings.CutPrefix(asked, "name=")
	var found []backends.ID
	for _, one := range all {
		if !byName && string(one.ID) == asked {
			found = []backends.ID{one.ID}
			break
		}
		if one.Name == name {
			found = append(found, one.ID)
		}
	}
	if len(found) != 1 {
		return nil, len(found) == 0 && !strings.Contains(name, "/") // that may be a path, which only the driver can follow
	}
	id := found[0]
	vm, _ = ask(ctx, v, v.named.of(string(id)), func(b backends.Backend, ctx context.Context) (*backends.VM, error) {
		read, err := b.GetVMs(ctx, []backends.ID{id}, backends.AspectConfig|backends.AspectRuntime)
		if err != nil {
			return nil, err
		}
		return read[id].VM, read[id].Err
	})
	return vm, false
}

// Snapshots lists the snapshots of a VM; ok is false where nobody knows.
func (v *Inventory) Snapshots(ctx context.Context, id backends.ID) (all []backends.Snapshot, ok bool) {
	return ask(ctx, v, v.snapshots.of(string(id)), func(b backends.Backend, ctx context.Context) ([]backends.Snapshot, error) {
		return b.ListSnapshots(ctx, id)
	})
}

// StrangeSnapshots are the snapshots of a VM that Terraform does not have in state.
func (v *Inventory) StrangeSnapshots(ctx context.Context, id backends.ID) []backends.Snapshot {
	all, _ := v.Snapshots(ctx, id)
	var strange []backends.Snapshot
	v.turnsUp(ctx, func() bool {
		strange = slices.DeleteFunc(slices.Clone(all), func(s backends.Snapshot) bool { return v.kept[string(id)+"/"+s.ID] })
		return len(strange) == 0
	})
	return strange
}

// Volume reads a disk with a life of its own. missing says that the hypervisor
// has none of this id; where nobody knows, disk is nil and missing false.
func (v *Inventory) Volume(ctx context.Context, id string) (disk *backends.Volume, missing bool) {
	disk, ok := ask(ctx, v, v.volumes.of(id), func(b backends.Backend, ctx context.Context) (*backends.Volume, error) {
		d, err := b.GetDisk(ctx, id)
		switch {
		case errors.Is(err, backends.ErrNotFound):
			return nil, nil //nolint:nilnil // what is missing is an answer
		case err != nil:
			return nil, err
		}
		return &d, nil
	})
	return disk, ok && disk == nil
}

// Holder returns the VM that has a disk attached and that Terraform does not have
// in state.
func (v *Inventory) Holder(ctx context.Context, disk *backends.Volume) (vm backends.VMSummary, ok bool) {
	if disk == nil || disk.AttachedTo == "" || v.inState(ctx, disk.AttachedTo) {
		return backends.VMSummary{}, false
	}
	all, _ := v.list(ctx)
	for _, vm := range all {
		if vm.ID == disk.AttachedTo {
			return vm, true
		}
	}
	return backends.VMSummary{ID: disk.AttachedTo, Name: string(disk.AttachedTo)}, true
}
