package storage

import (
	"context"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Thick reports whether the storage spends all of a volume's capacity already, be it
// that it was made so or that it is full.
func (v Volume) Thick() bool { return v.AllocationBytes >= v.CapacityBytes }

// Reserve makes the storage spend all of a raw volume's capacity, also while a VM uses it.
// Its content stays.
func (s *Store) Reserve(ctx context.Context, ref Ref) error {
	v, err := s.Get(ctx, ref)
	if err == nil && !v.Thick() {
		err = s.resize(ctx, ref, v.CapacityBytes, libvirt.StorageVolResizeAllocate)
	}
	return backends.Wrap(err, "reserve the space", volumeObject(ref))
}
