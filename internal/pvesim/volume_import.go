package pvesim

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/diskimage"
)

// opened is the disk that is in a file: what a guest would read, and its size. Files in an OVA are named by
// volids of their own, see inside. It is called without mu.
func (w *worker) opened(v *volume) (*content, int64, error) {
	format := v.format
	if _, inner, ok := strings.Cut(format, "+"); ok {
		format = inner
	}
	if v.content == "iso" {
		format = "raw"
	}
	size, err := checkImage(v.data, format)
	if err != nil {
		return nil, 0, die("qemu-img: Could not open '%s': %v", v.path(), err)
	}
	if format == "raw" {
		return v.data, size, nil
	}
	data, err := w.convert(w.ctx, v.data, diskimage.Format(format))
	if err != nil {
		return nil, 0, die("copy failed: qemu-img: error while reading '%s': %v", v.path(), err)
	}
	return data, data.length(), nil
}

// errFormat is what qemu-img says of a file in another format.
type errFormat string

func (e errFormat) Error() string { return "Image is not in " + string(e) + " format" }

// checkImage tells the size of the disk in a file, or that it is not of the format.
func checkImage(data *content, format string) (int64, error) {
	if format == "raw" {
		return data.length(), nil
	}
	head := make([]byte, 64<<10)
	n, err := data.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return 0, err
	}
	h, err := diskimage.Detect(head[:n])
	switch {
	case err != nil && h.Format == "":
		return 0, err
	case string(h.Format) != format:
		return 0, errFormat(format)
	case err != nil:
		return 0, err
	}
	return h.VirtualSize, nil
}

// convert reads the disk in a file.
func (c *cluster) convert(ctx context.Context, from *content, format diskimage.Format) (*content, error) {
	to := newContent(c.volumes.spool, 0)
	done, err := diskimage.ConvertSparse(ctx, from.reader(), format, func(offset int64, extent io.Reader) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.NewOffsetWriter(to, offset)}, extent, make([]byte, chunkSize))
		return err
	})
	if err != nil {
		return nil, err
	}
	to.resize(done.Size)
	return to, nil
}

// inside is a file in an OVA, by a volid such as "local:import/x.ova/disk.vmdk", with its bytes. It is called without mu.
func (w *worker) inside(node, volid string) (*volume, error) {
	id, name, _ := cutVolid(volid)
	st, err := w.usableNow(node, id)
	if err != nil {
		return nil, err
	}
	m := insideSyntax.FindStringSubmatch(name)
	if m == nil {
		return nil, die("cannot extract %s - invalid volname %s", volid, name)
	}
	w.mu.Lock()
	archive := w.volume(node, id+":import/"+m[1])
	w.mu.Unlock()
	if archive == nil {
		return nil, die("volume '%s' does not exist", id+":import/"+m[1])
	}
	data, err := w.extract(archive.data, func(file string) bool { return file == m[2] })
	if err != nil {
		return nil, die("error during extraction: %v", err)
	}
	if data == nil {
		return nil, die("error during extraction: command 'tar -x --force-local --no-same-owner -C /tmp -f %s %s' failed: exit code 2", archive.path(), m[2])
	}
	return &volume{volid: volid, node: archive.node, storage: st, content: "import", format: "ova+" + m[3], size: data.length(), data: data}, nil
}

func (c *cluster) usableNow(node, id string) (*storage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usable(node, id)
}

// extract reads the first file of an archive that match agrees to, nil where there is none.
func (c *cluster) extract(archive *content, match func(name string) bool) (*content, error) {
	r := tar.NewReader(archive.reader())
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || !match(path.Clean(h.Name)) {
			continue
		}
		data := newContent(c.volumes.spool, 0)
		if err := data.fill(r); err != nil {
			return nil, err
		}
		return data, nil
	}
}
