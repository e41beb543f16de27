package backends

import "context"

// Estate is a driver that can tell in few calls, whatever their number, which VMs are this product's. Terraform reads its
// resources one by one and a few at a time; with this, who joins those reads can read the rest with the first.
type Estate interface {
	// Estate returns the ids of the VMs that this product made. It may leave some out.
	Estate(ctx context.Context) ([]ID, error)
}
