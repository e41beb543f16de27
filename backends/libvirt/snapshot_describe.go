package libvirt

import (
	"context"
	"fmt"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// DescribeSnapshot changes a snapshot's description, which libvirt does by taking the definition of
// the snapshot anew.
func (b *Backend) DescribeSnapshot(ctx context.Context, id backends.ID, snapshot, description string) error {
	return b.onDomain(ctx, id, fmt.Sprintf("describe snapshot %q", snapshotTitle(snapshot)), func(dom rpc.Domain) error {
		if !isXMLText(description) {
			return invalid("description", "it has characters that libvirt cannot keep")
		}
		all, err := b.readSnapshots(ctx, dom)
		if err != nil {
			return err
		}
		s, err := findSnapshot(all, dom.Name, snapshot)
		if err != nil || s.xml.Description == description {
			return err
		}
		s.xml.Description = description
		return b.redefineSnapshot(ctx, dom, s)
	})
}
