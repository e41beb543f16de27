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

// sharers names who shares the content of some volumes and is none of these: VMs, and volumes
// that belong to none. The VM self, where there is one, is the one that the volumes go with.
func (b *Backend) sharers(ctx context.Context, self rpc.UUID, own map[storage.Ref]bool) (vms, loose []string, err error) {
	if len(own) == 0 {
		return nil, nil, nil
	}
	in, err := b.inventory(ctx)
	if err != nil {
		return nil, nil, err
	}
	paths := map[string]bool{}
	for _, v := range in.volumes {
		if own[v.Ref] {
			paths[v.Path] = true
		}
	}
	volumes, err := b.above(ctx, in.volumes, func(v storage.Volume) bool { return !own[v.Ref] && paths[v.Backing] })
	if err != nil {
		return nil, nil, err
	}
	if vms, loose, err = b.holders(ctx, volumes); err != nil {
		return nil, nil, err
	}
	claims, err := b.claims(ctx, in, self)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range claims {
		if !own[c.by] && (own[c.content] || c.origin != "" && c.origin == formatUUID(self)) {
			vms = append(vms, backends.VMObject(c.vm.Name))
		}
	}
	slices.Sort(vms)
	return slices.Compact(vms), loose, nil
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
func (b *Backend) unshared(ctx context.Context, self rpc.UUID, own map[storage.Ref]bool) error {
	vms, loose, err := b.sharers(ctx, self, own)
	if err != nil || len(vms)+len(loose) == 0 {
		return err
	}
	e := backends.Errorf(backends.Precondition, "", "", "its content is shared by %s", strings.Join(append(slices.Clone(vms), loose...), ", "))
	if len(loose) == 0 {
		return e.Advise("Delete those first.")
	}
	// Nobody but its owner knows whether what lies there is still of use: it can be a disk that was kept.
	advice := "A volume that belongs to no VM may be a disk that somebody kept: make it whole, so that it needs no other " +
		"(while no VM uses it, qemu-img rebase -b '' on its file), then try again."
	if len(vms) > 0 {
		advice = "Delete the VMs first. " + advice
	}
	return e.Advise("%s", advice)
}

// holders names the VMs that volumes belong to, and the volumes that belong to none.
func (b *Backend) holders(ctx context.Context, volumes []storage.Volume) (vms, loose []string, err error) {
	if len(volumes) == 0 {
		return nil, nil, nil
	}
	domains, err := b.allDomains(ctx)
	if err != nil {
		return nil, nil, err
	}
	held := make([]bool, len(volumes))
	for _, dom := range domains {
		d, err := b.readOther(ctx, dom, rpc.DomainXMLInactive)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			continue
		}
		var own map[storage.Ref]bool
		if d.mark != nil {
			own = d.mark.owned()
		}
		disks := disksOf(d.xml)
		for i, v := range volumes {
			if own[v.Ref] || slices.ContainsFunc(disks, func(s string) bool { return strings.HasSuffix(s, "="+v.Path) }) {
				vms, held[i] = append(vms, backends.VMObject(dom.Name)), true
			}
		}
	}
	for i, v := range volumes {
		if !held[i] {
			loose = append(loose, "the volume "+v.Ref.String())
		}
	}
	return vms, loose, nil
}
