package ovf

import (
	"bytes"
	"context"
	"io"
	"path"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// IsDescriptor reports whether a source is an OVF descriptor, whose files lie beside it, by
// its name.
func IsDescriptor(s diskimage.Source) bool {
	return strings.EqualFold(path.Ext(s.BaseName()), ".ovf")
}

// Open reads the descriptor of a package: of an archive (OVA), which may be compressed, or, where the name
// of the source ends in .ovf, of a package whose files lie beside it.
//
// Next yields the disks as the package has them; what is read of an archive meanwhile is
// held against the manifest wherever that comes, as is the archive against the checksum of the
// source. A disk without a file comes last, as an empty qcow2 image. Files that no disk needs are passed by.
// Close must be called; ctx governs all reads until then.
func Open(ctx context.Context, s diskimage.Source) (*backends.Appliance, error) {
	var a *backends.Appliance
	var err error
	if IsDescriptor(s) {
		a, err = openLoose(ctx, s)
	} else {
		a, err = openArchive(ctx, s)
	}
	if err != nil {
		return nil, about(s, err)
	}
	next := a.Next
	a.Next = func(ctx context.Context) (string, *backends.Content, error) {
		key, content, err := next(ctx)
		return key, content, about(s, err)
	}
	return a, nil
}

// about names the package in an error.
func about(s diskimage.Source, err error) error {
	if err == io.EOF {
		return err
	}
	e, ok := err.(*diskimage.Error) //nolint:errorlint // what is wrapped names its image
	if !ok || e.Image != "" {
		return err
	}
	named := *e
	named.Image = s.String()
	return &named
}

// detectBytes is as much of a disk as tells its format and size, but for those of VHDX.
const detectBytes = 64 << 10

// contentOf is a disk's content. head are its first bytes, whatever of them rest yields again.
func contentOf(head []byte, rest io.ReadCloser, size int64, name string) (*backends.Content, error) {
	h, err := diskimage.Detect(head)
	if err != nil {
		e := errorf(diskimage.KindOf(err), "the disk %q in it: %v", name, err)
		e.Err = err
		return nil, e
	}
	switch h.Format {
	case diskimage.OVA, diskimage.ISO:
		return nil, errorf(diskimage.Unsupported, "the disk %q in it is a %s", name, h.Format)
	case diskimage.Raw:
		h.VirtualSize = size
	default:
	}
	return &backends.Content{Reader: rest, Format: string(h.Format), Size: size, VirtualSize: h.VirtualSize}, nil
}

// blanks are the disks that begin empty.
func (d *Descriptor) blanks() []int {
	var all []int
	for i, disk := range d.Disks {
		if disk.File == "" {
			all = append(all, i)
		}
	}
	return all
}

// blank is the content of a disk that begins empty.
func (d Disk) blank() *backends.Content {
	image := emptyQCOW2(d.CapacityBytes)
	return &backends.Content{
		Reader: io.NopCloser(bytes.NewReader(image)), Format: "qcow2", Size: int64(len(image)), VirtualSize: d.CapacityBytes,
	}
}

// missing is the first disk whose file did not come.
func (d *Descriptor) missing(came func(file string) bool) error {
	for i, disk := range d.Disks {
		if disk.File != "" && !came(disk.File) {
			return errorf(diskimage.Damaged, "the package lacks the file %q, which is the disk %q of its virtual machine", disk.File, Key(i))
		}
	}
	return nil
}
