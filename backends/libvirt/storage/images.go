package storage

import (
	"context"
	"slices"
	"strings"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// GetImage reads an image, "pool/name". Any volume can serve as one, also without a
// fingerprint; what an interrupted import left is NotFound.
func (s *Store) GetImage(ctx context.Context, id string) (backends.Image, error) {
	img, err := s.getImage(ctx, id)
	return img, backends.Wrap(err, "read", backends.ImageObject(id))
}

func (s *Store) getImage(ctx context.Context, id string) (backends.Image, error) {
	ref, err := ParseRef(id)
	if err != nil {
		return backends.Image{}, err
	}
	v, err := s.Get(ctx, ref)
	if err != nil {
		return backends.Image{}, err
	}
	m, marked, err := s.readMarker(ctx, ref)
	if err != nil {
		return backends.Image{}, err
	}
	if marked && !m.Complete {
		return backends.Image{}, backends.Errorf(backends.NotFound, "", "", "its import was interrupted or is under way")
	}
	return image(v, m.Fingerprint), nil
}

// ListImages lists the complete images that ImportImage made, in one pool or, for "", in all
// active ones, by id.
func (s *Store) ListImages(ctx context.Context, storage string) ([]backends.Image, error) {
	all, err := s.listImages(ctx, storage)
	return all, backends.Wrap(err, "list images", "")
}

func (s *Store) listImages(ctx context.Context, storage string) ([]backends.Image, error) {
	pools, err := s.Pools(ctx)
	if err != nil {
		return nil, err
	}
	var all []backends.Image
	known := false
	for _, p := range pools {
		if storage != "" && p.Name != storage {
			continue
		}
		known = true
		if !p.Active {
			continue
		}
		found, err := s.imagesOf(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if storage != "" && !known {
		return nil, noPoolAmong(storage, pools)
	}
	slices.SortFunc(all, func(a, b backends.Image) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func (s *Store) imagesOf(ctx context.Context, pool string) ([]backends.Image, error) {
	volumes, err := s.List(ctx, pool)
	if err != nil {
		return nil, err
	}
	marked := map[string]Volume{}
	for _, v := range volumes {
		if isMarker(v.Name) {
			marked[strings.TrimSuffix(v.Name, markerSuffix)] = v
		}
	}
	if len(marked) == 0 {
		return nil, nil
	}
	bulk, err := s.conn.Bulk(ctx)
	if err != nil {
		return nil, err
	}
	defer bulk.Close() //nolint:errcheck // never fails
	var all []backends.Image
	for _, v := range volumes {
		mv, ok := marked[v.Name]
		if !ok {
			continue
		}
		text, err := readSmall(ctx, bulk, libvirt.StorageVol{Pool: pool, Name: mv.Name, Key: mv.Key})
		if isNoVolume(err) {
			// Gone since it was listed; the connection for data is of no use after an error.
			return s.imagesOf(ctx, pool)
		}
		if err != nil {
			return nil, err
		}
		if m := parseMarker(text); m.Complete {
			all = append(all, image(v, m.Fingerprint))
		}
	}
	return all, nil
}

// DeleteImage removes an image with its marker. It is a Precondition while a VM has it as a
// disk, or a volume shares it copy-on-write.
func (s *Store) DeleteImage(ctx context.Context, id string) error {
	return backends.Wrap(s.deleteImage(ctx, id), "delete", backends.ImageObject(id))
}

func (s *Store) deleteImage(ctx context.Context, id string) error {
	ref, err := ParseRef(id)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	v, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	// What volumes share is what libvirt remembers of them.
	if err := s.Refresh(ctx, ref.Pool); err != nil {
		return err
	}
	users, err := s.users(ctx, v)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return backends.Errorf(backends.Precondition, "", "", "it is in use by %s", strings.Join(users, ", ")).
			Advise("Remove those first.")
	}
	return s.remove(ctx, ref)
}

// Refresh has libvirt look at the active pools with files again: it remembers what volumes it saw, and what
// their content was shared with then. It waits for pools that are needed while they are busy; for others that
// cannot be looked at, what libvirt remembers has to do.
func (s *Store) Refresh(ctx context.Context, needed ...string) error {
	pools, err := s.Pools(ctx)
	if err != nil {
		return err
	}
	for _, p := range pools {
		if !p.Active || !HasFiles(p.Kind) {
			continue
		}
		if slices.Contains(needed, p.Name) {
			if err := s.rounds.do(ctx, p.Name, func() error { return s.refresh(ctx, p.Name) }); err != nil {
				return backends.Wrap(err, "look at", poolObject(p.Name))
			}
			continue
		}
		err := s.rounds.do(ctx, p.Name, func() error {
			return s.conn.Call(ctx, func(l *libvirt.Libvirt) error {
				found, err := l.StoragePoolLookupByName(p.Name)
				if err != nil {
					return err
				}
				return l.StoragePoolRefresh(found, 0)
			})
		})
		if err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// users names the VMs that have a volume as a disk, and the volumes that are based on it.
func (s *Store) users(ctx context.Context, v Volume) ([]string, error) {
	users, err := s.domainsWith(ctx, v)
	if err != nil {
		return nil, err
	}
	pools, err := s.Pools(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		if !p.Active || v.Path == "" {
			continue
		}
		volumes, err := s.List(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		for _, other := range volumes {
			if other.Backing == v.Path {
				users = append(users, volumeObject(other.Ref))
			}
		}
	}
	return users, nil
}

func (s *Store) domainsWith(ctx context.Context, v Volume) ([]string, error) {
	return conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) ([]string, error) {
		domains, _, err := l.ConnectListAllDomains(1, 0)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, d := range domains {
			doc, err := l.DomainGetXMLDesc(d, 0)
			if libvirt.IsNotFound(err) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			var x libvirtxml.Domain
			if err := x.Unmarshal(doc); err != nil {
				return nil, err
			}
			if hasDisk(x, v) {
				names = append(names, backends.VMObject(d.Name))
			}
		}
		return names, nil
	})
}

func hasDisk(d libvirtxml.Domain, v Volume) bool {
	if d.Devices == nil {
		return false
	}
	return slices.ContainsFunc(d.Devices.Disks, func(disk libvirtxml.DomainDisk) bool {
		if isSource(disk.Source, v) {
			return true
		}
		for b := disk.BackingStore; b != nil; b = b.BackingStore {
			if isSource(b.Source, v) {
				return true
			}
		}
		return false
	})
}

func isSource(src *libvirtxml.DomainDiskSource, v Volume) bool {
	switch {
	case src == nil:
		return false
	case src.File != nil:
		return src.File.File == v.Path
	case src.Block != nil:
		return src.Block.Dev == v.Path
	case src.Volume != nil:
		return src.Volume.Pool == v.Pool && src.Volume.Volume == v.Name
	}
	return false
}
