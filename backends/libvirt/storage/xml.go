package storage

import (
	"fmt"

	"libvirt.org/go/libvirtxml"
)

// poolXML is what is read of a pool's description.
type poolXML struct {
	Type string
	Path string // of a directory, or the device folder of a volume group
}

func parsePool(doc string) (poolXML, error) {
	var x libvirtxml.StoragePool
	if err := x.Unmarshal(doc); err != nil {
		return poolXML{}, fmt.Errorf("libvirt's description of a storage pool: %w", err)
	}
	p := poolXML{Type: x.Type}
	if x.Target != nil {
		p.Path = x.Target.Path
	}
	return p, nil
}

func parseVolume(pool, doc string) (Volume, error) {
	var x libvirtxml.StorageVolume
	if err := x.Unmarshal(doc); err != nil {
		return Volume{}, fmt.Errorf("libvirt's description of a volume: %w", err)
	}
	v := Volume{
		Ref: Ref{pool, x.Name}, Key: x.Key, Format: "raw",
		CapacityBytes: bytesOf(x.Capacity), AllocationBytes: bytesOf(x.Allocation),
	}
	if x.Target != nil {
		v.Path = x.Target.Path
		if x.Target.Format != nil && x.Target.Format.Type != "" {
			v.Format = x.Target.Format.Type
		}
	}
	if x.BackingStore != nil {
		v.Backing = x.BackingStore.Path
	}
	return v, nil
}

// bytesOf reads a size; libvirt always gives bytes.
func bytesOf(s *libvirtxml.StorageVolumeSize) int64 {
	if s == nil {
		return 0
	}
	return signed(s.Value)
}

func sizeOf(bytes int64) *libvirtxml.StorageVolumeSize {
	return &libvirtxml.StorageVolumeSize{Unit: "bytes", Value: unsigned(bytes)}
}
