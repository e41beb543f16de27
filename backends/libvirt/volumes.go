package libvirt

import (
	"context"
	"regexp"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// poolFor is the pool of a new disk.
func (b *Backend) poolFor(spec *backends.VMSpec, disk backends.Disk) string {
	for _, p := range []*string{disk.Storage, spec.Placement.Storage} {
		if p != nil && *p != "" {
			return *p
		}
	}
	return b.cfg.StoragePool
}

// newVolume is a volume that a disk is going to get.
type newVolume struct {
	key    string
	create *storage.Spec   // nil where the disk attaches an existing volume
	have   *storage.Volume // that one
	kind   string          // of the pool
	spec   backends.Disk

	inherited bool // create makes it from a disk of a clone's source
}

func (v newVolume) ref() storage.Ref {
	if v.create != nil {
		return v.create.Ref
	}
	return v.have.Ref
}

// entry is the mark's record of the disk.
func (v newVolume) entry(device string) diskMark {
	e := diskMark{
		Key: v.key, Serial: serialOf(v.key), Device: device,
		Pool: v.ref().Pool, Volume: v.ref().Name,
		Owned: v.create != nil, Keep: isTrue(v.spec.KeepOnDestroy), External: v.have != nil,
	}
	if v.create != nil {
		e.Provisioning = v.create.Provisioning
		if v.create.Backing != nil {
			e.Backing = v.create.Backing.String()
		}
	}
	return e
}

// planVolume checks what a new disk needs, and makes nothing.
func (b *Backend) planVolume(ctx context.Context, spec *backends.VMSpec, key string, pools map[string]backends.Storage) (newVolume, error) {
	disk, path := spec.Disks[key], backends.Path("disks").Key(key)
	if disk.Volume != nil {
		return b.planAttachment(ctx, key, disk, path, pools)
	}
	name := b.poolFor(spec, disk)
	pool, err := usablePool(pools, name, path)
	if err != nil {
		return newVolume{}, err
	}
	want := &storage.Spec{CapacityBytes: deref(disk.SizeGiB) * gib, Format: deref(disk.Format), Provisioning: deref(disk.Provisioning)}
	if want.Provisioning == "" {
		want.Provisioning = "thin"
	}
	if want.Format == "" {
		want.Format = choose(storage.HasFiles(pool.Kind), "qcow2", "raw")
	}
	if want.Format == "qcow2" && !storage.HasFiles(pool.Kind) {
		return newVolume{}, invalid(path.Attr("format"), "the storage pool %q is of type %q and has no files, so its volumes are raw", name, pool.Kind)
	}
	if key == rootKey && spec.Image != "" {
		image, err := b.planImage(ctx, spec.Image)
		if err != nil {
			return newVolume{}, err
		}
		if want.CapacityBytes == 0 {
			want.CapacityBytes = image.CapacityBytes
		}
		if want.CapacityBytes < image.CapacityBytes {
			return newVolume{}, invalid(path.Attr("size_gib"), "the disk (%d GiB) is smaller than the image %q, which needs %d GiB",
				*disk.SizeGiB, spec.Image, (image.CapacityBytes+gib-1)/gib)
		}
		if spec.Linked {
			if err := sharedSpec(want, pool); err != nil {
				return newVolume{}, relocate(err, path)
			}
			want.Backing = &image.Ref
		} else {
			want.From = &image.Ref
		}
	}
	if want.Provisioning == "thick" && pool.FreeBytes < want.CapacityBytes {
		return newVolume{}, noRoom(path, pool, want.CapacityBytes)
	}
	want.Ref = storage.Ref{Pool: name, Name: volumeName(spec.Name, key, want.Format, pool.Kind)}
	return newVolume{key: key, create: want, kind: pool.Kind, spec: disk}, nil
}

// usablePool finds the pool of a new disk.
func usablePool(pools map[string]backends.Storage, name string, disk backends.Path) (backends.Storage, error) {
	pool, ok := pools[name]
	if !ok {
		names := sortedKeys(pools)
		e := backends.Errorf(backends.NotFound, "", "", "there is no storage pool %q", name).At(disk.Attr("storage"))
		if len(names) == 0 {
			return pool, e.Advise("This libvirt has no storage pools; define one, for example with virsh pool-define-as.")
		}
		return pool, e.Advise("There are: %s.", strings.Join(names, ", "))
	}
	if !pool.Active {
		return pool, backends.Errorf(backends.Precondition, "", "", "the storage pool %q is not active", name).
			At(disk.Attr("storage")).Advise("Start it with: virsh pool-start %s", name)
	}
	return pool, nil
}

func noRoom(disk backends.Path, pool backends.Storage, bytes int64) error {
	return backends.Errorf(backends.Exhausted, "", "", "the storage pool %q has %d GiB free, and the disk takes %d GiB at once",
		pool.Name, pool.FreeBytes/gib, bytes/gib).At(disk.Attr("size_gib")).Advise("Free space, choose another storage, or provision it thin.")
}

func (b *Backend) planImage(ctx context.Context, id string) (storage.Volume, error) {
	ref, err := storage.ParseRef(id)
	v := storage.Volume{}
	if err == nil {
		v, err = b.store.Get(ctx, ref)
	} else {
		err = noSuchID
	}
	if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
		e := backends.Errorf(backends.NotFound, "", "", "there is no image %q", id).At("image")
		images, listErr := b.ListImages(ctx, "")
		var ids []string
		for _, i := range images {
			ids = append(ids, i.ID)
		}
		if listErr != nil || len(ids) == 0 {
			return v, e.Advise("Import one first.")
		}
		return v, e.Advise("There are: %s.", strings.Join(ids, ", "))
	}
	return v, at(err, "image")
}

