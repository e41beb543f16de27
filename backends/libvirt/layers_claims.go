package libvirt

import (
	"context"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// A pool that is stopped does not tell what its volumes share the content of. What is known of that
// without it are claims: what VMs' marks say, and what running VMs have open.

// claim says that a VM needs the content of a volume, or of any of a VM's volumes.
type claim struct {
	vm      rpc.Domain
	by      storage.Ref // the volume above, as far as that is known
	content storage.Ref
	origin  string // the id of the VM, where the volume is not known
}

// claims reads what all VMs need, apart from one.
func (b *Backend) claims(ctx context.Context, in *inventory, self rpc.UUID) ([]claim, error) {
	domains, err := b.allDomains(ctx)
	if err != nil {
		return nil, err
	}
	refs := map[string]storage.Ref{}
	for _, v := range in.volumes {
		refs[v.Path] = v.Ref
	}
	var all []claim
	for _, dom := range domains {
		if dom.UUID == self {
			continue
		}
		d, err := b.readOther(ctx, dom, rpc.DomainXMLInactive)
		if err != nil {
			return nil, err
		}
		if d != nil && d.mark != nil {
			all = append(all, d.mark.claims(dom, in)...)
		}
		if dom.ID < 0 {
			continue
		}
		if d, err = b.readOther(ctx, dom, 0); err != nil {
			return nil, err
		}
		if d == nil || d.xml.Devices == nil {
			continue
		}
		for i := range d.xml.Devices.Disks {
			disk := &d.xml.Devices.Disks[i]
			for below := disk.BackingStore; below != nil; below = below.BackingStore {
				if content := refs[backingPath(below)]; !content.IsZero() {
					all = append(all, claim{vm: dom, by: refs[pathOf(disk)], content: content})
				}
			}
		}
	}
	return all, nil
}

// claims are what the mark says of disks in pools that are not active. The others' volumes know better.
func (m *mark) claims(dom rpc.Domain, in *inventory) []claim {
	var all []claim
	for _, entry := range m.Disks {
		if entry.Pool == "" || in.active[entry.Pool] {
			continue
		}
		if content, err := storage.ParseRef(entry.Backing); err == nil {
			all = append(all, claim{vm: dom, by: entry.ref(), content: content})
		}
	}
	for _, l := range m.Layers {
		if m.Origin != "" && !in.active[l.Pool] {
			// What the lowest layer is above is not in the mark.
			all = append(all, claim{vm: dom, by: l.ref(), origin: m.Origin})
		}
	}
	return all
}

func backingPath(b *libvirtxml.DomainDiskBackingStore) string {
	switch {
	case b.Source == nil:
		return ""
	case b.Source.File != nil:
		return b.Source.File.File
	case b.Source.Block != nil:
		return b.Source.Block.Dev
	}
	return ""
}

func (b *Backend) allDomains(ctx context.Context) ([]rpc.Domain, error) {
	return query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Domain, error) {
		list, _, err := l.ConnectListAllDomains(1, 0)
		return list, err
	})
}

// readOther reads one of many VMs: nil where it is gone since it was listed, or cannot be understood.
func (b *Backend) readOther(ctx context.Context, dom rpc.Domain, flags rpc.DomainXMLFlags) (*domain, error) {
	d, err := b.readDomain(ctx, dom, flags)
	if err != nil && (ctx.Err() != nil || backends.CodeOf(err) == backends.Transient) {
		return nil, err
	}
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // as said
	}
	return d, nil
}
