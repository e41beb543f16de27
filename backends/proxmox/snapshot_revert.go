package proxmox

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/fault"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// settleTime bounds what has to be done after a revert although the caller's time is over.
const settleTime = 30 * time.Second

// RevertSnapshot returns a VM to a snapshot. Proxmox VE takes the whole configuration back but for the notes, and keeps the disks that
// came later as unused ones. What belongs to the VM and not to its hardware is written anew: name, the mark, the medium of a seed; disks that
// came later go, other than those that are to be kept.
func (b *Backend) RevertSnapshot(ctx context.Context, id backends.ID, snapshot string) error {
	return b.onSnapshot(ctx, id, snapshot, "revert to", func(m *machine, _ snapshotList, s *snapshotRow) error {
		return b.revertSnapshot(ctx, m, s)
	})
}

// broken is what Proxmox VE was at when a snapshot was left half-done.
var broken = map[string]string{"prepare": "creation", "delete": "deletion"}

func (b *Backend) revertSnapshot(ctx context.Context, m *machine, s *snapshotRow) error {
	defer b.estate.changed()
	name := string(s.Name)
	if s.State != "" {
		return backends.Errorf(backends.Precondition, "", "", "the snapshot is not whole: its %s was broken off", broken[string(s.State)]).
			Advise("Delete the snapshot.")
	}
	if m.hardware.Template {
		return backends.Errorf(backends.Precondition, "", "", "it is a template, which never changes")
	}
	then, err := b.held(ctx, m, name)
	if err != nil {
		return err
	}
	managed, err := b.readyToRevert(ctx, m, bool(s.VMState))
	if err != nil {
		return err
	}
	before, err := b.machine(ctx, m.id())
	if err != nil {
		return err
	}
	err = pve.WhileLocked(ctx, func() error {
		_, err := b.conn.Task(ctx, "revert to a snapshot", m.object(), "POST", m.snapshotPath(name, "rollback"), nil)
		return err
	})
	b.estate.changed()
	if err != nil && !b.wasReverted(ctx, m, name, err) {
		return err
	}
	// The VM must not be left with the identity of then.
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if bad := b.settleRevert(settling, before, then); bad != nil {
		return bad
	}
	if err != nil {
		return err
	}
	want := backends.Stopped
	if s.VMState {
		want = backends.Running
	}
	return b.reach(ctx, m.id(), want, managed)
}

// readyToRevert sees to it that nothing is in the way: memory that lies on disk has to go, and where high availability manages the VM
// it is told what the VM shall be, for else it would stop or start it afterwards.
func (b *Backend) readyToRevert(ctx context.Context, m *machine, memory bool) (managed bool, err error) {
	s, err := b.look(ctx, m.id())
	if err != nil {
		return false, err
	}
	managed = bool(s.HA.Managed)
	switch {
	case s.power() == backends.Suspended:
		return managed, b.discardMemory(ctx, m.id())
	case managed && !memory && s.power() != backends.Stopped:
		return managed, b.setPower(ctx, m.id(), s, backends.PowerOff)
	case managed && memory && s.power() == backends.Stopped:
		return managed, b.setPower(ctx, m.id(), s, backends.PowerOn)
	}
	return managed, nil
}

