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
	if err := b.canReturn(ctx, before, then); err != nil {
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

// canReturn refuses a revert that would give the VM a disk which another VM has by now: both would write to it.
func (b *Backend) canReturn(ctx context.Context, before, then *machine) error {
	has := map[string]bool{}
	for _, slot := range append(before.Config.Drives(), before.Config.Numbered("unused")...) {
		has[before.Config.Drive(slot).Volume()] = true
	}
	for _, slot := range then.diskDrives() {
		volume := then.Config.Drive(slot).Volume()
		if has[volume] {
			continue
		}
		shared, err := b.sharedStorages(ctx, before.node)
		if err != nil {
			return err
		}
		nodes := []string{before.node}
		if shared[vmconf.ParseVolume(volume).Storage] {
			nodes = nil
		}
		users, err := b.users(ctx, volume, nodes)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(u user) bool { return u.holds() || u.vmid == before.hardware.VMID })
		if len(users) > 0 {
			return backends.Errorf(backends.Precondition, "", "", "the snapshot has the disk %q, which is attached to %s by now", volume, names(users)).
				Advise("Detach it there first.")
		}
	}
	return nil
}

// wasReverted reports whether a revert took place although it ended with an error, as an interrupted one may, and one after which the
// VM does not start.
func (b *Backend) wasReverted(ctx context.Context, m *machine, name string, err error) bool {
	switch backends.CodeOf(err) {
	case backends.Locked, backends.Auth, backends.Invalid: // it did not begin
		return false
	default:
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
		if err := b.dropLater(ctx, before, now); err != nil {
			return err
		}
		return b.dropSeed(ctx, before, now, form)
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
	k := revertedMark(before, then)
	if k == nil {
		return form, nil
	}
	for _, l := range m.later(before) {
		if l.stays && !slices.Contains(k.Kept, l.volume) {
			k.Kept = append(k.Kept, l.volume)
		}
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

// revertedMark is the mark of a VM after a revert: what it was tells of the hardware, what it is of the VM, and of what is not to go with it.
func revertedMark(before, then *machine) *mark {
	if before.Mark == nil {
		return nil
	}
	now := before.Mark
	if then.Mark == nil {
		return now.clone(now.VM)
	}
	k := then.Mark.clone(now.VM)
	k.Token, k.Partial, k.Adopted, k.Quiesced = now.Token, now.Partial, now.Adopted, false
	k.Settings, k.Storage, k.Origin = now.Settings, now.Storage, now.Origin
	k.Image, k.Name, k.Fingerprint = now.Image, now.Name, now.Fingerprint
	for _, volume := range now.Kept {
		if !slices.Contains(k.Kept, volume) {
			k.Kept = append(k.Kept, volume)
		}
	}
	had := map[string]diskMark{} // by volume
	for key, slot := range before.diskSlots() {
		if d, ok := now.Disks[key]; ok {
			had[before.Config.Drive(slot).Volume()] = d
		}
	}
	for key, slot := range then.diskSlots() {
		d, known := k.Disks[key]
		if is, ok := had[then.Config.Drive(slot).Volume()]; ok && known {
			d.Keep, d.External = is.Keep, is.External
			k.Disks[key] = d
		}
	}
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

// late is a disk that came after a snapshot, and that the revert has made an unused one.
type late struct {
	key    string // unusedN
	volume string
	stays  bool // it is not to go with the VM
}

// later are the disks that came after the snapshot which a VM that was before has been reverted to.
func (m *machine) later(before *machine) []late {
	var all []late
	had := before.hardware.observe(world{}, false)
	for _, key := range sortedKeys(had.Disks) {
		volume, d := had.Disks[key].VolumeID, before.marked().Disks[key]
		if slot := unusedWith(m.Config, volume); slot != "" {
			all = append(all, late{slot, volume, d.Keep || d.External})
		}
	}
	return all
}

// dropLater deletes the disks that came after the snapshot. What stays is let go of; a VM that runs cannot, and does so when it is
// removed: its mark tells.
func (b *Backend) dropLater(ctx context.Context, before, now *machine) error {
	for _, l := range now.later(before) {
		switch {
		case l.stays && now.power() == backends.Stopped:
			if err := b.keepVolume(ctx, now.node, now.hardware.VMID, l.key, l.volume); err != nil {
				return err
			}
			continue
		case l.stays:
			continue
		}
		// Of a volume that is another's, Proxmox VE only forgets that it is unused here.
		err := pve.WhileLocked(ctx, func() error {
			return b.put(ctx, now.node, now.hardware.VMID, map[string]any{"delete": l.key})
		})
		if err != nil && !strings.Contains(err.Error(), "snapshot") { // another snapshot holds it
			return err
		}
	}
	return nil
}

// dropSeed deletes the seed that came after the snapshot, where the VM has it in no drive any more.
func (b *Backend) dropSeed(ctx context.Context, before, now *machine, form map[string]any) error {
	s := before.marked().Seed
	if s == nil || s.Volume == "" || s.Shared {
		return nil
	}
	has := func(text string) bool { return vmconf.ParseDrive(text).Volume() == s.Volume }
	for _, slot := range now.Config.Drives() {
		if _, replaced := form[slot]; !replaced && has(now.Config[slot]) {
			return nil
		}
	}
	for _, v := range form {
		if text, ok := v.(string); ok && has(text) {
			return nil
		}
	}
	err := insist(ctx, func() error { return b.freeVolume(ctx, now.node, s.Volume) })
	if backends.CodeOf(err) == backends.NotFound {
		return nil
	}
	return err
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
