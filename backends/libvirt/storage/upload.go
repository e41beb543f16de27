package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/digitalocean/go-libvirt"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/libvirt/conn"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// maxSmall bounds what is held in memory.
const maxSmall = 64 << 20

// Upload writes what r yields into a volume, from its beginning, and returns how long it
// was. Runs of zeros are left out where the volume is a file that was made for this, so
// that an image of mostly nothing takes little time and space. Progress is told through
// ctx; size, -1 where unknown, is for that.
//
// Upload fails with r's own error where r fails, and the volume is then worthless: it is the
// caller's to remove. A read of r is not interrupted by the end of ctx, so r must obey it too.
func (s *Store) Upload(ctx context.Context, ref Ref, r io.Reader, size int64) (int64, error) {
	n, err := s.upload(ctx, ref, r, size)
	return n, backends.Wrap(err, "upload to", volumeObject(ref))
}

func (s *Store) upload(ctx context.Context, ref Ref, r io.Reader, size int64) (int64, error) {
	vol, files, err := s.target(ctx, ref)
	if err != nil {
		return 0, err
	}
	bulk, err := s.conn.Bulk(ctx)
	if err != nil {
		return 0, err
	}
	defer bulk.Close() //nolint:errcheck // never fails
	p := &progress{ctx: ctx, ref: ref, total: size}
	if !files {
		// A block device keeps what was on it before, so zeros count.
		p.Reader = r
		err := bulk.Upload(ctx, vol, 0, p)
		return p.done, contentError(ctx, err)
	}
	copied, err := diskimage.CopySparse(ctx, r, func(offset int64, extent io.Reader) error {
		p.Reader, p.done = extent, offset
		return bulk.Upload(ctx, vol, unsigned(offset), p)
	})
	return copied.Size, contentError(ctx, err)
}

// uploadRaw writes the disk in content, made raw as it passes, into a volume that is as large as it.
func (s *Store) uploadRaw(ctx context.Context, ref Ref, content *backends.Content) error {
	vol, files, err := s.target(ctx, ref)
	if err != nil {
		return err
	}
	bulk, err := s.conn.Bulk(ctx)
	if err != nil {
		return err
	}
	defer bulk.Close() //nolint:errcheck // never fails
	// How far it is, is known of what is read.
	p := &progress{Reader: content.Reader, ctx: ctx, ref: ref, total: content.Size}
	format := diskimage.Format(content.Format)
	if !files {
		// A block device keeps what was on it before, so zeros count.
		raw, err := diskimage.NewRawReader(ctx, p, format)
		if err == nil {
			err = bulk.Upload(ctx, vol, 0, raw)
		}
		return contentError(ctx, err)
	}
	_, err = diskimage.ConvertSparse(ctx, p, format, func(offset int64, extent io.Reader) error {
		return bulk.Upload(ctx, vol, unsigned(offset), extent)
	})
	return contentError(ctx, err)
}

// target looks up a volume to upload to, and whether its pool keeps files.
func (s *Store) target(ctx context.Context, ref Ref) (libvirt.StorageVol, bool, error) {
	type found struct {
		vol   libvirt.StorageVol
		files bool
	}
	f, err := conn.Query(ctx, s.conn, func(l *libvirt.Libvirt) (found, error) {
		p, err := l.StoragePoolLookupByName(ref.Pool)
		if err != nil {
			return found{}, err
		}
		doc, err := l.StoragePoolGetXMLDesc(p, 0)
		if err != nil {
			return found{}, err
		}
		x, err := parsePool(doc)
		if err != nil {
			return found{}, err
		}
		v, err := l.StorageVolLookupByName(p, ref.Name)
		return found{v, HasFiles(x.Type)}, err
	})
	return f.vol, f.files, err
}

// progress tells how far an upload is, about every MiB.
type progress struct {
	io.Reader
	ctx   context.Context
	ref   Ref
	done  int64
	total int64
	told  int64
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.done += int64(n)
	if p.done-p.told >= 1<<20 || err == io.EOF {
		p.told = p.done
		percent := -1
		if p.total > 0 {
			percent = int(min(100, p.done*100/p.total))
		}
		backends.Report(p.ctx, backends.Progress{
			Op: "upload", Object: volumeObject(p.ref), Percent: percent, Done: p.done, Total: p.total,
		})
	}
	return n, err
}

