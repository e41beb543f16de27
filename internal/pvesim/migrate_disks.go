package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// movedDisk is one volume on its way to another node.
type movedDisk struct {
	from, to *volume
	use      *volumeUse
	storage  *storage // where it goes
	live     bool     // QEMU copies it, the VM uses it
}

// scan finds the volumes that have to move with a VM, and says why some cannot. It holds mu.
func (j *migration) scan(w *worker, m *machine) ([]*movedDisk, error) {
	var disks []*movedDisk
	errs := map[string]string{}
	uses := m.uses()
	stopped := false
	for _, volid := range slices.Sorted(maps.Keys(uses)) {
		d, why := j.moved(w, m, uses[volid])
		if d == nil && why == "" {
			continue
		}
		if why == "" && m.running && uses[volid].attached && !uses[volid].cdrom && !j.withDisks {
			why = "can't live migrate attached local disks without with-local-disks option"
		}
		if why != "" {
			errs[volid], stopped = why, true
		}
		if volid == "cdrom" {
			continue
		}
		kind, state := "local disk", ""
		switch u := uses[volid]; {
		case u.tpmstate, u.cdrom && parseDrive(volid).cloudInit():
			kind, state = "generated disk", " (in current VM config)"
		case u.attached:
			state = " (attached)"
		case u.unused:
			state = " (unused)"
		case len(u.snaps) > 0:
			state = " (referenced by snapshot(s))"
		case u.pending:
			state = " (pending change)"
		}
		w.stamp("found %s '%s'%s", kind, volid, state)
		if d != nil {
			disks = append(disks, d)
		}
	}
	for _, volid := range slices.Sorted(maps.Keys(errs)) {
		if volid == "cdrom" {
			w.stamp("can't migrate local cdrom drive")
			continue
		}
		w.stamp("can't migrate local disk '%s': %s", volid, errs[volid])
	}
	if stopped {
		return nil, die("can't migrate VM - check log")
	}
	for _, d := range disks {
		if !slices.Contains([]string{"dir", "btrfs", "zfspool", "lvmthin", "lvm"}, d.from.storage.kind) {
			return nil, die("can't migrate '%s' - storage type '%s' not supported", d.from.volid, d.from.storage.kind)
		}
		if d.from.parent != "" {
			_, name, _ := cutVolid(d.from.parent)
			base := name[strings.LastIndex(name, "/")+1:]
			return nil, die("can't migrate '%s' as it's a clone of '%s' at /usr/share/perl5/PVE/QemuMigrate.pm line 494.", d.from.volid, base)
		}
	}
	return disks, nil
}

// moved says what becomes of one volume: nil and "" for one that stays where all nodes see it, or why it cannot move.
func (j *migration) moved(w *worker, m *machine, u *volumeUse) (*movedDisk, string) {
	switch {
	case strings.HasPrefix(u.volid, "/"):
		if u.shared {
			return nil, ""
		}
		return nil, "local file/device"
	case u.cdrom && u.volid == "cdrom":
		return nil, "can't migrate local cdrom drive"
	case u.volid == "none":
		return nil, ""
	}
	st := w.storage(parseDrive(u.volid).storage())
	if st == nil || st.shared() {
		return nil, ""
	}
	to, err := w.usable(j.target, j.storages.to(st))
	if err != nil {
		return nil, text(err)
	}
	if !to.holds("images") && !(u.cdrom && !parseDrive(u.volid).cloudInit()) {
		return nil, fmt.Sprintf("%s: content type 'images' is not available on storage '%s'", u.volid, to.id)
	}
	v := w.volume(j.node, u.volid)
	d := &movedDisk{from: v, use: u, storage: to, live: m.running && u.attached && !u.cdrom && !u.tpmstate}
	switch {
	case u.cdrom && !parseDrive(u.volid).cloudInit():
		return nil, "local cdrom image"
	case v == nil:
		return nil, "volume '" + u.volid + "' does not exist"
	case u.cdrom:
	case v.vmid != m.id:
		return nil, fmt.Sprintf("owned by other VM (owner = VM %d)", v.vmid)
	case u.vmstate:
	case len(u.snaps) > 0 && m.running:
		return nil, "online storage migration not possible if non-replicated snapshot exists"
	case len(u.snaps) > 0 && st.kind != "zfspool" && v.format != "qcow2" && (st.kind != "btrfs" || v.format != "raw"):
		return nil, "non-migratable snapshot exists"
	case v.isBase() && w.linked(v):
		return nil, "referenced by linked clone(s)"
	}
	return d, ""
}

