package libvirt

import (
	"context"
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// planAbove names a layer above the volume that the snapshot holds of a disk.
func (r *reversion) planAbove(ctx context.Context, next *mark, key string, disk *libvirtxml.DomainDisk, pools map[string]backends.Storage) (newLayer, error) {
	held := pathOf(disk)
	below, found, err := storage.Volume{}, false, error(nil)
	for _, l := range r.now.mark.heldAt(key, held) {
		below, err = r.store.Get(ctx, l.ref())
		if found = err == nil && below.Path == held; found {
			break
		}
		if err != nil && !isVolumeGone(err) && backends.CodeOf(err) != backends.NotFound {
			return newLayer{}, err
		}
	}
	if !found {
		return newLayer{}, backends.Errorf(backends.Precondition, "", "", "the content of disk %q that the snapshot held is gone: there is no volume %s", key, held).
			Advise("Delete the snapshot.")
	}
	l, err := r.planLayer(r.now, key, below, pools)
	if err != nil {
		return l, err
	}
	l.target = targetOf(disk)
	entry := *r.then.mark.disk(key)
	entry.Pool, entry.Volume = below.Pool, below.Name
	// One that is attached by volume today has a life of its own, and only leaves.
	if today := r.now.mark.disk(key); today != nil && !today.External {
		entry.Pool, entry.Volume, entry.Format = today.Pool, today.Volume, today.Format
		entry.Keep, entry.Owned, entry.Layer = today.Keep, today.Owned, today.Layer
	}
	next.Disks = append(next.Disks, entry)
	return l, nil
}

// attachAgain keeps a disk with a life of its own that the VM had then, as it is now. One that
// is no more is left out.
func (r *reversion) attachAgain(ctx context.Context, next *mark, i int, was diskMark) error {
	v, err := r.store.Get(ctx, was.ref())
	if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
		backends.Warn(ctx, backends.Warning{
			Summary: backends.VMObject(r.dom.Name) + " comes back without a disk",
			Detail:  fmt.Sprintf("The disk %s, which it had when the snapshot was taken, is gone.", was.ref()),
		})
		r.gone = append(r.gone, targetOf(&r.then.xml.Devices.Disks[i]))
		return nil
	}
	if err != nil {
		return err
	}
	user, name, err := r.userOf(ctx, v.Path)
	if err != nil {
		return err
	}
	if user != "" && user != backends.ID(formatUUID(r.dom.UUID)) {
		return backends.Errorf(backends.Precondition, "", "", "the disk %q, which the VM had then, is attached to VM %q now", was.ref(), name).
			At(backends.Path("disks").Key(was.Key).Attr("volume")).Advise("Detach it from that VM first.")
	}
	next.Disks = append(next.Disks, was)
	return nil
}

// heldAt are the volumes of a disk that can be what lies at a path.
func (m *mark) heldAt(key, path string) []layerMark {
	var all []layerMark
	for _, l := range m.Layers {
		if l.Key == key && isAt(path, l.Volume) {
			all = append(all, l)
		}
	}
	return all
}

// has reports whether a disk of that key is attached by the same volume.
func (m *mark) has(d diskMark) bool {
	entry := m.disk(d.Key)
	return entry != nil && entry.ref() == d.ref()
}

// leave says what becomes of the disks that the VM did not have then.
func (r *reversion) leave(next *mark) error {
	for _, today := range r.now.mark.Disks {
		switch {
		case today.Retired:
			next.Disks = append(next.Disks, today)
		case next.has(today) || !today.Owned || today.External:
		case today.Keep && r.now.mark.hasLayers(today.Key):
			return backends.Errorf(backends.Precondition, "", "",
				"disk %q, which the VM did not have then, is to be kept, and snapshots hold content of it", today.Key).
				At(backends.Path("disks").Key(today.Key)).Advise("Delete those snapshots first.")
		case !today.Keep:
			next.addLayer(today.Key, today.ref(), true)
		}
	}
	return nil
}
