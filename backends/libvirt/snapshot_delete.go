package libvirt

import (
	"context"
	"fmt"
	"slices"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// DeleteSnapshot removes a snapshot, and merges the layers that only it kept apart. Its
// children become its parent's.
func (b *Backend) DeleteSnapshot(ctx context.Context, id backends.ID, snapshot string, children bool) error {
	return b.onDomain(ctx, id, fmt.Sprintf("delete snapshot %q", snapshotTitle(snapshot)), func(dom rpc.Domain) error {
		return b.deleteSnapshot(ctx, dom, snapshot, children)
	})
}

func (b *Backend) deleteSnapshot(ctx context.Context, dom rpc.Domain, id string, children bool) error {
	all, err := b.readSnapshots(ctx, dom)
	if err != nil {
		return err
	}
	if _, err := findSnapshot(all, dom.Name, id); err != nil {
		// An earlier try may have ended before its layers were merged.
		if tidyErr := b.tidy(ctx, dom); tidyErr != nil {
			return tidyErr
		}
		return err
	}
	d, err := b.readDomain(ctx, dom, xmlFlags)
	if err != nil {
		return err
	}
	doomed := []string{id}
	for i := range all { // parents come before children
		if p := all[i].xml.Parent; children && p != nil && slices.Contains(doomed, p.Name) {
			doomed = append(doomed, all[i].name)
		}
	}
	// From the leaves on, so that what an interrupt leaves is a tree; the parent of a current one
	// becomes current.
	for _, name := range slices.Backward(doomed) {
		var flags rpc.DomainSnapshotDeleteFlags
		if d.mark.snapshot(name) != nil {
			flags = rpc.DomainSnapshotDeleteMetadataOnly
		}
		if err := b.forgetSnapshot(ctx, dom, name, flags); err != nil {
			return err
		}
	}
	return b.tidy(ctx, dom)
}

// forgetSnapshot has libvirt delete a snapshot; of ours it only forgets it.
func (b *Backend) forgetSnapshot(ctx context.Context, dom rpc.Domain, name string, flags rpc.DomainSnapshotDeleteFlags) error {
	err := b.again(ctx, func(l *rpc.Libvirt) error {
		s, err := l.DomainSnapshotLookupByName(dom, name, 0)
		if err != nil {
			return err
		}
		return l.DomainSnapshotDelete(s, flags)
	})
	if answered(err, rpc.ErrNoDomainSnapshot) {
		return nil
	}
	return err
}
