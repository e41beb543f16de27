package libvirt

import (
	"context"
	"path"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// What a disk holds at some moment is kept by freezing the volume that has it: the
// domain goes on in a new layer, a qcow2 volume that shows the frozen one's content until
// the guest writes to it. The mark names all volumes of a disk: the one that it is attached by
// is the disk's entry, the others are layers.

// ref names the volume.
func (l layerMark) ref() storage.Ref { return storage.Ref{Pool: l.Pool, Name: l.Volume} }

func (d diskMark) ref() storage.Ref { return storage.Ref{Pool: d.Pool, Name: d.Volume} }

// addLayer remembers a volume of a disk, and whether it is ours. What is known of it already stays.
func (m *mark) addLayer(key string, ref storage.Ref, owned bool) {
	l := layerMark{Key: key, Pool: ref.Pool, Volume: ref.Name, Owned: owned}
	if !slices.ContainsFunc(m.Layers, func(o layerMark) bool { return o.Key == key && o.ref() == ref }) {
		m.Layers = append(m.Layers, l)
	}
}

// ours reports whether the volume that a disk is attached by was made for it, or as a layer.
func (d diskMark) ours() bool { return !d.External && (d.Owned || d.Layer) }

// owns reports whether a layer may be deleted. Marks once did not say so of each: all volumes
// of a disk that is the VM's own are.
func (m *mark) owns(l layerMark) bool {
	entry := m.disk(l.Key)
	return l.Owned || entry != nil && entry.Owned && !entry.External
}

func (m *mark) dropLayer(ref storage.Ref) {
	m.Layers = slices.DeleteFunc(m.Layers, func(l layerMark) bool { return l.ref() == ref })
}

// hasLayers reports whether volumes of a disk are kept beside the one in use.
func (m *mark) hasLayers(key string) bool {
	return slices.ContainsFunc(m.Layers, func(l layerMark) bool { return l.Key == key })
}

// follow lets the mark say which volumes the domain has its disks from. Libvirt moves a disk to
// another layer in one step, and the mark is written after that: what ended in
// between is made good here.
func (m *mark) follow(x *libvirtxml.Domain) {
	if m == nil || len(m.Layers) == 0 {
		return
	}
	for i, key := range diskKeys(x, m) {
		entry := m.disk(key)
		at := pathOf(&x.Devices.Disks[i])
		if key == "" || entry == nil || isAt(at, entry.Volume) {
			continue
		}
		for j := range m.Layers {
			if l := &m.Layers[j]; l.Key == key && isAt(at, l.Volume) {
				l.Owned, entry.Layer = entry.ours(), l.Owned
				l.Pool, entry.Pool = entry.Pool, l.Pool
				l.Volume, entry.Volume = entry.Volume, l.Volume
				entry.Backing, entry.Frozen = "", 0
				break
			}
		}
	}
}

// isAt reports whether a volume of that name can be what lies at a path.
func isAt(at, volume string) bool { return volume != "" && path.Base(at) == volume }

// setSource lets a disk have its bytes from somewhere else.
func setSource(device *libvirtxml.DomainDisk, s source) {
	device.Source, device.BackingStore, device.Mirror = s.xml(), nil, nil
	if device.Driver == nil {
		device.Driver = &libvirtxml.DomainDiskDriver{Name: "qemu"}
	}
	device.Driver.Type = s.Format
}

// newLayer is a layer in the making.
type newLayer struct {
	key    string
	target string
	below  storage.Volume // that it shares the content of
	ref    storage.Ref
	kind   string // of the pool
	made   storage.Volume
}

// planLayers names a new layer above the content of each of some disks. It makes nothing.
func (b *Backend) planLayers(ctx context.Context, d *domain, keys []string) ([]newLayer, error) {
	pools, err := b.poolsByName(ctx)
	if err != nil {
		return nil, err
	}
	var layers []newLayer
	for _, key := range keys {
		entry := d.mark.disk(key)
		i := findDisk(d.xml, d.mark, key)
		p := backends.Path("disks").Key(key)
		if entry == nil || i < 0 {
			return nil, backends.Errorf(backends.Precondition, "", "", "the VM has no disk %q any more", key).At(p)
		}
		where := pathOf(&d.xml.Devices.Disks[i])
		if entry.Pool == "" || !isAt(where, entry.Volume) {
			return nil, backends.Errorf(backends.Precondition, "", "", "disk %q is at %s, which is no volume that this provider knows of", key, where).At(p).
				Advise("Where another program made a layer for it, merge that first (virsh blockcommit); else bring the file into a storage pool.")
		}
		below, err := b.store.Get(ctx, entry.ref())
		if err != nil {
			return nil, at(err, p)
		}
		l, err := b.planLayer(d, key, below, pools)
		if err != nil {
			return nil, err
		}
		l.target = targetOf(&d.xml.Devices.Disks[i])
		layers = append(layers, l)
	}
	return layers, nil
}

// planLayer names a layer above a volume: in the volume's pool, or where that has no files in the
// pool of disks that name none.
func (b *Backend) planLayer(d *domain, key string, below storage.Volume, pools map[string]backends.Storage) (newLayer, error) {
	for _, name := range []string{below.Pool, d.mark.PlacementStorage, b.cfg.StoragePool} {
		pool, ok := pools[name]
		if !ok || !pool.Active || !storage.HasFiles(pool.Kind) {
			continue
		}
		if !strings.HasPrefix(below.Path, "/") {
			break // QEMU reaches it by network, and libvirt cannot say so in a volume
		}
		ref := storage.Ref{Pool: name, Name: volumeName(d.xml.Name, key, "qcow2", pool.Kind)}
		return newLayer{key: key, below: below, ref: ref, kind: pool.Kind}, nil
	}
	return newLayer{}, backends.Errorf(backends.Unsupported, "", "",
		"the content of disk %q cannot be kept: its volume %s is in a storage pool of type %q, which has no files for a layer above it, and the pool %q has none either",
		key, below.Ref, pools[below.Pool].Kind, b.cfg.StoragePool).At(backends.Path("disks").Key(key)).
		Advise("Use a directory pool for the disk or as the provider's storage_pool, or snapshots of the storage itself.")
}

// makeLayers makes the volumes of layers, after their names were written into the mark. Next to an
// error nothing of them is left.
func (b *Backend) makeLayers(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, up bool) error {
	for _, l := range layers {
		d.mark.addLayer(l.key, l.ref, true)
	}
	err := b.saveMark(ctx, dom, d, up)
	for i := 0; err == nil && i < len(layers); i++ {
		l := &layers[i]
		l.made, err = b.store.Create(ctx, storage.Spec{Ref: l.ref, Backing: &l.below.Ref})
	}
	if err != nil {
		b.dropLayers(ctx, dom, d, layers, up)
	}
	return err
}

// dropLayers removes layers that came to nothing, also after an interrupt. What cannot be removed
// now stays in the mark.
func (b *Backend) dropLayers(ctx context.Context, dom rpc.Domain, d *domain, layers []newLayer, up bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	for _, l := range layers {
		if b.deleteVolume(ctx, l.ref) == nil {
			d.mark.dropLayer(l.ref)
		}
	}
	_ = b.saveMark(ctx, dom, d, up) // the first cause is told
}

// stand notes that the domain has its disks from new layers now.
func (b *Backend) stand(m *mark, layers []newLayer) {
	for _, l := range layers {
		entry := m.disk(l.key)
		if entry.Format == "" {
			entry.Format = l.below.Format
		}
		if entry.ref() != l.ref {
			m.addLayer(l.key, entry.ref(), entry.ours())
		}
		m.addLayer(l.key, l.below.Ref, false) // it is the entry's, or one of those known
		m.dropLayer(l.ref)
		entry.Pool, entry.Volume, entry.Layer = l.ref.Pool, l.ref.Name, true
		entry.Backing, entry.Frozen = l.below.Ref.String(), b.now().UnixNano()
	}
}
