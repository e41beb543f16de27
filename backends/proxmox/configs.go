package proxmox

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/pve"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/proxmox/vmconf"
)

// configs are the configurations of all VMs that the account sees and that can be read now: one call a VM, in
// parallel, for questions that Proxmox VE does not answer itself.
func (b *Backend) configs(ctx context.Context) ([]*hardware, error) {
	return shared(ctx, b.estate, "configs", func(ctx context.Context) ([]*hardware, error) {
		where, err := b.estate.all(ctx)
		if err != nil {
			return nil, err
		}
		var all []*hardware
		var mu sync.Mutex
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(parallel)
		for vmid, r := range where {
			if r.Type != "qemu" {
				continue
			}
			g.Go(func() error {
				var values pve.Values
				switch err := b.conn.Get(ctx, config(string(r.Node), vmid), nil, &values); backends.CodeOf(err) {
				case "":
				case backends.NotFound, backends.Auth, backends.Transient:
					return nil
				default:
					return err
				}
				hw, err := newHardware(vmid, string(r.Node), string(r.Pool), vmconf.Config(values))
				if err != nil { // its mark cannot be read
					hw = &hardware{VMID: vmid, Node: string(r.Node), Pool: string(r.Pool), Config: vmconf.Config(values)}
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, hw)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		return all, nil
	})
}
