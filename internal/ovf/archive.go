package ovf

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// archive is an OVA that is being read.
type archive struct {
	source     diskimage.Source
	img        *diskimage.Image
	in         *tar.Reader
	descriptor *Descriptor
	manifest   manifest // nil until it comes, if it does

	came  map[string]map[string]string // digests of the files that were read
	disk  *entry                       // handed out last
	blank []int                        // disks that begin empty, to come
	done  bool
	err   error
}

func openArchive(ctx context.Context, s diskimage.Source) (*backends.Appliance, error) {
	img, err := diskimage.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	a := &archive{source: s, img: img, came: map[string]map[string]string{}}
	if err := a.open(); err != nil {
		img.Close() //nolint:errcheck // nothing was written
		return nil, err
	}
	return &backends.Appliance{Hardware: a.descriptor.Hardware(), Next: a.next, Close: img.Close}, nil
}

func (a *archive) open() error {
	if a.img.Format != diskimage.OVA {
		return errorf(diskimage.Unsupported, "it is a %s image, not an OVA archive", a.img.Format)
	}
	a.in = tar.NewReader(a.img)
	h, err := a.header()
	if err != nil {
		return err
	}
	text, err := a.small(h, maxDescriptor)
	if err != nil {
		return err
	}
	if a.descriptor, err = Parse(text); err != nil {
		return err
	}
	a.blank = a.descriptor.blanks()
	return nil
}

// header moves on to the next file; io.EOF: there is none.
func (a *archive) header() (*tar.Header, error) {
	for {
		h, err := a.in.Next()
		if err != nil {
			return nil, a.broken(err)
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeReg, tar.TypeGNUSparse:
		default:
			return nil, errorf(diskimage.Unsupported, "%q in the archive is no regular file", h.Name)
		}
		h.Name = path.Clean(h.Name)
		if _, twice := a.came[h.Name]; twice {
			return nil, errorf(diskimage.Damaged, "the archive has the file %q twice", h.Name)
		}
		return h, nil
	}
}

// broken is the first cause of a failed read of the archive: what happened to the
// transfer, or else what is wrong with the archive.
func (a *archive) broken(err error) error {
	var own *diskimage.Error
	switch {
	case err == io.EOF, errors.As(err, &own), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errorf(diskimage.Incomplete, "the archive is cut short")
	}
	return &diskimage.Error{Kind: diskimage.Damaged, Msg: "the archive is damaged: " + err.Error(), Err: err}
}

// small reads a file that is kept in memory.
func (a *archive) small(h *tar.Header, most int64) ([]byte, error) {
	if h.Size > most {
		return nil, errorf(diskimage.TooLarge, "%q in the archive has %d bytes, and more than %d make no sense", h.Name, h.Size, most)
	}
	s := sumsFor(a.manifest, h.Name)
	text, err := io.ReadAll(io.TeeReader(a.in, s))
	if err != nil {
		return nil, a.broken(err)
	}
	a.came[h.Name] = s.digests()
	return text, nil
}

// next implements backends.Appliance.
func (a *archive) next(context.Context) (string, *backends.Content, error) {
	if a.err != nil {
		return "", nil, a.err
	}
	key, content, err := a.advance()
	if err != nil {
		a.err = err
	}
	return key, content, err
}

func (a *archive) advance() (string, *backends.Content, error) {
	if err := a.finishDisk(); err != nil {
		return "", nil, err
	}
	for !a.done {
		h, err := a.header()
		if err == io.EOF {
			if err := a.end(); err != nil {
				return "", nil, err
			}
			a.done = true
			break
		}
		if err != nil {
			return "", nil, err
		}
		i := a.descriptor.diskOf(h.Name)
		if i >= 0 {
			content, err := a.open1(h, a.descriptor.Disks[i])
			return Key(i), content, err
		}
		if err := a.pass(h); err != nil {
			return "", nil, err
		}
	}
	if len(a.blank) > 0 {
		i := a.blank[0]
		a.blank = a.blank[1:]
		return Key(i), a.descriptor.Disks[i].blank(), nil
	}
	return "", nil, io.EOF
}

// diskOf is the number of the disk that is in a file, or -1.
func (d *Descriptor) diskOf(file string) int {
	for i, disk := range d.Disks {
		if disk.File != "" && disk.File == file {
			return i
		}
	}
	return -1
}

// finishDisk makes sure that the disk handed out before was read to its end.
func (a *archive) finishDisk() error {
	if a.disk == nil {
		return nil
	}
	e := a.disk
	a.disk = nil
	if _, err := io.Copy(io.Discard, e); err != nil {
		return err
	}
	a.came[e.name] = e.sums.digests()
	return nil
}

// open1 hands out a file as the content of a disk.
func (a *archive) open1(h *tar.Header, disk Disk) (*backends.Content, error) {
	if disk.FileBytes >= 0 && disk.FileBytes != h.Size {
		return nil, errorf(diskimage.Damaged, "the file %q in the archive has %d bytes, and the descriptor says %d", h.Name, h.Size, disk.FileBytes)
	}
	e := &entry{a: a, name: h.Name, sums: sumsFor(a.manifest, h.Name)}
	e.in = bufio.NewReaderSize(a.in, detectBytes)
	head, err := e.in.Peek(detectBytes)
	if err != nil && err != io.EOF {
		return nil, a.broken(err)
	}
	content, err := contentOf(head, e, h.Size, h.Name)
	if err == nil {
		a.disk = e
	}
	return content, err
}

// pass reads what is no disk: the manifest, and files that nobody asked for.
func (a *archive) pass(h *tar.Header) error {
	if strings.EqualFold(path.Ext(h.Name), ".mf") {
		if a.manifest != nil {
			return errorf(diskimage.Damaged, "the archive has two manifests")
		}
		text, err := a.small(h, maxManifest)
		if err != nil {
			return err
		}
		a.manifest, err = parseManifest(text)
		return err
	}
	s := sumsFor(a.manifest, h.Name)
	if _, err := io.Copy(s, a.in); err != nil {
		return a.broken(err)
	}
	a.came[h.Name] = s.digests()
	return nil
}

// end is when the archive was read: now it is known whether it was right.
func (a *archive) end() error {
	if _, err := io.Copy(io.Discard, a.img); err != nil { // what follows the archive counts for its checksum
		return err
	}
	if err := a.descriptor.missing(func(file string) bool { return a.came[file] != nil }); err != nil {
		return err
	}
	return a.manifest.check(a.came)
}

// entry is a disk's file in an archive.
type entry struct {
	a    *archive
	name string
	in   *bufio.Reader
	sums sums
	err  error
}

func (e *entry) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	n, err := e.in.Read(p)
	e.sums.Write(p[:n]) //nolint:errcheck // a hash never fails
	if err != nil {
		e.err = about(e.a.source, e.a.broken(err))
	}
	return n, e.err
}

// Close does nothing: the archive goes on behind the file.
func (e *entry) Close() error { return nil }
