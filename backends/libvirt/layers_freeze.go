package libvirt

import (
	"context"
	"slices"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// freeze makes the present content of some disks read-only and returns the volumes that hold it;
// the domain goes on in new layers. What was frozen at or after since serves again, and so does
// what a stopped VM wrote nothing over. tidy undoes it once nobody needs the volumes. The caller holds
// the VM's lock, until what it makes of the volumes exists.
func (b *Backend) freeze(ctx context.Context, dom rpc.Domain, d *domain, keys []string, since time.Time) (map[string]storage.Volume, error) {
	if err := b.adoptMark(ctx, d); err != nil {
		return nil, err
	}
	state, err := b.state(ctx, dom)
	if err != nil {
		return nil, err
	}
	up := isUp(state)
	frozen, missing := map[string]storage.Volume{}, []string{}
	for _, key := range keys {
		if entry := d.mark.disk(key); entry != nil && entry.External {
			return nil, backends.Errorf(backends.Precondition, "", "", "disk %q is attached by volume: its content cannot be kept while the VM goes on", key).
				At(backends.Path("disks").Key(key))
		}
		v, ok, err := b.stillFrozen(ctx, d, key, since, up)
		if err != nil {
			return nil, err
		}
		if ok {
			frozen[key] = v
		} else {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return frozen, nil
	}
	if err := b.canLayer(ctx, dom, d, up); err != nil {
		return nil, err
	}
	layers, err := b.planLayers(ctx, d, missing)
	if err != nil {
		return nil, err
	}
	if err := b.makeLayers(ctx, dom, d, layers, up); err != nil {
		return nil, err
	}
	if err := b.goOn(ctx, dom, d, layers, up); err != nil {
		return nil, err
	}
	for _, l := range layers {
		frozen[l.key] = l.below
	}
	return frozen, nil
}

// goOn moves a domain from the volumes below new layers to these.
func (b *Backend) goOn(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, up bool) error {
	if !up {
		if ctx.Err() != nil {
			b.dropLayers(ctx, dom, d, layers, up)
			return context.Cause(ctx)
		}
		before := d.mark.clone()
		b.stand(d.mark, layers)
		for _, l := range layers {
			setSource(&d.xml.Devices.Disks[findDisk(d.xml, d.mark, l.key)], l.source())
		}
		// It waits for the answer a while longer than ctx, and what stands in spite of an error stands.
		moving, cancel := outlive(ctx)
		defer cancel()
		err := b.define(moving, d)
		if err != nil {
			d.mark = before
			return b.unmake(ctx, dom, d, layers, err)
		}
		return nil
	}
	x := &libvirtxml.DomainSnapshot{Disks: snapshotDisks(d.xml, layers)}
	const flags = rpc.DomainSnapshotCreateDiskOnly | rpc.DomainSnapshotCreateAtomic | rpc.DomainSnapshotCreateReuseExt | rpc.DomainSnapshotCreateNoMetadata
	return b.layerLive(ctx, dom, d, layers, x, flags)
}

// layerLive moves a domain to new layers by libvirt's own snapshot. It waits for the answer a while longer
// than ctx: that comes at once, and without it nobody would know where the guest writes.
func (b *Backend) layerLive(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, x *libvirtxml.DomainSnapshot, flags rpc.DomainSnapshotCreateFlags) error {
	text, err := x.Marshal()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	moving, cancel := outlive(ctx)
	defer cancel()
	if err == nil {
		err = b.once(moving, func(l *rpc.Libvirt) error {
			_, err := l.DomainSnapshotCreateXML(dom, text, uint32(flags))
			return err
		})
	}
	return b.settle(moving, dom, d, layers, err)
}

// settle brings the mark in line with what the domain has after an attempt to move it to
// new layers. A move that was made is one, whatever err says of the answer.
func (b *Backend) settle(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, err error) error {
	if err != nil {
		return b.unmake(ctx, dom, d, layers, err)
	}
	b.stand(d.mark, layers)
	if now, err := b.readDomain(ctx, dom, xmlFlags); err == nil {
		d.xml = now.xml
	}
	state, err := b.state(ctx, dom)
	if err != nil {
		return err
	}
	return b.saveMark(ctx, dom, d, isUp(state))
}

// unmake removes new layers where the domain has not moved to any of them.
func (b *Backend) unmake(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	for _, flags := range []rpc.DomainXMLFlags{xmlFlags, rpc.DomainXMLSecure} {
		now, err := b.readDomain(ctx, dom, flags)
		if err != nil {
			return cause
		}
		for i := range now.xml.Devices.Disks {
			for _, l := range layers {
				if isAt(pathOf(&now.xml.Devices.Disks[i]), l.ref.Name) {
					return cause // in use: the mark follows when it is read next
				}
			}
		}
	}
	state, err := b.state(ctx, dom)
	if err != nil {
		return cause
	}
	b.dropLayers(ctx, dom, d, layers, isUp(state))
	return cause
}

// snapshotDisks says what becomes of each disk in a snapshot: those of layers go on there, the others
// are left out.
func snapshotDisks(x *libvirtxml.Domain, layers []newLayer) *libvirtxml.DomainSnapshotDisks {
	disks := &libvirtxml.DomainSnapshotDisks{}
	for i := range x.Devices.Disks {
		target := targetOf(&x.Devices.Disks[i])
		if target == "" {
			continue
		}
		disk := libvirtxml.DomainSnapshotDisk{Name: target, Snapshot: "no"}
		if j := slices.IndexFunc(layers, func(l newLayer) bool { return l.target == target }); j >= 0 {
			disk.Snapshot = "external"
			disk.Driver = &libvirtxml.DomainDiskDriver{Type: "qcow2"}
			disk.Source = layers[j].source().xml()
		}
		disks.Disks = append(disks.Disks, disk)
	}
	return disks
}

// source says how a domain names the layer, which is always a file.
func (l newLayer) source() source {
	return source{Kind: "file", Path: l.made.Path, Pool: l.ref.Pool, Volume: l.ref.Name, Format: "qcow2"}
}

// canLayer refuses to move a VM to new layers where something would break.
func (b *Backend) canLayer(ctx context.Context, dom rpc.Domain, d *domain, up bool) error {
	if !up {
		saved, err := b.hasSavedMemory(ctx, dom)
		if err != nil {
			return err
		}
		if saved {
			return backends.Errorf(backends.Precondition, "", "", "the VM is suspended: its saved memory goes with the disks as they are").
				Advise("Resume or stop the VM first.")
		}
	}
	names, err := b.snapshotNames(ctx, dom, rpc.DomainSnapshotListInternal)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return backends.Errorf(backends.Precondition, "", "",
			"another program made the snapshot %q inside the VM's disks: libvirt could not revert to it any more once there are layers above these", names[0]).
			Advise("Delete it first.")
	}
	if !up {
		return nil
	}
	live, err := b.readDomain(ctx, dom, 0)
	if err != nil {
		return err
	}
	if was, will := disksOf(live.xml), disksOf(d.xml); !slices.Equal(was, will) {
		return backends.Errorf(backends.Precondition, "", "", "the VM runs with other disks (%v) than it is to have after its next start (%v)", was, will).
			Advise("Restart the VM, so that the changes that wait are made.")
	}
	return nil
}

// disksOf names a domain's disks and where they are.
func disksOf(x *libvirtxml.Domain) []string {
	var all []string
	for i := range x.Devices.Disks {
		if disk := &x.Devices.Disks[i]; isVolume(disk) {
			all = append(all, targetOf(disk)+"="+pathOf(disk))
		}
	}
	slices.Sort(all)
	return all
}

// snapshotNames lists a VM's snapshots of a kind.
func (b *Backend) snapshotNames(ctx context.Context, dom rpc.Domain, flags rpc.DomainSnapshotListFlags) ([]string, error) {
	list, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.DomainSnapshot, error) {
		list, _, err := l.DomainListAllSnapshots(dom, 1, uint32(flags))
		return list, err
	})
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, err
}

