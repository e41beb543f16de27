package libvirt

import (
	"context"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// planClone checks what a clone needs of the host, and makes nothing.
func (c *creation) planClone(ctx context.Context) (err error) {
	if c.pools, err = c.poolsByName(ctx); err != nil {
		return err
	}
	if err := c.origin.checkDevices(c.spec); err != nil {
		return err
	}
	for _, key := range diskOrder(c.spec.Disks) {
		v, err := c.planDisk(ctx, key)
		if err != nil {
			return err
		}
		c.volumes = append(c.volumes, v)
	}
	for _, change := range c.changes {
		if p := change.Path.Generic(); p == "networks" && change.Action == backends.Add || p == "networks.network" || p == "networks.vlan" {
			if err := c.checkNetwork(ctx, change.Key, c.spec.Networks[change.Key]); err != nil {
				return err
			}
		}
	}
	if iso := c.asked.CDROM; iso != nil && iso.ISO != "" && !c.inheritsMedium() {
		v, err := c.findISO(ctx, iso.ISO)
		if err != nil {
			return err
		}
		c.cdrom = &v
	}
	if wantsSeed(c.spec) {
		return checkSeedPool(c.pools, c.seedPool(c.spec))
	}
	return nil
}

// inheritsMedium reports whether the clone's drive holds what the source's does.
func (c *creation) inheritsMedium() bool {
	have := c.origin.spec.CDROM
	return have != nil && (c.asked.CDROM == nil || *c.asked.CDROM == *have)
}

// checkDevices refuses what two VMs cannot have.
func (o *origin) checkDevices(spec *backends.VMSpec) error {
	for i := range o.d.xml.Devices.Disks {
		if disk := &o.d.xml.Devices.Disks[i]; disk.Device == "lun" {
			return backends.Errorf(backends.Unsupported, "", "", "the VM %q has a SCSI device of the host (%s), which two VMs cannot have and libvirt cannot copy", o.dom.Name, targetOf(disk)).
				Advise("Detach it from the source for the time of the clone.")
		}
	}
	for i, key := range diskKeys(o.d.xml, o.d.mark) {
		_, wanted := spec.Disks[key]
		if wanted && spec.Disks[key].Volume == nil && encrypted(&o.d.xml.Devices.Disks[i]) {
			return backends.Errorf(backends.Unsupported, "", "", "the disk %q of VM %q is encrypted, and libvirt does not copy or share such disks", key, o.dom.Name).
				At(backends.Path("disks").Key(key))
		}
	}
	return nil
}

func encrypted(d *libvirtxml.DomainDisk) bool {
	return d.Encryption != nil || d.Source != nil && d.Source.Encryption != nil
}

// planDisk plans one disk of a clone: a copy of the source's disk of that key, a layer over it, or,
// where the source has none, a new disk like any other.
func (c *creation) planDisk(ctx context.Context, key string) (newVolume, error) {
	o, disk := c.origin, c.spec.Disks[key]
	i := findDisk(o.d.xml, o.d.mark, key)
	path := backends.Path("disks").Key(key)
	if i < 0 && disk.Volume == nil && disk.SizeGiB == nil {
		return newVolume{}, invalid(path.Attr("size_gib"), "the source has no disk %q, and a disk that is made needs a size", key)
	}
	if i < 0 || disk.Volume != nil {
		return c.planVolume(ctx, c.spec, key, c.pools)
	}
	content, external, err := o.contentOf(ctx, i, key)
	if err != nil {
		return newVolume{}, at(err, path)
	}
	if external && o.snapshot != "" {
		return newVolume{}, backends.Errorf(backends.Precondition, "", "", "the snapshot does not hold the disk %q, which the source attaches by volume (%s)", key, content.Ref).
			At(path).Advise("Leave the disk out by naming the others in disks.")
	}
	if external && o.up {
		return newVolume{}, backends.Errorf(backends.Precondition, "", "", "the source attaches %s as its disk %q and runs: what it does not own cannot be frozen for a copy", content.Ref, key).
			At(path).Advise("Stop the source for the time of the copy, or leave the disk out by naming the others in disks.")
	}
	if external {
		user, err := o.runningUser(ctx, content.Path)
		if err != nil {
			return newVolume{}, err
		}
		if user != "" {
			return newVolume{}, backends.Errorf(backends.Precondition, "", "", "the source's disk %q (%s) is attached to VM %q too, which runs: what changes cannot be copied", key, content.Ref, user).
				At(path).Advise("Stop that VM for the time of the copy, or leave the disk out by naming the others in disks.")
		}
	}
	name := c.poolFor(c.spec, disk)
	pool, err := usablePool(c.pools, name, path)
	if err != nil {
		return newVolume{}, err
	}
	v := newVolume{key: key, kind: pool.Kind, spec: disk, inherited: true}
	shared, asked := o.linked && !external, c.asked.Disks[key]
	if c.image != nil {
		asked.Format = first(asked.Format, c.image.format)
	}
	if v.create, err = cloneSpec(asked, disk, content, pool, shared); err != nil {
		return v, relocate(err, path)
	}
	if err := o.checkContent(content, c.pools, shared); err != nil {
		return v, at(err, path)
	}
	if v.create.Provisioning == "thick" && pool.FreeBytes < max(v.create.CapacityBytes, content.CapacityBytes) {
		return v, noRoom(path, pool, max(v.create.CapacityBytes, content.CapacityBytes))
	}
	v.create.Ref = storage.Ref{Pool: name, Name: volumeName(c.spec.Name, key, v.create.Format, pool.Kind)}
	return v, nil
}

// cloneSpec is the volume of a disk that is made from content. The format of the source's disk and how it
// takes its space are inherited where that can be; what is asked for is had, or refused. It is pure.
func cloneSpec(asked, disk backends.Disk, content storage.Volume, pool backends.Storage, shared bool) (*storage.Spec, error) {
	files := storage.HasFiles(pool.Kind)
	s := &storage.Spec{
		CapacityBytes: deref(asked.SizeGiB) * gib,
		Format:        deref(first(asked.Format, disk.Format)),
		Provisioning:  deref(first(asked.Provisioning, disk.Provisioning)),
	}
	if asked.Format == nil && (!files || shared || s.Format != "raw" && s.Format != "qcow2") {
		s.Format = choose(files, "qcow2", "raw")
	}
	if s.Provisioning == "" || asked.Provisioning == nil && shared {
		s.Provisioning = "thin"
	}
	if s.CapacityBytes > 0 && s.CapacityBytes < content.CapacityBytes {
		return nil, invalid("size_gib", "the disk (%d GiB) is smaller than that of the source, which has %d GiB", *asked.SizeGiB, (content.CapacityBytes+gib-1)/gib)
	}
	if s.Format == "qcow2" && !files {
		return nil, invalid("format", "the storage pool %q is of type %q and has no files, so its volumes are raw", pool.Name, pool.Kind)
	}
	if !shared {
		s.From = &content.Ref
		return s, nil
	}
	s.Backing = &content.Ref
	return s, sharedSpec(s, pool)
}

// sharedSpec refuses a layer where there cannot be one.
func sharedSpec(s *storage.Spec, pool backends.Storage) error {
	switch {
	case !storage.HasFiles(pool.Kind):
		return backends.Errorf(backends.Unsupported, "", "", "the storage pool %q is of type %q and has no files, so a disk in it cannot share the content of another one", pool.Name, pool.Kind).
			At("storage").Advise("Choose another storage for the disk, or make a full copy.")
	case s.Format != "qcow2":
		return invalid("format", "a disk that shares the content of another one is qcow2, not %q", s.Format).Advise("Leave the format unset, or make a full copy.")
	case s.Provisioning != "thin":
		return invalid("provisioning", "a disk that shares the content of another one is thin, not %q", s.Provisioning).Advise("Leave provisioning unset, or make a full copy.")
	}
	return nil
}

// contentOf finds the volume that holds the content of one of the source's disks. external is a disk that
// the source attaches and does not own.
func (o *origin) contentOf(ctx context.Context, i int, key string) (v storage.Volume, external bool, err error) {
	pools, err := o.poolPaths(ctx)
	if err != nil {
		return v, false, err
	}
	device := &o.d.xml.Devices.Disks[i]
	ref, entry := o.d.volumeOf(i, key, pools)
	external = entry != nil && entry.External
	path := pathOf(device)
	onHost := device.Source != nil && (device.Source.File != nil || device.Source.Block != nil)
	v, err = o.findVolume(ctx, ref, path)
	if onHost && (err == nil && v.Path != path || isVolumeGone(err)) && !ref.IsZero() {
		v, err = o.store.GetByPath(ctx, path) // the definition knows better than the mark
	}
	if isVolumeGone(err) {
		return v, external, backends.Errorf(backends.Precondition, "", "", "the disk %q of VM %q is %s, which is in no storage pool: libvirt copies and shares volumes of pools only", key, o.dom.Name, path).
			Advise("If the file exists, make its folder a pool: virsh pool-create-as NAME dir --target FOLDER.")
	}
	return v, external, err
}

// runningUser is the name of another VM that runs with the disk at a path, "" for none.
func (o *origin) runningUser(ctx context.Context, path string) (string, error) {
	records, err := query(ctx, o.Backend, func(l *rpc.Libvirt) ([]rpc.DomainStatsRecord, error) {
		return l.ConnectGetAllDomainStats(nil, uint32(rpc.DomainStatsBlock), uint32(rpc.ConnectGetAllDomainsStatsActive|rpc.ConnectGetAllDomainsStatsNowait))
	})
	if err != nil {
		return "", err
	}
	for _, r := range records {
		if r.Dom.UUID == o.dom.UUID {
			continue
		}
		for _, p := range r.Params {
			if text, ok := p.Value.I.(string); ok && text == path && strings.HasSuffix(p.Field, ".path") {
				return r.Dom.Name, nil
			}
		}
	}
	return "", nil
}

// checkContent refuses content that cannot be shared, or not be frozen while it is used.
func (o *origin) checkContent(v storage.Volume, pools map[string]backends.Storage, shared bool) error {
	kind := pools[v.Pool].Kind
	if o.writable(shared) && !storage.HasFiles(kind) {
		e := backends.Errorf(backends.Unsupported, "", "", "the source's volume %s is in a storage pool of type %q, which has no files, so it cannot be frozen while the VM may write to it", v.Ref, kind)
		if shared {
			return e.Advise("Make a full copy of the stopped VM, or of a template.")
		}
		return e.Advise("Stop the source for the time of the copy.")
	}
	if shared && !strings.HasPrefix(v.Path, "/") {
		return backends.Errorf(backends.Unsupported, "", "", "the source's volume %s is in a storage pool of type %q, whose volumes have no path on the host, so it cannot be shared", v.Ref, kind).
			Advise("Make a full copy.")
	}
	if shared && v.Format != "qcow2" && v.Format != "raw" {
		return backends.Errorf(backends.Unsupported, "", "", "the source's volume %s is a %s; only qcow2 and raw can be shared", v.Ref, v.Format).Advise("Make a full copy.")
	}
	return nil
}

// useFrozen freezes what the clone's volumes are made from, where the source may write to it.
func (c *creation) useFrozen(ctx context.Context, m *mark) error {
	var keys []string
	for _, v := range c.volumes {
		if v.inherited && c.origin.writable(v.create.Backing != nil) {
			keys = append(keys, v.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	frozen, err := c.origin.freeze(ctx, keys)
	if err != nil {
		return err
	}
	for _, v := range c.volumes {
		content, ok := frozen[v.key]
		switch {
		case !slices.Contains(keys, v.key):
		case !ok:
			return backends.Errorf(backends.Internal, "", "", "the disk %q of VM %q was not frozen", v.key, c.origin.dom.Name)
		case v.create.Backing != nil:
			v.create.Backing = &content.Ref
			m.disk(v.key).Backing = content.Ref.String()
		default:
			v.create.From = &content.Ref
		}
	}
	return nil
}
