package storage

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// incomingSuffix names the volume beside another one that holds what the other is made from.
// It exists only during an import.
const incomingSuffix = ".virtrigaud-incoming"

// staleAfter is how long after its last change such a volume belongs to nobody any more.
const staleAfter = 24 * time.Hour

func incomingOf(ref Ref) Ref { return Ref{ref.Pool, ref.Name + incomingSuffix} }

func isIncoming(name string) bool { return strings.HasSuffix(name, incomingSuffix) }

// dropIncoming removes one, also when ctx has ended.
func (s *Store) dropIncoming(ctx context.Context, ref Ref) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	if err := s.Delete(ctx, ref); err != nil && !isNoVolume(err) {
		return err
	}
	return nil
}

// sweep removes what providers left in a pool that crashed during an import. mine was made
// just now: its time is the host's, whatever this machine's clock says. That what
// is left cannot be removed is nobody's concern here.
func (s *Store) sweep(ctx context.Context, mine Ref) {
	changed, err := s.incoming(ctx, mine.Pool)
	if err != nil {
		return
	}
	now, ok := changed[mine.Name]
	if !ok {
		return
	}
	for name, at := range changed {
		if name != mine.Name && now.Sub(at) > staleAfter {
			_ = s.Delete(ctx, Ref{mine.Pool, name})
		}
	}
}

// incoming finds when the volumes of imports in a pool were last changed.
func (s *Store) incoming(ctx context.Context, pool string) (map[string]time.Time, error) {
	return conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (map[string]time.Time, error) {
		p, err := l.StoragePoolLookupByName(pool)
		if err != nil {
			return nil, err
		}
		found, _, err := l.StoragePoolListAllVolumes(p, 1, 0)
		if err != nil {
			return nil, err
		}
		changed := map[string]time.Time{}
		for _, v := range found {
			if !isIncoming(v.Name) {
				continue
			}
			doc, err := l.StorageVolGetXMLDesc(v, 0)
			if isNoVolume(err) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			if at, ok := changedAt(doc); ok {
				changed[v.Name] = at
			}
		}
		return changed, nil
	})
}

// changedAt is when the file of a volume was last changed, by the host's clock.
func changedAt(doc string) (time.Time, bool) {
	var x libvirtxml.StorageVolume
	if err := x.Unmarshal(doc); err != nil || x.Target == nil || x.Target.Timestamps == nil {
		return time.Time{}, false
	}
	seconds, _, _ := strings.Cut(x.Target.Timestamps.Mtime, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	return time.Unix(n, 0), err == nil
}
