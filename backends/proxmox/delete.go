package proxmox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// DeleteVM stops a VM and removes it with the volumes that are its own, its entry in high availability and in backup jobs. The seed that was made
// for it goes too; disks that are kept go to a VM that does nothing else than to hold them, see keepVolume.
func (b *Backend) DeleteVM(ctx context.Context, id backends.ID, opts backends.DeleteOptions) error {
	object := backends.VMObject(string(id))
	for try := 1; ; try++ {
		m, err := b.machine(ctx, id)
		if errors.Is(err, errMark) && len(opts.KeepDisks) == 0 && !m.mayKeep() {
			err = nil // nothing that the mark would have to tell
		}
		if err == nil && !b.doomed.is(m) {
			err = missing(m.hardware.VMID) // it is gone, and its VMID another's
		}
		if err != nil {
			if backends.CodeOf(err) == backends.NotFound {
				b.doomed.forget(id)
			}
			return fault.Wrap(err, "delete", object)
		}
		err = b.deleteVM(ctx, m, opts)
		if backends.CodeOf(err) == backends.NotFound && try < deleteTries {
			b.estate.forget(m.hardware.VMID)
			continue // gone, or at another node meanwhile
		}
		if err == nil || backends.CodeOf(err) == backends.NotFound {
			b.doomed.forget(id)
		}
		return fault.Wrap(b.nameHolder(ctx, id, err), "delete", m.object())
	}
}

// deleteTries is how often a VM is looked for that moves.
const deleteTries = 3

func (b *Backend) deleteVM(ctx context.Context, m *machine, opts backends.DeleteOptions) error {
	defer b.estate.changed()
	if m.Config.Bool("protection", false) {
		return backends.Errorf(backends.Precondition, "", "", "Proxmox VE protects the VM against removal").
			Advise(`Take protection out of proxmox.options, or set it to "0", and apply that first.`)
	}
	if err := m.knows(opts.KeepDisks); err != nil {
		return err
	}
	if err := b.unlinked(ctx, m); err != nil {
		return err
	}
	if m.power() != backends.Stopped && (m.power() != backends.Suspended || len(opts.KeepDisks) > 0 || len(m.kept()) > 0) { // memory on disk goes with the VM
		s, err := b.look(ctx, m.id())
		if err != nil {
			return err
		}
		if err := b.setPower(ctx, m.id(), s, backends.PowerOff); err != nil {
			return err
		}
		was := m.identity()
		if m, err = b.machine(ctx, m.id()); err != nil && !errors.Is(err, errMark) {
			return err
		}
		if m.identity() != was {
			return missing(m.hardware.VMID)
		}
	}
	if len(opts.KeepDisks) > 0 { // what snapshots hold cannot be given away
		if err := b.dropAll(ctx, m); err != nil {
			return err
		}
	}
	o := m.hardware.observe(world{}, false)
	for _, key := range slices.Sorted(slices.Values(opts.KeepDisks)) {
		slot, ok := o.Slots[key]
		if !ok || !o.Disks[key].Owned {
			continue
		}
		d := detach{Slot: slot, Volume: o.Disks[key].VolumeID, Path: backends.Path("disks").Key(key)}
		if err := b.detach(ctx, m, d, backends.Cold); err != nil {
			return err
		}
	}
	if err := b.letGo(ctx, m); err != nil {
		return err
	}
	form := map[string]any{"purge": true, "destroy-unreferenced-disks": false}
	task, err := b.conn.Task(ctx, "delete", m.object(), "DELETE", pve.Path("nodes", m.node, "qemu", m.hardware.VMID), form)
	if gone := err == nil || task.OK() || lost(err) && b.vanishes(ctx, m.hardware.VMID); !gone {
		return err
	}
	if ctx.Err() != nil { // nobody else will know of the seeds
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
	}
	for _, volume := range m.seeds() {
		if err := insist(ctx, func() error { return b.freeVolume(ctx, m.node, volume) }); err != nil && backends.CodeOf(err) != backends.NotFound {
			return err
		}
	}
	b.sweepSeeds(ctx, m)
	return nil
}

// vanishes reports whether a VM goes of which it is not known whether its deletion has begun: the answer was lost.
func (b *Backend) vanishes(ctx context.Context, vmid int64) bool {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		b.estate.changed()
		if _, err := b.estate.search(ctx, vmid); backends.CodeOf(err) == backends.NotFound {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// seeds are the files of seeds that the VM's drives hold and that were made for it.
func (m *machine) seeds() []string {
	var all []string
	for _, key := range m.Config.Drives() {
		if volume := m.Config.Drive(key).Volume(); isOwnSeed(volume, m.hardware.VMID) {
			all = append(all, volume)
		}
	}
	return all
}
