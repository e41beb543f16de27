package storage

import (
	"context"
	"fmt"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// Spec asks for a volume.
type Spec struct {
	Ref
	// CapacityBytes is what a guest sees. With From, 0 is its capacity.
	CapacityBytes int64
	// Format is "qcow2" or "raw"; "" is qcow2, but raw for a thick copy, and where the
	// pool has no files.
	Format       string
	Provisioning string // "thin" (also "") or "thick" ("eager_zeroed" is the same)
	// From is a volume whose content is copied, on the host, and converted to Format.
	From *Ref
	// Backing is a volume whose content the new one shows until it is written to: the new
	// volume is thin and qcow2, and as large as Backing where CapacityBytes is 0. Backing must not
	// be written to or removed while the new volume exists.
	Backing *Ref
}

// Create makes a volume and returns it. A name that is taken is a Conflict. Nothing is left
// behind next to an error.
func (s *Store) Create(ctx context.Context, spec Spec) (Volume, error) {
	v, err := s.create(ctx, spec)
	return v, backends.Wrap(err, "create", volumeObject(spec.Ref))
}

func (s *Store) create(ctx context.Context, spec Spec) (Volume, error) {
	p, err := s.pool(ctx, spec.Pool)
	if err != nil {
		return Volume{}, err
	}
	kind, err := s.poolKind(ctx, p)
	if err != nil {
		return Volume{}, err
	}
	var origin *Volume
	if ref := spec.origin(); ref != nil {
		v, err := s.Get(ctx, *ref)
		if err != nil {
			return Volume{}, err
		}
		origin = &v
	}
	if spec, err = spec.complete(kind, origin); err != nil {
		return Volume{}, err
	}
	if err := s.createXML(ctx, p, spec, origin); err != nil {
		return Volume{}, err
	}
	v, err := s.finish(ctx, spec, HasFiles(kind))
	if err != nil {
		return Volume{}, s.undo(ctx, spec.Ref, err)
	}
	return v, nil
}

// origin is the volume that gives the new one its content, or nil.
func (spec Spec) origin() *Ref {
	if spec.Backing != nil {
		return spec.Backing
	}
	return spec.From
}

// complete fills in what the spec leaves open and refuses what cannot be.
func (spec Spec) complete(poolKind string, origin *Volume) (Spec, error) {
	invalid := func(path backends.Path, format string, args ...any) error {
		return backends.Errorf(backends.Invalid, "", "", format, args...).At(path)
	}
	files := HasFiles(poolKind)
	if spec.Format == "" {
		spec.Format = "qcow2"
		thick := spec.Provisioning != "" && spec.Provisioning != "thin"
		if !files || thick && spec.From != nil {
			spec.Format = "raw"
		}
		if spec.Backing != nil {
			spec.Format = "qcow2"
		}
	}
	switch {
	case spec.Backing != nil && spec.From != nil:
		return spec, invalid("", "a volume copies the content of another one or shares it, not both")
	case spec.Backing != nil && !files:
		return spec, backends.Errorf(backends.Unsupported, "", "", "a storage pool of type %q has no files, so its volumes cannot share the content of others", poolKind).At("storage")
	case spec.Backing != nil && spec.Format != "qcow2":
		return spec, invalid("format", "a volume that shares the content of another one is qcow2, not %q", spec.Format)
	case spec.Backing != nil && spec.Provisioning != "" && spec.Provisioning != "thin":
		return spec, invalid("provisioning", "a volume that shares the content of another one is thin, not %q", spec.Provisioning)
	case spec.Format != "qcow2" && spec.Format != "raw":
		return spec, invalid("format", "libvirt volumes are made as qcow2 or raw, not %q", spec.Format)
	case spec.Format == "qcow2" && !files:
		return spec, invalid("format", "a storage pool of type %q has no files, so its volumes are raw", poolKind)
	}
	switch spec.Provisioning {
	case "", "thin":
		spec.Provisioning = "thin"
	case "thick", "eager_zeroed":
		spec.Provisioning = "thick"
	default:
		return spec, invalid("provisioning", "%q is no kind of provisioning; it is thin or thick", spec.Provisioning)
	}
	if origin != nil {
		if spec.CapacityBytes == 0 {
			spec.CapacityBytes = origin.CapacityBytes
		}
		if spec.CapacityBytes < origin.CapacityBytes {
			return spec, invalid("size_gib", "%d bytes are too small for the content of %s, which has %d bytes",
				spec.CapacityBytes, volumeObject(origin.Ref), origin.CapacityBytes)
		}
	}
	if spec.From != nil && spec.Format == "qcow2" && spec.Provisioning == "thick" && spec.CapacityBytes > origin.CapacityBytes {
		return spec, backends.Errorf(backends.Unsupported, "", "", "libvirt cannot reserve the space by which a qcow2 copy is larger than its origin").
			At("provisioning").Advise("Use the format raw, or thin provisioning.")
	}
	if spec.CapacityBytes <= 0 {
		return spec, invalid("size_gib", "a volume needs a size")
	}
	return spec, nil
}

// createXML has libvirt make the volume once its pool is free.
func (s *Store) createXML(ctx context.Context, p libvirt.StoragePool, spec Spec, origin *Volume) error {
	doc, err := spec.xml(origin)
	if err != nil {
		return err
	}
	var flags libvirt.StorageVolCreateFlags
	if spec.Provisioning == "thick" && spec.Format == "qcow2" {
		flags = libvirt.StorageVolCreatePreallocMetadata
	}
	return s.whenFree(ctx, func(l *libvirt.Libvirt) error {
		if spec.From == nil {
			_, err := l.StorageVolCreateXML(p, doc, flags)
			return err
		}
		from, err := lookup(l, *spec.From)
		if err != nil {
			return err
		}
		_, err = l.StorageVolCreateXMLFrom(p, doc, from, flags)
		return err
	})
}

func (spec Spec) xml(origin *Volume) (string, error) {
	x := libvirtxml.StorageVolume{
		Name: spec.Name, Capacity: sizeOf(spec.CapacityBytes), Allocation: sizeOf(0),
		Target: &libvirtxml.StorageVolumeTarget{Format: &libvirtxml.StorageVolumeTargetFormat{Type: spec.Format}},
	}
	if spec.Provisioning == "thick" {
		x.Allocation = sizeOf(spec.CapacityBytes)
	}
	if spec.Format == "qcow2" {
		// Else libvirt makes the format of QEMU 0.10, which lacks what snapshots and discard need.
		x.Target.Compat = "1.1"
	}
	if spec.Backing != nil {
		// The format is said, because to guess it from what a guest wrote would let the guest choose.
		x.BackingStore = &libvirtxml.StorageVolumeBackingStore{
			Path: origin.Path, Format: &libvirtxml.StorageVolumeTargetFormat{Type: origin.Format},
		}
	}
	return x.Marshal()
}

// finish reads the new volume back, and gives it the size and the space that a copy did not get.
func (s *Store) finish(ctx context.Context, spec Spec, files bool) (Volume, error) {
	v, err := s.Get(ctx, spec.Ref)
	if err != nil {
		return v, err
	}
	var flags libvirt.StorageVolResizeFlags
	if files && spec.From != nil && spec.Format == "raw" && spec.Provisioning == "thick" {
		flags = libvirt.StorageVolResizeAllocate
	}
	if v.CapacityBytes >= spec.CapacityBytes && flags == 0 {
		return v, nil
	}
	if err := s.resize(ctx, spec.Ref, spec.CapacityBytes, flags); err != nil {
		return v, err
	}
	return s.Get(ctx, spec.Ref)
}

func (s *Store) poolKind(ctx context.Context, p libvirt.StoragePool) (string, error) {
	return conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (string, error) {
		doc, err := l.StoragePoolGetXMLDesc(p, 0)
		if err != nil {
			return "", err
		}
		x, err := parsePool(doc)
		return x.Type, err
	})
}

// HasFiles reports whether the volumes of pools of a kind are files, which have formats
// and holes. Those of the others are raw.
func HasFiles(kind string) bool {
	switch kind {
	case "dir", "fs", "netfs", "gluster", "vstorage":
		return true
	}
	return false
}

// undo removes a volume that is not what was asked for, also when ctx has ended, and
// returns the first cause.
func (s *Store) undo(ctx context.Context, ref Ref, cause error) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	err := s.Delete(ctx, ref)
	if err == nil || backends.CodeOf(err) == backends.NotFound {
		return cause
	}
	e := *conn.Classify(cause)
	e.Err = fmt.Errorf("%w; and %s is left behind, because it could not be removed: %w", e.Err, volumeObject(ref), err)
	return &e
}
