package libvirt

import (
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// RevertSnapshot returns a VM to a snapshot: its configuration except for its name, tags and settings,
// the content of its disks, and its power state. Disks that came since then go, except for
// those to be kept. One without memory leaves the VM stopped.
//
// Of our own snapshots no libvirt before 10 can do it, so it is done here, for all versions the
// same way: new layers above the volumes that the snapshot holds, and the definition of
// then with these. Until that is written the VM is not touched. The snapshot stays what it is.
func (b *Backend) RevertSnapshot(ctx context.Context, id backends.ID, snapshot string) error {
	return b.onDomain(ctx, id, fmt.Sprintf("revert to snapshot %q", snapshotTitle(snapshot)), func(dom rpc.Domain) error {
		return b.revert(ctx, dom, snapshot)
	})
}

// reversion is one revert to a snapshot of ours.
type reversion struct {
	*Backend
	dom   rpc.Domain
	now   *domain // the definition of today
	up    bool
	saved bool // its memory is on disk
	to    *storedSnapshot
	then  *domain // the definition that comes back, and its mark

	memory  storage.Volume // none where there is no name
	layers  []newLayer
	gone    []string // targets of disks that are no more
	ejected []string // targets of drives whose medium is no more
}

func (b *Backend) revert(ctx context.Context, dom rpc.Domain, id string) error {
	all, err := b.readSnapshots(ctx, dom)
	if err != nil {
		return err
	}
	s, err := findSnapshot(all, dom.Name, id)
	if err != nil {
		return err
	}
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return err
	}
	entry := d.mark.snapshot(id)
	if entry == nil {
		return b.revertForeign(ctx, dom, d, s)
	}
	r := &reversion{Backend: b, dom: dom, now: d, to: s}
	if entry.Volume != "" {
		r.memory.Ref = entry.ref()
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	if err := r.plan(ctx); err != nil {
		return err
	}
	backends.Report(ctx, backends.Progress{Op: fmt.Sprintf("revert to snapshot %q", snapshotTitle(id)), Object: backends.VMObject(dom.Name), Percent: 0})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	if err := b.tidy(ctx, dom); err != nil {
		// What the VM has left behind is in its mark, and goes with the next snapshot that is deleted.
		backends.Warn(ctx, backends.Warning{
			Summary: backends.VMObject(dom.Name) + " keeps layers of its disks for now",
			Detail:  "They are removed with the next snapshot of the VM that is deleted. What kept them: " + err.Error(),
		})
	}
	return nil
}

// revertForeign has libvirt revert to a snapshot that another program made.
func (b *Backend) revertForeign(ctx context.Context, dom rpc.Domain, d *domain, s *storedSnapshot) error {
	if s.xml.Domain == nil || !slices.Equal(disksOf(d.xml), disksOf(s.xml.Domain)) {
		return backends.Errorf(backends.Precondition, "", "",
			"another program made this snapshot, and the VM has gone on with other disks since then: libvirt would break what lies above those").
			Advise("Delete the snapshots that were made since, and what was cloned from the VM.")
	}
	err := b.once(ctx, func(l *rpc.Libvirt) error {
		return l.DomainRevertToSnapshot(rpc.DomainSnapshot{Name: s.name, Dom: dom}, 0)
	})
	b.macs.forget(dom.UUID)
	if backends.CodeOf(err) == backends.Unsupported || backends.CodeOf(err) == backends.Invalid {
		return backends.Errorf(backends.Unsupported, "", "", "another program made this snapshot, and this libvirt cannot revert to one of its kind: %w", err)
	}
	return err
}

// check reads what the revert starts from.
func (r *reversion) check(ctx context.Context) error {
	if r.now.mark.Template {
		return backends.Errorf(backends.Precondition, "", "", "it is a template, which never changes")
	}
	state, err := r.state(ctx, r.dom)
	if err != nil {
		return err
	}
	if r.up = isUp(state); !r.up {
		if r.saved, err = r.hasSavedMemory(ctx, r.dom); err != nil {
			return err
		}
	}
	if r.memory.Name != "" {
		r.memory, err = r.store.Get(ctx, r.memory.Ref)
		if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
			return backends.Errorf(backends.Precondition, "", "", "the volume with the snapshot's memory is gone")
		}
		if err != nil {
			return err
		}
	}
	if r.then, err = r.to.next(); err != nil {
		return err
	}
	if r.then.mark == nil {
		r.then.mark = &mark{Version: markVersion}
	}
	return nil
}

// plan finds the volumes that the snapshot holds, and names layers above them.
func (r *reversion) plan(ctx context.Context) error {
	pools, err := r.poolsByName(ctx)
	if err != nil {
		return err
	}
	next := r.carry()
	for i, key := range diskKeys(r.then.xml, r.then.mark) {
		disk := &r.then.xml.Devices.Disks[i]
		switch was := r.then.mark.disk(key); {
		case key == "" || was == nil:
		case was.External:
			if err := r.attachAgain(ctx, next, i, *was); err != nil {
				return err
			}
		case r.covers(targetOf(disk)):
			l, err := r.planAbove(ctx, next, key, disk, pools)
			if err != nil {
				return err
			}
			r.layers = append(r.layers, l)
		default:
			next.Disks = append(next.Disks, *was)
		}
	}
	if err := r.leave(next); err != nil {
		return err
	}
	r.then.mark = next
	return r.checkMedium(ctx)
}

// covers reports whether the snapshot holds the content of the disk with a target.
func (r *reversion) covers(target string) bool {
	return r.to.xml.Disks != nil && slices.ContainsFunc(r.to.xml.Disks.Disks, func(d libvirtxml.DomainSnapshotDisk) bool {
		return d.Name == target && d.Snapshot == "external"
	})
}