// noSuchID is for ids that are not POOL/NAME: nothing can have one.
var noSuchID = error(&backends.Error{Code: backends.NotFound})

// at blames an attribute for an error that blames none.
func at(err error, path backends.Path) error {
	if err == nil {
		return nil
	}
	e := conn.Classify(err)
	if e.Path != "" {
		return err
	}
	return e.At(path)
}

// planAttachment checks an existing volume that becomes a disk.
func (b *Backend) planAttachment(ctx context.Context, key string, disk backends.Disk, path backends.Path, pools map[string]backends.Storage) (newVolume, error) {
	path = path.Attr("volume")
	ref, err := storage.ParseRef(*disk.Volume)
	v := storage.Volume{}
	if err == nil {
		v, err = b.store.Get(ctx, ref)
	} else {
		err = noSuchID
	}
	if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
		return newVolume{}, backends.Errorf(backends.NotFound, "", "", "there is no disk %q", *disk.Volume).At(path).
			Advise("Ids of disks are POOL/NAME.")
	}
	if err != nil {
		return newVolume{}, at(err, path)
	}
	if disk.SizeGiB != nil && *disk.SizeGiB*gib < v.CapacityBytes/gib*gib {
		return newVolume{}, invalid(backends.Path("disks").Key(key).Attr("size_gib"), "the disk %q has %d GiB, and a disk cannot shrink", ref, v.CapacityBytes/gib)
	}
	user, name, err := b.userOf(ctx, v.Path)
	if err != nil {
		return newVolume{}, err
	}
	if user != "" {
		return newVolume{}, backends.Errorf(backends.Precondition, "", "", "the disk %q is attached to VM %q (%s)", ref, name, user).
			At(path).Advise("Detach it there first.")
	}
	if err := b.unshared(ctx, rpc.UUID{}, map[storage.Ref]bool{ref: true}); err != nil {
		return newVolume{}, at(err, path)
	}
	return newVolume{key: key, have: &v, kind: pools[ref.Pool].Kind, spec: disk}, nil
}

// userOf finds the VM that has a disk at a path, with one call for all VMs.
func (b *Backend) userOf(ctx context.Context, path string) (backends.ID, string, error) {
	records, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.DomainStatsRecord, error) {
		return l.ConnectGetAllDomainStats(nil, uint32(rpc.DomainStatsBlock), uint32(rpc.ConnectGetAllDomainsStatsNowait))
	})
	if err != nil {
		return "", "", err
	}
	for _, r := range records {
		for _, p := range r.Params {
			if text, ok := p.Value.I.(string); ok && text == path && strings.HasSuffix(p.Field, ".path") {
				return backends.ID(formatUUID(r.Dom.UUID)), r.Dom.Name, nil
			}
		}
	}
	return "", "", nil
}

