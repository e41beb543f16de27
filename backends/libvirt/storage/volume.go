package storage

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// Volume is what libvirt says of a volume.
type Volume struct {
	Ref
	Path            string // on the host
	Key             string
	Format          string // "qcow2", "raw", "iso", ...; "raw" for block devices
	CapacityBytes   int64  // that a guest sees
	AllocationBytes int64  // that the storage spends
	Backing         string // path of the backing file, or ""
}

// Get reads a volume, or NotFound.
func (s *Store) Get(ctx context.Context, ref Ref) (Volume, error) {
	v, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (Volume, error) {
		found, err := lookup(l, ref)
		if err != nil {
			return Volume{}, err
		}
		return describe(l, found)
	})
	return v, backends.Wrap(s.recheck(ctx, ref, err), "read", volumeObject(ref))
}

// recheck returns NotFound for an error of a volume whose file was removed below libvirt, which
// remembers volumes until it looks at their pool again, and else err. It looks where libvirt
// passes on what the host's kernel said: in which language is not known.
func (s *Store) recheck(ctx context.Context, ref Ref, err error) error {
	if !hasNumber(err, libvirt.ErrSystemError) && !hasNumber(err, libvirt.ErrOpenFailed) && !hasNumber(err, libvirt.ErrOperationFailed) {
		return err
	}
	looking, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	if s.refresh(looking, ref.Pool) != nil {
		return err
	}
	_, gone := conn.Query(looking, s.conn, func(l *libvirt.Libvirt) (libvirt.StorageVol, error) { return lookup(l, ref) })
	if isNoVolume(gone) {
		return gone
	}
	return err
}

// GetByPath finds the volume of a file or device on the host. NotFound where no pool knows it.
func (s *Store) GetByPath(ctx context.Context, path string) (Volume, error) {
	found, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (libvirt.StorageVol, error) {
		return l.StorageVolLookupByPath(path)
	})
	if err != nil {
		return Volume{}, backends.Wrap(err, "find the volume", path)
	}
	v, err := s.Get(ctx, Ref{found.Pool, found.Name})
	return v, backends.Wrap(err, "find the volume", path)
}

// List reads all volumes of a pool, by name.
func (s *Store) List(ctx context.Context, pool string) ([]Volume, error) {
	all, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) ([]Volume, error) {
		p, err := l.StoragePoolLookupByName(pool)
		if err != nil {
			return nil, err
		}
		found, _, err := l.StoragePoolListAllVolumes(p, 1, 0)
		if err != nil {
			return nil, err
		}
		volumes := make([]Volume, 0, len(found))
		for _, f := range found {
			v, err := describe(l, f)
			if isNoVolume(err) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			volumes = append(volumes, v)
		}
		return volumes, nil
	})
	if isNoPool(err) {
		err = s.noPool(ctx, pool)
	}
	if err != nil {
		return nil, backends.Wrap(err, "list the volumes", poolObject(pool))
	}
	slices.SortFunc(all, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Delete removes a volume, or NotFound. Whether a VM still uses it is for the caller
// to know: libvirt removes it all the same.
func (s *Store) Delete(ctx context.Context, ref Ref) error {
	err := s.whenFree(ctx, func(l *libvirt.Libvirt) error {
		v, err := lookup(l, ref)
		if err != nil {
			return err
		}
		return l.StorageVolDelete(v, 0)
	})
	return backends.Wrap(s.recheck(ctx, ref, err), "delete", volumeObject(ref))
}

// Resize grows a volume that no running VM uses; a running VM's disk grows by
// DomainBlockResize. A smaller size is Invalid, the same one does nothing.
func (s *Store) Resize(ctx context.Context, ref Ref, bytes int64) error {
	v, err := s.Get(ctx, ref)
	if err != nil {
		return backends.Wrap(err, "resize", volumeObject(ref))
	}
	switch {
	case bytes == v.CapacityBytes:
		return nil
	case bytes < v.CapacityBytes:
		return backends.Errorf(backends.Invalid, "resize", volumeObject(ref),
			"it has %d bytes, and to make it smaller (%d bytes) would destroy data", v.CapacityBytes, bytes)
	}
	if err = s.resize(ctx, ref, bytes, 0); err != nil {
		return backends.Wrap(err, "resize", volumeObject(ref))
	}
	if v, err = s.Get(ctx, ref); err == nil && v.CapacityBytes < bytes {
		err = backends.Errorf(backends.Internal, "", "", "libvirt reported success, but the volume has %d bytes instead of %d", v.CapacityBytes, bytes)
	}
	return backends.Wrap(err, "resize", volumeObject(ref))
}

func (s *Store) resize(ctx context.Context, ref Ref, bytes int64, flags libvirt.StorageVolResizeFlags) error {
	return s.whenFree(ctx, func(l *libvirt.Libvirt) error {
		v, err := lookup(l, ref)
		if err != nil {
			return err
		}
		return l.StorageVolResize(v, unsigned(bytes), flags)
	})
}

func lookup(l *libvirt.Libvirt, ref Ref) (libvirt.StorageVol, error) {
	p, err := l.StoragePoolLookupByName(ref.Pool)
	if err != nil {
		return libvirt.StorageVol{}, err
	}
	return l.StorageVolLookupByName(p, ref.Name)
}

func describe(l *libvirt.Libvirt, v libvirt.StorageVol) (Volume, error) {
	doc, err := l.StorageVolGetXMLDesc(v, 0)
	if err != nil {
		return Volume{}, err
	}
	return parseVolume(v.Pool, doc)
}

func isNoVolume(err error) bool { return hasNumber(err, libvirt.ErrNoStorageVol) }
func isNoPool(err error) bool   { return hasNumber(err, libvirt.ErrNoStoragePool) }

func hasNumber(err error, n libvirt.ErrorNumber) bool {
	var answer libvirt.Error
	return errors.As(err, &answer) && answer.Code == uint32(n) //nolint:gosec // libvirt's own number
}