// wasReverted reports whether a revert took place although it ended with an error, as an interrupted one may.
func (b *Backend) wasReverted(ctx context.Context, m *machine, name string, err error) bool {
	if code := backends.CodeOf(err); code != backends.Canceled && code != backends.Timeout && code != backends.Transient {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	now, readErr := b.machine(ctx, m.id())
	return readErr == nil && now.Lock == "" && now.Config["parent"] == name && now.digest != m.digest
}

// settleRevert gives a VM back what is its own, and removes the disks that came after the snapshot. Where somebody else
// changes the VM at the same time it is read again.
func (b *Backend) settleRevert(ctx context.Context, before, then *machine) error {
	for try := 1; ; try++ {
		now, err := b.machine(ctx, before.id())
		if err != nil {
			return err
		}
		form, err := now.restored(before, then)
		if err != nil {
			return err
		}
		if len(form) > 0 {
			form["digest"] = now.digest
			err = pve.WhileLocked(ctx, func() error { return b.put(ctx, now.node, now.hardware.VMID, form) })
		}
		if errors.Is(err, fault.ErrDigest) && try < reconfigureTries {
			continue
		}
		if err != nil {
			return err
		}
		return b.dropLater(ctx, before, now)
	}
}

// restored are the parameters that give a reverted VM back what is its own.
func (m *machine) restored(before, then *machine) (map[string]any, error) {
	form := map[string]any{}
	if name := before.Config["name"]; m.Config["name"] != name && name != "" {
		form["name"] = name
	}
	if uuid := before.Config.UUID(); uuid != "" && m.Config.UUID() != uuid {
		form["smbios1"] = before.Config["smbios1"]
	}
	k := revertedMark(before.Mark, then.Mark, m.hardware.VMID)
	if k == nil {
		return form, nil
	}
	m.keepMedium(form, k, before.Mark)
	_, text, err := readMark(m.Config["description"], m.hardware.VMID)
	if err != nil {
		text = m.Config["description"]
	}
	description, err := k.describe(text)
	if err != nil {
		return nil, err
	}
	if description != m.Config["description"] {
		form["description"] = description
	}
	return form, nil
}

// revertedMark is the mark of a VM after a revert: what it was tells of the hardware, what it is of the VM.
func revertedMark(before, then *mark, vmid int64) *mark {
	if before == nil || then == nil {
		return before
	}
	k := then.clone(vmid)
	k.Token, k.Partial, k.Adopted, k.Quiesced = before.Token, before.Partial, before.Adopted, false
	k.Settings, k.Storage, k.Origin = before.Settings, before.Storage, before.Origin
	k.Image, k.Name, k.Fingerprint = before.Image, before.Name, before.Fingerprint
	return k
}

// keepMedium puts the seed that the VM has now into the drive that had another one when the snapshot was taken: that one
// was removed when it was replaced.
func (m *machine) keepMedium(form map[string]any, k, before *mark) {
	if k.Seed == nil || k.Seed.Volume == "" {
		return
	}
	slot := k.Seed.Slot
	switch {
	case before.Seed == nil || before.Seed.Volume == "":
		k.Seed = before.Seed
		if m.Config[slot] != "" {
			form[slot] = vmconf.NewDrive(emptyDrive).Put(cdromOption, "cdrom").String()
		}
	case before.Seed.Volume != k.Seed.Volume:
		seed := *before.Seed
		seed.Slot = slot
		k.Seed = &seed
		form[slot] = vmconf.NewDrive(seed.Volume).Put(cdromOption, "cdrom").String()
	}
}

// dropLater deletes the disks that came after the snapshot, which the revert has made unused ones.
func (b *Backend) dropLater(ctx context.Context, before, now *machine) error {
	had := before.hardware.observe(world{}, false)
	for _, key := range sortedKeys(had.Disks) {
		volume := had.Disks[key].VolumeID
		slot := unusedWith(now.Config, volume)
		if slot == "" {
			continue
		}
		if before.marked().Disks[key].Keep && had.Disks[key].Owned {
			if err := b.keepVolume(ctx, now.node, now.hardware.VMID, slot, volume); err != nil {
				return err
			}
			continue
		}
		// Of a volume that is another's, Proxmox VE only forgets that it is unused here.
		err := pve.WhileLocked(ctx, func() error {
			return b.put(ctx, now.node, now.hardware.VMID, map[string]any{"delete": slot})
		})
		if err != nil && !strings.Contains(err.Error(), "snapshot") { // another snapshot holds it
			return err
		}
	}
	return nil
}

// unusedWith is the key of the unused disk that is the volume, or "".
func unusedWith(c vmconf.Config, volume string) string {
	keys := c.Numbered("unused")
	i := slices.IndexFunc(keys, func(key string) bool { return c.Drive(key).Volume() == volume })
	if i < 0 {
		return ""
	}
	return keys[i]
}