// makeVolume makes what planVolume planned, or grows what it found, and says where it is.
func (b *Backend) makeVolume(ctx context.Context, v newVolume) (source, error) {
	if v.have != nil {
		if want := deref(v.spec.SizeGiB) * gib; want > v.have.CapacityBytes {
			if err := b.store.Resize(ctx, v.have.Ref, want); err != nil {
				return source{}, at(err, backends.Path("disks").Key(v.key).Attr("size_gib"))
			}
		}
		return b.sourceOf(ctx, *v.have, v.kind)
	}
	made, err := b.store.Create(ctx, *v.create)
	if err != nil {
		return source{}, relocate(err, backends.Path("disks").Key(v.key))
	}
	return b.sourceOf(ctx, made, v.kind)
}

// relocate moves the blame of a storage error, such as "format", to the disk's attribute.
func relocate(err error, disk backends.Path) error {
	e := conn.Classify(err)
	switch {
	case e.Path == "":
		return e.At(disk)
	case strings.ContainsAny(string(e.Path), ".["):
		return e
	}
	return e.At(disk.Attr(string(e.Path)))
}

// sourceOf says how a domain names a volume.
func (b *Backend) sourceOf(ctx context.Context, v storage.Volume, poolKind string) (source, error) {
	s := source{Kind: "file", Path: v.Path, Pool: v.Pool, Volume: v.Name, Format: v.Format}
	switch poolKind {
	case "logical", "disk", "iscsi", "scsi", "mpath", "zfs":
		s.Kind = "block"
	case "iscsi-direct":
		s.Kind = "volume"
	case "rbd":
		text, err := query(ctx, b, func(l *rpc.Libvirt) (string, error) {
			p, err := l.StoragePoolLookupByName(v.Pool)
			if err != nil {
				return "", err
			}
			return l.StoragePoolGetXMLDesc(p, 0)
		})
		if err != nil {
			return s, err
		}
		pool, err := parseXML[libvirtxml.StoragePool]("storage pool", text)
		if err != nil {
			return s, err
		}
		s.Kind, s.Network = "network", rbdSource(pool, v.Name)
	}
	return s, nil
}

// rbdSource names a Ceph image as QEMU reaches it: libvirt does not translate pools of
// that type by itself.
func rbdSource(pool *libvirtxml.StoragePool, volume string) *libvirtxml.DomainDiskSourceNetwork {
	n := &libvirtxml.DomainDiskSourceNetwork{Protocol: "rbd"}
	if pool.Source == nil {
		return n
	}
	n.Name = pool.Source.Name + "/" + volume
	for _, h := range pool.Source.Host {
		n.Hosts = append(n.Hosts, libvirtxml.DomainDiskSourceHost{Name: h.Name, Port: h.Port})
	}
	if auth := pool.Source.Auth; auth != nil {
		n.Auth = &libvirtxml.DomainDiskAuth{Username: auth.Username}
		if auth.Secret != nil {
			n.Auth.Secret = &libvirtxml.DomainDiskSecret{Type: "ceph", UUID: auth.Secret.UUID, Usage: auth.Secret.Usage}
		}
	}
	return n
}

// deleteVolume removes a volume; one that is gone is fine.
func (b *Backend) deleteVolume(ctx context.Context, ref storage.Ref) error {
	err := b.store.Delete(ctx, ref)
	if backends.CodeOf(err) == backends.NotFound || isVolumeGone(err) {
		return nil
	}
	return err
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// volumeName names a VM's volume: readable, and always new, so that what an earlier VM or an
// earlier disk of the key left is never taken for it.
func volumeName(vm, key, format, poolKind string) string {
	name := plain(vm) + "-" + plain(key) + "-" + newUUID()[:8]
	if storage.HasFiles(poolKind) {
		name += "." + format
	}
	return name
}

func plain(s string) string {
	s = unfit.ReplaceAllString(s, "-")
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Trim(s, ".-")
}

// poolsByName reads the storage pools for the checks before a creation.
func (b *Backend) poolsByName(ctx context.Context) (map[string]backends.Storage, error) {
	list, err := b.store.Pools(ctx)
	if err != nil {
		return nil, err
	}
	pools := make(map[string]backends.Storage, len(list))
	for _, p := range list {
		pools[p.Name] = p
	}
	return pools, nil
}
