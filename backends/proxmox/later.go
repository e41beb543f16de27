package proxmox

import (
	"context"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

func (b *Backend) originOf(ctx context.Context, spec *backends.VMSpec) (origin, error) {
	return origin{}, nil
}
func (b *Backend) uploadSeed(ctx context.Context, node string, s *seedPlan) error { return nil }
func (b *Backend) freeVolume(ctx context.Context, node, volume string) error      { return nil }
func (b *Backend) keepVolume(ctx context.Context, node string, vmid int64, key, volume string) error {
	return nil
}