// carry is the mark of then, with what belongs to the VM and not to its configuration as it is today.
func (r *reversion) carry() *mark {
	today := r.now.mark
	next := r.then.mark.clone()
	next.Version, next.Token, next.Partial, next.Pending = today.Version, today.Token, today.Partial, ""
	next.Adopted, next.Clone, next.Template, next.HadTPM = today.Adopted, today.Clone, today.Template, today.HadTPM || hasTPM(r.now.xml)
	next.Image, next.Fingerprint, next.Origin = today.Image, today.Fingerprint, today.Origin
	next.Tags, next.Settings, next.PlacementStorage = slices.Clone(today.Tags), today.Settings, today.PlacementStorage
	next.Layers, next.Snapshots = slices.Clone(today.Layers), slices.Clone(today.Snapshots)
	if today.Seed != nil {
		seed := *today.Seed
		next.Seed = &seed
	}
	// The seed is as today, and lists other interfaces where these have changed.
	next.SeedStale = today.SeedStale || next.Seed != nil && !slices.Equal(macsOf(r.now.xml), macsOf(r.then.xml))
	next.Disks = nil
	return next
}

func macsOf(x *libvirtxml.Domain) []string {
	var all []string
	for i := range x.Devices.Interfaces {
		all = append(all, macOf(&x.Devices.Interfaces[i]))
	}
	return all
}

// checkMedium takes a medium that is gone out of its drive: the VM would not start.
func (r *reversion) checkMedium(ctx context.Context) error {
	for i := range r.then.xml.Devices.Disks {
		drive := &r.then.xml.Devices.Disks[i]
		path := pathOf(drive)
		if drive.Device != "cdrom" || path == "" {
			continue
		}
		_, err := r.store.GetByPath(ctx, path)
		switch {
		case isVolumeGone(err):
			r.ejected = append(r.ejected, targetOf(drive))
			if m := r.then.mark; m.CDROM != nil && m.CDROM.Device == targetOf(drive) {
				m.CDROM.ISO, m.CDROM.Path = "", ""
			}
		case err != nil && ctx.Err() != nil:
			return err
		}
	}
	return nil
}

// run makes the layers, writes the definition, and brings the VM to the state of then.
func (r *reversion) run(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.replace(ctx); err != nil {
		return r.back(ctx, err)
	}
	r.to.current = true
	if err := r.redefineSnapshot(ctx, r.dom, r.to); err != nil {
		backends.Warn(ctx, backends.Warning{
			Summary: backends.VMObject(r.dom.Name) + " is reverted, and libvirt names another snapshot as the current one",
			Detail:  "That changes nothing but what libvirt shows. The cause: " + err.Error(),
		})
	}
	if r.memory.Name == "" {
		return nil
	}
	return r.resume(ctx)
}

// prepare makes the layers, and finishes the definition that comes back.
func (r *reversion) prepare(ctx context.Context) error {
	if err := r.makeLayers(ctx, r.dom, r.now, r.layers, r.up); err != nil {
		return err
	}
	for _, l := range r.now.mark.Layers { // with the new ones, which stand takes out
		r.then.mark.addLayer(l.Key, l.ref(), l.Owned)
	}
	r.stand(r.then.mark, r.layers)
	r.point(r.then.xml)
	r.then.xml.Name = r.now.xml.Name
	return nil
}

// point lets a definition have its disks from the new layers, without what is gone.
func (r *reversion) point(x *libvirtxml.Domain) {
	x.Devices.Disks = slices.DeleteFunc(x.Devices.Disks, func(d libvirtxml.DomainDisk) bool { return slices.Contains(r.gone, targetOf(&d)) })
	for i := range x.Devices.Disks {
		if disk := &x.Devices.Disks[i]; slices.Contains(r.ejected, targetOf(disk)) {
			disk.Source = nil
		}
	}
	for _, l := range r.layers {
		if i := findTarget(x, l.target); i >= 0 {
			setSource(&x.Devices.Disks[i], l.source())
		}
	}
}

// resume lets the VM go on with the memory of then.
func (r *reversion) resume(ctx context.Context) error {
	err := r.restore(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	e := *conn.Classify(err)
	e.Err = fmt.Errorf("the VM has its disks and its configuration as they were, but its memory cannot be restored: %w", e.Err)
	return &e
}

func (r *reversion) restore(ctx context.Context) error {
	text, err := query(ctx, r.Backend, func(l *rpc.Libvirt) (string, error) {
		return l.DomainSaveImageGetXMLDesc(r.memory.Path, uint32(rpc.DomainSaveImageXMLSecure))
	})
	if err != nil {
		return err
	}
	x, err := parseXML[libvirtxml.Domain]("saved memory", text)
	if err != nil {
		return err
	}
	r.point(x)
	if err := writeMark(x, r.then.mark); err != nil {
		return err
	}
	if text, err = x.Marshal(); err != nil {
		return fmt.Errorf("write the definition: %w", err)
	}
	want, flags := backends.Running, rpc.DomainSaveRunning
	if r.to.tell(nil).Power == backends.Paused {
		want, flags = backends.Paused, rpc.DomainSavePaused
	}
	err = r.once(ctx, func(l *rpc.Libvirt) error {
		return l.DomainRestoreFlags(r.memory.Path, rpc.OptString{text}, uint32(flags))
	})
	if err != nil {
		return err
	}
	return r.confirm(ctx, r.dom, want)
}