// copyDisks copies volumes to the other node. It holds mu. Where one fails, those before it are gone again.
func (j *migration) copyDisks(w *worker, disks []*movedDisk, running bool) (err error) {
	defer func() {
		for _, d := range disks {
			if err != nil && d.to != nil {
				_ = w.free(d.to)
			}
		}
	}()
	slices.SortStableFunc(disks, func(a, b *movedDisk) int {
		switch {
		case a.live == b.live:
			return 0
		case b.live:
			return -1
		}
		return 1
	})
	offline := slices.ContainsFunc(disks, func(d *movedDisk) bool { return !d.live })
	if offline {
		w.stamp("copying local disk images")
	}
	for _, d := range disks {
		if d.live {
			continue
		}
		if err = j.copyDisk(w, d); err != nil {
			return die("storage migration for '%s' to storage '%s' failed - %s", d.from.volid, d.storage.id, text(err))
		}
		w.stamp("volume '%s' is '%s' on the target", d.from.volid, d.to.volid)
	}
	if !running {
		return nil
	}
	w.stamp("starting VM %d on remote node '%s'", j.vmid, j.target)
	return j.mirrorDisks(w, disks)
}

func (j *migration) mirrorDisks(w *worker, disks []*movedDisk) error {
	live := slices.DeleteFunc(slices.Clone(disks), func(d *movedDisk) bool { return !d.live })
	for _, d := range live {
		if err := j.copyDisk(w, d); err != nil {
			return err
		}
		w.stamp("volume '%s' is '%s' on the target", d.from.volid, d.to.volid)
	}
	w.stamp("start remote tunnel")
	w.stamp("ssh tunnel ver 1")
	if len(live) == 0 {
		return nil
	}
	w.stamp("starting storage migration")
	for _, d := range live {
		w.stamp("%s: start migration to nbd:unix:/run/qemu-server/%d_nbd.migrate:exportname=drive-%s", d.use.drive, j.vmid, d.use.drive)
		w.say("drive mirror is starting for drive-%s", d.use.drive)
		w.say("drive-%s: transferred %s of %s (100.00%%) in 0s, ready", d.use.drive, bytesText(d.from.size), bytesText(d.from.size))
		w.say("all 'mirror' jobs are ready")
	}
	w.stamp("switching mirror jobs to actively synced mode")
	for _, d := range live {
		w.say("drive-%s: switching to actively synced mode", d.use.drive)
		w.say("drive-%s: successfully switched to actively synced mode", d.use.drive)
	}
	return nil
}

// copyDisk copies one volume with its snapshots. It keeps its name where that is free. It holds mu.
func (j *migration) copyDisk(w *worker, d *movedDisk) error {
	format := d.storage.formatFor(d.from, "")
	if !d.live && format != d.from.format {
		return die("cannot migrate from storage type '%s' to '%s'", d.from.storage.kind, d.storage.kind)
	}
	if !d.storage.thick() && d.from.data.used() > w.spaceLeft(d.storage, j.target) {
		return die("command 'dd' failed: No space left on device")
	}
	name := d.from.file()
	if d.from.isBase() {
		name = "vm-" + strings.TrimPrefix(name, "base-")
	}
	if d.storage.of().files != d.from.storage.of().files || format != d.from.format {
		name = strings.TrimSuffix(name, "."+d.from.format)
	}
	to, err := w.allocateNamed(d.storage, j.target, j.vmid, format, name, d.from.size)
	if err != nil && !d.use.vmstate {
		to, err = w.allocate(d.storage, j.target, j.vmid, format, d.from.size)
	}
	if err != nil {
		return err
	}
	if d.from.isBase() {
		if err := w.makeBase(to); err != nil {
			_ = w.free(to)
			return err
		}
	}
	to.data.become(d.from.data)
	if !d.live {
		to.snaps = slices.Clone(d.from.snaps)
	}
	to.protected, to.notes = d.from.protected, d.from.notes
	d.to = to
	return nil
}