// stillFrozen finds a volume that holds the present content of a disk and is not written to.
func (b *Backend) stillFrozen(ctx context.Context, d *domain, key string, since time.Time, up bool) (storage.Volume, bool, error) {
	entry := d.mark.disk(key)
	if entry == nil || entry.Backing == "" {
		return storage.Volume{}, false, nil
	}
	i := slices.IndexFunc(d.mark.Layers, func(l layerMark) bool { return l.Key == key && l.ref().String() == entry.Backing })
	if i < 0 {
		return storage.Volume{}, false, nil // somebody else's
	}
	fresh := entry.Frozen != 0 && !since.IsZero() && entry.Frozen >= since.UnixNano()
	if !fresh && up {
		return storage.Volume{}, false, nil
	}
	v, err := b.store.Get(ctx, d.mark.Layers[i].ref())
	if err != nil || fresh {
		return v, err == nil, err
	}
	header, err := b.readHeader(ctx, entry.ref())
	if err != nil {
		return v, false, err
	}
	return v, header.empty && header.backing == v.Path && header.size == v.CapacityBytes, nil
}

// adoptMark gives a VM that was made elsewhere a mark.
func (b *Backend) adoptMark(ctx context.Context, d *domain) error {
	if d.mark != nil {
		return nil
	}
	pools, err := b.poolPaths(ctx)
	if err != nil {
		return err
	}
	from := d.observeSpec(nil, pools)
	(&edit{Backend: b, d: d, from: &from}).ensureMark()
	return nil
}
