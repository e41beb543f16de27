package proxmox

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
)

// owned finds out which of VMs carry the mark, in parallel. A VM that is gone meanwhile carries none, and so does one
// that cannot be read.
func (b *Backend) owned(ctx context.Context, list []backends.VMSummary) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range list {
		s := &list[i]
		if s.Power == backends.Unknown {
			continue
		}
		g.Go(func() error {
			var c pve.Values
			vmid, err := vmidOf(s.ID)
			if err != nil {
				return err
			}
			if err := b.conn.Get(ctx, config(s.Host, vmid), nil, &c); err != nil {
				switch backends.CodeOf(err) {
				case backends.NotFound, backends.Transient, backends.Auth:
					return nil
				default:
					return err
				}
			}
			m, _, err := readMark(c["description"], vmid)
			s.Owned = err == nil && m != nil && !m.Adopted
			return nil
		})
	}
	return g.Wait()
}
