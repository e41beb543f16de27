package libvirt

import (
	"context"
	"errors"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// readOwn looks at the VM's volumes themselves. Those that are gone are forgotten.
func (t *tidying) readOwn(ctx context.Context) error {
	t.volumes = map[string]*piece{}
	m := t.d.mark
	for _, l := range slices.Clone(m.Layers) {
		err := t.readPiece(ctx, l.Key, l.ref(), m.owns(l))
		if isVolumeGone(err) {
			m.dropLayer(l.ref())
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, entry := range m.Disks {
		if !m.hasLayers(entry.Key) || entry.Pool == "" || entry.External {
			continue
		}
		if err := t.readPiece(ctx, entry.Key, entry.ref(), entry.ours()); err != nil && !isVolumeGone(err) {
			return err
		}
	}
	return nil
}

func (t *tidying) readPiece(ctx context.Context, key string, ref storage.Ref, ours bool) error {
	v, err := t.store.Get(ctx, ref)
	if err != nil {
		return err
	}
	p := &piece{key: key, vol: v, ours: ours}
	if v.Format == "qcow2" {
		if p.head, err = t.readHeader(ctx, ref); err != nil {
			return err
		}
		p.vol.CapacityBytes, p.vol.Backing = p.head.size, p.head.backing
	}
	t.volumes[v.Path] = p
	return nil
}

// readOthers finds out which volumes that are not the VM's share content.
func (t *tidying) readOthers(ctx context.Context) error {
	in, err := t.inventory(ctx)
	if err != nil {
		return err
	}
	t.names = map[string]string{}
	for _, v := range in.volumes {
		t.names[v.Path] = v.Ref.String()
	}
	others, err := t.above(ctx, in.volumes, func(v storage.Volume) bool { return t.volumes[v.Path] == nil && t.volumes[v.Backing] != nil })
	if err != nil {
		return err
	}
	t.outside = map[string]bool{}
	for _, v := range others {
		t.outside[v.Backing] = true
	}
	claims, err := t.claims(ctx, in, t.dom.UUID)
	if err != nil {
		return err
	}
	for path, p := range t.volumes {
		if slices.ContainsFunc(claims, func(c claim) bool { return c.content == p.vol.Ref || c.origin == formatUUID(t.dom.UUID) }) {
			t.outside[path] = true
		}
	}
	return nil
}

// inventory is what the active pools hold.
type inventory struct {
	volumes []storage.Volume
	active  map[string]bool // names of pools
}

// inventory lists the volumes of all active pools, without those that cannot be read.
func (b *Backend) inventory(ctx context.Context) (*inventory, error) {
	return query(ctx, b, func(l *rpc.Libvirt) (*inventory, error) {
		pools, _, err := l.ConnectListAllStoragePools(1, rpc.ConnectListStoragePoolsActive)
		if err != nil {
			return nil, err
		}
		in := &inventory{active: map[string]bool{}}
		for _, p := range pools {
			found, _, err := l.StoragePoolListAllVolumes(p, 1, 0)
			if answered(err, rpc.ErrNoStoragePool) || answered(err, rpc.ErrOperationInvalid) {
				continue // gone, or stopped, since it was listed
			}
			if err != nil {
				return nil, err
			}
			in.active[p.Name] = true
			for _, f := range found {
				text, err := l.StorageVolGetXMLDesc(f, 0)
				if isAnswer(err) {
					continue
				}
				if err != nil {
					return nil, err
				}
				x, err := parseXML[libvirtxml.StorageVolume]("volume", text)
				if err != nil || x.Target == nil {
					continue
				}
				v := storage.Volume{Ref: storage.Ref{Pool: p.Name, Name: f.Name}, Path: x.Target.Path}
				if x.BackingStore != nil {
					v.Backing = x.BackingStore.Path
				}
				in.volumes = append(in.volumes, v)
			}
		}
		return in, nil
	})
}

// users are the VM's own volumes that share a volume's content.
func (t *tidying) users(path string) []*piece {
	var all []*piece
	for _, p := range t.volumes {
		if p.head.backing == path {
			all = append(all, p)
		}
	}
	return all
}

// chain is what a disk is made of, from its present volume down, as far as the volumes are the VM's.
func (t *tidying) chain(key string) []*piece {
	entry := t.d.mark.disk(key)
	if entry == nil {
		return nil
	}
	var chain []*piece
	for _, p := range t.volumes {
		if p.vol.Ref == entry.ref() {
			chain = append(chain, p)
		}
	}
	for len(chain) > 0 && len(chain) <= len(t.volumes) {
		below := t.volumes[chain[len(chain)-1].head.backing]
		if below == nil || below.key != key {
			break
		}
		chain = append(chain, below)
	}
	return chain
}

// isAnswer reports whether err is something that libvirtd said, and no broken connection.
func isAnswer(err error) bool {
	var e rpc.Error
	return errors.As(err, &e)
}
