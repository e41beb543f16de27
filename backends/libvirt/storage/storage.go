// Package storage manages libvirt storage pools, volumes and images.
//
// A volume is named by a [Ref], pool and name. Pools come from whoever runs the host:
// this package never defines one. Work on a volume that libvirt refuses because its pool
// is busy is tried again until the context ends, so that many volumes can be made at once.
package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
)

// Options configure a Store.
type Options struct {
	// DefaultPool is where images go that name no storage. Default "default".
	DefaultPool string
}

// Store is the storage of one libvirtd. Its methods may be called from many goroutines;
// their errors are *backends.Error.
type Store struct {
	conn *conn.Conn
	opts Options

	mu   sync.Mutex
	held map[Ref]chan struct{} // images that are being imported or deleted

	rounds rounds // refreshes of pools
}

// New returns the storage behind c, which stays the caller's to close.
func New(c *conn.Conn, opts Options) *Store {
	if opts.DefaultPool == "" {
		opts.DefaultPool = "default"
	}
	return &Store{conn: c, opts: opts, held: map[Ref]chan struct{}{}}
}

// Ref names a volume.
type Ref struct {
	Pool string
	Name string
}

// String is "pool/name", the inverse of ParseRef and the id of images and disks.
func (r Ref) String() string { return r.Pool + "/" + r.Name }

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// ParseRef reads "pool/name". Libvirt allows no slash in either.
func ParseRef(s string) (Ref, error) {
	pool, name, ok := strings.Cut(s, "/")
	if !ok || pool == "" || name == "" || strings.Contains(name, "/") {
		return Ref{}, backends.Errorf(backends.Invalid, "", "", "%q is not a volume; it is written POOL/NAME", s)
	}
	return Ref{pool, name}, nil
}

func volumeObject(r Ref) string { return fmt.Sprintf("volume %q", r.String()) }

func poolObject(name string) string { return fmt.Sprintf("storage pool %q", name) }

// Pools lists all storage pools, by name. One that is not active has no capacity.
func (s *Store) Pools(ctx context.Context) ([]backends.Storage, error) {
	all, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) ([]backends.Storage, error) {
		found, _, err := l.ConnectListAllStoragePools(1, 0)
		if err != nil {
			return nil, err
		}
		pools := make([]backends.Storage, 0, len(found))
		for _, p := range found {
			st, err := describePool(l, p)
			if isNoPool(err) {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			pools = append(pools, st)
		}
		return pools, nil
	})
	if err != nil {
		return nil, backends.Wrap(err, "list storage pools", "")
	}
	slices.SortFunc(all, func(a, b backends.Storage) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func describePool(l *libvirt.Libvirt, p libvirt.StoragePool) (backends.Storage, error) {
	doc, err := l.StoragePoolGetXMLDesc(p, 0)
	if err != nil {
		return backends.Storage{}, err
	}
	x, err := parsePool(doc)
	if err != nil {
		return backends.Storage{}, err
	}
	state, capacity, _, available, err := l.StoragePoolGetInfo(p)
	if err != nil {
		return backends.Storage{}, err
	}
	return backends.Storage{
		Name: p.Name, Kind: x.Type,
		CapacityBytes: signed(capacity), FreeBytes: signed(available),
		Active: libvirt.StoragePoolState(state) == libvirt.StoragePoolRunning,
		Shared: sharedPool(x.Type),
	}, nil
}

// sharedPool reports whether pools of a kind can be the same storage on several hosts.
func sharedPool(kind string) bool {
	switch kind {
	case "netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "sheepdog", "mpath", "vstorage":
		return true
	}
	return false
}

// signed converts a size that libvirt gives.
func signed(n uint64) int64 { return int64(min(n, 1<<63-1)) } //nolint:gosec // bounded

// unsigned converts a size that was checked before.
func unsigned(n int64) uint64 { return uint64(max(n, 0)) } //nolint:gosec // bounded

// busyPool reports whether err says that another operation uses the pool.
func busyPool(err error) bool {
	return backends.CodeOf(err) == backends.Locked
}

// whenFree runs a write through Call, again and again while its pool is busy.
func (s *Store) whenFree(ctx context.Context, fn func(*libvirt.Libvirt) error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := s.conn.Call(ctx, fn)
		if err == nil || !busyPool(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			e := *conn.Classify(context.Cause(ctx))
			e.Err = fmt.Errorf("%w; until then: %w", e.Err, errors.Unwrap(err))
			return &e
		}
	}
}

// pool looks a pool up by name. One that does not exist is NotFound on the attribute
// storage, with the pools that do.
func (s *Store) pool(ctx context.Context, name string) (libvirt.StoragePool, error) {
	p, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (libvirt.StoragePool, error) {
		return l.StoragePoolLookupByName(name)
	})
	if backends.CodeOf(err) == backends.NotFound {
		return p, s.noPool(ctx, name)
	}
	return p, err
}

func (s *Store) noPool(ctx context.Context, name string) error {
	all, err := s.Pools(ctx)
	if err != nil {
		return backends.Errorf(backends.NotFound, "", "", "there is no storage pool %q", name).At("storage")
	}
	return noPoolAmong(name, all)
}

func noPoolAmong(name string, all []backends.Storage) error {
	e := backends.Errorf(backends.NotFound, "", "", "there is no storage pool %q", name).At("storage")
	if len(all) == 0 {
		return e.Advise("This libvirt has no storage pools; define one, for example with virsh pool-define-as.")
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return e.Advise("There are: %s.", strings.Join(names, ", "))
}

// tidyTimeout bounds the removal of what a failed operation leaves.
const tidyTimeout = 15 * time.Second

// detached outlives ctx, so that what was interrupted can still be tidied up.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
}
