package libvirt

import (
	"context"
	"strings"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
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
	pool := b.poolFor(&backends.VMSpec{}, d)
	v, err := b.store.Create(ctx, storage.Spec{
		Ref:           storage.Ref{Pool: pool, Name: spec.Name},
		CapacityBytes: *d.SizeGiB * gib,
		Format:        deref(d.Format),
		Provisioning:  deref(d.Provisioning),
	})
	if err != nil {
		return backends.Volume{}, err
	}
	disk := diskOf(v)
	disk.Provisioning = d.Provisioning
	return backends.Volume{ID: v.Ref.String(), Name: v.Name, Disk: disk, Path: v.Path}, nil
}

// diskOf describes a volume. Whether it was made thin or thick is not kept.
func diskOf(v storage.Volume) backends.Disk {
	return backends.Disk{
		SizeGiB: ptr(gibibytes(uint64(max(0, v.CapacityBytes)))),
		Storage: ptr(v.Pool),
		Format:  ptr(v.Format),
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

// ResizeDisk grows a disk, through QEMU where a running VM has it.
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
	return b.store.Delete(ctx, v.Ref)
}
