package libvirt

import (
	"bytes"
	"context"
	"encoding/binary"
	"path"

	rpc "github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/storage"
)

// header is what the beginning of a qcow2 volume tells. Libvirt remembers what it read
// when it first saw a volume; after a merge only the volume itself knows.
type header struct {
	size    int64
	backing string // path, "" for none
	empty   bool   // shows nothing but the backing volume's content
	inside  bool   // there are snapshots inside, which a merge would lose
}

const (
	headerBytes = 64 << 10
	qcow2Magic  = "QFI\xfb"
)

// readHeader reads a qcow2 volume's header.
func (b *Backend) readHeader(ctx context.Context, ref storage.Ref) (header, error) {
	vol, err := query(ctx, b, func(l *rpc.Libvirt) (rpc.StorageVol, error) {
		p, err := l.StoragePoolLookupByName(ref.Pool)
		if err != nil {
			return rpc.StorageVol{}, err
		}
		return l.StorageVolLookupByName(p, ref.Name)
	})
	if err != nil {
		return header{}, err
	}
	bulk, err := b.conn.Bulk(ctx)
	if err != nil {
		return header{}, err
	}
	defer bulk.Close() //nolint:errcheck // never fails
	var start bytes.Buffer
	if err := bulk.Download(ctx, vol, 0, headerBytes, &start); err != nil {
		return header{}, err
	}
	h, l1Offset, l1Bytes, ok := parseHeader(start.Bytes())
	if !ok {
		return h, backends.Errorf(backends.Internal, "", "", "the volume %s is no qcow2 image that can be read", ref)
	}
	if h.backing != "" && !path.IsAbs(h.backing) {
		v, err := b.store.Get(ctx, ref)
		if err != nil {
			return h, err
		}
		h.backing = path.Join(path.Dir(v.Path), h.backing)
	}
	if h.inside || l1Bytes == 0 {
		return h, nil
	}
	var l1 bytes.Buffer
	if err := bulk.Download(ctx, vol, l1Offset, l1Bytes, &l1); err != nil {
		return h, err
	}
	h.empty = len(bytes.Trim(l1.Bytes(), "\x00")) == 0
	return h, nil
}

// parseHeader reads the fixed part of a qcow2 image. Whether it is empty is for the table at l1Offset to
// say.
func parseHeader(data []byte) (h header, l1Offset, l1Bytes uint64, ok bool) {
	if len(data) < 72 || string(data[:4]) != qcow2Magic {
		return h, 0, 0, false
	}
	be := binary.BigEndian
	nameAt, nameLen := be.Uint64(data[8:]), uint64(be.Uint32(data[16:]))
	if nameAt != 0 && nameLen > 0 {
		if nameLen > 4096 || nameAt > uint64(len(data)) || nameAt+nameLen > uint64(len(data)) {
			return h, 0, 0, false
		}
		h.backing = string(data[nameAt : nameAt+nameLen])
	}
	h.size = int64(min(be.Uint64(data[24:]), 1<<62)) //nolint:gosec // bounded
	l1Bytes, l1Offset = uint64(be.Uint32(data[36:]))*8, be.Uint64(data[40:])
	h.inside = be.Uint32(data[60:]) > 0
	return h, l1Offset, l1Bytes, true
}
