package proxmox

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// rootKey is the disk that the image is for.
const rootKey = "root"

// disks takes away, changes, moves, grows and adds disks.
func (e *edit) disks() error {
	if e.to.Disks == nil {
		return nil
	}
	slots := e.plan.Slots
	for _, key := range slices.Sorted(maps.Keys(slots)) {
		want, stays := e.to.Disks[key]
		if !stays || !backends.SameDisk(e.from.Disks[key], want) {
			e.removeDisk(key)
		}
	}
	for _, key := range diskOrder(e.to.Disks) {
		path, want := backends.Path("disks").Key(key), e.to.Disks[key]
		if err := checkDisk(want, path); err != nil {
			return err
		}
		var err error
		if _, there := slots[key]; there {
			err = e.changeDisk(key, e.from.Disks[key], want, path)
		} else {
			err = e.addDisk(key, want, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// diskOrder is the order in which disks get their slots: root first.
func diskOrder[V any](disks map[string]V) []string {
	return slices.SortedFunc(maps.Keys(disks), func(a, b string) int {
		if (a == rootKey) != (b == rootKey) {
			return cmp.Compare(b2i(b == rootKey), b2i(a == rootKey))
		}
		return cmp.Compare(a, b)
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func checkDisk(d backends.Disk, path backends.Path) error {
	switch {
	case value(d.Policy) != "":
		return backends.Errorf(backends.Unsupported, "", "", "Proxmox VE has no storage policies").At(path.Attr("policy"))
	case value(d.Slot) != "":
		return backends.Errorf(backends.Unsupported, "", "", "Proxmox VE numbers the places of disks by itself").At(path.Attr("slot"))
	case value(d.Shared):
		return backends.Errorf(backends.Unsupported, "", "", "Proxmox VE gives a disk to one VM").At(path.Attr("shared"))
	}
	return nil
}

// removeDisk detaches a disk. A volume that is another's or is to be kept stays.
func (e *edit) removeDisk(key string) {
	slot := e.plan.Slots[key]
	status, m := e.seen.Disks[key], e.mark.Disks[key]
	if (!status.Owned || m.Keep) && vmconf.ParseVolume(status.VolumeID).Owner() == e.VMID {
		e.mark.Kept = append(e.mark.Kept, status.VolumeID)
	}
	e.plan.Detach = append(e.plan.Detach, detach{
		Slot: slot, Volume: status.VolumeID, Delete: status.Owned && !m.Keep, Path: backends.Path("disks").Key(key),
	})
	delete(e.next, slot)
	delete(e.plan.Slots, key)
	delete(e.mark.Disks, key)
}

// addDisk makes a disk, of an image where it is a new VM's root, or attaches a volume.
func (e *edit) addDisk(key string, want backends.Disk, path backends.Path) error {
	bus := orElse(want.Bus, usualBus)
	slot, err := e.freeSlot(bus, path)
	if err != nil {
		return err
	}
	drive, volume := vmconf.Drive{}, value(want.Volume)
	if volume != "" {
		if want.SizeGiB != nil {
			return invalid(path.Attr("size_gib"), "a volume has a size of its own")
		}
		if v := vmconf.ParseVolume(volume); v.Storage == "" {
			return backends.Errorf(backends.NotFound, "", "", `there is no disk %q: ids are those of volumes, such as "local-lvm:vm-9000-disk-0"`, volume).At(path.Attr("volume"))
		}
		drive = vmconf.NewDrive(volume)
	} else if left := e.leftAside(key); left != "" {
		drive = vmconf.NewDrive(left) // Proxmox VE takes its unused key away itself
		if want.SizeGiB != nil {
			e.plan.Resize = append(e.plan.Resize, resize{Slot: slot, Bytes: *want.SizeGiB * vmconf.GiB, Path: path.Attr("size_gib")})
		}
	} else if drive, err = e.newDisk(key, slot, want, path); err != nil {
		return err
	}
	if drive, err = e.driveOptions(drive, bus, backends.Disk{}, want, path); err != nil {
		return err
	}
	m := diskMark{Slot: slot, Volume: volume, Keep: value(want.KeepOnDestroy), External: volume != ""}
	if drive.Props, m.Options, err = parts(drive.Props, nil, want.Options, driveParts, path.Attr("options")); err != nil {
		return err
	}
	e.set(slot, drive.String(), path)
	e.plan.Slots[key], e.mark.Disks[key] = slot, m
	return nil
}

// newDisk is what Proxmox VE makes a disk of.
func (e *edit) newDisk(key, slot string, want backends.Disk, path backends.Path) (vmconf.Drive, error) {
	storage, facts, err := e.storageFor(want, path)
	if err != nil {
		return vmconf.Drive{}, err
	}
	imported := e.creating() && key == rootKey && e.Import != ""
	size := value(want.SizeGiB)
	switch {
	case want.SizeGiB == nil && !imported:
		return vmconf.Drive{}, invalid(path.Attr("size_gib"), "a new disk needs a size")
	case want.SizeGiB != nil && size < 1:
		return vmconf.Drive{}, invalid(path.Attr("size_gib"), "%d GiB is less than 1", size)
	case imported && want.SizeGiB != nil && size*vmconf.GiB < e.ImportBytes:
		return vmconf.Drive{}, invalid(path.Attr("size_gib"), "%d GiB is less than the image, which has %d", size, (e.ImportBytes+vmconf.GiB-1)/vmconf.GiB)
	}
	drive := vmconf.NewDrive(storage + ":" + strconv.FormatInt(size, 10))
	if imported {
		drive = vmconf.NewDrive(storage+":0").Put("import-from", e.Import)
		if size*vmconf.GiB > e.ImportBytes { // an import has the image's size
			e.plan.Resize = append(e.plan.Resize, resize{Slot: slot, Bytes: size * vmconf.GiB, Path: path.Attr("size_gib")})
		}
	}
	return drive.Put("format", facts.formatOn(want)), nil
}

// changeDisk makes a disk that there is become what is asked for.
func (e *edit) changeDisk(key string, have, want backends.Disk, path backends.Path) error {
	slot := e.plan.Slots[key]
	drive, bus := e.cfg.Drive(slot), busOf(slot)
	target := slot
	if changed(have.Bus, want.Bus) {
		bus = *want.Bus
		to, err := e.freeSlot(bus, path)
		if err != nil {
			return err
		}
		drive, target = fitting(drive, bus), to
		e.plan.Detach = append(e.plan.Detach, detach{Slot: slot, Volume: drive.Volume(), Attach: target, Path: path.Attr("bus")})
		delete(e.next, slot)
		e.plan.Slots[key] = target
		// What the old bus had and the new one has not is not asked for unless it is said.
		if asked, ok := e.asked.Disks[key]; ok {
			want.SSD, want.IOThread = fit(bus, "ssd", want.SSD, asked.SSD), fit(bus, "iothread", want.IOThread, asked.IOThread)
		}
	}
	drive, err := e.driveOptions(drive, bus, have, want, path)
	if err != nil {
		return err
	}
	m := e.mark.Disks[key]
	if m.Volume != drive.Volume() {
		m.Base = "" // it was moved since
	}
	m.Slot, m.Volume = target, drive.Volume()
	if drive.Props, m.Options, err = parts(drive.Props, m.Options, want.Options, driveParts, path.Attr("options")); err != nil {
		return err
	}
	if text := drive.String(); e.next[target] != text {
		e.set(target, text, path)
	}
	if want.KeepOnDestroy != nil {
		m.Keep = *want.KeepOnDestroy
	}
	e.mark.Disks[key] = m
	if err := e.growDisk(target, have, want, path); err != nil {
		return err
	}
	return e.moveDisk(target, have, want, path)
}

// fit is an option that is kept only where it is asked for, or the bus has it.
func fit(bus, option string, kept, asked *bool) *bool {
	has := option == "ssd" && bus != "virtio" || option == "iothread" && (bus == "virtio" || bus == "scsi")
	if has {
		return kept
	}
	return asked
}

func (e *edit) growDisk(slot string, have, want backends.Disk, path backends.Path) error {
	// What a clone has of an image may be less than a GiB, which is told as one.
	small := e.Clone && e.asked.Disks[slotKey(e.plan.Slots, slot)].SizeGiB != nil && e.cfg.Drive(slot).Bytes() < *want.SizeGiB*vmconf.GiB
	if !changed(have.SizeGiB, want.SizeGiB) && !small {
		return nil
	}
	if *want.SizeGiB < value(have.SizeGiB) {
		return invalid(path.Attr("size_gib"), "a disk cannot shrink (it has %d GiB): that would cut off data", *have.SizeGiB)
	}
	e.plan.Resize = append(e.plan.Resize, resize{Slot: slot, Bytes: *want.SizeGiB * vmconf.GiB, Path: path.Attr("size_gib")})
	return nil
}

// moveDisk puts a disk elsewhere, or into another format.
func (e *edit) moveDisk(slot string, have, want backends.Disk, path backends.Path) error {
	moved, converted := changed(have.Storage, want.Storage), changed(have.Format, want.Format)
	thicker := changed(have.Provisioning, want.Provisioning) && have.Provisioning != nil
	if !moved && !converted && !thicker {
		return nil
	}
	attr := path.Attr("storage")
	switch {
	case moved:
	case converted:
		attr = path.Attr("format")
	default:
		attr = path.Attr("provisioning")
	}
	if want.Volume != nil {
		return invalid(attr, "a volume that is attached is not moved with the VM: it belongs to no VM")
	}
	storage := orElse(want.Storage, value(have.Storage))
	facts, ok := e.World.Storages[storage]
	if !ok && e.World.Storages != nil {
		return backends.Errorf(backends.NotFound, "", "", "the node has no active storage %q that the account sees; it sees %s", storage, orNone(quoted(e.World.names()))).At(path.Attr("storage")).
			Advise("Correct the name, or grant the account Datastore.AllocateSpace on /storage/%s.", storage)
	}
	// A format or a provisioning that is only what the disk has now does not bind a move.
	asked := e.asked.Disks[slotKey(e.plan.Slots, slot)]
	asked.Storage = &storage
	if !moved && asked.Format == nil {
		asked.Format = have.Format
	}
	if blame, why := facts.suits(asked); why != "" {
		return invalid(path.Attr(blame), "storage %q: %s", storage, why)
	}
	format := value(asked.Format)
	if format == "" {
		if format = value(have.Format); !slices.Contains(facts.formats(), format) && facts.Type != "" {
			format = facts.formats()[0]
		}
	}
	if !moved && format == value(have.Format) {
		return nil
	}
	if !facts.files() && facts.Type != "" {
		format = "" // there is no choice
	}
	e.plan.Move = append(e.plan.Move, move{Slot: slot, Storage: storage, Format: format, Path: attr})
	return nil
}

// slotKey is the key of the disk or interface in a slot.
func slotKey(slots map[string]string, slot string) string {
	for key, s := range slots {
		if s == slot {
			return key
		}
	}
	return ""
}
