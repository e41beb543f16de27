package libvirt

import (
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// keepWhole makes the disks that outlive their VM, which is stopped, whole: what their
// volumes share with others is brought into them. It returns the keys of those that could not be, whose
// layers have to stay.
//
// A disk that was never the VM's own is merged into the volume that its maker knows instead.
func (b *Backend) keepWhole(ctx context.Context, dom rpc.Domain, d *domain, keep []string) ([]string, error) {
	var pulled, merged []string
	for _, entry := range d.mark.Disks {
		if entry.Retired || entry.External || entry.Pool == "" || findDisk(d.xml, d.mark, entry.Key) < 0 {
			continue
		}
		switch {
		case !entry.Owned && d.mark.hasLayers(entry.Key):
			merged = append(merged, entry.Key)
		case entry.Owned && (entry.Keep || slices.Contains(keep, entry.Key)) && (entry.Backing != "" || d.mark.hasLayers(entry.Key)):
			pulled = append(pulled, entry.Key)
		}
	}
	if len(pulled)+len(merged) == 0 {
		return nil, nil
	}
	if err := b.again(ctx, func(l *rpc.Libvirt) error { return l.DomainManagedSaveRemove(dom, 0) }); err != nil && ctx.Err() != nil {
		return nil, err
	}
	t := &tidying{Backend: b, dom: dom}
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	var stay []string
	if len(pulled) > 0 {
		err := t.hold(ctx, func(ctx context.Context) error {
			for _, key := range pulled {
				if err := t.pull(ctx, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			b.reportKept(ctx, dom, pulled, err)
			stay = pulled
		}
	}
	if len(merged) == 0 {
		return stay, nil
	}
	for _, s := range d.mark.Snapshots {
		if err := b.forgetSnapshot(ctx, dom, s.Name, rpc.DomainSnapshotDeleteMetadataOnly); err != nil {
			return nil, err
		}
	}
	if err := b.tidy(ctx, dom); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		b.reportKept(ctx, dom, merged, err)
	}
	now, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return nil, err
	}
	*d = *now
	for _, key := range merged {
		if d.mark.hasLayers(key) {
			stay = append(stay, key)
		}
	}
	return stay, nil
}

// reportKept tells that kept disks stay in several volumes.
func (b *Backend) reportKept(ctx context.Context, dom rpc.Domain, keys []string, err error) {
	backends.Report(ctx, backends.Progress{
		Op: fmt.Sprintf("keep the disks %q with all their layers, because they could not be made whole: %v", keys, err), Object: backends.VMObject(dom.Name), Percent: -1,
	})
}

// pull brings all content of a disk into its present volume. It is called below hold.
func (t *tidying) pull(ctx context.Context, key string) error {
	i := findDisk(t.d.xml, t.d.mark, key)
	if i < 0 {
		return nil
	}
	target := targetOf(&t.d.xml.Devices.Disks[i])
	err := t.once(ctx, func(l *rpc.Libvirt) error { return l.DomainBlockPull(t.dom, target, 0, 0) })
	if err == nil {
		err = t.awaitBlockJob(ctx, t.dom, target, fmt.Sprintf("make disk %q whole", key), false)
	}
	if err != nil {
		t.abortBlockJob(ctx, t.dom, target)
		return err
	}
	head, err := t.readHeader(ctx, t.d.mark.disk(key).ref())
	if err == nil && head.backing != "" {
		err = backends.Errorf(backends.Internal, "", "", "the volume %s still shares the content of %s", t.d.mark.disk(key).ref(), head.backing)
	}
	return err
}
