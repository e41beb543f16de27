package vcsim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// writeAt writes as a guest would.
func (d diskFile) writeAt(p []byte, at int64) error {
	if at < 0 || at+int64(len(p)) > d.capacity() {
		return fmt.Errorf("%d bytes at %d are behind the end of the disk, which has %d", len(p), at, d.capacity())
	}
	flags := os.O_WRONLY
	if d.isDelta() {
		flags |= os.O_APPEND
	}
	f, err := os.OpenFile(d.extent(), flags, 0o600)
	if err != nil {
		return err
	}
	if d.isDelta() {
		head := binary.LittleEndian.AppendUint64(nil, uint64(at))
		_, err = f.Write(append(binary.LittleEndian.AppendUint64(head, uint64(len(p))), p...))
	} else {
		_, err = f.WriteAt(p, at)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.allocate(int64(len(p)))
}

// written is where the last written byte of the chain ends.
func (d diskFile) written() (int64, error) {
	var end int64
	for _, c := range d.chain() {
		info, err := os.Stat(c.extent())
		if err != nil {
			return 0, fmt.Errorf("%w: %s", errChain, c)
		}
		if !c.isDelta() {
			end = max(end, info.Size())
			continue
		}
		f, err := os.Open(c.extent())
		if err != nil {
			return 0, err
		}
		err = records(f, func(offset int64, data []byte) error {
			end = max(end, offset+int64(len(data)))
			return nil
		})
		if err = errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
	}
	return end, nil
}

const copyPiece = 1 << 20

// copyFrom makes the disk, which exists and is empty, read as source does.
func (d diskFile) copyFrom(source diskFile) error {
	end, err := source.written()
	if err != nil {
		return err
	}
	buf := make([]byte, min(copyPiece, end))
	for at := int64(0); at < end; at += copyPiece {
		p := buf[:min(copyPiece, end-at)]
		if err := source.readAt(p, at); err != nil {
			return err
		}
		if len(bytes.TrimRight(p, "\x00")) == 0 {
			continue
		}
		if err := d.writeAt(p, at); err != nil {
			return err
		}
	}
	return nil
}

// mergeDown writes what the delta disk holds to its parent and removes it.
func (d diskFile) mergeDown() error {
	parent := d.parent()
	f, err := os.Open(d.extent())
	if err != nil {
		return err
	}
	if grown := d.capacity(); grown > parent.capacity() {
		err = parent.setCapacity(grown)
	}
	err = errors.Join(err, records(f, func(offset int64, data []byte) error { return parent.writeAt(data, offset) }), f.Close())
	if err != nil {
		return err
	}
	return d.remove()
}

// upload fills the disk from a VMDK, which has to be streamOptimized, as NFC
// demands, and sets its capacity.
func (d diskFile) upload(ctx context.Context, r io.Reader) error {
	flat, err := os.OpenFile(d.extent(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer flat.Close()
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("reading the header of the disk: %w", err)
	}
	head = head[:n]
	if n < 512 || string(head[:4]) != "KDMV" || binary.LittleEndian.Uint32(head[8:])&(3<<16) != 3<<16 {
		return errors.New("it is not a streamOptimized VMDK")
	}
	done, err := diskimage.ConvertSparse(ctx, io.MultiReader(bytes.NewReader(head), r), diskimage.VMDK, func(offset int64, extent io.Reader) error {
		_, err := io.Copy(io.NewOffsetWriter(flat, offset), extent)
		return err
	})
	if err != nil {
		return err
	}
	if done.Size > d.capacity() {
		if err := d.setCapacity(done.Size); err != nil {
			return err
		}
	}
	return d.allocate(done.Data)
}
