package libvirt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// keepWhole makes the disks that outlive their VM, which is stopped, whole: what their
// volumes share with others is brought into them. Where that is not possible the VM has to stay, for without it
// nothing names the volumes that such a disk lies in.
//
// A disk that was never the VM's own is merged into the volume that its maker knows instead.
func (b *Backend) keepWhole(ctx context.Context, dom rpc.Domain, d *domain, keep []string) error {
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
		return nil
	}
	if err := b.again(ctx, func(l *rpc.Libvirt) error { return l.DomainManagedSaveRemove(dom, 0) }); err != nil && ctx.Err() != nil {
		return err
	}
	t := &tidying{Backend: b, dom: dom}
	if err := t.read(ctx); err != nil {
		return err
	}
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
			return notWhole(ctx, pulled, err)
		}
	}
	if len(merged) == 0 {
		return nil
	}
	for _, s := range d.mark.Snapshots {
		if err := b.forgetSnapshot(ctx, dom, s.Name, rpc.DomainSnapshotDeleteMetadataOnly); err != nil {
			return err
		}
	}
	if err := b.tidy(ctx, dom); err != nil {
		return notWhole(ctx, merged, err)
	}
	now, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return err
	}
	*d = *now
	var layers []string
	for _, l := range d.mark.Layers {
		if slices.Contains(merged, l.Key) {
			layers = append(layers, l.ref().String())
		}
	}
	if len(layers) > 0 {
		return notWhole(ctx, merged, fmt.Errorf("the volumes %s cannot be merged", strings.Join(layers, ", ")))
	}
	return nil
}

// notWhole is the error for disks that outlive their VM and need other volumes. Nothing is deleted then.
func notWhole(ctx context.Context, keys []string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return backends.Errorf(backends.CodeOf(err), "", "", "the disks %q stay when the VM goes, and could not be made whole before that, so no volume was deleted: %w", keys, err).
		Advise("Put right what is in the way and try again. Where the disks are not needed, set keep_on_destroy = false for them first.")
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
