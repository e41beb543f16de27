package libvirt

import (
	"context"
	"strings"
	"time"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// CreateDisk makes a volume with a life of its own. Its id is POOL/NAME.
func (b *Backend) CreateDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	object := backends.DiskObject(spec.Name)
	v, err := b.createDisk(ctx, spec)
	return v, backends.Wrap(err, "create", object)
}

func (b *Backend) createDisk(ctx context.Context, spec backends.DiskSpec) (backends.Volume, error) {
	d := spec.Disk
	switch {
	case spec.Name == "" || strings.Contains(spec.Name, "/") || !isXMLText(spec.Name):
		return backends.Volume{}, invalid("name", "%q is no name for a volume", spec.Name)
	case d.SizeGiB == nil || *d.SizeGiB < 1 || *d.SizeGiB > 1<<30:
		return backends.Volume{}, invalid("size_gib", "a disk needs a size of at least 1 GiB")
	case d.Policy != nil:
		return backends.Volume{}, backends.Errorf(backends.Unsupported, "", "", "libvirt has no storage policies").At("policy")
	}
	want := storage.Spec{
		Ref:           storage.Ref{Pool: b.poolFor(&backends.VMSpec{}, d), Name: spec.Name},
		CapacityBytes: *d.SizeGiB * gib,
		Format:        deref(d.Format),
		Provisioning:  deref(d.Provisioning),
	}
	thick := want.Provisioning != "" && want.Provisioning != "thin"
	pool, err := b.diskPool(ctx, want.Pool)
	if err != nil {
		return backends.Volume{}, err
	}
	if thick && pool.FreeBytes < want.CapacityBytes {
		return backends.Volume{}, noRoom("", pool, want.CapacityBytes)
	}
	// A call that was sent is carried out, whoever waits for it: an interrupt is
	// obeyed when it is known what there is to remove.
	lasting, cancel := outlive(ctx)
	defer cancel()
	v, err := b.store.Create(lasting, want)
	if err != nil && lasting.Err() != nil {
		err = conn.Classify(err).Advise("libvirt may still be making the volume %q: look for it, and remove it.", want.Ref)
	}
	if err != nil {
		return backends.Volume{}, err
	}
	if err = ctx.Err(); err == nil && thick && !v.Thick() {
		err = backends.Errorf(backends.Unsupported, "", "", "the storage pool %q reserves no space: of %d bytes it has reserved %d", pool.Name, v.CapacityBytes, v.AllocationBytes).
			At("provisioning").Advise("Provision the disk thin, or choose another storage.")
	}
	if err != nil {
		return backends.Volume{}, b.discardDisk(ctx, v, err)
	}
	disk := diskOf(v)
	if d.Provisioning != nil {
		disk.Provisioning = d.Provisioning
	}
	return backends.Volume{ID: v.Ref.String(), Name: v.Name, Disk: disk, Path: v.Path}, nil
}

// interruptTime is how long a creation may go on after its context has ended.
const interruptTime = 4 * time.Second

// outlive returns a context that ends interruptTime after ctx does.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(interruptTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(ctx.Err())
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel(nil) }
}

// discardDisk removes a disk that is not to be, and returns why.
func (b *Backend) discardDisk(ctx context.Context, v storage.Volume, why error) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptTime)
	defer cancel()
	err := b.store.Delete(bounded, v.Ref)
	if err == nil || backends.CodeOf(err) == backends.NotFound {
		return why
	}
	return backends.Errorf(backends.CodeOf(why), "", "", "%w; and the volume %q is left behind, because it could not be removed: %w", why, v.Ref, err)
}

// diskPool finds a pool that disks can be made in.
func (b *Backend) diskPool(ctx context.Context, name string) (backends.Storage, error) {
	all, err := b.store.Pools(ctx)
	if err != nil {
		return backends.Storage{}, err
	}
	pools := map[string]backends.Storage{}
	for _, p := range all {
		pools[p.Name] = p
	}
	return usablePool(pools, name, "")
}

// diskOf describes a volume. How it was provisioned is what its use of space says.
func diskOf(v storage.Volume) backends.Disk {
	provisioning := "thin"
	if v.Thick() {
		provisioning = "thick"
	}
	return backends.Disk{
		SizeGiB:      ptr(gibibytes(uint64(max(0, v.CapacityBytes)))),
		Storage:      ptr(v.Pool),
		Format:       ptr(v.Format),
		Provisioning: &provisioning,
	}
}

