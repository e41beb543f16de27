package ovf

import (
	"context"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// loose is a package whose files lie side by side.
type loose struct {
	source     diskimage.Source
	descriptor *Descriptor
	manifest   manifest

	at  int // the next disk
	img *diskimage.Image
	err error
}

func openLoose(ctx context.Context, s diskimage.Source) (*backends.Appliance, error) {
	text, err := diskimage.ReadSmall(ctx, s, maxDescriptor)
	if err != nil {
		return nil, err
	}
	l := &loose{source: s}
	if l.descriptor, err = Parse(text); err != nil {
		return nil, err
	}
	name := s.BaseName()
	mf, err := diskimage.ReadSmall(ctx, l.beside(strings.TrimSuffix(name, path.Ext(name))+".mf"), maxManifest)
	switch {
	case diskimage.KindOf(err) == diskimage.NotFound: // a package need not have one
	case err != nil:
		return nil, err
	default:
		if l.manifest, err = parseManifest(mf); err != nil {
			return nil, err
		}
		sums := sumsFor(nil, name)
		sums.Write(text) //nolint:errcheck // a hash never fails
		// Of the files only the descriptor came yet.
		if d, ok := l.manifest[name]; ok {
			if err := (manifest{name: d}).check(map[string]map[string]string{name: sums.digests()}); err != nil {
				return nil, err
			}
		}
	}
	return &backends.Appliance{Hardware: l.descriptor.Hardware(), Next: l.next, Close: l.close}, nil
}

// beside is the source of another file of the package.
func (l *loose) beside(name string) diskimage.Source {
	s := l.source
	s.Checksum = diskimage.Checksum{}
	if s.URL == "" {
		s.Path = filepath.Join(filepath.Dir(s.Path), filepath.FromSlash(name))
		return s
	}
	u, err := url.Parse(s.URL)
	if err != nil { // it was read before
		return s
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment = path.Join(path.Dir(u.Path), name), "", "", ""
	s.URL = u.String()
	return s
}

func (l *loose) next(ctx context.Context) (string, *backends.Content, error) {
	if l.err != nil {
		return "", nil, l.err
	}
	key, content, err := l.advance(ctx)
	if err != nil {
		l.err = err
	}
	return key, content, err
}

func (l *loose) advance(ctx context.Context) (string, *backends.Content, error) {
	if l.img != nil {
		// Its last Read has said whether it is what the manifest promises.
		_, err := io.Copy(io.Discard, &changed{l.img, l.descriptor.Disks[l.at-1].File, l.source})
		if err != nil {
			return "", nil, err
		}
		if err := l.close(); err != nil {
			return "", nil, err
		}
	}
	if l.at == len(l.descriptor.Disks) {
		return "", nil, io.EOF
	}
	disk := l.descriptor.Disks[l.at]
	l.at++
	if disk.File == "" {
		return Key(l.at - 1), disk.blank(), nil
	}
	s := l.beside(disk.File)
	if d, ok := l.manifest[disk.File]; ok {
		s.Checksum = diskimage.Checksum{Algorithm: d.algorithm, Hex: d.hex}
	}
	img, err := diskimage.Open(ctx, s)
	switch {
	case diskimage.KindOf(err) == diskimage.NotFound:
		return "", nil, errorf(diskimage.Damaged, "the package lacks the file %q, which is the disk %q of its virtual machine: %v", disk.File, Key(l.at-1), err)
	case err != nil:
		return "", nil, err
	}
	l.img = img
	switch img.Format {
	case diskimage.OVA, diskimage.ISO:
		return "", nil, errorf(diskimage.Unsupported, "the disk %q in it is a %s", disk.File, img.Format)
	default:
	}
	if disk.FileBytes >= 0 && img.TransferSize >= 0 && disk.FileBytes != img.TransferSize {
		return "", nil, errorf(diskimage.Damaged, "the file %q of the package has %d bytes, and the descriptor says %d", disk.File, img.TransferSize, disk.FileBytes)
	}
	return Key(l.at - 1), &backends.Content{
		Reader: &changed{img, disk.File, l.source}, Format: string(img.Format), Size: img.Size, VirtualSize: img.VirtualSize,
	}, nil
}

func (l *loose) close() error {
	if l.img == nil {
		return nil
	}
	err := l.img.Close()
	l.img = nil
	return err
}

// changed says of a file with the wrong checksum that it is the manifest that says so.
type changed struct {
	*diskimage.Image
	file   string
	source diskimage.Source
}

func (c *changed) Read(p []byte) (int, error) {
	n, err := c.Image.Read(p)
	if diskimage.KindOf(err) == diskimage.Mismatch {
		err = about(c.source, errorf(diskimage.Damaged, "the file %q is not what the manifest of the package says: %v", c.file, err))
	}
	return n, err
}

// Close does nothing: the package closes the file when it goes on.
func (c *changed) Close() error { return nil }
