package libvirt

import (
	"context"
	"strings"
	"sync"
	"time"

	rpc "github.com/digitalocean/go-libvirt"
	"libvirt.org/go/libvirtxml"
)

// poolCache remembers in which folder which pool's volumes are. Only disks and media
// that the mark does not name are looked up in it.
type poolCache struct {
	mu    sync.Mutex
	paths poolPaths
	until time.Time
}

// poolMemory is how long a look at the pools lasts.
const poolMemory = 30 * time.Second

// poolPathsFor returns the pools' folders where a domain has a disk or medium that
// its mark does not name, else nothing and asks nobody.
func (b *Backend) poolPathsFor(ctx context.Context, reads []*reading) (poolPaths, error) {
	for _, r := range reads {
		if r.domain.hasUnknownVolume() {
			return b.poolPaths(ctx)
		}
	}
	return nil, nil
}

func (d *domain) hasUnknownVolume() bool {
	for i, key := range diskKeys(d.xml, d.mark) {
		if key != "" && (d.mark == nil || d.mark.disk(key) == nil) && pathOf(&d.xml.Devices.Disks[i]) != "" {
			return true
		}
	}
	i := d.userDrive()
	if i < 0 {
		return false
	}
	path := pathOf(&d.xml.Devices.Disks[i])
	return path != "" && (d.mark == nil || d.mark.CDROM == nil || d.mark.CDROM.Path != path)
}

func (b *Backend) poolPaths(ctx context.Context) (poolPaths, error) {
	b.pools.mu.Lock()
	paths, fresh := b.pools.paths, b.now().Before(b.pools.until)
	b.pools.mu.Unlock()
	if fresh {
		return paths, nil
	}
	texts, err := query(ctx, b, func(l *rpc.Libvirt) ([]string, error) {
		pools, _, err := l.ConnectListAllStoragePools(1, 0)
		if err != nil {
			return nil, err
		}
		var texts []string
		for _, p := range pools {
			text, err := l.StoragePoolGetXMLDesc(p, 0)
			if answered(err, rpc.ErrNoStoragePool) {
				continue
			}
			if err != nil {
				return nil, err
			}
			texts = append(texts, text)
		}
		return texts, nil
	})
	if err != nil {
		return nil, err
	}
	paths = poolPaths{}
	for _, text := range texts {
		pool, err := parseXML[libvirtxml.StoragePool]("storage pool", text)
		if err != nil || pool.Target == nil || pool.Target.Path == "" {
			continue // a pool without a folder holds nothing that a path could name
		}
		paths[strings.TrimRight(pool.Target.Path, "/")] = pool.Name
	}
	b.pools.mu.Lock()
	b.pools.paths, b.pools.until = paths, b.now().Add(poolMemory)
	b.pools.mu.Unlock()
	return paths, nil
}