// GetDisk reads a volume and finds the VM that has it.
func (b *Backend) GetDisk(ctx context.Context, id string) (backends.Volume, error) {
	v, err := b.getDisk(ctx, id)
	return v, backends.Wrap(err, "read", backends.DiskObject(id))
}

func (b *Backend) getDisk(ctx context.Context, id string) (backends.Volume, error) {
	v, err := b.diskVolume(ctx, id)
	if err != nil {
		return backends.Volume{}, err
	}
	user, _, err := b.userOf(ctx, v.Path)
	if err != nil {
		return backends.Volume{}, err
	}
	return backends.Volume{ID: v.Ref.String(), Name: v.Name, Disk: diskOf(v), Path: v.Path, AttachedTo: user}, nil
}

func (b *Backend) diskVolume(ctx context.Context, id string) (storage.Volume, error) {
	ref, err := storage.ParseRef(id)
	if err != nil {
		return storage.Volume{}, backends.Errorf(backends.NotFound, "", "", "there is no disk %q: ids are POOL/NAME", id)
	}
	v, err := b.store.Get(ctx, ref)
	if isVolumeGone(err) || backends.CodeOf(err) == backends.NotFound {
		return v, backends.Errorf(backends.NotFound, "", "", "there is no disk %q", id)
	}
	return v, err
}

// ResizeDisk grows a disk, through QEMU where a running VM has it. A raw disk whose
// space is reserved stays so.
func (b *Backend) ResizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	return backends.Wrap(b.resizeDisk(ctx, id, sizeGiB), "resize", backends.DiskObject(id))
}

func (b *Backend) resizeDisk(ctx context.Context, id string, sizeGiB int64) error {
	v, err := b.diskVolume(ctx, id)
	if err != nil {
		return err
	}
	if sizeGiB < 1 || sizeGiB > 1<<30 {
		return invalid("size_gib", "%d GiB is not a size", sizeGiB)
	}
	want := sizeGiB * gib
	if want <= v.CapacityBytes {
		return noShrink("size_gib", id, uint64(v.CapacityBytes), uint64(want))
	}
	if err := b.unshared(ctx, rpc.UUID{}, map[storage.Ref]bool{v.Ref: true}); err != nil {
		return err
	}
	reserved := v.Format == "raw" && v.Thick()
	if reserved {
		pool, err := b.diskPool(ctx, v.Pool)
		if err != nil {
			return err
		}
		if more := want - v.CapacityBytes; pool.FreeBytes < more {
			return noRoom("", pool, more)
		}
	}
	if err := b.growDisk(ctx, v, want); err != nil || !reserved {
		return err
	}
	return b.store.Reserve(ctx, v.Ref)
}

// growDisk makes a disk larger, whoever has it.
func (b *Backend) growDisk(ctx context.Context, v storage.Volume, want int64) error {
	user, _, err := b.userOf(ctx, v.Path)
	if err != nil {
		return err
	}
	if user == "" {
		return b.store.Resize(ctx, v.Ref, want)
	}
	unlock, err := b.locks.lock(ctx, lockName(user))
	if err != nil {
		return err
	}
	defer unlock()
	dom, err := b.lookup(ctx, user)
	if err != nil {
		return err
	}
	state, err := b.state(ctx, dom)
	if err != nil {
		return err
	}
	if !isUp(state) {
		return b.store.Resize(ctx, v.Ref, want)
	}
	return b.again(ctx, func(l *rpc.Libvirt) error {
		return l.DomainBlockResize(dom, v.Path, uint64(want), rpc.DomainBlockResizeBytes)
	})
}

// DeleteDisk removes a disk that no VM has.
func (b *Backend) DeleteDisk(ctx context.Context, id string) error {
	return backends.Wrap(b.deleteDisk(ctx, id), "delete", backends.DiskObject(id))
}

func (b *Backend) deleteDisk(ctx context.Context, id string) error {
	v, err := b.diskVolume(ctx, id)
	if err != nil {
		return err
	}
	user, name, err := b.userOf(ctx, v.Path)
	if err != nil {
		return err
	}
	if user != "" {
		return backends.Errorf(backends.Precondition, "", "", "it is attached to VM %q (%s)", name, user).Advise("Detach it there first.")
	}
	if err := b.unshared(ctx, rpc.UUID{}, map[storage.Ref]bool{v.Ref: true}); err != nil {
		return err
	}
	return b.store.Delete(ctx, v.Ref)
}
