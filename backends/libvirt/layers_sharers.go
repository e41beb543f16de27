package libvirt

import (
	"context"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// owned are the volumes that go with a VM, or hold content of its disks.
func (m *mark) owned() map[storage.Ref]bool {
	own := map[storage.Ref]bool{}
	for _, d := range m.Disks {
		if d.Pool != "" && !d.External {
			own[d.ref()] = true
		}
	}
	for _, l := range m.Layers {
		own[l.ref()] = true
	}
	return own
}

// sharers are the volumes that share the content of some others, and are none of these.
func (b *Backend) sharers(ctx context.Context, own map[storage.Ref]bool) ([]storage.Volume, error) {
	all, err := b.allVolumes(ctx)
	if err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for _, v := range all {
		if own[v.Ref] {
			paths[v.Path] = true
		}
	}
	return b.above(ctx, all, func(v storage.Volume) bool { return !own[v.Ref] && paths[v.Backing] })
}

// above picks volumes by what they share the content of. Libvirt remembers that from when it saw
// a volume first, so those that are picked are asked themselves.
func (b *Backend) above(ctx context.Context, all []storage.Volume, pick func(storage.Volume) bool) ([]storage.Volume, error) {
	var found []storage.Volume
	for _, v := range all {
		if !pick(v) {
			continue
		}
		head, err := b.readHeader(ctx, v.Ref)
		switch {
		case isVolumeGone(err):
			continue
		case err == nil:
			v.Backing = head.backing
		case ctx.Err() != nil:
			return nil, err
		}
		if pick(v) {
			found = append(found, v)
		}
	}
	return found, nil
}

// unshared refuses what would take content away from others: linked clones, images, and what somebody made by hand.
func (b *Backend) unshared(ctx context.Context, own map[storage.Ref]bool) error {
	volumes, err := b.sharers(ctx, own)
	if err != nil || len(volumes) == 0 {
		return err
	}
	names, err := b.holders(ctx, volumes)
	if err != nil {
		return err
	}
	return backends.Errorf(backends.Precondition, "", "", "its content is shared by %s", strings.Join(names, ", ")).
		Advise("Delete those first.")
}

// holders names the VMs that volumes belong to, and the volumes that belong to none.
func (b *Backend) holders(ctx context.Context, volumes []storage.Volume) ([]string, error) {
	domains, err := query(ctx, b, func(l *rpc.Libvirt) ([]rpc.Domain, error) {
		list, _, err := l.ConnectListAllDomains(1, 0)
		return list, err
	})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(volumes))
	for i, v := range volumes {
		names[i] = "the volume " + v.Ref.String()
	}
	for _, dom := range domains {
		d, err := b.readDomain(ctx, dom, rpc.DomainXMLInactive)
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			continue // gone since it was listed, or not to be read: then the volume is named
		}
		var own map[storage.Ref]bool
		if d.mark != nil {
			own = d.mark.owned()
		}
		disks := disksOf(d.xml)
		for i, v := range volumes {
			if own[v.Ref] || slices.ContainsFunc(disks, func(s string) bool { return strings.HasSuffix(s, "="+v.Path) }) {
				names[i] = backends.VMObject(dom.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