// contentError gives the error of an image's source its code. Errors of libvirt have one.
func contentError(ctx context.Context, err error) error {
	var coded *backends.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return conn.Classify(context.Cause(ctx))
	case errors.As(err, &coded):
		return err
	}
	code := backends.Internal
	switch diskimage.KindOf(err) {
	case diskimage.Invalid, diskimage.NotFound, diskimage.Denied, diskimage.Mismatch, diskimage.TooLarge, diskimage.Damaged:
		code = backends.Invalid
	case diskimage.Unsupported:
		code = backends.Unsupported
	case diskimage.Unreachable, diskimage.Incomplete, diskimage.Changed:
		code = backends.Transient
	default:
		if errors.Is(err, io.ErrUnexpectedEOF) {
			code = backends.Transient
		}
	}
	return &backends.Error{Code: code, Err: err}
}

// WriteSmall makes a raw volume that holds data, at most 64 MiB, for a seed or the like. It
// replaces what has that name. A volume that is large enough is written in place, for a running
// guest may have it open; zeros follow the data there. Nothing is left behind next to an error
// where nothing was there before.
func (s *Store) WriteSmall(ctx context.Context, ref Ref, data []byte) (Volume, error) {
	v, err := s.writeSmall(ctx, ref, data)
	return v, backends.Wrap(err, "write", volumeObject(ref))
}

func (s *Store) writeSmall(ctx context.Context, ref Ref, data []byte) (Volume, error) {
	if len(data) == 0 || len(data) > maxSmall {
		return Volume{}, backends.Errorf(backends.Invalid, "", "", "its content of %d bytes is not within 1 byte and 64 MiB", len(data))
	}
	old, err := s.Get(ctx, ref)
	switch {
	case isNoVolume(err):
	case err != nil:
		return Volume{}, err
	case old.CapacityBytes >= int64(len(data)) && old.CapacityBytes <= maxSmall && old.Format != "qcow2":
		// Block storage makes volumes of whole extents.
		whole := append(slices.Clone(data), make([]byte, old.CapacityBytes-int64(len(data)))...)
		return old, s.put(ctx, ref, whole)
	default:
		if err := s.Delete(ctx, ref); err != nil && !isNoVolume(err) {
			return Volume{}, err
		}
	}
	v, err := s.create(ctx, Spec{Ref: ref, CapacityBytes: int64(len(data)), Format: "raw"})
	if err != nil {
		return Volume{}, err
	}
	if err := s.put(ctx, ref, data); err != nil {
		return Volume{}, s.undo(ctx, ref, err)
	}
	return v, nil
}

// put overwrites the beginning of a volume.
func (s *Store) put(ctx context.Context, ref Ref, data []byte) error {
	vol, _, err := s.target(ctx, ref)
	if err != nil {
		return err
	}
	bulk, err := s.conn.Bulk(ctx)
	if err != nil {
		return err
	}
	defer bulk.Close() //nolint:errcheck // never fails
	return bulk.Upload(ctx, vol, 0, bytes.NewReader(data))
}

// ReadSmall reads a volume of at most 64 MiB. Zeros may follow what was written.
func (s *Store) ReadSmall(ctx context.Context, ref Ref) ([]byte, error) {
	vol, _, err := s.target(ctx, ref)
	if err != nil {
		return nil, backends.Wrap(err, "read", volumeObject(ref))
	}
	bulk, err := s.conn.Bulk(ctx)
	if err != nil {
		return nil, backends.Wrap(err, "read", volumeObject(ref))
	}
	defer bulk.Close() //nolint:errcheck // never fails
	data, err := readSmall(ctx, bulk, vol)
	return data, backends.Wrap(s.recheck(ctx, ref, err), "read", volumeObject(ref))
}

func readSmall(ctx context.Context, bulk *conn.Bulk, vol libvirt.StorageVol) ([]byte, error) {
	var b bounded
	if err := bulk.Download(ctx, vol, 0, 0, &b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// bounded is a buffer that takes no more than maxSmall.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSmall {
		return 0, backends.Errorf(backends.Invalid, "", "", "it is larger than %d MiB", maxSmall>>20)
	}
	return b.Buffer.Write(p)
}

// refresh has libvirt look at the content of a pool again: only then does it notice the
// format of what was uploaded.
func (s *Store) refresh(ctx context.Context, pool string) error {
	return s.whenFree(ctx, func(l *libvirt.Libvirt) error {
		p, err := l.StoragePoolLookupByName(pool)
		if err != nil {
			return err
		}
		return l.StoragePoolRefresh(p, 0)
	})
}
