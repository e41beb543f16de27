package proxmox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// Migrate moves a VM to another node, live where it runs, its disks on local storages with it, its disks to a storage, and into a pool.
func (b *Backend) Migrate(ctx context.Context, id backends.ID, to backends.PlacementSpec) error {
	const op = "migrate"
	if err := b.catalogue().Require(backends.FeatureMigration, op, backends.VMObject(string(id))); err != nil {
		return err
	}
	m, err := b.machine(ctx, id)
	if err != nil {
		return fault.Wrap(err, op, backends.VMObject(string(id)))
	}
	from, desired := &backends.VMSpec{Placement: m.hardware.observe(world{}, false).Spec.Placement}, &backends.VMSpec{Placement: to}
	if err := backends.Vet(b.catalogue(), from, desired, backends.Diff(from, desired), op, m.object()); err != nil {
		return err
	}
	return fault.Wrap(b.nameHolder(ctx, id, b.migrate(ctx, m, to)), op, m.object())
}

func (b *Backend) migrate(ctx context.Context, m *machine, to backends.PlacementSpec) error {
	defer b.estate.changed()
	node := m.node
	if to.Host != nil {
		var err error
		if node, err = b.place(ctx, backends.PlacementSpec{Host: to.Host}, nil, 0); err != nil {
			return err
		}
	}
	if err := b.checkPool(ctx, to.Pool); err != nil {
		return err
	}
	if to.Storage != nil {
		if err := b.checkStorage(ctx, node, *to.Storage); err != nil {
			return err
		}
	}
	if node != m.node {
		if err := b.moveNode(ctx, m, node, value(to.Storage)); err != nil {
			return at(err, "placement.host")
		}
		var err error
		if m, err = b.machine(ctx, m.id()); err != nil {
			return err
		}
	}
	if to.Storage != nil {
		if err := b.moveDisks(ctx, m, *to.Storage); err != nil {
			return err
		}
	}
	if to.Pool != nil && *to.Pool != m.Pool {
		return b.setPool(ctx, m.hardware.VMID, m.Pool, *to.Pool)
	}
	return nil
}

// moveDisks puts all disks of a VM on a storage, other than those that are no part of it.
func (b *Backend) moveDisks(ctx context.Context, m *machine, storage string) error {
	o := m.hardware.observe(world{}, false)
	for _, key := range sortedKeys(o.Slots) {
		slot := o.Slots[key]
		if !o.Disks[key].Owned || m.Config.Drive(slot).Storage() == storage {
			continue
		}
		if err := b.moveDisk(ctx, m.node, m.hardware.VMID, move{Slot: slot, Storage: storage, Path: "placement.storage"}); err != nil {
			return err
		}
	}
	for slot, path := range map[string]backends.Path{efiSlot: "firmware", tpmSlot: "tpm"} {
		if at := m.Config.Drive(slot).Storage(); at == "" || at == storage {
			continue
		}
		if err := b.moveDisk(ctx, m.node, m.hardware.VMID, move{Slot: slot, Storage: storage, Path: path}); err != nil {
			return err
		}
	}
	return nil
}

// motion is what Proxmox VE says of a VM that is to be moved.
type motion struct {
	Running    pve.Bool            `json:"running"`
	LocalDisks []map[string]any    `json:"local_disks"`
	Resources  []pve.Text          `json:"local_resources"`  // keys of devices of the node
	Mapped     []pve.Text          `json:"mapped-resources"` // of those, the ones that other nodes may have too
	Not        map[string]obstacle `json:"not_allowed_nodes"`
}

type obstacle struct {
	Storages []pve.Text `json:"unavailable_storages"`
}

