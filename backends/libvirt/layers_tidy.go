package libvirt

import (
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// tidy removes what of a VM's layers nobody needs any more: after the deletion of a snapshot, a
// revert, or the deletion of a linked clone. The caller holds the VM's lock.
//
//   - A volume that no snapshot needs, that the VM does not run on and that nothing shares is deleted.
//   - One that the VM runs on below its present layer, and that nobody else needs, is merged with the
//     layer above it: below a running guest, or, where the VM is stopped, by a QEMU that
//     never lets the guest run. A suspended VM's layers wait.
//
// At any time it may end, by an error or an interrupt, without harm: what is left is done by the
// next tidy.
func (b *Backend) tidy(ctx context.Context, dom rpc.Domain) error {
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil || d.mark == nil || len(d.mark.Layers) == 0 && len(d.mark.Snapshots) == 0 {
		return err
	}
	t := &tidying{Backend: b, dom: dom}
	if err := t.read(ctx); err != nil {
		return err
	}
	if err := t.dropMemory(ctx); err != nil {
		return err
	}
	if err := t.dropLeaves(ctx); err != nil || t.suspended {
		return err
	}
	return t.mergeAll(ctx)
}

// tidying is one look at a VM's volumes, and what is done about them.
type tidying struct {
	*Backend
	dom       rpc.Domain
	d         *domain
	live      *domain // of a running VM
	up        bool
	suspended bool

	snapshots []storedSnapshot
	volumes   map[string]*piece // the VM's own, by path
	outside   map[string]bool   // paths of volumes that others share the content of
	names     map[string]string // of all volumes, by path: POOL/NAME
	pools     map[string]backends.Storage
}

// piece is one volume of a disk.
type piece struct {
	key  string
	vol  storage.Volume
	head header // of a qcow2 volume
	ours bool   // it may be deleted
}

// mergePlan is a volume that takes in the layer above it.
type mergePlan struct {
	key       string
	base, top *piece
	active    bool // top is what the disk is attached by
	skips     bool // and shows nothing of its own, so that it can simply be left out
}

func (t *tidying) read(ctx context.Context) (err error) {
	if t.d, err = t.readDomain(ctx, t.dom, xmlFlags); err != nil {
		return err
	}
	state, err := t.state(ctx, t.dom)
	if err != nil {
		return err
	}
	t.up, t.suspended = isUp(state), false
	if !t.up {
		if t.suspended, err = t.hasSavedMemory(ctx, t.dom); err != nil {
			return err
		}
	}
	if t.up {
		if t.live, err = t.readDomain(ctx, t.dom, 0); err != nil {
			return err
		}
	}
	if t.snapshots, err = t.readSnapshots(ctx, t.dom); err != nil {
		return err
	}
	if t.pools, err = t.poolsByName(ctx); err != nil {
		return err
	}
	if err := t.readOwn(ctx); err != nil {
		return err
	}
	return t.readOthers(ctx)
}

// inUse are the paths of the volumes that the VM runs on or will.
func (t *tidying) inUse() map[string]bool {
	used := map[string]bool{}
	note := func(d *domain) {
		for i := range d.xml.Devices.Disks {
			for path := pathOf(&d.xml.Devices.Disks[i]); path != "" && !used[path]; {
				used[path] = true
				if p := t.volumes[path]; p != nil {
					path = p.head.backing
				}
			}
		}
	}
	note(t.d)
	if t.up {
		note(t.live)
	}
	for _, entry := range t.d.mark.Disks {
		for _, p := range t.volumes {
			if p.vol.Ref == entry.ref() {
				used[p.vol.Path] = true
			}
		}
	}
	return used
}

// needed reports whether a snapshot holds a volume.
func (t *tidying) needed(path string) bool {
	return slices.ContainsFunc(t.snapshots, func(s storedSnapshot) bool { return s.holds(path) })
}

// dropMemory removes the memory of snapshots that are gone.
func (t *tidying) dropMemory(ctx context.Context) error {
	m := t.d.mark
	n := len(m.Snapshots)
	for _, s := range slices.Clone(m.Snapshots) {
		if slices.ContainsFunc(t.snapshots, func(o storedSnapshot) bool { return o.name == s.Name }) {
			continue
		}
		if s.Volume != "" {
			if err := t.deleteVolume(ctx, s.ref()); err != nil {
				return err
			}
		}
		m.dropSnapshot(s.Name)
	}
	if len(m.Snapshots) == n {
		return nil
	}
	return t.saveMark(ctx, t.dom, t.d, t.up)
}

// dropLeaves deletes the volumes that nobody needs. Those that are not ours it only forgets.
func (t *tidying) dropLeaves(ctx context.Context) error {
	used := t.inUse()
	dropped := false
	for again := true; again; {
		again = false
		for path, p := range t.volumes {
			if used[path] || t.needed(path) || t.outside[path] || len(t.users(path)) > 0 {
				continue
			}
			if p.ours {
				if err := t.deleteVolume(ctx, p.vol.Ref); err != nil {
					return err
				}
			}
			delete(t.volumes, path)
			t.d.mark.dropLayer(p.vol.Ref)
			again, dropped = true, true
		}
	}
	if !dropped {
		return nil
	}
	return t.saveMark(ctx, t.dom, t.d, t.up)
}

// next finds two volumes to be merged. What is simply left out comes first.
func (t *tidying) next() (mergePlan, bool) {
	var found []mergePlan
	for _, entry := range t.d.mark.Disks {
		chain := t.chain(entry.Key)
		if len(chain) == 0 || !t.runsOn(entry.Key, chain[0].vol.Path) {
			continue // it runs on something else until its next start, or another program made a layer
		}
		for i := 1; i < len(chain); i++ {
			base, top := chain[i], chain[i-1]
			if top.head.inside || base.head.inside || t.needed(base.vol.Path) || t.outside[base.vol.Path] || len(t.users(base.vol.Path)) != 1 {
				continue
			}
			// What shares the upper one's content would have to be told where that is now, and only
			// QEMU can tell, of the disk that it runs.
			above := 1
			if i == 1 {
				above = 0
			}
			if t.outside[top.vol.Path] || len(t.users(top.vol.Path)) != above {
				continue
			}
			m := mergePlan{key: entry.Key, base: base, top: top, active: i == 1}
			m.skips = m.active && !t.up && top.head.empty
			if m.skips {
				return m, true
			}
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		return mergePlan{}, false
	}
	return found[0], true
}

// runsOn reports whether the VM has a disk from the volume at a path: the one that runs, or else
// the one that will.
func (t *tidying) runsOn(key, path string) bool {
	d := t.d
	if t.up {
		d = t.live
	}
	i := findDisk(d.xml, t.d.mark, key)
	return i >= 0 && pathOf(&d.xml.Devices.Disks[i]) == path
}

// skip leaves an empty layer out of a stopped VM's disk.
func (t *tidying) skip(ctx context.Context, m mergePlan) error {
	if m.top.vol.CapacityBytes > m.base.vol.CapacityBytes {
		if err := t.store.Resize(ctx, m.base.vol.Ref, m.top.vol.CapacityBytes); err != nil {
			return err
		}
	}
	i := findDisk(t.d.xml, t.d.mark, m.key)
	if i < 0 {
		return backends.Errorf(backends.Internal, "", "", "the disk %q is not in the VM's definition", m.key)
	}
	s, err := t.sourceOf(ctx, m.base.vol, t.pools[m.base.vol.Pool].Kind)
	if err != nil {
		return err
	}
	setSource(&t.d.xml.Devices.Disks[i], s)
	t.rest(m)
	return t.define(ctx, t.d)
}

// rest notes that a disk has its bytes from the lower one of two merged volumes.
func (t *tidying) rest(m mergePlan) {
	entry := t.d.mark.disk(m.key)
	topOurs := entry.ours()
	entry.Layer = slices.ContainsFunc(t.d.mark.Layers, func(l layerMark) bool { return l.ref() == m.base.vol.Ref && l.Owned })
	entry.Pool, entry.Volume = m.base.vol.Pool, m.base.vol.Name
	entry.Backing, entry.Frozen = t.names[m.base.head.backing], 0
	t.d.mark.dropLayer(m.base.vol.Ref)
	t.d.mark.addLayer(m.key, m.top.vol.Ref, topOurs)
}

// mergeAll merges what can be. Where that takes a QEMU and the VM is stopped, one is started whose
// processors stand still.
func (t *tidying) mergeAll(ctx context.Context) error {
	for {
		m, ok := t.next()
		switch {
		case !ok:
			return nil
		case !m.skips && !t.up:
			return t.hold(ctx, t.mergeAll)
		}
		merge := t.commit
		if m.skips {
			merge = t.skip
		}
		if err := merge(ctx, m); err != nil {
			return err
		}
		if err := t.merged(ctx, m); err != nil {
			return err
		}
		if err := t.dropLeaves(ctx); err != nil {
			return err
		}
	}
}

// merged lets snapshots that hold the upper volume hold the lower one, which has its content now, and looks
// at the volumes again.
func (t *tidying) merged(ctx context.Context, m mergePlan) error {
	s, err := t.sourceOf(ctx, m.base.vol, t.pools[m.base.vol.Pool].Kind)
	if err != nil {
		return err
	}
	for i := range t.snapshots {
		if !t.snapshots[i].holds(m.top.vol.Path) {
			continue
		}
		t.snapshots[i].move(m.top.vol.Path, s)
		if err := t.redefineSnapshot(ctx, t.dom, &t.snapshots[i]); err != nil {
			return err
		}
	}
	return t.readOwn(ctx)
}

// hold runs fn while a stopped VM has a QEMU that does not let its guest run.
func (t *tidying) hold(ctx context.Context, fn func(context.Context) error) error {
	if err := t.beforeStart(ctx, t.dom); err != nil {
		return err
	}
	backends.Report(ctx, backends.Progress{Op: "merge layers", Object: backends.VMObject(t.dom.Name), Percent: 0})
	_, err := do(ctx, t.Backend, func(l *rpc.Libvirt) (rpc.Domain, error) {
		// It ends with this connection, should this program.
		return l.DomainCreateWithFlags(t.dom, uint32(rpc.DomainStartPaused|rpc.DomainStartAutodestroy))
	})
	if err != nil && isAnswer(err) {
		// Nothing was started, so that what runs now is somebody else's and is let run.
		e := *conn.Classify(err)
		e.Err = fmt.Errorf("to merge the layers of its disks QEMU must be started, without its guest: %w", e.Err)
		return &e
	}
	if err == nil {
		if err = t.read(ctx); err == nil {
			err = fn(ctx)
		}
	}
	if stopErr := t.letGo(ctx); err == nil {
		err = stopErr
	}
	return err
}

// letGo ends the QEMU of a VM that was started for a merge, also after an interrupt.
func (t *tidying) letGo(ctx context.Context) error {
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	state, err := t.state(stopping, t.dom)
	if err == nil && state == rpc.DomainPaused {
		err = t.again(stopping, func(l *rpc.Libvirt) error { return l.DomainDestroyFlags(t.dom, rpc.DomainDestroyDefault) })
		if answered(err, rpc.ErrOperationInvalid) {
			err = nil
		}
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	return t.read(ctx)
}