// moveNode moves a VM to another node. Storage is where disks on local storages go, "" is the storage of the same name there.
func (b *Backend) moveNode(ctx context.Context, m *machine, node, storage string) error {
	defer b.estate.changed()
	mo, err := b.canMove(ctx, m, node, storage)
	if err != nil {
		return err
	}
	s, err := b.look(ctx, m.id())
	if err != nil {
		return err
	}
	form := map[string]any{"target": node, "online": s.power() != backends.Stopped}
	if len(mo.LocalDisks) > 0 {
		form["with-local-disks"] = true
	}
	if storage != "" {
		form["targetstorage"] = storage
	}
	err = pve.WhileLocked(ctx, func() error {
		_, err := b.conn.Task(ctx, "migrate", m.object(), "POST", pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "migrate"), form)
		return err
	})
	b.estate.changed()
	if err != nil || !bool(s.HA.Managed) {
		return err
	}
	return b.arrive(ctx, m, node)
}

// canMove refuses what Proxmox VE would refuse after a while in the log of a task.
func (b *Backend) canMove(ctx context.Context, m *machine, node, storage string) (mo motion, err error) {
	if m.power() == backends.Suspended {
		return mo, backends.Errorf(backends.Precondition, "", "", "the VM is suspended").Advise("Resume or stop the VM first.")
	}
	err = pve.WhileLocked(ctx, func() error {
		mo = motion{}
		return b.conn.Get(ctx, pve.Path("nodes", m.node, "qemu", m.hardware.VMID, "migrate"), nil, &mo)
	})
	if err != nil {
		return mo, err
	}
	media, err := b.localMedia(ctx, m)
	if err != nil {
		return mo, err
	}
	if len(media) > 0 {
		slot := media[0]
		d := m.Config.Drive(slot)
		if isSeed(d.Volume()) {
			return mo, backends.Errorf(backends.Precondition, "", "", "its cloud-init seed %s in drive %s lies on storage %q, which only the node %q has", d.Volume(), slot, d.Storage(), m.node).
				Advise("Set image_storage in the provider block to a storage that all nodes share before VMs are made. A guest that has been set up needs its seed no more: take it out of the drive in Proxmox VE.")
		}
		return mo, backends.Errorf(backends.Precondition, "", "", "the ISO file %s in drive %s is on storage %q, which only the node %q has", d.Volume(), slot, d.Storage(), m.node).
			At("cdrom.iso").Advise(`Take it out first (cdrom.iso = ""), or use one on a storage that all nodes share.`)
	}
	var bound []string
	for _, key := range mo.Resources {
		if !slices.Contains(mo.Mapped, key) {
			bound = append(bound, string(key))
		}
	}
	if len(bound) > 0 {
		return mo, backends.Errorf(backends.Precondition, "", "", "devices of the node %q bind the VM to it: %s", m.node, strings.Join(bound, ", ")).
			At("host_devices").Advise("Remove them, or use mappings of devices that the other node has too.")
	}
	var lacks []string
	for _, name := range mo.Not[node].Storages {
		lacks = append(lacks, fmt.Sprintf("%q", string(name)))
	}
	if len(lacks) > 0 && storage == "" {
		return mo, backends.Errorf(backends.Precondition, "", "", "the node %q does not have the storage %s, on which the VM has disks", node, strings.Join(lacks, ", ")).
			Advise("Name a storage that the node has, or move the disks to a storage that both have first.")
	}
	return mo, nil
}

// hesitation is how long high availability may take to begin what it was asked for: it looks every ten seconds.
const hesitation = time.Minute

// arrive waits until high availability has moved a VM, which it does some time after it was asked, if it does.
func (b *Backend) arrive(ctx context.Context, m *machine, node string) error {
	moving, asked := false, time.Now()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		s, err := b.look(ctx, m.id()) // before where it is, for it may arrive in between
		b.estate.changed()
		if now, err := b.estate.search(ctx, m.hardware.VMID); err == nil && now == node {
			return nil
		}
		if err == nil {
			switch was := moving; {
			case s.HA.State == "migrate" || s.HA.State == "relocate":
				moving = true
			case was, s.HA.State == "error", time.Since(asked) > hesitation:
				return backends.Errorf(backends.Precondition, "", "", "high availability was asked to move the VM and leaves it at the node %q, in the state %q", s.node, s.HA.State).
					Advise("Look at the log of the migration's task in Proxmox VE, and at what high availability is told of the VM's nodes: its group, or its rules.")
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
